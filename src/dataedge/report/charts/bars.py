"""The rungs of the ladder as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataedge.report.charts.theme import BLUE, GREEN, GREY, Spec, axis_title, scale_of
from dataedge.report.sentences import LEVELS, RUNG_NAMES, rung_name

if TYPE_CHECKING:
    from dataedge.report.model import FigureModel, Report, RungModel


def shown_rungs(report: Report) -> list[RungModel]:
    """Rungs that have a bar: measured, and in the ladder's own unit."""
    unit = report.edge.unit
    return [
        r for r in report.ladder if r.value is not None and r.rung in RUNG_NAMES and r.unit == unit
    ]


def ladder(report: Report) -> Spec | None:
    """What each rung reaches, with its interval."""
    rungs = shown_rungs(report)
    if not rungs:
        return None
    unit = rungs[0].unit
    names = [rung_name(r) for r in rungs]
    rows = [
        {**_interval(r), "rung": rung_name(r), "shown": _shown(r), "kind": _kind(r)} for r in rungs
    ]
    y = {"field": "rung", "type": "nominal", "sort": names, "title": None}
    bottom = min(0.0, *(row["low"] for row in rows))
    top = max(row["end"] for row in rows)
    room = top + 0.3 * (max(top, 0.0) - bottom)  # for the text behind the longest
    x = {"field": "value", "type": "quantitative", "title": axis_title(unit), **scale_of(unit)}
    x["scale"] = {"domain": [bottom, room], "nice": False}
    if unit in LEVELS:
        x["axis"] = {"format": ".0%", "values": [0.2 * k for k in range(6) if 0.2 * k < room]}
    ends = {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}, "y": y}
    colour = {
        "field": "kind",
        "type": "nominal",
        "legend": None,
        "scale": {"domain": ["counted", "tuned", "other"], "range": [BLUE, GREEN, GREY]},
    }
    tooltip = [{"field": "rung", "title": "rung"}, {"field": "shown", "title": unit}]
    return {
        "height": 30 * len(rows),
        "data": {"values": rows},
        "layer": [
            {
                "mark": {"type": "bar", "height": 16, "opacity": 0.8},
                "encoding": {"x": x, "y": y, "color": colour, "tooltip": tooltip},
            },
            {"mark": {"type": "rule", "strokeWidth": 2}, "encoding": ends},
            {
                "name": "values",
                "mark": {"type": "text", "align": "left", "dx": 6},
                "encoding": {
                    "x": {"field": "end", "type": "quantitative"},
                    "y": y,
                    "text": {"field": "shown"},
                },
            },
        ],
    }


def _interval(figure: FigureModel) -> Spec:
    value = figure.value or 0.0
    low = value if figure.low is None else figure.low
    high = value if figure.high is None else figure.high
    return {"value": value, "low": low, "high": high, "end": max(value, high)}


def _shown(rung: RungModel) -> str:
    found = _interval(rung)
    if rung.unit in LEVELS:
        value, low, high = (f"{100 * found[k]:.0f}" for k in ("value", "low", "high"))
        return f"{value} % ({low} to {high})"
    value, low, high = (f"{found[k]:.2f}" for k in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _kind(rung: RungModel) -> str:
    kinds = {"without_data": "counted", "with_data": "counted", "tuned": "tuned"}
    return kinds.get(rung.rung, "other")
