"""camt.053, versions 001.02 to 001.08: an account's booked entries between its opening and closing balance (ISO 20022).

A statement may be split over several files, its pages (StmtPgntn): `page_of` looks whether a file is one, `Camt053Pages` reads all of them as one.

Streaming: an entry is read and forgotten. Document types, entities and anything from outside are refused before they are looked at. Only
entries with status BOOK are lines; others have not moved money. Element by element the message definitions are followed where versions
differ: the status is text up to 001.06 and a code below it later, a party is a level deeper from 001.08 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, BinaryIO
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from reconciliation.parsers.base import MAX_UNREAD, Balance, Entry, Item, LineProblem, RefusedFile, Totals, Unread
from reconciliation.parsers.entries import EntryParser, check_day, day_of, hundredths_of, minor_of, stated_by

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NAMESPACE = "{urn:iso:std:iso:20022:tech:xsd:camt.053.001.0"
_VERSIONS = "2345678"
_MAX_PAGES = 1000
_MAX_ELEMENTS = 200_000  # of one statement's head or one entry: more is an attack on our memory


@dataclass(slots=True)
class _Statement:
    """One Stmt while it is read."""

    account: str
    key: str
    currency: str
    opened_on: date
    opening_minor: int
    closed_on: date
    closing_minor: int
    stated: dict[str, str]  # of the transactions summary
    entries: int = 0  # all of them
    booked: int = 0
    unread: int = 0
    credits: list[int] = field(default_factory=lambda: [0, 0])  # count, minor
    debits: list[int] = field(default_factory=lambda: [0, 0])


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a statement that has several: the head of a file."""

    account: str
    key: str  # the statement's id, the same on every page
    number: int
    last: bool
    day: str = ""  # of the statement, ISO: the latest that its balances and its first entry have


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands before a statement's entries."""

    account: str
    currency: str
    key: str
    page: Page | None
    balances: dict[str, tuple[date, int]]

    @property
    def opening(self) -> tuple[date, int] | None:
        return self.balances.get("OPBD") or self.balances.get("PRCD")

    @property
    def closing(self) -> tuple[date, int] | None:
        return self.balances.get("CLBD")


