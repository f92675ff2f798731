"""What a format yields: one table of raw columns that knows the file and row of each value."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dataedge.load.column_roles import Declared

# A column whose cells are JSON texts, because its values are of several types.
JSON_CELLS = {b"dataedge": b"json"}


@dataclass(frozen=True)
class Part:
    """One file's (or split's) share of a table's rows.

    Attributes:
        name: as the user would name it, a path mostly.
        rows: how many rows it gave.
        split: the split its name speaks of, if any.
    """

    name: str
    rows: int
    split: str | None = None


class Unread(str):
    """A note on rows that could not be read, and are not in the table."""

    __slots__ = ()


@dataclass(frozen=True)
class Table:
    """Raw columns of one or more files.

    Attributes:
        name: of the whole, a path mostly.
        data: the columns; a field with JSON_CELLS metadata holds JSON texts.
        parts: which rows came from where, in order.
        prose: each row is a passage of a document already.
        notes: sentences about what was left out while reading.
        declared: what a description beside the data says of its columns.
    """

    name: str
    data: pa.Table
    parts: tuple[Part, ...]
    prose: bool = False
    notes: tuple[str, ...] = ()
    declared: Declared | None = None
    _cache: dict[str, list[Any]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(self.data.column_names)

    def __len__(self) -> int:
        return int(self.data.num_rows)

    def column(self, name: str) -> list[Any]:
        """All values of a column as Python objects; empty cells are None.

        Messages whose keys and roles have names of their own are given the usual ones.
        """
        if name not in self._cache:
            column = self.data.column(name)
            values = column.to_pylist()
            if self.data.schema.field(name).metadata == JSON_CELLS:
                values = [None if v is None else _parsed(v) for v in values]
            values = [None if _is_nan(v) else v for v in values]
            tags = self.declared.tags if self.declared else None
            self._cache[name] = [tags.read(v) for v in values] if tags else values
        return self._cache[name]

    def nested(self, name: str) -> bool:
        """Whether most cells are lists or objects, found without reading them all."""
        column = self.data.column(name)
        if pa.types.is_nested(column.type):
            return True
        if self.data.schema.field(name).metadata != JSON_CELLS:
            return False
        head = [v for v in column.slice(0, 1000).to_pylist() if v is not None]
        return 2 * sum(v[:1] in "[{" for v in head) > len(head)

    def place(self, row: int) -> tuple[str, int]:
        """File and row in it (both as a user counts) of a 0-based row of the table."""
        for part in self.parts:
            if row < part.rows:
                return part.name, row + 1
            row -= part.rows
        raise IndexError(row)

    def part_splits(self) -> list[str | None]:
        """The split that each row's file is named by."""
        return [part.split for part in self.parts for _ in range(part.rows)]


def single(
    data: pa.Table,
    name: str,
    *,
    split: str | None = None,
    prose: bool = False,
    notes: Sequence[str] = (),
) -> Table:
    """A table that came from one place."""
    part = Part(name, int(data.num_rows), split)
    return Table(name, data, (part,), prose=prose, notes=tuple(notes))


def concat(tables: Sequence[Table], name: str, hint: str) -> Table:
    """Several tables with the same columns, one below the other.

    Args:
        tables: in the order in which their rows are counted.
        name: of the whole.
        hint: what to do where they do not go together.

    Raises:
        AuditError: where their columns or the columns' types differ.
    """
    if len(tables) == 1:
        return tables[0]
    first = tables[0]
    if any(set(t.names) != set(first.names) for t in tables):
        each = "; ".join(f"{t.name}: {listing(t.names)}" for t in tables[:8])
        raise AuditError(f"{name}: the columns differ ({each})", hint)
    try:
        data = pa.concat_tables(
            [t.data.select(list(first.names)) for t in tables], promote_options="permissive"
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise AuditError(
            f"{name}: a column's type differs between files ({error})", hint
        ) from error
    return Table(
        name,
        data,
        tuple(part for t in tables for part in t.parts),
        prose=first.prose,
        notes=tuple(note for t in tables for note in t.notes),
    )


def listing(names: Iterable[str]) -> str:
    """Names for a message: the first ten, and how many more there are.

    Example:
        >>> listing("abcdefghijklm")
        'a, b, c, d, e, f, g, h, i, j and 3 more'
    """
    shown = [name[:100] for name in names]
    return ", ".join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")


def with_class_names(table: Table, names: Mapping[str, Sequence[str]]) -> Table:
    """Replaces class numbers by class names, in lists too; a number outside the names is empty.

    Args:
        table: with columns of integers, or of lists of them.
        names: column → names in the order of their numbers.

    Example:
        >>> t = single(pa.table({"label": [1, 0, -1]}), "x")
        >>> with_class_names(t, {"label": ["no", "yes"]}).column("label")
        ['yes', 'no', None]
    """
    data = table.data
    for column, known in names.items():
        if column not in data.column_names:
            continue
        given = data.column(column)
        at, values = data.column_names.index(column), given.to_pylist()
        if pa.types.is_integer(given.type):
            named = pa.array([_class_name(known, v) for v in values], pa.string())
        elif pa.types.is_nested(given.type) and pa.types.is_integer(
            getattr(given.type, "value_type", pa.null())
        ):
            lists = [None if v is None else [_class_name(known, c) for c in v] for v in values]
            named = pa.array(lists, pa.list_(pa.string()))
        else:
            continue
        data = data.set_column(at, column, named)
    return replace(table, data=data, _cache={})


def _class_name(known: Sequence[str], number: int | None) -> str | None:
    return known[number] if number is not None and 0 <= number < len(known) else None


def class_names(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Class names out of the `features` entry that the datasets library writes into a schema.

    Of columns of classes and of lists of them.

    Example:
        >>> of_one = {"_type": "ClassLabel", "names": ["no", "yes"]}
        >>> class_names({"a": of_one, "b": {"_type": "List", "feature": of_one}, "c": {"_type": "Value"}})
        {'a': ['no', 'yes'], 'b': ['no', 'yes']}
    """
    found = {}
    for column, spec in features.items():
        inner = spec.get("feature", spec) if isinstance(spec, dict) else spec
        inner = inner[0] if isinstance(inner, list) and inner else inner
        if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" and inner.get("names"):
            found[column] = list(inner["names"])
    return found


def as_text(value: object) -> str | None:
    """A scalar cell as text without outer whitespace; None for a list, an object or bytes.

    Example:
        >>> as_text(" a "), as_text(3), as_text(True), as_text([1])
        ('a', '3', 'true', None)
    """
    match value:
        case str():
            return value.strip()
        case bool():
            return "true" if value else "false"
        case int() | float() | Decimal():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return None


def _parsed(text: str) -> Any:
    """The value of a JSON text; what is nested too deeply, or has thousands of digits, stays a text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)
