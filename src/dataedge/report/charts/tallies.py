"""How many: labels suspected, rows alike, responses with a defect, items known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dataedge.report.charts.theme import BLUE, Spec

if TYPE_CHECKING:
    from dataedge.report.item_sample import ItemSample
    from dataedge.report.model import Report

DEFECTS: Final = 12
"""Kinds of defects that are shown."""


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


def _counts(rows: list[Spec], field: str, title: str) -> Spec | None:
    """Bars of counts, most at the top, with the number beside each."""
    if not any(row["n"] for row in rows):
        return None
    y = {"field": field, "type": "nominal", "sort": None, "title": None}
    most = int(max(row["n"] for row in rows))
    step = _step(most)
    x = {
        "field": "n",
        "type": "quantitative",
        "title": title,
        # room for the number behind the longest
        "scale": {"domain": [0, 1.3 * most], "nice": False},
        "axis": {"values": list(range(0, most + 1, step)), "format": ",.0f"},
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


def _step(most: int) -> int:
    """Between the marks of an axis of counts: 1, 2 or 5 of a power of ten, five marks at most.

    Example:
        >>> [_step(n) for n in (1, 5, 19, 420, 100_000)]
        [1, 1, 5, 100, 20000]
    """
    for exponent in range(20):
        for step in (1, 2, 5):
            if most <= 5 * step * 10**exponent:
                return step * int(10**exponent)
    return most