class Camt053Reader:
    """A reader (parsers.base.Reader) of one camt.053 file."""

    def __init__(self, file: BinaryIO, parser: EntryParser) -> None:
        self.parser = parser
        self.totals = Totals()
        self.unread = 0
        self.stated: Totals | None = None
        self.balances: tuple[Balance, ...] = ()
        self._file = file
        self._ns = ""
        self._number = self._moved = 0

    def __iter__(self) -> Iterator[Item]:
        try:
            yield from self._items()
        except ParseError as exc:
            raise RefusedFile(f"line {exc.position[0]}: not well-formed XML ({exc})") from exc
        except DefusedXmlException as exc:
            raise RefusedFile(f"a document type or an entity, which no statement has ({type(exc).__name__})") from exc
        except (LookupError, ValueError) as exc:  # an encoding that there is not
            raise RefusedFile(f"cannot be decoded: {exc}") from exc

    def _items(self) -> Iterator[Item]:
        yield from self._read(self._file)
        if not self.balances:
            raise RefusedFile("the file has no statement (Stmt)")
        read = sum(balance.entry_count for balance in self.balances) - self.unread
        self.totals = Totals(read, self._moved, 0, self._moved)
        self.stated = stated_by(self.balances)

    def _read(self, file: BinaryIO) -> Iterator[Item]:
        """The entries of one file."""
        file.seek(0)
        statement: _Statement | None = None
        root: Element | None = None
        parent: Element | None = None
        alive = 0
        for event, element in iterparse(
            file, events=("start", "end"), forbid_dtd=True, forbid_entities=True, forbid_external=True
        ):
            if event == "start":
                alive += 1
                if alive > _MAX_ELEMENTS:
                    raise RefusedFile(f"more than {_MAX_ELEMENTS} elements in one place")
                if root is None:
                    root = element
                    self._check_root(element)
                elif element.tag == self._tag("Stmt"):
                    parent, statement = element, None
                continue
            if parent is None:
                continue
            if element.tag == self._tag("Ntry"):
                self._number += 1
                statement = statement or self._opened(parent, self._number)
                statement.entries += 1
                item = self._entry(element, statement, self._number)
                parent.remove(element)
                alive = 0
                if item is not None:
                    if isinstance(item, Entry):
                        self._moved += hundredths_of(item.amount_minor, item.currency)
                    yield item
            elif element.tag == self._tag("Stmt"):
                self._closed(statement or self._opened(element, self._number))
                element.clear()
                parent, statement, alive = None, None, 0

    def _check_root(self, element: Element) -> None:
        tag = element.tag
        version = tag.removeprefix(_NAMESPACE)
        if version == tag or version[1:] != "}Document" or version[0] not in _VERSIONS:
            raise RefusedFile(f"line 1: {tag!r} is not a Document of camt.053.001.02 to 001.08")
        self._ns = tag.removesuffix("Document")

    def _tag(self, name: str) -> str:
        return self._ns + name

    def _text(self, element: Element, *paths: str) -> str:
        """The text at the first of the paths that has one."""
        for path in paths:
            text = element.findtext("/".join(map(self._tag, path.split("/"))))
            if text and text.strip():
                return text.strip()
        return ""

    def _all(self, element: Element, path: str) -> list[Element]:
        return element.findall("/".join(map(self._tag, path.split("/"))))

    def head(self) -> _Head | None:
        """Of the file's first statement; None without one. Raises RefusedFile."""
        self._file.seek(0)
        parent: Element | None = None
        try:
            for count, (event, element) in enumerate(
                iterparse(
                    self._file, events=("start", "end"), forbid_dtd=True, forbid_entities=True, forbid_external=True
                )
            ):
                if count > _MAX_ELEMENTS:
                    break
                if event == "start" and not self._ns:
                    self._check_root(element)
                elif event == "start" and element.tag == self._tag("Stmt"):
                    parent = element
                elif parent is not None and element.tag in (self._tag("Ntry"), self._tag("Stmt")):
                    return self._head(parent, 1)
        except (ParseError, DefusedXmlException, LookupError, ValueError):
            return None  # whoever reads it whole says what is wrong
        return None

    def _head(self, element: Element, number: int) -> _Head:
        """What comes before a statement's entries. Raises RefusedFile."""
        account = self._text(element, "Acct/Id/IBAN", "Acct/Id/Othr/Id")
        currency = self.parser.currency_of(number, account)
        if self._text(element, "Acct/Ccy") not in ("", currency):
            raise RefusedFile(f"account {account} is in {self._text(element, 'Acct/Ccy')}, we have it in {currency}")
        balances: dict[str, tuple[date, int]] = {}
        for balance in self._all(element, "Bal"):
            code = self._text(balance, "Tp/CdOrPrtry/Cd", "Tp/CdOrPrtry/Prtry")
            if code in ("OPBD", "PRCD", "CLBD"):
                balances[code] = self._balance(balance, currency, code)
        page, last = (
            self._text(element, "StmtPgntn/PgNb"),
            self._text(element, "StmtPgntn/LastPgInd") not in ("false", "0"),
        )
        found = None
        if (page not in ("", "1") or not last) and not (page.isdecimal() and 1 <= int(page) <= _MAX_PAGES):
            raise RefusedFile(f"the statement of {account} is page {page!r}, which is none from 1 to {_MAX_PAGES}")
        if page not in ("", "1") or not last:
            found = Page(account, self._text(element, "Id")[:60], int(page), last, self._day(element))
        key = self._text(element, "ElctrncSeqNb", "LglSeqNb", "Id")[:60]
        return _Head(account, currency, key, found, balances)

    def _day(self, element: Element) -> str:
        """A day of the statement, as far as its head and its first entry have one. Balances that look ahead (FWAV) are not of it."""
        dated = self._all(element, "Ntry/BookgDt") + [
            on
            for balance in self._all(element, "Bal")
            if self._text(balance, "Tp/CdOrPrtry/Cd") in ("OPBD", "PRCD", "ITBD", "CLBD")
            for on in self._all(balance, "Dt")
        ]
        return max((self._text(on, "Dt", "DtTm")[:10] for on in dated), default="")

    def _opened(self, element: Element, number: int) -> _Statement:
        """The statement that begins here. Raises RefusedFile."""
        head = self._head(element, number)
        if head.page is not None:
            raise RefusedFile(
                f"the statement of {head.account} is page {head.page.number} of several, beside another one"
            )
        if head.opening is None or head.closing is None:
            raise RefusedFile(
                f"the statement of {head.account} has no opening (OPBD or PRCD) and closing (CLBD) balance"
            )
        return _begun(head, head.opening, head.closing, self._stated(element))

    def _stated(self, element: Element) -> dict[str, str]:
        """The transactions summary."""
        return {
            name: self._text(element, f"TxsSummry/{path}")
            for name, path in (
                ("entries", "TtlNtries/NbOfNtries"),
                ("sum", "TtlNtries/Sum"),
                ("credits", "TtlCdtNtries/NbOfNtries"),
                ("credit sum", "TtlCdtNtries/Sum"),
                ("debits", "TtlDbtNtries/NbOfNtries"),
                ("debit sum", "TtlDbtNtries/Sum"),
            )
        }

    def _balance(self, element: Element, currency: str, code: str) -> tuple[date, int]:
        try:
            amount = element.find(self._tag("Amt"))
            if amount is None or amount.get("Ccy") != currency:
                raise LineProblem(f"not in {currency}")
            minor = minor_of((amount.text or "").strip(), currency)
            on = day_of(self._text(element, "Dt/Dt", "Dt/DtTm")[:10])
            side = self._text(element, "CdtDbtInd")
            if side not in ("CRDT", "DBIT"):
                raise LineProblem(f"CdtDbtInd {side!r}")
        except LineProblem as exc:
            raise RefusedFile(f"the {code} balance: {exc}") from exc
        return on, minor if side == "CRDT" else -minor

    def _entry(self, element: Element, statement: _Statement, number: int) -> Item | None:
        if self._text(element, "Sts/Cd", "Sts") not in ("BOOK", ""):
            return None
        statement.booked += 1
        values = self._values(element, statement)
        try:
            entry = self.parser.read(number, values)
            check_day(entry, statement.opened_on, statement.closed_on)
        except LineProblem as exc:
            statement.unread += 1
            self.unread += 1
            if self.unread > MAX_UNREAD:
                raise RefusedFile(f"entry {number}: {exc}", f"More than {MAX_UNREAD} entries cannot be read.") from exc
            return Unread(number, values, str(exc))
        side = statement.credits if entry.amount_minor > 0 else statement.debits
        side[0] += 1
        side[1] += abs(entry.amount_minor)
        return entry

    def _values(self, element: Element, statement: _Statement) -> tuple[str, ...]:
        """The entry's fields, in the order of entries.COLUMNS."""
        amount = element.find(self._tag("Amt"))
        details = self._all(element, "NtryDtls/TxDtls")
        one = details[0] if len(details) == 1 else element
        side = {"CRDT": "C", "DBIT": "D"}.get(self._text(element, "CdtDbtInd"), self._text(element, "CdtDbtInd"))
        them = "Dbtr" if side == "C" else "Cdtr"
        instructed = one.find("/".join(map(self._tag, ("AmtDtls", "InstdAmt", "Amt"))))
        foreign = (
            instructed is not None
            and amount is not None
            and (instructed.get("Ccy"), instructed.text) != (amount.get("Ccy"), amount.text)
        )
        narrative = [
            (line.text or "").strip()
            for each in details or [element]
            for path in ("RmtInf/Ustrd", "RmtInf/Strd/CdtrRefInf/Ref", "AddtlTxInf")
            for line in self._all(each, path)
        ]
        narrative.append(self._text(element, "AddtlNtryInf"))
        return (
            statement.account,
            self._text(element, "AcctSvcrRef") or self._text(one, "Refs/AcctSvcrRef") or self._text(element, "NtryRef"),
            self._text(one, "Refs/EndToEndId"),
            side,
            (amount.text or "").strip() if amount is not None else "",
            amount.get("Ccy", "") if amount is not None else "",
            {"1": "true", "0": "false"}.get(reversal := self._text(element, "RvslInd"), reversal),
            self._text(element, "BookgDt/Dt", "BookgDt/DtTm")[:10],
            self._text(element, "ValDt/Dt", "ValDt/DtTm")[:10],
            self._type(element),
            self._text(one, f"RltdPties/{them}/Pty/Nm", f"RltdPties/{them}/Nm"),
            " ".join(part for part in narrative if part),
            self._charges(element, amount) or self._charges(one, amount),
            (instructed.text or "").strip() if foreign and instructed is not None else "",
            instructed.get("Ccy", "") if foreign and instructed is not None else "",
        )

    def _charges(self, element: Element, amount: Element | None) -> str:
        """In the account's currency; with their own in front, which no amount has, where it is another: a person says what they come to."""
        found = element.find("/".join(map(self._tag, ("Chrgs", "TtlChrgsAndTaxAmt"))))
        text = (found.text or "").strip() if found is not None else ""
        own = found.get("Ccy", "") if found is not None else ""
        return f"{own} {text}" if text and amount is not None and own not in ("", amount.get("Ccy")) else text

    def _type(self, element: Element) -> str:
        domain = [self._text(element, f"BkTxCd/Domn/{path}") for path in ("Cd", "Fmly/Cd", "Fmly/SubFmlyCd")]
        return "/".join(domain) if domain[0] else self._text(element, "BkTxCd/Prtry/Cd")

    def _closed(self, statement: _Statement) -> None:
        """The statement's end: what it states agrees with its entries. Raises RefusedFile."""
        said, credits, debits = statement.stated, statement.credits, statement.debits
        wrong = []
        if said and said["entries"] not in ("", str(statement.entries)):
            wrong.append(f"states {said['entries']} entries and has {statement.entries}")
        if not statement.unread:
            if statement.opening_minor + credits[1] - debits[1] != statement.closing_minor:
                wrong.append("the opening balance and the entries do not come to the closing balance")
            if said and statement.entries == statement.booked:
                found = {
                    "sum": credits[1] + debits[1],
                    "credit sum": credits[1],
                    "debit sum": debits[1],
                    "credits": credits[0],
                    "debits": debits[0],
                }
                net = abs(credits[1] - debits[1])  # some banks state it where the definition has the sum of both sides
                for name, had in found.items():
                    try:
                        stated = minor_of(said[name], statement.currency) if name.endswith("sum") else int(said[name])
                    except (LineProblem, ValueError):
                        continue  # not stated, or not as a number: the balances decide
                    if stated != had and not (name == "sum" and stated == net):
                        wrong.append(f"states {name} of {said[name]}, which the entries do not have")
        if wrong:
            raise RefusedFile(*(f"account {statement.account}: {problem}" for problem in wrong))
        self.balances += (
            Balance(
                statement.account,
                statement.key,
                statement.currency,
                statement.opened_on,
                statement.opening_minor,
                statement.closed_on,
                statement.closing_minor,
                statement.booked,
            ),
        )


