"""The points of a learning curve with their noise, and whether they behave like one.

About one real curve in seven does not: it falls, or something appears late (Mohr, Viering et al.,
LCDB). Such a curve is not extrapolated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

Metric = Literal["accuracy", "bits"]
LEAST_SIZES = 5
SURE = 3.0  # standard errors from which on a fall or jump is no noise
LARGE = 0.02  # share of the scale below which it does not matter
_LEAST_SPAN = 3.5  # largest over smallest size
_SHARED = 0.6  # usual share of a point's variance that comes from which rows are held out


@dataclass(frozen=True)
class CurvePoints:
    """Mean error at each size, with what is uncertain about it.

    Attributes:
        sizes: shape (S,).
        errors: shape (S,), 1 − accuracy or bits, mean of the orders.
        noise: shape (S,), standard deviation of each mean.
        shared: share of that variance which all sizes have in common (the same held-out rows).
        scale: 1 for accuracy, the largest mean for bits.
    """

    sizes: Floats
    errors: Floats
    noise: Floats
    shared: float
    scale: float

    @property
    def own(self) -> Floats:
        """Standard deviation of each point apart from what all sizes share."""
        own: Floats = self.noise * np.sqrt(1.0 - self.shared)
        return own


def measured(
    sizes: Floats, values: Floats, rows: int, metric: Metric, independent: int
) -> CurvePoints:
    """Means, and their noise: binomial, widened by what the orders show in each half of the sizes."""
    orders, count = values.shape
    errors = values.mean(0)
    scale = 1.0 if metric == "accuracy" else float(errors.max())
    spread = values.std(0, ddof=1) if orders > 1 else np.zeros(count)
    seen = np.square(spread) / min(orders, independent)
    if metric == "accuracy":
        least = np.maximum(errors * (1 - errors), 0.25 / rows) / rows
        small = np.arange(count) < count // 2
        for half in (small, ~small):
            least[half] *= max(1.0, float((seen / least)[half].mean())) if half.any() else 1.0
        noise = np.sqrt(least)
    else:
        noise = np.sqrt(np.maximum(seen, seen.mean() / 4))
    shared = _SHARED
    if orders > 2 and count > 1:
        z = (values - errors) / np.maximum(spread, 1e-9)
        pairs = (z.T @ z / (orders - 1))[np.triu_indices(count, 1)]
        shared = (_SHARED + float(np.clip(pairs.mean(), 0.0, 0.9))) / 2
    return CurvePoints(sizes, errors, noise, shared, scale)


def too_few(points: CurvePoints, orders: int) -> str:
    """Why the points are too few to extrapolate; empty if they are enough."""
    if len(points.sizes) < LEAST_SIZES:
        return f"too few rows to forecast from ({len(points.sizes)} sizes, {LEAST_SIZES} needed)"
    if orders < 3:
        return f"too few orders to forecast from ({orders}, 3 needed)"
    if points.sizes[-1] < _LEAST_SPAN * points.sizes[0]:
        return "the largest size is less than four times the smallest: too short for a forecast"
    return ""


def ill_behaved(points: CurvePoints) -> str:
    """A fall, or a late jump, that is larger than noise; the start of the curve may do as it likes."""
    n, e, s = points.sizes, points.errors, points.own
    for j in range(1, len(n)):
        i = int(e[:j].argmin())
        if e[j] - e[i] > max(LARGE * points.scale, SURE * float(np.hypot(s[i], s[j]))):
            return f"the learner is worse with {n[j]:.0f} rows than with {n[i]:.0f}, so no forecast is made"
    for j in range(1, len(n) - 1):
        if n[j] < n[-1] / 8:
            continue
        for i in range(j):
            for k in range(j + 1, len(n)):
                t = (n[j] - n[i]) / (n[k] - n[i])
                above = e[j] - (1 - t) * e[i] - t * e[k]
                noise = float(np.sqrt(s[j] ** 2 + ((1 - t) * s[i]) ** 2 + (t * s[k]) ** 2))
                if above > max(LARGE * points.scale, SURE * noise):
                    return (
                        f"the error suddenly falls faster after {n[j]:.0f} rows, "
                        "so no forecast is made"
                    )
    return ""
