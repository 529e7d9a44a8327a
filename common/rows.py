"""Rows that belong together are written in one statement: one round trip, all or nothing.

The ORM needs a round trip and about half a millisecond of Python for every row; a payment's create writes seven. Here the models
stay the only source of table and column names and of value conversion, while PostgreSQL gets a single statement with one
data-modifying CTE per table. Constraint and trigger checks are the database's as ever.

    rows = Rows()
    rows.insert(Transaction, id=..., amount_minor=...)
    rows.update(Payment, pk, {"version": 3}, state="CAPTURED", version=4)
    rows.write()            # raises StaleRow if a guarded update found no row

Reading is alike where it is hot: a statement of our own, written once, with the models' columns in it (`columns_of`), whose rows become
instances (`read_rows`). The ORM takes longer to compile such a query each time than PostgreSQL to answer it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, cast

from django.db import connection, models
from psycopg import RawCursor


class StaleRow(Exception):
    """A guarded update found its row in another state than expected. Nothing of the enclosing transaction may be kept."""


@lru_cache(maxsize=512)
def _numbered(statement: str) -> str:
    """The statement with PostgreSQL's own placeholders, $1, $2, ..."""
    first, *rest = statement.split("%s")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, start=1))


Converter = Callable[[Any], Any]


@lru_cache(maxsize=64)
def columns_of(model: type[models.Model], alias: str) -> str:
    """All columns of a model for the select list of a statement, in the order that `read_rows` expects."""
    return ", ".join(f'"{alias}"."{field.column}"' for field in model._meta.concrete_fields)


def read_rows(statement: str, params: Sequence[Any], *kinds: type[models.Model]) -> list[tuple[Any, ...]]:
    """Run a statement whose select list is `columns_of` each of `kinds`, then whatever else. Each row: an instance of each (None where a
    left join found none), then the rest as it came.
    """
    connection.ensure_connection()
    with connection._prepare_cursor(RawCursor(connection.connection)) as cursor:  # type: ignore[attr-defined]
        cursor.execute(_numbered(statement), params)
        return [_read(row, kinds) for row in cursor.fetchall()]


def _read(row: tuple[Any, ...], kinds: tuple[type[models.Model], ...]) -> tuple[Any, ...]:
    found: list[Any] = []
    at = 0
    for model in kinds:
        names, key, converters = _reading(model)
        values = list(row[at : at + len(names)])
        at += len(names)
        if values[key] is None:
            found.append(None)
            continue
        for index, convert in converters:
            values[index] = convert(values[index])
        found.append(model.from_db(connection.alias, names, values))
    return (*found, *row[at:])


def _reader(field: Any) -> Converter:
    return lambda value: field.from_db_value(value, None, connection)


@lru_cache(maxsize=64)
def _reading(model: type[models.Model]) -> tuple[list[str], int, list[tuple[int, Converter]]]:
    """Attribute names, the place of the primary key, and what converts a database value (JSON comes as text)."""
    fields = model._meta.concrete_fields
    converters = [(index, _reader(field)) for index, field in enumerate(fields) if hasattr(field, "from_db_value")]
    return [field.attname for field in fields], fields.index(model._meta.pk), converters


@lru_cache(maxsize=256)
def _columns(model: type[models.Model], names: tuple[str, ...]) -> tuple[str, tuple[Converter, ...]]:
    """The quoted column list, and a converter to a database value for each column."""
    columns, converters = [], []
    for name in names:
        field = _field(model, name)
        columns.append(f'"{field.column}"')
        converters.append(_converter(field))
    return ", ".join(columns), tuple(converters)


def _field(model: type[models.Model], name: str) -> models.Field[Any, Any]:
    """The column named `name` (`merchant_id` or "pk")."""
    found = model._meta.pk if name == "pk" else model._meta.get_field(name)
    return cast("models.Field[Any, Any]", found)


def _converter(field: models.Field[Any, Any]) -> Converter:
    """Text, numbers and times go to psycopg as they are; fields with a form of their own (JSON) convert."""
    if isinstance(field, models.JSONField | models.BinaryField):
        return lambda value: field.get_db_prep_save(value, connection)
    return lambda value: value


