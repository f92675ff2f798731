"""How far a fine-tune falls from what was foretold, on a dataset that was not among the arms.

residual = μ + source + arm + luck with the held-out items: the last has a known variance, the standard
deviations of the first two are unknown and have half-normal priors, μ a flat one (Gelman 2006, section 5:
weakly informative where groups are few, which errs to the wide side). What is wanted is the predictive
distribution of a new source's arm, without luck: a mixture of normal distributions over a grid of the two
standard deviations, with μ integrated out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

STEPS = 40
"""Points of the grid in each direction."""
SCALE = 0.1
"""Of the half-normal priors: a fine-tune may well lie ten points, or a tenth of a bit per byte, away."""


class Predictive(NamedTuple):
    """Of the residual of an arm from a new source, in the unit of the residuals."""

    mean: float
    low: float
    high: float
    between: float
    """Posterior mean of the standard deviation between sources."""
    within: float
    """The same between arms of a source."""
    arms: int
    sources: int


def predictive(
    residual: Floats, variance: Floats, sources: Sequence[str], level: float = 0.95
) -> Predictive:
    """The predictive distribution and its central interval.

    Args:
        residual: shape (n,), tuned − foretold of each arm.
        variance: shape (n,), of each residual by luck with the held-out items.
        sources: shape (n,), where each arm is from; two at least.
        level: of the interval.
    """
    codes = np.unique(list(sources), return_inverse=True)[1]
    same = (codes[:, None] == codes[None, :]).astype(np.float64)
    n, ones = len(residual), np.ones(len(residual))
    # finest near 0, and to where the prior has nothing left
    grid = 3.0 * SCALE * np.square((np.arange(STEPS) + 0.5) / STEPS)
    width = np.gradient(grid)
    found = []
    for a, between in zip(width, grid, strict=True):
        for b, within in zip(width, grid, strict=True):
            covariance = np.diag(variance + within**2) + between**2 * same
            factor = np.linalg.cholesky(covariance)
            y, one = np.linalg.solve(factor, np.stack([residual, ones], axis=1)).T
            precision = float(one @ one)
            mean = float(one @ y) / precision
            log_density = -(np.log(np.diag(factor)).sum()) - 0.5 * (
                np.log(precision) + float(np.square(y - mean * one).sum())
            )
            log_density += np.log(a * b) - 0.5 * (between**2 + within**2) / SCALE**2
            spread = 1.0 / precision + between**2 + within**2
            found.append((log_density, mean, spread, between, within))
    log_density, means, spreads, betweens, withins = np.array(found).T
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    scale = np.sqrt(spreads)
    tail = (1.0 - level) / 2

    def below(x: float, share: float) -> float:
        return float(weight @ ndtr((x - means) / scale)) - share

    ends = float((means - 9 * scale).min()), float((means + 9 * scale).max())
    low, high = (brentq(below, *ends, args=(share,)) for share in (tail, 1.0 - tail))
    return Predictive(
        float(weight @ means),
        float(low),
        float(high),
        float(weight @ betweens),
        float(weight @ withins),
        n,
        int(codes.max()) + 1,
    )
