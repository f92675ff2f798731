"""The edge map: held-out items without the data and with it, in named zones."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dataedge.report.charts.theme import Spec
    from dataedge.report.item_sample import ItemSample

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
POINTS: Final = 2500
"""Items that the map shows."""


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
