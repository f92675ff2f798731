"""The charts of a report as Vega-Lite specifications: plain data that a page, a notebook or a file draws.

A chart is None where there is nothing to draw. Colours come from `THEMES`, so that one specification is
right on a light and on a dark page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataedge.report.charts.bars import ladder
from dataedge.report.charts.curves import learning_curve, prompt_curve
from dataedge.report.charts.item_map import edge_map
from dataedge.report.charts.tallies import labels, novelty, redundancy, responses
from dataedge.report.charts.theme import THEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from dataedge.report.charts.theme import Spec
    from dataedge.report.item_sample import ItemSample
    from dataedge.report.model import Report

__all__ = ["CHARTS", "THEMES", "charts"]

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
FIT: Final = {"type": "fit-x", "contains": "padding"}
CHARTS: Final[Mapping[str, Callable[[Report, ItemSample], Spec | None]]] = {
    "ladder": lambda report, _: ladder(report),
    "edge_map": lambda _, sample: edge_map(sample),
    "prompt_curve": lambda report, _: prompt_curve(report),
    "novelty": lambda _, sample: novelty(sample),
    "learning_curve": lambda report, _: learning_curve(report),
    "labels": lambda _, sample: labels(sample),
    "redundancy": lambda report, _: redundancy(report),
    "responses": lambda report, _: responses(report),
}
"""Every chart by name."""


def charts(
    report: Report, sample: ItemSample, only: Collection[str] = tuple(CHARTS)
) -> dict[str, Spec]:
    """The charts that there is something to draw for, by name, ready for Vega-Lite."""
    drawn = {name: chart(report, sample) for name, chart in CHARTS.items() if name in only}
    return {
        name: {"$schema": SCHEMA, "width": "container", "autosize": FIT, **spec}
        for name, spec in drawn.items()
        if spec is not None
    }
