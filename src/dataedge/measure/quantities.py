"""Labels that are numbers: which of them lie far from what the rest of the data says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure, mean_figure

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

TWIN = "twin has another number"
LEARNER = "learner expects another number"

FAR = 3.5
"""Robust deviations from which a number is suspect (Iglewicz & Hoaglin 1993)."""


@dataclass(frozen=True)
class Quantities:
    """Suspect numbers.

    Attributes:
        distance: shape (n,), robust deviations between the number and what was expected.
        score: shape (n,), in [0, 1], low is suspect; 0.5 where the distance is `FAR`.
        suspect: shape (n,).
        reason: n strings, empty where not suspect.
        share: of suspects.
        conflicts: share of items that a near-duplicate contradicts.
    """

    distance: Floats
    score: Floats
    suspect: Bools
    reason: tuple[str, ...]
    share: Figure
    conflicts: Figure


def judge_quantities(
    values: Floats, expected: Floats, clusters: Ints, *, seed: int = 0
) -> Quantities:
    """Judge numbers by left-out predictions and by their near-duplicates.

    Distances are residuals from their median over 1.4826 · median absolute deviation. An item whose
    number is as far from the median of its near-duplicates' numbers is suspect as well; of two
    that disagree there is no telling which is wrong, so both are.

    Args:
        values: shape (n,), as given.
        expected: shape (n,), out of sample.
        clusters: shape (n,), near-duplicate clusters.
        seed: of the bootstrap.

    Example:
        >>> values = np.r_[np.linspace(0, 1, 99), 40.0]
        >>> found = judge_quantities(values, np.linspace(0.1, 0.9, 100), np.arange(100))
        >>> found.suspect.sum(), found.reason[99]
        (np.int64(1), 'learner expects another number')
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    if n == 0:
        none = Figure.missing("no labelled items", "share")
        return Quantities(np.zeros(0), np.zeros(0), np.zeros(0, bool), (), none, none)
    residual = values - expected
    residual -= np.median(residual)
    spread = _spread(residual, values)
    distance = np.abs(residual) / spread
    apart = _from_twins(values, clusters) / spread
    twin, far = apart > FAR, distance > FAR
    distance = np.maximum(distance, apart)
    suspect = twin | far
    reason = np.where(twin, TWIN, np.where(far, LEARNER, ""))
    return Quantities(
        distance,
        1.0 / (1.0 + np.square(distance / FAR)),
        suspect,
        tuple(str(r) for r in reason),
        mean_figure(
            suspect.astype(np.float64), clusters, unit="share", seed=seed, spread=float(spread)
        ),
        mean_figure(twin.astype(np.float64), clusters, unit="share", seed=seed),
    )


def _spread(residual: Floats, values: Floats) -> float:
    """Robust deviation; where more than half of the residuals are equal, that of the values."""
    spread = 1.4826 * float(np.median(np.abs(residual)))
    if spread > 1e-9 * max(float(np.abs(values).max()), 1e-300):
        return spread
    return max(float(values.std()), 1e-300)


def _from_twins(values: Floats, clusters: Ints) -> Floats:
    """Distance of each number from the median of its cluster's others; 0 without any."""
    out = np.zeros(len(values))
    order = np.argsort(clusters, kind="stable")
    cuts = np.flatnonzero(np.diff(clusters[order])) + 1
    for group in np.split(order, cuts):
        for i in group if len(group) > 1 else ():
            out[i] = abs(values[i] - np.median(values[group[group != i]]))
    return out
