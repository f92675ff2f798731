"""The charts of a report as Vega-Lite specifications: plain data that a page, a notebook or a file draws.

A chart is None where there is nothing to draw. Colours come from `THEMES`, so that one specification is
right on a light and on a dark page.
"""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from dataedge.report.sentences import LEVELS, RUNG_NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from dataedge.report.item_sample import ItemSample
    from dataedge.report.model import FigureModel, Report, RungModel

Spec = dict[str, Any]

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v6.json"
BLUE, GREY, GREEN = "#3b76af", "#8a8f98", "#2a8f5c"
ZONE_COLOURS: Final = ("#2a8f5c", "#3b76af", "#c2543d", "#8a8f98", "#a67c00")
"""Told apart by people who see colours differently, and by their shapes as well."""
ZONE_SHAPES: Final = ("triangle-up", "circle", "triangle-down", "square", "cross")
SHARE_ZONES: Final[tuple[str, ...]] = (
    "learned from the data",
    "known anyway",
    "lost with the data",
    "hard either way",
)
LOSS_ZONES: Final[tuple[str, ...]] = (
    "new, learned",
    "known, still improved",
    "new, made worse",
    "known, made worse",
    "hardly changed",
)
HARDLY: Final = 0.005
"""Share of what an item costs, by which it may change and still is as it was."""
FIT: Final = {"type": "fit-x", "contains": "padding"}
POINTS: Final = 2500
"""Items that the edge map shows."""
DEFECTS: Final = 12


def _theme(ink: str, faint: str, line: str) -> Spec:
    return {
        "background": "transparent",
        "font": "system-ui, sans-serif",
        "view": {"stroke": None},
        "axis": {
            "labelColor": ink,
            "titleColor": ink,
            "gridColor": line,
            "domainColor": faint,
            "tickColor": faint,
            "labelFontSize": 12,
            "titleFontSize": 12,
            "titleFontWeight": "normal",
            "labelLimit": 260,
        },
        "legend": {
            "labelColor": ink,
            "titleColor": ink,
            "labelFontSize": 12,
            "labelLimit": 260,
            "columns": 2,
        },
        "text": {"color": ink, "fontSize": 12},
        "rule": {"color": ink},
    }


THEMES: Final[dict[str, Spec]] = {
    "light": _theme("#24292f", "#8a8f98", "#e4e7eb"),
    "dark": _theme("#e2e6ea", "#7d858f", "#343b43"),
}
"""Vega configurations."""


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
    names = [RUNG_NAMES[r.rung] for r in rungs]
    rows = [
        {**_interval(r), "rung": RUNG_NAMES[r.rung], "shown": _shown(r), "kind": _kind(r)}
        for r in rungs
    ]
    y = {"field": "rung", "type": "nominal", "sort": names, "title": None}
    bottom = min(0.0, *(row["low"] for row in rows))
    top = max(row["end"] for row in rows)
    room = top + 0.3 * (max(top, 0.0) - bottom)  # for the text behind the longest
    x = {"field": "value", "type": "quantitative", "title": _axis(unit), **_scale(unit)}
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


def edge_map(sample: ItemSample) -> Spec | None:
    """Each held-out item without the data and with it, in four zones; the parameter `brush` selects."""
    pair, judged = sample.pair, on_map(sample)
    if pair is None or not judged:
        return None
    if pair.kind == "share":
        names, rows, rules = SHARE_ZONES, [_share_point(r) for r in judged], (0.5, 0.5)
        titles = [f"{pair.what}, {which} the data" for which in ("without", "with")]
        scale: Spec = {"scale": {"domain": [0, 1]}, "axis": {"format": ".0%"}}
    else:
        middle = statistics.median(r["without"] for r in judged)
        names, rows, rules = LOSS_ZONES, [_loss_point(r, middle) for r in judged], (middle, 0.0)
        titles = [f"{pair.what} without the data", f"{pair.what} that the data saves"]
        scale = {"scale": {"zero": False}}
    tooltip = [
        {"field": "text", "title": "item"},
        {"field": "target", "title": "answer"},
        {"field": "x", "title": titles[0], "format": ".3f"},
        {"field": "y", "title": titles[1], "format": ".3f"},
    ]
    zone = {"field": "zone", "type": "nominal", "title": None}
    legend = {"orient": "top"}
    return {
        "height": 380,
        "datasets": {"points": rows},
        "layer": [
            {
                "data": {"values": [{"x": rules[0]}]},
                "mark": {"type": "rule", "strokeDash": [4, 4], "opacity": 0.6},
                "encoding": {"x": {"field": "x", "type": "quantitative"}},
            },
            {
                "data": {"values": [{"y": rules[1]}]},
                "mark": {"type": "rule", "strokeDash": [4, 4], "opacity": 0.6},
                "encoding": {"y": {"field": "y", "type": "quantitative"}},
            },
            {
                "data": {"name": "points"},
                "params": [{"name": "brush", "select": {"type": "interval"}}],
                "mark": {"type": "point", "filled": True, "size": 55},
                "encoding": {
                    "x": {"field": "x", "type": "quantitative", "title": titles[0], **scale},
                    "y": {"field": "y", "type": "quantitative", "title": titles[1], **scale},
                    "color": {
                        **zone,
                        "scale": {
                            "domain": list(names),
                            "range": list(ZONE_COLOURS[: len(names)]),
                        },
                        "legend": legend,
                    },
                    "shape": {
                        **zone,
                        "scale": {
                            "domain": list(names),
                            "range": list(ZONE_SHAPES[: len(names)]),
                        },
                    },
                    "opacity": {"condition": {"param": "brush", "value": 0.8}, "value": 0.15},
                    "tooltip": tooltip,
                },
            },
        ],
    }


