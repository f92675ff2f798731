"""Differences of figures of two audits, with intervals: paired on shared items, or independent.

Independent figures: each end by the method of variance estimates recovery (Zou & Donner 2008). Paired ones
have the interval of the shared items (Tango's of hits, a cluster bootstrap of bits and variance), widened by
what either audit's own interval carries beside its items; both audits' train sides are taken as
independent, which is too wide rather than too narrow where they share rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from scipy.special import ndtri

from dataedge.figures import Figure, bootstrap
from dataedge.intervals import mean_of_classes, paired_proportions
from dataedge.ladder.units import BALANCED, LOWER, PROPORTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.report.model import EdgeModel, FigureModel

Z: Final = float(ndtri(0.975))
FEWEST: Final = 30
"""Clusters of shared items below which figures are taken as independent."""
RANGES: Final = ("effective_rows", "near_duplicate_share")
"""Measures whose low and high are a range over thresholds, no interval."""


class Shared(NamedTuple):
    """What two audits reached on the items that both held out.

    Attributes:
        gains: rung → shape (n,), per audit.
        weights: shape (n,), what gains are a share of, per audit: the variance of numbers is counted in
            units of each audit's own train side.
        label: shape (n,), codes where labels count alike.
        clusters: shape (n,), near-duplicate clusters.
        items: distinct ones.
    """

    gains: tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]
    weights: tuple[NDArray[np.float64], NDArray[np.float64]]
    label: NDArray[np.int64]
    clusters: NDArray[np.int64]
    items: int


def independent(first: FigureModel | EdgeModel, second: FigureModel | EdgeModel) -> Figure:
    """Second − first of two figures that know nothing of each other; counts have no interval."""
    for figure in (first, second):
        if figure.value is None:
            return Figure.missing(getattr(figure, "reason", "") or "not measured", figure.unit)
    if None in (first.low, first.high, second.low, second.high):
        return Figure((second.value or 0.0) - (first.value or 0.0), None, None, 0, first.unit)
    a, b = (np.array([f.value, f.low, f.high], np.float64) for f in (first, second))
    value = float(b[0] - a[0])
    low = value - float(np.hypot(b[0] - b[1], a[2] - a[0]))
    high = value + float(np.hypot(b[2] - b[0], a[0] - a[1]))
    return Figure(value, low, high, 0, first.unit)


def turned(found: Figure) -> Figure:
    """A difference as a gain: its sign turned where lower is better."""
    if found.value is None or found.unit not in LOWER:
        return found
    low, high = (None if v is None else -v for v in (found.high, found.low))
    return Figure(-found.value, low, high, found.n, found.unit)


def paired(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    shared: Shared,
    unit: str,
    more: float,
) -> Figure:
    """Second − first on shared items.

    Args:
        first: shape (n,), what counts in the first audit, in the direction of a gain: hits, −bits,
            variance explained, or the difference of two rungs in these.
        second: the same in the second.
        shared: the items.
        unit: of the audits.
        more: variance that the two audits carry beside their items.
    """
    if unit in (*PROPORTIONS, BALANCED):
        per_item = second - first
        # a difference of two differences reaches from −2 to 2: its halves are parts of pairs
        scale = max(1.0, float(np.abs(per_item).max(initial=0.0)))
        halves = per_item / scale
        if unit == BALANCED:
            found = mean_of_classes(halves, shared.label, shared.clusters, unit=unit, paired=True)
        else:
            found = paired_proportions(halves, shared.clusters, unit=unit)
        value, low, high = (scale * float(v or 0.0) for v in (found.value, found.low, found.high))
    else:
        a, b = shared.weights

        def difference(w: NDArray[np.float64]) -> NDArray[np.float64]:
            out: NDArray[np.float64] = (w @ second) / (w @ b) - (w @ first) / (w @ a)
            return out

        value = float(difference(np.ones((1, len(first))))[0])
        low, high = bootstrap(difference, shared.clusters, seed=0)
    extra = Z**2 * max(more, 0.0)
    low, high = (
        value - float(np.sqrt((value - low) ** 2 + extra)),
        value + float(np.sqrt((high - value) ** 2 + extra)),
    )
    return Figure(value, low, high, shared.items, unit)


def level(
    gains: NDArray[np.float64], weights: NDArray[np.float64], shared: Shared, unit: str
) -> float:
    """What one audit reached on shared items, as a gain.

    Args:
        gains: shape (n,), as for `paired`.
        weights: shape (n,), the audit's own.
        shared: the items.
        unit: of the audits.
    """
    if unit in PROPORTIONS:
        return float(gains.mean())
    if unit == BALANCED:
        classes = np.unique(shared.label, return_inverse=True)[1]
        return float((np.bincount(classes, gains) / np.bincount(classes)).mean())
    return float(gains.sum() / weights.sum())


def of_measurement(edge: EdgeModel) -> EdgeModel:
    """The gain with the interval of its measurement alone."""
    alone, carries = edge.measurement, edge.carries
    if alone is None:
        return edge
    if carries is not None:
        items = carries.items / max(1.0 - carries.fine_tune, 1e-9)
        carries = carries.model_copy(update={"items": items, "fine_tune": 0.0})
    ends = {"low": alone.low, "high": alone.high, "measurement": None}
    return edge.model_copy(update={**ends, "carries": carries})


def beside_items(figure: FigureModel | EdgeModel) -> float:
    """Variance that a figure's interval carries beside that of its evaluation items."""
    carries: Any = getattr(figure, "carries", None)
    share = carries.items if carries is not None else None
    if share is None:
        share = getattr(figure, "detail", {}).get("interval_carries", {}).get("items", 1.0)
    if figure.low is None or figure.high is None:
        return 0.0
    return (1.0 - float(share)) * ((figure.high - figure.low) / (2 * Z)) ** 2
