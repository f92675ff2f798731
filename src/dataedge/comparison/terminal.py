"""A comparison in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dataedge.report.printable import all_printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from dataedge.comparison.model import Comparison, DifferenceModel

COUNTS = ("items", "tokens", "clusters", "bits", "rows")
"""Units without decimals."""


PARTS = (
    ("edge", "What the data gains"),
    ("ladder", "Ladder"),
    ("across", "One model tuned, the other prompted"),
    ("measures", "Measures"),
)
"""Field of a comparison → its heading, in the order in which they are shown."""


def show_comparison(found: Comparison, stream: TextIO) -> None:
    """Print it: what differs for sure stands in bold."""
    found = type(found).model_validate(all_printable(found.model_dump()))
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    sides = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for name, side in (("first", found.first), ("second", found.second)):
        verdict = side.verdict.upper().replace("_", " ")
        sides.add_row(
            Text(name),
            Text(side.audit),
            Text(f"{side.dataset}, {side.rows:,} rows, {side.base_model}"),
            Text(verdict, style="bold"),
        )
    console.print(sides)
    for part, title in PARTS:
        rows: list[DifferenceModel] = getattr(found, part)
        if rows:
            console.print()
            console.print(_table(title, rows, gained(part)))
    console.print()
    for note in found.notes:
        console.print(Text(note, style="dim"))


def gained(part: str) -> str:
    """Heading of what the second has more."""
    return "difference" if part == "measures" else "gained"


def rests_on(row: DifferenceModel) -> str:
    """What a difference rests on, or why there is none."""
    return f"{row.n} shared items" if row.basis == "paired" else row.reason or row.basis


def _table(title: str, rows: Sequence[DifferenceModel], heading: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("", no_wrap=True)
    for name in ("first", "second", heading):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("unit", style="dim", overflow="fold")
    table.add_column("", style="dim", overflow="fold", min_width=12)
    for row in rows:
        style = "bold" if row.sure else ""
        table.add_row(
            Text(row.name, style=style),
            *(number(side, row.unit) for side in row.sides),
            Text(change(row), style=style),
            row.unit,
            rests_on(row),
        )
    return table


def number(value: float | None, unit: str) -> str:
    """A figure of one side."""
    return "–" if value is None else f"{value:,.0f}" if unit in COUNTS else f"{value:.3f}"


def change(row: DifferenceModel) -> str:
    """A difference with its interval."""
    if row.value is None:
        return "–"
    form = "{:+,.0f}" if row.unit in COUNTS else "{:+.3f}"
    value = form.format(row.value).replace("-", "−")
    if row.low is None or row.high is None:
        return value
    low, high = (form.format(v).replace("-", "−") for v in (row.low, row.high))
    return f"{value} [{low}, {high}]"