def on_map(sample: ItemSample) -> list[Spec]:
    """The held-out items of the map: a sample by their ids, which say nothing of them."""
    return sorted(sample.judged(), key=lambda row: str(row["id"]))[:POINTS]


def zones(sample: ItemSample) -> dict[str, int]:
    """How many held-out items lie in each zone of the edge map."""
    chart = edge_map(sample)
    if chart is None:
        return {}
    names = SHARE_ZONES if sample.pair and sample.pair.kind == "share" else LOSS_ZONES
    found = Counter(point["zone"] for point in chart["datasets"]["points"])
    return {name: found[name] for name in names}


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
    y = {"field": "value", "type": "quantitative", "title": _axis(unit), **_scale(unit, zero=False)}
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


def labels(sample: ItemSample) -> Spec | None:
    """Which labels are suspected to be which others."""
    rows = [{"pair": f"{given} → {proposed}", "n": n} for given, proposed, n in sample.confusions]
    return _counts(rows, "pair", "suspect labels")


def novelty(sample: ItemSample) -> Spec | None:
    """How held-out items are spread over what the base model makes of them before it sees the data."""
    judged = sample.judged()
    if sample.pair is None or not judged:
        return None
    share = sample.pair.kind == "share"
    bins: Spec = {"maxbins": 20, **({"extent": [0, 1]} if share else {})}
    axis: Spec = {"axis": {"format": ".0%"}} if share else {}
    title = f"{sample.pair.what} without the data"
    return {
        "height": 200,
        "data": {"values": [{"x": r["without"]} for r in judged]},
        "mark": {"type": "bar", "color": BLUE, "opacity": 0.8},
        "encoding": {
            "x": {"field": "x", "type": "quantitative", "bin": bins, "title": title, **axis},
            "y": {"aggregate": "count", "type": "quantitative", "title": "held-out items"},
            "tooltip": [{"aggregate": "count", "title": "items"}],
        },
    }


def redundancy(report: Report) -> Spec | None:
    """Rows, and what is left of them when those that are alike count once."""
    figure = report.measures.get("effective_rows")
    if figure is None or not figure.detail:
        return None
    named = {
        "rows": "rows",
        "unique": "distinct rows",
        "near_duplicate_clusters": "near duplicates once",
        "semantic_clusters": "alike in meaning once",
    }
    rows = [{"what": named[k], "n": figure.detail[k]} for k in named if k in figure.detail]
    return _counts(rows, "what", "rows")


def responses(report: Report) -> Spec | None:
    """Defects of responses, by kind."""
    figure = report.measures.get("response_defects")
    kinds = figure.detail.get("kinds", {}) if figure else {}
    rows = [{"kind": k.replace("_", " "), "n": n} for k, n in kinds.items()]
    return _counts(rows[:DEFECTS], "kind", "responses")


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
    y = {"field": "value", "type": "quantitative", "title": _axis(unit), **_scale(unit, zero=False)}
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


def _counts(rows: list[Spec], field: str, title: str) -> Spec | None:
    """Bars of counts, most at the top, with the number beside each."""
    if not any(row["n"] for row in rows):
        return None
    y = {"field": field, "type": "nominal", "sort": None, "title": None}
    x = {
        "field": "n",
        "type": "quantitative",
        "title": title,
        "axis": {"tickMinStep": 1, "format": ",.0f"},
    }
    return {
        "height": 26 * len(rows),
        "data": {"values": rows},
        "encoding": {"y": y, "x": x},
        "layer": [
            {"mark": {"type": "bar", "color": BLUE, "opacity": 0.8}},
            {
                "mark": {"type": "text", "align": "left", "dx": 4},
                "encoding": {"text": {"field": "n", "format": ",.0f"}},
            },
        ],
    }


def _share_point(row: Spec) -> Spec:
    x, y = row["without"], row["with"]
    zone = (2 if x >= 0.5 else 3) if y < 0.5 else (1 if x >= 0.5 else 0)
    return _point(row, x, y, SHARE_ZONES[zone])


def _loss_point(row: Spec, middle: float) -> Spec:
    x, saved = row["without"], row["without"] - row["with"]
    new = x >= middle
    zone = (0 if new else 1) if saved >= 0 else (2 if new else 3)
    if abs(saved) <= HARDLY * abs(x):
        zone = 4
    return _point(row, x, round(saved, 4), LOSS_ZONES[zone])


def _point(row: Spec, x: float, y: float, zone: str) -> Spec:
    shown = {name: row[name] for name in ("id", "text", "target")}
    return {**shown, "x": x, "y": y, "zone": zone}


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


def _axis(unit: str) -> str:
    return {
        "bits/byte": "bits per byte (less is better)",
        "R²": "variance explained",
        "accuracy": "right answers",
        "exact match": "right answers",
    }.get(unit, unit)


def _scale(unit: str, *, zero: bool = True) -> Spec:
    axis: Spec = {"axis": {"format": ".0%"}} if unit in LEVELS else {}
    return {"scale": {"zero": zero}, **axis}
