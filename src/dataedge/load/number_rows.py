"""Rows with a number as their label → items: the number, and how it is written."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from dataedge.items import Item
from dataedge.load.cells import text_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dataedge.load.column_roles import ColumnRoles
    from dataedge.load.table import Table

LONGEST = 8
"""Characters of a number; of longer ones, digits behind the point are rounded off in prompts."""
DIGITS = 5
"""That are kept of those."""


def parse_numbers(table: Table, roles: ColumnRoles) -> Callable[[int], Iterator[Item]]:
    """Reads a row as a text with its number; the target is the number as the data writes it."""
    texts = [(name, table.column(name)) for name in roles.texts]
    name = str(roles.target)
    column, number = table.column(name), number_reader(table, name)

    def parse(at: int) -> Iterator[Item]:
        inputs = tuple(text_cell(text, cells[at]) for text, cells in texts)
        value = number(at)
        target = "" if value is None else written(text_cell(name, column[at]))
        yield Item(inputs, target, row=at + 1, label_missing=value is None, number=value)

    return parse


def number_reader(table: Table, name: str) -> Callable[[int], float | None]:
    """Reads a column of numbers; None where there is none, or none that is finite."""
    column = table.column(name)

    def number(at: int) -> float | None:
        value = column[at]
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        found = float(text_cell(name, value))
        return found if math.isfinite(found) else None

    return number


def written(text: str) -> str:
    """A number as the data writes it; a long fraction is rounded to five digits.

    Example:
        >>> written("12.50"), written("0.30000000000000004"), written("1234567890"), written("1e-12")
        ('12.50', '0.3', '1234567890', '1e-12')
        >>> written("3281.123456789")
        '3281.1'
    """
    text = text.strip()
    if len(text) <= LONGEST or "." not in text:
        return text
    value = float(text)
    whole = len(str(int(abs(value))))
    return f"{value:.{DIGITS}g}" if whole <= DIGITS else f"{value:.0f}"
