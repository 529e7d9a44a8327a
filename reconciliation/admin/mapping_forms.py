"""The column-mapping wizard's forms: a sample of a file, then what its columns are."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from reconciliation.models import LineType
from reconciliation.parsers.base import RefusedFile
from reconciliation.parsers.bytes import ZIP
from reconciliation.parsers.mapped import (
    BANK_FIELDS,
    DELIMITERS,
    ENCODINGS,
    NEGATIVES,
    PROVIDER_FIELDS,
    SIGNS,
    THOUSANDS,
    Table,
    raw_rows,
)
from reconciliation.parsers.sheets import sheet_rows

SAMPLE_BYTES = 48 * 1024
SAMPLE_ROWS = 200
_SALT = "reconciliation.sample"
_FILE = ("encoding", "delimiter", "skip_rows", "skip_matching", "date_format")
_AMOUNTS = ("decimal", "thousands", "negative", "sign")
_NAMES = {",": "comma ,", ";": "semicolon ;", "\t": "tab", "|": "bar |"}
_LABELS = {
    "type": "Type",
    "account_key": "Account",
    "provider_reference": "Provider's reference",
    "our_reference": "Our reference",
    "at": "Time",
    "currency": "Currency",
    "amount": "Amount (or money in)",
    "debit": "Money out",
    "fee": "Fee",
    "net": "Net",
    "status_code": "Status",
    "reference": "Bank's reference",
    "end_to_end_id": "End-to-end id",
    "booked_on": "Booked on",
    "value_on": "Value date",
    "counterparty": "Counterparty",
    "narrative": "Narrative",
    "type_code": "Type",
}


class Sample:
    """The beginning of a file, carried from step to step in the page, signed: nothing of it is stored."""

    def __init__(self, kind: str, data: str) -> None:
        self.kind = kind
        self._data = data  # csv: base64 of bytes; xlsx: JSON of rows

    @classmethod
    def of(cls, file: BinaryIO) -> Sample:
        """Raises RefusedFile."""
        file.seek(0)
        if file.read(len(ZIP)) == ZIP:
            return cls("xlsx", json.dumps([cells for _, cells in islice(sheet_rows(file), SAMPLE_ROWS)]))
        file.seek(0)
        content = file.read(SAMPLE_BYTES)
        if len(content) == SAMPLE_BYTES:  # whole lines only, in whatever encoding
            content = content[: content.rfind(b"\n") + 1 + (content[:2] == b"\xff\xfe")]
        return cls("csv", base64.b64encode(content).decode())

    @classmethod
    def signed(cls, text: str) -> Sample:
        """Raises django.core.signing.BadSignature."""
        return cls(*signing.loads(text, salt=_SALT))

    def delimiter(self) -> str:
        """What separates the columns, by the look of it: a proposal for the form, which a person looks at."""
        if self.kind == "xlsx":
            return ","
        text = base64.b64decode(self._data).decode("latin-1")
        return max(DELIMITERS, key=text.count)

    def sign(self) -> str:
        return signing.dumps([self.kind, self._data], salt=_SALT, compress=True)

    def rows(self, *, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
        """Raises RefusedFile while it is read."""
        if self.kind == "xlsx":
            return iter(enumerate(json.loads(self._data), start=1))
        from io import BytesIO

        table = Table(bank=False, header=(), columns={}, encoding=encoding, delimiter=delimiter)
        return raw_rows(BytesIO(base64.b64decode(self._data)), table)


class WhyForm(forms.Form):
    """Why the columns are read like this."""

    reason = forms.CharField(max_length=255, widget=UnfoldAdminTextInputWidget, help_text="Kept in the audit log.")


class SampleForm(forms.Form):
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,.txt,.tsv,.xlsx"}),
        help_text="Any file of this source. Only its beginning is looked at, and nothing is imported.",
    )


def _select(choices: list[tuple[str, str]], label: str, **options: Any) -> forms.ChoiceField:
    return forms.ChoiceField(choices=choices, label=label, widget=UnfoldAdminSelectWidget, **options)


class MappingForm(forms.Form):
    """What the file is, and which column holds what. `header` are the columns of the sample as it is read with what was said last."""

    encoding = _select([(x, x) for x in ENCODINGS], "Encoding")
    delimiter = _select([(x, _NAMES[x]) for x in DELIMITERS], "Delimiter")
    skip_rows = forms.IntegerField(
        min_value=0, max_value=100, label="Rows before the column names", widget=UnfoldAdminTextInputWidget
    )
    skip_matching = forms.CharField(
        required=False,
        max_length=100,
        label="Skip rows with",
        help_text="A text, with ^ before it at the beginning of the row only; several with | between them: ^Total|Page ",
        widget=UnfoldAdminTextInputWidget,
    )
    date_format = forms.CharField(
        max_length=40,
        label="Date format",
        help_text="%d day, %m month, %Y year, %H:%M:%S time: %d/%m/%Y %H:%M",
        widget=UnfoldAdminTextInputWidget,
    )
    decimal = _select([(".", "point ."), (",", "comma ,")], "Decimal sign")
    thousands = _select([(x, x.replace(" ", "space") or "none") for x in THOUSANDS], "Thousands sign", required=False)
    negative = _select(
        list(zip(NEGATIVES, ("-100.00", "(100.00)", "100.00-"), strict=True)), "Negative amounts are written"
    )
    sign = _select(
        list(
            zip(SIGNS, ("Amounts have their sign", "The type says which way", "Two columns: in and out"), strict=True)
        ),
        "Which way the money went",
    )

    def __init__(self, header: list[str], *, bank: bool, data: Any = None, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self._bank = bank
        self._header = header
        if bank:
            sign: Any = self.fields["sign"]
            sign.choices = [choice for choice in sign.choices if choice[0] != "by_type"]
        choices = [("", "–"), *((name, name) for name in header)]
        for name in BANK_FIELDS if bank else PROVIDER_FIELDS:
            self.fields[f"column_{name}"] = _select(choices, _LABELS[name], required=False)
        for name in ("currency", "account_key", *(() if bank else ("status_code",))):
            self.fields[f"fixed_{name}"] = forms.CharField(
                required=False,
                max_length=60,
                label=f"{_LABELS[name]}, if no column has it",
                widget=UnfoldAdminTextInputWidget,
            )
        if not bank:
            self.fields["types"] = forms.CharField(
                label="What the types mean",
                widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
                help_text=f"A line each, such as Sale = PAYMENT; without a type column: = PAYMENT. Known: {', '.join(LineType)}.",
            )
        self.fields["day"] = forms.DateField(
            label="Day of the sample", widget=UnfoldAdminSingleDateWidget, help_text="Only for the preview."
        )

    def groups(self) -> Iterator[tuple[str, list[forms.BoundField]]]:
        """The fields by what they are about, as the page shows them."""
        taken = set(_FILE) | set(_AMOUNTS)
        columns = [name for name in self.fields if name.startswith("column_")]
        rest = [name for name in self.fields if name not in taken and name not in columns]
        for title, names in (
            ("The file", _FILE),
            ("Which column holds what", columns),
            ("How amounts are written", _AMOUNTS),
            ("What no column says", rest),
        ):
            yield title, [self[name] for name in names]

    def clean_types(self) -> dict[str, str]:
        types = {}
        for line in self.cleaned_data["types"].splitlines():
            text, equals, meaning = line.rpartition("=")
            if line.strip():
                if not equals:
                    raise ValidationError(f"{line!r} has no = in it.")
                types[text.strip()] = meaning.strip().upper()
        return types

    def mapping(self, kind: str) -> dict[str, Any]:
        """In its stored form (parsers.mapped.mapping_of)."""
        given = self.cleaned_data
        names = (
            "encoding",
            "delimiter",
            "skip_rows",
            "skip_matching",
            "date_format",
            "decimal",
            "thousands",
            "negative",
            "sign",
        )
        return {
            "kind": kind,
            "header": self._header,
            "columns": {n.removeprefix("column_"): c for n, c in given.items() if n.startswith("column_") and c},
            "fixed": {n.removeprefix("fixed_"): c for n, c in given.items() if n.startswith("fixed_") and c},
            "types": given.get("types", {}),
        } | {name: given[name] for name in names}


def initial_of(mapping: dict[str, Any]) -> dict[str, Any]:
    """The form's fields from a stored mapping."""
    plain = {name: value for name, value in mapping.items() if name not in ("columns", "fixed", "types", "header")}
    return (
        plain
        | {f"column_{name}": column for name, column in mapping.get("columns", {}).items()}
        | {f"fixed_{name}": value for name, value in mapping.get("fixed", {}).items()}
        | {"types": "\n".join(f"{text} = {meaning}" for text, meaning in mapping.get("types", {}).items())}
    )


def header_of(sample: Sample, *, encoding: str, delimiter: str, skip_rows: int) -> list[str]:
    """The column names. Raises RefusedFile."""
    for number, row in sample.rows(encoding=encoding, delimiter=delimiter):
        if number > skip_rows:
            return [cell.strip() for cell in row]
    raise RefusedFile("the sample has no row of column names")