@lru_cache(maxsize=128)
def _defaults(model: type[models.Model]) -> Mapping[str, Callable[[], Any]]:
    """Python-side defaults of the model; columns without one are left to the database."""
    return {f.attname: f.get_default for f in model._meta.concrete_fields if f.has_default()}


class Rows:
    """A unit of writing. Not reusable after write()."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._guards: list[str] = []
        self._params: list[Any] = []
        self._inserts: dict[tuple[type[models.Model], tuple[str, ...], bool], list[list[Any]]] = {}

    def insert(self, model: type[models.Model], /, **values: Any) -> None:
        """Add a row; `values` by attribute name (`merchant_id`), defaults of the model filled in."""
        self._insert(model, values, if_missing=False)

    def insert_if_missing(self, model: type[models.Model], /, **values: Any) -> None:
        """Add a row unless one with the same unique value exists."""
        self._insert(model, values, if_missing=True)

    def add(self, instance: models.Model) -> None:
        """Insert an unsaved instance with all its columns."""
        model = type(instance)
        names = tuple(f.attname for f in model._meta.concrete_fields if not isinstance(f, models.AutoField))
        _, converters = _columns(model, names)
        row = [convert(getattr(instance, name)) for name, convert in zip(names, converters, strict=True)]
        self._inserts.setdefault((model, names, False), []).append(row)

    def _insert(self, model: type[models.Model], values: dict[str, Any], *, if_missing: bool) -> None:
        for name, default in _defaults(model).items():
            if name not in values:
                values[name] = default()
        names = tuple(sorted(values))
        _, converters = _columns(model, names)
        row = [convert(values[name]) for name, convert in zip(names, converters, strict=True)]
        self._inserts.setdefault((model, names, if_missing), []).append(row)

    def update(self, model: type[models.Model], pk: Any, expect: Mapping[str, Any], /, **values: Any) -> None:
        """Change one row, which must still hold the values of `expect`. At most one update per row."""
        names, guards = tuple(values), tuple(expect)
        _, converters = _columns(model, names)
        sets = ", ".join(f'"{_field(model, name).column}" = %s' for name in names)
        wheres = "".join(f' AND "{_field(model, name).column}" = %s' for name in guards)
        label = f"u{len(self._guards)}"
        table, key = model._meta.db_table, _field(model, "pk").column
        self._parts.append(f'{label} AS (UPDATE "{table}" SET {sets} WHERE "{key}" = %s{wheres} RETURNING 1)')
        self._guards.append(label)
        self._params += [c(values[n]) for n, c in zip(names, converters, strict=True)]
        self._params += [pk, *expect.values()]

    def write(self) -> None:
        """Run it. Inside atomic() if updates are guarded, because StaleRow has to undo the rest."""
        parts, params = list(self._parts), list(self._params)
        for number, ((model, names, if_missing), rows) in enumerate(self._inserts.items()):
            columns, _ = _columns(model, names)
            values = ", ".join(["(" + ", ".join(["%s"] * len(names)) + ")"] * len(rows))
            conflict = " ON CONFLICT DO NOTHING" if if_missing else ""
            parts.append(f'i{number} AS (INSERT INTO "{model._meta.db_table}" ({columns}) VALUES {values}{conflict})')
            for row in rows:
                params += row
        counts = ", ".join(f"(SELECT count(*) FROM {label})" for label in self._guards) or "1"
        connection.ensure_connection()
        # PostgreSQL binds the parameters and keeps the plan of a statement it has seen before (`prepare_threshold`); Django's
        # own cursor would have psycopg parse thousands of characters and quote a hundred values for each of them.
        with connection._prepare_cursor(RawCursor(connection.connection)) as cursor:  # type: ignore[attr-defined]
            cursor.execute(_numbered(f"WITH {', '.join(parts)} SELECT {counts}"), params)
            found = cursor.fetchone()
        if self._guards and any(count != 1 for count in found):
            raise StaleRow(f"{len(self._guards)} guarded updates found {found} rows")
