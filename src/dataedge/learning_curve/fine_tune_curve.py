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
"""Times the rows tuned on, beyond which nothing is told."""
FEWER = 4
"""Times fewer rows have the second fine-tune."""
DRAWS = 4000
ONE_SIDED = 1.645
"""Standard errors above which a step is sure, at 5 %."""


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
    """A gain by further train rows, or why none is told.

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
    without: Floats,
    weight: Floats,
    clusters: NDArray[np.int64],
    metric: Metric,
    *,
    unit: str = "",
    seed: int = 0,
    level: float = 0.95,
) -> MoreRows:
    """How much less a fine-tune on all rows would be wrong, or lose, than one on many of them.

    A law that can only fall makes a promise of noise. So nothing is told unless both steps are surely
    there: the smaller fine-tune is better than none, and the larger one better than the smaller.

    Args:
        few: the second fine-tune.
        many: the one on more rows, on the same held-out items.
        rows: train rows there are.
        without: shape (n,), errors of an answer that no fine-tune is needed for.
        weight: shape (n,), what errors are a share of: bytes, or ones.
        clusters: shape (n,), near-duplicate cluster of each item.
        metric: accuracy or bits.
        unit: of the figure.
        seed: of the draws.
        level: of the interval.

    Returns:
        A gain ≥ 0 in error rate, or bits per unit of weight, whose lower end is 0 at most; refused, with
        the reason, where none is told.
    """
    noise = _paired_error(few.errors - many.errors, weight, clusters)
    reason = ""
    if rows > FURTHEST * many.rows:
        reason = f"{rows:,} rows are more than {FURTHEST} times the {many.rows:,} tuned on"
    elif not _surely_less(few.errors, without, weight, clusters, metric):
        reason = f"a fine-tune on {few.rows:,} rows is not surely better than none"
    elif not _surely_less(many.errors, few.errors, weight, clusters, metric):
        reason = f"a fine-tune on {many.rows:,} rows is not surely better than one on {few.rows:,}"
    if reason:
        return MoreRows.missing(f"{reason}, so nothing is told of all", unit, "refused")
    sizes = np.array([few.rows, many.rows], np.float64)
    errors = np.array([s.errors.sum() for s in (few, many)]) / weight.sum()
    own = noise / np.sqrt(2.0)
    if metric == "accuracy":
        own = float(np.hypot(own, SEED_SPREAD))
    scale = 1.0 if metric == "accuracy" else float(errors.max())
    fitted = fit(sizes, errors, np.full(2, own), PRIORS[metric], scale=scale)
    ahead = np.array([many.rows, rows], np.float64)
    value = max(float(-np.diff(fitted.mean(ahead))[0]), 0.0)
    rng = np.random.default_rng(seed)
    drawn = -np.diff(fitted.draws(ahead, DRAWS, rng), axis=1)[:, 0]
    if metric == "accuracy":  # a fine-tune on all has its own seed
        drawn += rng.normal(0.0, SEED_SPREAD, DRAWS)
    low, high = np.percentile(drawn, [50 * (1 - level), 50 * (1 + level)])
    # after a jump a curve may be at its end, which two sizes do not tell: nothing is promised for sure
    ends = min(float(low), 0.0), max(float(high), value)
    return MoreRows(value, *ends, len(few.errors), unit, rows=rows, of=many.rows)


def _surely_less(
    errors: Floats, than: Floats, weight: Floats, clusters: NDArray[np.int64], metric: Metric
) -> bool:
    """Whether the difference lies above its noise, the luck of seeds included, by a one-sided test."""
    if not len(errors):
        return False
    noise = _paired_error(than - errors, weight, clusters)
    if metric == "accuracy":
        noise = float(np.hypot(noise, np.sqrt(2.0) * SEED_SPREAD))
    return bool((than - errors).sum() / weight.sum() > ONE_SIDED * noise)


def _paired_error(difference: Floats, weight: Floats, clusters: NDArray[np.int64]) -> float:
    """Standard error of Σ difference / Σ weight over clusters (Cochran 1977, section 6.4)."""
    if not len(difference):
        return 0.0
    mean = difference.sum() / weight.sum()
    _, inverse = np.unique(clusters, return_inverse=True)
    sums = np.bincount(inverse, difference - mean * weight)
    k = len(sums)
    return float(np.sqrt(k / max(k - 1, 1) * np.square(sums).sum()) / weight.sum())
