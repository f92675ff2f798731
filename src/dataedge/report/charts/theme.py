"""What all charts share: colours, axes, and their sizes."""

from __future__ import annotations

from typing import Any, Final

from dataedge.report.sentences import LEVELS

Spec = dict[str, Any]

BLUE, GREY, GREEN = "#3b76af", "#8a8f98", "#2a8f5c"


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


def axis_title(unit: str) -> str:
    """What an axis in this unit is called."""
    return {
        "bits/byte": "bits per byte (less is better)",
        "R²": "variance explained",
        "accuracy": "right answers",
        "exact match": "right answers",
    }.get(unit, unit)


def scale_of(unit: str, *, zero: bool = True) -> Spec:
    """Scale and ticks of an axis in this unit."""
    axis: Spec = {"axis": {"format": ".0%"}} if unit in LEVELS else {}
    return {"scale": {"zero": zero}, **axis}


THEMES: Final[dict[str, Spec]] = {
    "light": _theme("#24292f", "#8a8f98", "#e4e7eb"),
    "dark": _theme("#e2e6ea", "#7d858f", "#343b43"),
}
"""Vega configurations."""
