"""Figures put together: sums and means, with intervals that hold although their errors go together.

Both figures come from the same held-out items, so nothing is gained by taking their errors as independent:
ends are added and weighed as the values are.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from dataedge.figures import Figure
from dataedge.widened_intervals import Carried, Measured, carried

if TYPE_CHECKING:
    from dataedge.figures import Interval


def summed(figure: Figure, more: Figure, bounds: tuple[float, float]) -> Measured:
    """A figure and what comes on top of it.

    Args:
        figure: with its interval.
        more: in the same direction, by further train rows: its share of the variance is theirs.
        bounds: of the unit.

    Raises:
        ValueError: one of the two has no value or no interval.

    Example:
        >>> found = summed(Figure(0.1, 0.06, 0.14), Figure(0.02, 0.0, 0.05), (-1.0, 1.0))
        >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
        (0.12, 0.06, 0.19)
    """
    one, other = figure.ends, more.ends
    value, low, high = (
        min(max(a + b, bounds[0]), bounds[1]) for a, b in zip(one, other, strict=True)
    )
    width, plus = one.high - one.low, other.high - other.low
    own = plus / (width + plus) if width + plus else 0.0
    parts = carried(figure).beside(own)
    parts = replace(parts, fine_tune=parts.fine_tune - own, train_side=parts.train_side + own)
    return Measured(**_shown(figure, value, low, high), carried=parts)


def weighed(one: Figure, other: Figure) -> Measured:
    """The mean of two figures of the same thing, each with the weight of its inverse variance.

    Where one of the values lies outside the interval of the other they contradict each other, and the
    interval is all that either holds possible.

    Args:
        one: with its interval.
        other: in the same unit.

    Raises:
        ValueError: one of the two has no value or no interval.

    Example:
        >>> found = weighed(Figure(0.1, 0.0, 0.2), Figure(0.2, 0.0, 0.4))
        >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
        (0.12, 0.0, 0.24)
        >>> found = weighed(Figure(0.0, -0.05, 0.05), Figure(0.2, 0.15, 0.25))
        >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
        (0.1, -0.05, 0.25)
    """
    a, b = one.ends, other.ends
    precision = [1.0 / max(x.high - x.low, 1e-12) ** 2 for x in (a, b)]
    share = precision[0] / sum(precision)
    value, low, high = (share * x + (1.0 - share) * y for x, y in zip(a, b, strict=True))
    if not _holds(a, b.value) or not _holds(b, a.value):
        low, high = min(a.low, b.low), max(a.high, b.high)
    mixed = {
        f.name: share * getattr(carried(one), f.name)
        + (1 - share) * getattr(carried(other), f.name)
        for f in fields(Carried)
        if f.name != "refits"
    }
    refits = max(carried(one).refits, carried(other).refits)
    return Measured(**_shown(one, value, low, high), carried=Carried(**mixed, refits=refits))


def _holds(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


def _shown(figure: Figure, value: float, low: float, high: float) -> dict[str, Any]:
    """The fields of a figure with another value and interval."""
    shown = {f.name: getattr(figure, f.name) for f in fields(Figure)}
    return {**shown, "value": float(value), "low": float(low), "high": float(high)}
