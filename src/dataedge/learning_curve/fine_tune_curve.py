"""What a fine-tune on a part of the rows would gain by the others, told from a second one on fewer rows.

Two sizes leave most of a learning curve open, so that what is expected of such curves decides: fine-tunes
on few rows are far from their floor where answers are counted, and their losses are not far from it. Both
priors were set on real curves of other people's models (`benchmarks/extrapolation.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.figures import Figure
from dataedge.learning_curve.scaling_laws import ERROR_RATES, LOSSES, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.learning_curve.checks import Metric

    Floats = NDArray[np.float64]

PRIORS = {
    "accuracy": replace(ERROR_RATES, floor_power=0.0, floor_rate=4.0),
    "bits": replace(LOSSES, floor_rate=-2.0),
}
SEED_SPREAD = 0.019
"""Standard deviation of a fine-tune's accuracy over seeds: median of public runs (Bertsch et al. 2024)."""
FURTHEST = 8
"""Times the rows tuned on: nothing is told beyond."""
FEWER = 4
"""Times fewer rows have the second fine-tune."""
DRAWS = 4000


class Size(NamedTuple):
    """A fine-tune.

    Attributes:
        rows: it was tuned on.
        errors: shape (n,), of each held-out item: 1 − hit, or bits.
    """

    rows: int
    errors: Floats


@dataclass(frozen=True)
class MoreRows(Figure):
    """A gain by further train rows.

    Attributes:
        rows: train rows that it is told for.
        of: train rows without it.
    """

    rows: int = 0
    of: int = 0

    @property
    def described(self) -> dict[str, Any]:
        """The rows with the detail."""
        return {**self.detail, "train_items": self.rows, "tuned_on": self.of}


def gain_of_more_rows(
    few: Size,
    many: Size,
    rows: int,
    weight: Floats,
    clusters: NDArray[np.int64],
    metric: Metric,
    *,
    unit: str = "",
    seed: int = 0,
    level: float = 0.95,
) -> MoreRows:
    """How much less a fine-tune on all rows would be wrong, or lose, than one on many of them.

    Args:
        few: the second fine-tune.
        many: the one on more rows, on the same held-out items.
        rows: train rows there are; of more than eight times those of `many`, so many are taken.
        weight: shape (n,), what errors are a share of: bytes, or ones.
        clusters: shape (n,), near-duplicate cluster of each item.
        metric: accuracy or bits.
        unit: of the figure.
        seed: of the draws.
        level: of the interval.

    Returns:
        A gain ≥ 0 in error rate, or bits per unit of weight.
    """
    end = float(min(rows, FURTHEST * many.rows))
    sizes = np.array([few.rows, many.rows], np.float64)
    errors = np.array([s.errors.sum() for s in (few, many)]) / weight.sum()
    noise = _paired_error(few.errors - many.errors, weight, clusters) / np.sqrt(2.0)
    if metric == "accuracy":
        noise = float(np.hypot(noise, SEED_SPREAD))
    scale = 1.0 if metric == "accuracy" else float(errors.max())
    fitted = fit(sizes, errors, np.full(2, noise), PRIORS[metric], scale=scale)
    ahead = np.array([sizes[-1], end])
    value = max(float(-np.diff(fitted.mean(ahead))[0]), 0.0)
    drawn = -np.diff(fitted.draws(ahead, DRAWS, np.random.default_rng(seed)), axis=1)[:, 0]
    low, high = np.percentile(drawn, [50 * (1 - level), 50 * (1 + level)])
    ends = max(min(float(low), value), 0.0), max(float(high), value)
    return MoreRows(value, *ends, len(few.errors), unit, rows=int(end), of=many.rows)


def _paired_error(difference: Floats, weight: Floats, clusters: NDArray[np.int64]) -> float:
    """Standard error of Σ difference / Σ weight over clusters (Cochran 1977, section 6.4).

    Where no item differs it is that of one that does, in each direction.
    """
    mean = difference.sum() / weight.sum()
    _, inverse = np.unique(clusters, return_inverse=True)
    sums = np.bincount(inverse, difference - mean * weight)
    k = len(sums)
    least = np.sqrt(2.0) / len(weight) if not difference.any() else 0.0
    return float(max(np.sqrt(k / max(k - 1, 1) * np.square(sums).sum()) / weight.sum(), least))
