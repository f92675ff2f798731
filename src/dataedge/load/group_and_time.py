"""Columns that say which rows belong together, and when each came about."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError
from dataedge.load.column_roles import resolve

if TYPE_CHECKING:
    from dataedge.load.table import Table


def one_column(table: Table, flag: str, value: str | None) -> str | None:
    """The column that a flag names; None without one.

    Raises:
        AuditError: no such column, or several.
    """
    if value is None:
        return None
    found = resolve(table.name, flag, value, table.names)
    if len(found) > 1:
        raise AuditError(
            f"{table.name}: {flag} {value} names {len(found)} columns",
            hint="Name one column: --group-column NAME, --time-column NAME",
        )
    return found[0]


def groups(table: Table, column: str) -> list[str]:
    """Group of each row, "" where the cell is empty: such a row belongs to no group."""
    return ["" if v is None else str(v).strip() for v in table.column(column)]


def times(table: Table, column: str) -> list[float]:
    """When each row came about, as a number that orders; an empty cell counts as the earliest.

    Raises:
        AuditError: a cell is neither a number nor a date in ISO 8601.
    """
    found: list[float] = []
    for at, value in enumerate(table.column(column)):
        number = _time(value)
        if number is None:
            name, row = table.place(at)
            raise AuditError(
                f"{name}, row {row}: --time-column {column}: {str(value)[:40]!r} is neither a number "
                "nor a date",
                "Write dates in ISO 8601, such as 2026-11-28, or name another --time-column",
            )
        found.append(number)
    known = [t for t in found if math.isfinite(t)]
    if len(set(known)) < 2:
        raise AuditError(
            f"{table.name}: --time-column {column} holds {len(set(known))} distinct times, and a split "
            "by time needs two",
            "Name another --time-column",
        )
    earliest = min(known)
    return [t if math.isfinite(t) else earliest for t in found]


def _time(value: Any) -> float | None:
    """A number that orders; −inf for an empty cell, None for what is no time.

    Example:
        >>> _time("2026-01-02") - _time("2026-01-01"), _time(7), _time("soon")
        (86400.0, 7.0, None)
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return -math.inf
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp()
    try:
        number = float(value)
        return number if math.isfinite(number) else None
    except (TypeError, ValueError):
        pass
    try:
        return _time(datetime.fromisoformat(str(value).strip()))
    except ValueError:
        return None
