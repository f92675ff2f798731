"""Curves: over train items with their forecast, and over demonstrations in the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataedge.report.charts.theme import BLUE, GREY, Spec, axis_title, scale_of

if TYPE_CHECKING:
    from dataedge.report.model import Report


def learning_curve(report: Report) -> Spec | None:
    """What is learned from how many train items, and what is foretold of more of them.

    The curve of labels is measured on parts of the train side, `learned` on the held-out items, which the
    forecast starts from: the two need not meet.
    """
    points, forecast = _curve(report)
    if len(points) < 2:
        return None
    more = next((r for r in report.ladder if r.rung == "more_data"), None)
    unit = report.edge.unit if more is None else more.unit
    without = next((r for r in report.ladder if r.rung == "without_data"), None)
    x = {
        "field": "n",
        "type": "quantitative",
        "title": "train items",
        "scale": {"type": "log", "nice": False},
        "axis": {"format": ",.0f", "labelOverlap": True, "grid": False},
    }
    y = {
        "field": "value",
        "type": "quantitative",
        "title": axis_title(unit),
        **scale_of(unit, zero=False),
    }
    tooltip = [
        {"field": "n", "title": "train items", "format": ",.0f"},
        {"field": "value", "title": unit, "format": ".3f"},
    ]
    names = ["learning curve", "held-out items, and forecast"]
    scale = {"domain": names[: 1 + bool(forecast)], "range": [GREY, BLUE][: 1 + bool(forecast)]}
    colour = {
        "field": "series",
        "type": "nominal",
        "title": None,
        "scale": scale,
        "legend": {"orient": "top"},
    }
    solid: Spec = {"point": {"size": 45, "filled": True}}
    series = [(names[0], points, solid)]
    layers: list[Spec] = []
    if forecast:
        series.append((names[1], forecast, {"strokeDash": [5, 4], "point": {"size": 45}}))
        ends = {"y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
        band = {"type": "area", "opacity": 0.2, "color": BLUE}
        layers.append({"data": {"values": forecast}, "mark": band, "encoding": {"x": x, **ends}})
    layers += [
        {
            "data": {"values": [{**value, "series": name} for value in values]},
            "mark": {"type": "line", **style},
            "encoding": {"x": x, "y": y, "color": colour, "tooltip": tooltip},
        }
        for name, values, style in series
    ]
    if without is not None and without.value is not None and without.unit == unit:
        layers.append(_level("best prompting without the data", without.value))
    return {"height": 280, "layer": layers}


def _curve(report: Report) -> tuple[list[Spec], list[Spec]]:
    """Points of the learning curve, and the held-out figure with what is foretold from it."""
    rungs = {r.rung: r for r in report.ladder}
    more, learned = rungs.get("more_data"), rungs.get("learned")
    if more is None or learned is None or not more.detail.get("curve"):
        volume = report.verdict.limits.get("volume")
        curve = volume.detail.get("curve", []) if volume else []
        return [{"n": p["train_items"], "value": p["value"]} for p in curve], []
    points = [
        {"n": p["train_items"], "value": p[more.unit]}
        for p in more.detail["curve"]
        if more.unit in p
    ]
    if learned.unit != more.unit:  # balanced accuracy has no forecast
        return points, []
    twice = more.detail["train_items"]
    foretold = ((twice / 2, learned.model_dump()), (twice, more.model_dump()))
    found = [*foretold, (2 * twice, more.detail.get("at_4x") or {})]
    band = [
        {"n": n, **{end: figure[end] for end in ("value", "low", "high")}}
        for n, figure in found
        if figure.get("low") is not None
    ]
    return points, band if len(band) > 1 else []


def _level(name: str, value: float) -> Spec:
    """A horizontal line with its name."""
    y = {"field": "value", "type": "quantitative"}
    return {
        "data": {"values": [{"value": value, "name": name}]},
        "layer": [
            {"mark": {"type": "rule", "strokeDash": [2, 3]}, "encoding": {"y": y}},
            {
                "mark": {"type": "text", "align": "left", "baseline": "bottom", "dy": -3},
                "encoding": {"y": y, "x": {"value": 6}, "text": {"field": "name"}},
            },
        ],
    }


def prompt_curve(report: Report) -> Spec | None:
    """What more demonstrations in the prompt give."""
    reason = next((r for r in report.reasons if r.id == "prompting_ceiling"), None)
    points = (reason.evidence.get("curve_over_k") or []) if reason else []
    if len(points) < 2:
        return None
    unit = report.ladder[0].unit
    x = {
        "field": "k",
        "type": "quantitative",
        "title": "demonstrations in the prompt",
        "scale": {"type": "symlog"},
        "axis": {"values": [p["k"] for p in points], "grid": False},
    }
    y = {
        "field": "value",
        "type": "quantitative",
        "title": axis_title(unit),
        **scale_of(unit, zero=False),
    }
    ends = {"x": x, "y": {"field": "low", "type": "quantitative"}, "y2": {"field": "high"}}
    tooltip = [
        {"field": "k", "title": "demonstrations"},
        {"field": "prompt_tokens", "title": "tokens", "format": ",.0f"},
        {"field": "value", "title": unit, "format": ".3f"},
    ]
    return {
        "height": 220,
        "data": {"values": points},
        "layer": [
            {"mark": {"type": "rule", "opacity": 0.6}, "encoding": ends},
            {
                "mark": {"type": "line", "point": {"size": 45, "filled": True}, "color": BLUE},
                "encoding": {"x": x, "y": y, "tooltip": tooltip},
            },
        ],
    }
