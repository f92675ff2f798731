"""Rows with a label → items: classes as they are written, annotators' votes, numbers by quartile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataedge.items import Item
from dataedge.load.annotators import majority
from dataedge.load.cells import text_cell
from dataedge.load.number_rows import number_reader
from dataedge.load.profile import profile
from dataedge.load.quantities import Bins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataedge.load.column_roles import ColumnRoles
    from dataedge.load.table import Table


def parse_labelled(table: Table, roles: ColumnRoles) -> Callable[[int], Iterator[Item]]:
    """Reads a row as a text with its label: given, voted by annotators, or the class of a number."""
    texts = [(name, table.column(name)) for name in roles.texts]
    label = _labels(table, roles.target) if roles.target else None
    annotators = [_labels(table, name) for name in roles.annotators]
    if roles.target and profile(table, roles.target).measured:
        return _measured(table, roles, roles.target)

    def parse(at: int) -> Iterator[Item]:
        inputs = tuple(text_cell(name, column[at]) for name, column in texts)
        votes = tuple(read(at) for read in annotators)
        target = (label(at) or "") if label else majority(votes)
        yield Item(inputs, target, row=at + 1, label_missing=not target, annotations=votes)

    return parse


def _measured(table: Table, roles: ColumnRoles, name: str) -> Callable[[int], Iterator[Item]]:
    """Numbers that are to be classes: by quartile."""
    texts = [(text, table.column(text)) for text in roles.texts]
    number = number_reader(table, name)
    bins = Bins([v for v in map(number, range(len(table))) if v is not None])

    def parse(at: int) -> Iterator[Item]:
        inputs = tuple(text_cell(text, cells[at]) for text, cells in texts)
        value = number(at)
        target = "" if value is None else bins.of(value)
        yield Item(inputs, target, row=at + 1, label_missing=value is None)

    return parse


def _labels(table: Table, name: str) -> Callable[[int], str | None]:
    """Reads a label column: truth values in lower case, whole numbers without a point."""
    column = table.column(name)
    words = {v.strip().lower() for v in column if isinstance(v, str)} - {""}
    truth = bool(words) and words <= {"true", "false"}
    whole = all(_whole(v) for v in column if v is not None and v != "")

    def read(at: int) -> str | None:
        value = column[at]
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        text = text_cell(name, value)
        if truth:
            return text.lower()
        return str(int(float(text))) if whole and not text.lstrip("+-").isdigit() else text

    return read


def _whole(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return float(value).is_integer()
    except (TypeError, ValueError):
        return False
