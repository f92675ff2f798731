"""A comparison as one page: the tables of the terminal, and each difference drawn with its interval.

Nothing in it runs and nothing is fetched: the drawings are SVG, the Content-Security-Policy allows no script.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from dataedge.comparison.terminal import PARTS, change, gained, number, rests_on
from dataedge.report.printable import all_printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.comparison.model import Comparison, DifferenceModel

WIDTH = 240
"""Of a drawing, in units of its own."""
MARGIN = 8


class Drawn(NamedTuple):
    """Where a difference stands in its drawing, from its left side.

    Attributes:
        low: lower end of the interval.
        high: upper end.
        value: the difference.
        zero: no difference.
    """

    low: float
    high: float
    value: float
    zero: float


class Row(NamedTuple):
    """A line of a table.

    Attributes:
        name: of the figure.
        unit: its own.
        first: of the first audit.
        second: of the second.
        change: the difference with its interval.
        rests_on: what it rests on.
        sure: the interval leaves out 0.
        drawn: None where there is no interval.
    """

    name: str
    unit: str
    first: str
    second: str
    change: str
    rests_on: str
    sure: bool
    drawn: Drawn | None


def page(found: Comparison) -> str:
    """The page; everything from the audits is escaped.

    Args:
        found: two audits compared.
    """
    from jinja2 import Environment

    found = type(found).model_validate(all_printable(found.model_dump()))
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    text = files("dataedge.comparison").joinpath("page.html.j2").read_text(encoding="utf-8")
    style = files("dataedge.report.page").joinpath("page.css").read_text(encoding="utf-8")
    return environment.from_string(text).render(
        found=found,
        style=style,
        width=WIDTH,
        sides=(("first", found.first), ("second", found.second)),
        sentence=sentence(found),
        tables=[
            (part, title, gained(part), rows_of(getattr(found, part)))
            for part, title in PARTS
            if getattr(found, part)
        ],
    )


def sentence(found: Comparison) -> str:
    """What is different for sure, in one sentence."""
    sure = [row for row in (*found.edge, *found.ladder) if row.sure]
    if not sure:
        return "No difference of edge or ladder is sure."
    told = ", ".join(f"{row.name} {change(row)} {row.unit}" for row in sure)
    return f"The second differs for sure in {told}."


def rows_of(differences: Sequence[DifferenceModel]) -> list[Row]:
    """Lines of a table; all that have one unit are drawn on one scale."""
    scales: dict[str, tuple[float, float]] = {}
    for row in differences:
        if row.low is not None and row.high is not None:
            low, high = scales.get(row.unit, (0.0, 0.0))
            scales[row.unit] = (min(low, row.low), max(high, row.high))
    return [
        Row(
            row.name,
            row.unit,
            number(row.sides[0], row.unit),
            number(row.sides[1], row.unit),
            change(row),
            rests_on(row),
            row.sure,
            _drawn(row, scales.get(row.unit, (0.0, 0.0))),
        )
        for row in differences
    ]


def _drawn(row: DifferenceModel, scale: tuple[float, float]) -> Drawn | None:
    least, most = scale
    if row.value is None or row.low is None or row.high is None or most <= least:
        return None
    each = (WIDTH - 2 * MARGIN) / (most - least)
    ends = (MARGIN + (x - least) * each for x in (row.low, row.high, row.value, 0.0))
    return Drawn(*(round(x, 1) for x in ends))
