"""A file is bytes that can be read twice: once to see what they are and hash them, once to read the lines. Never held whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from reconciliation.parsers.base import RefusedFile

MAX_BYTES = 2 * 1024 * 1024 * 1024
PIECE = 1024 * 1024
LONGEST_LINE = 64 * 1024
ZIP = b"PK\x03\x04"
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class TooLarge(Exception):
    """Nobody reads a file of this size."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    size: int
    sha256: bytes


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The file from its beginning."""
    file.seek(0)
    while piece := file.read(PIECE):
        yield piece


def fingerprint(file: BinaryIO) -> Fingerprint:
    """Size and hash. Raises TooLarge."""
    size, digest = 0, hashlib.sha256()
    for piece in pieces(file):
        size += len(piece)
        if size > MAX_BYTES:
            raise TooLarge(f"the file is larger than {MAX_BYTES} bytes")
        digest.update(piece)
    return Fingerprint(size, digest.digest())


def check_text(file: BinaryIO) -> None:
    """What no UTF-8 text of the declared formats contains, found before anything is decoded. Raises RefusedFile naming the line."""
    lines, empty = 1, True
    for piece in pieces(file):
        if empty and piece.startswith(_MARKS):
            raise RefusedFile("line 1: a byte order mark; the file has to be UTF-8 without one")
        empty = False
        for byte, name in ((b"\0", "a NUL byte"), (b"\r", "a carriage return; lines end with a line feed alone")):
            at = piece.find(byte)
            if at >= 0:
                number = lines + piece.count(b"\n", 0, at)
                raise RefusedFile(f"line {number}: {name}")
        lines += piece.count(b"\n")
    if empty:
        raise RefusedFile("line 1: the file is empty")


def text_lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    """The file's lines with their ends, decoded. Raises RefusedFile."""
    file.seek(0)
    number = 0
    try:
        while raw := file.readline(LONGEST_LINE):
            number += 1
            if len(raw) == LONGEST_LINE:
                raise RefusedFile(f"line {number}: longer than {LONGEST_LINE} bytes")
            yield raw.decode(encoding)
    except UnicodeDecodeError as exc:
        raise RefusedFile(f"line {number}: not {encoding.upper()}") from exc