class Camt053Pages(Camt053Reader):
    """A reader of all pages of one statement, in their order: the first has the opening balance, the last the closing one.

    What a page states of itself is not compared, because some banks mean the page and some the whole: the balances decide, over all pages.
    An entry that cannot be read condemns them all: the balances could not be compared.
    """

    def __init__(self, files: Sequence[BinaryIO], parser: EntryParser) -> None:
        super().__init__(files[0], parser)
        self._files = files
        self._whole: _Statement | None = None
        self._place = self._ended = 0  # which page is read, and how many statements of it have ended

    def _items(self) -> Iterator[Item]:
        self._whole = self._begin()
        for file in self._files:
            self._place, self._ended = self._place + 1, 0
            for item in self._read(file):
                if isinstance(item, Unread):
                    raise RefusedFile(f"page {self._place}: entry {item.number}: {item.reason}")
                yield item
            if self._ended != 1:
                raise RefusedFile(f"page {self._place} has {self._ended} statements (Stmt) instead of one")
        read = self.balances[0].entry_count
        self.totals = Totals(read, self._moved, 0, self._moved)
        self.stated = stated_by(self.balances)

    def _begin(self) -> _Statement:
        heads = [Camt053Reader(file, self.parser).head() for file in (self._files[0], self._files[-1])]
        first, last = heads
        if first is None or last is None or first.opening is None or last.closing is None:
            raise RefusedFile("the first page has no opening (OPBD or PRCD), or the last no closing (CLBD) balance")
        return _begun(first, first.opening, last.closing, {})

    def _opened(self, element: Element, number: int) -> _Statement:
        head = self._head(element, number)
        whole = self._whole
        if whole is None or head.page is None or head.account != whole.account:
            raise RefusedFile(f"a page of several, beside another statement of {head.account}")
        return whole

    def _closed(self, statement: _Statement) -> None:
        self._ended += 1
        if self._place == len(self._files):
            super()._closed(statement)


def _begun(head: _Head, opening: tuple[date, int], closing: tuple[date, int], stated: dict[str, str]) -> _Statement:
    return _Statement(
        account=head.account,
        key=head.key,
        currency=head.currency,
        opened_on=opening[0],
        opening_minor=opening[1],
        closed_on=closing[0],
        closing_minor=closing[1],
        stated=stated,
    )


def page_of(file: BinaryIO, parser: EntryParser) -> Page | None:
    """Which page of a statement the file is; None for one that is whole, or that is none at all. Raises RefusedFile."""
    head = Camt053Reader(file, parser).head()
    return head.page if head else None
