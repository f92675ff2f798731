"""Two laws of learning curves, fitted over a grid of their parameters.

`power`: e(n) = a·n^−b + c. `rectified`: e(n) = (B / (D_l + n^β) + E)^α (Lin et al. 2024, with the
outer exponent of the method page), where D_l^(1/β) is prior knowledge counted in examples. The
first is the second at D_l = 0 and α = 1. A grid rather than an optimiser: the scale is linear and
solved for, nothing has to converge, and the spread over the grid is the uncertainty of the fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.int64]

Law = Literal["power", "rectified"]
LAWS: tuple[Law, ...] = ("power", "rectified")
_TAU = 0.004  # what a law may miss at the largest size, as a share of the scale; more below it
_SLOW, _FAST = 0.7, 1.6  # median exponent of a curve without floor, and of one that is all floor
_EXPONENT = 0.3  # spread of the exponent's logarithm around it
_OUTER = 0.5  # spread of the logarithm of α around 0


@dataclass(frozen=True)
class Fit:
    """A law's weighted grid: the shape of what the points leave open.

    Attributes:
        law: which one.
        n_max: the largest size fitted, in whose units sizes are counted below.
        weight: shape (G,), posterior weight of each grid point; sums to 1.
        exponent: shape (G,), b or β.
        prior: shape (G,), prior knowledge D_l^(1/β) in units of n_max; 0 for the power law.
        outer: shape (G,), α; 1 for the power law.
        floor: shape (G,), c^(1/α) or E.
        scale: shape (G,), a or B.
    """

    law: Law
    n_max: float
    weight: Floats
    exponent: Floats
    prior: Floats
    outer: Floats
    floor: Floats
    scale: Floats

    def values(self, sizes: Floats, rows: Ints | slice = slice(None)) -> Floats:
        """Error at sizes (m,) for every grid point, or for G of them: shape (G, m)."""
        x = np.asarray(sizes, np.float64) / self.n_max
        shape = _shape(x, self.exponent[rows], self.prior[rows])
        scale, floor, outer = (v[rows, None] for v in (self.scale, self.floor, self.outer))
        out: Floats = (scale * shape + floor) ** outer
        return out

    def mean(self, sizes: Floats) -> Floats:
        """Posterior mean error at sizes (m,)."""
        out: Floats = self.weight @ self.values(sizes)
        return out


def fit(law: Law, sizes: Floats, errors: Floats, noise: Floats, *, scale: float = 1.0) -> Fit:
    """Weigh a law's grid by how well it meets the points.

    Args:
        law: power or rectified.
        sizes: shape (S,), increasing.
        errors: shape (S,), ≥ 0: 1 − accuracy, or bits.
        noise: shape (S,), standard deviation of each error apart from what all sizes share.
        scale: 1 for an error rate, the largest loss for bits.

    Example:
        >>> n = np.array([50., 100., 200., 400., 800.])
        >>> fitted = fit("power", n, 2 * n**-0.7 + 0.1, np.full(5, 0.002))
        >>> bool(abs(fitted.mean(np.array([3200.]))[0] - (2 * 3200**-0.7 + 0.1)) < 0.01)
        True
    """
    n_max = float(sizes[-1])
    x = np.asarray(sizes, np.float64) / n_max
    exponent, prior, outer, level, log_prior = _grid(law)
    top = errors[-1] + noise[-1]
    # on the scale where the law is linear, t = e^(1/α), with dt/de = t / (α e)
    safe = np.maximum(errors, 1e-4 * scale)
    t = safe ** (1.0 / outer[:, None])
    sigma = np.sqrt(np.square(noise) + np.square(_TAU * scale / x))
    precision = np.square(outer[:, None] * safe / (t * sigma))
    floor = (level * top) ** (1.0 / outer)
    shape = _shape(x, exponent, prior)
    fitted = (precision * shape * (t - floor[:, None])).sum(1) / (precision * shape**2).sum(1)
    a = np.maximum(fitted, 0.0)
    model = (a[:, None] * shape + floor[:, None]) ** outer[:, None]
    log_weight = log_prior - 0.5 * np.square((model - errors) / sigma).sum(1)
    weight = np.exp(log_weight - log_weight.max())
    return Fit(law, n_max, weight / weight.sum(), exponent, prior, outer, floor, a)


def extrapolation_loss(
    law: Law, sizes: Floats, errors: Floats, noise: Floats, *, scale: float = 1.0
) -> float | None:
    """Root mean square error at the larger sizes of the law fitted on the smaller ones.

    The smaller ones are those up to a quarter of the largest, or up to half of it where that
    leaves fewer than four; None where half leaves fewer than three.
    """
    for share, least in ((0.25, 4), (0.5, 3)):
        m = int((sizes <= share * sizes[-1] * 1.05).sum())
        if m >= least:
            early = fit(law, sizes[:m], errors[:m], noise[:m], scale=scale)
            return float(np.sqrt(np.mean(np.square(early.mean(sizes[m:]) - errors[m:]))))
    return None


def _shape(x: Floats, exponent: Floats, prior: Floats) -> Floats:
    """1 / (D_l + x^β) for sizes x (m,) in units of n_max: shape (G, m)."""
    known = np.where(prior > 0, np.maximum(prior, 1e-12) ** exponent, 0.0)
    out: Floats = 1.0 / (known[:, None] + x[None, :] ** exponent[:, None])
    return out


@lru_cache(maxsize=2)
def _grid(law: Law) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Exponent, prior knowledge, outer exponent, floor (share u of the last error), log prior.

    The prior holds what curves have in common: one that nears its floor (label noise, ambiguity)
    gets there fast, one that goes on falling does so slowly. Floors are as likely as
    the square root of u + 0.02.
    Its constants were set on the development curves of `benchmarks/volume.py`.
    """
    levels = np.linspace(0.0, 1.0, 41)
    if law == "power":
        axes = (np.geomspace(0.1, 4.0, 31), np.zeros(1), np.ones(1), levels)
    else:
        known = np.append(0.0, np.geomspace(0.01, 3.0, 10))
        axes = (np.geomspace(0.1, 4.0, 16), known, np.array([0.5, 1.0, 2.0]), levels)
    mesh = np.meshgrid(*axes, indexing="ij")
    exponent, prior, outer, level = (m.ravel() for m in mesh)
    usual = _SLOW * (_FAST / _SLOW) ** level
    log_prior = 0.5 * np.log(level + 0.02)
    log_prior -= 0.5 * np.square(np.log(exponent / usual) / _EXPONENT)
    log_prior -= 0.5 * np.square(np.log(outer) / _OUTER)
    return exponent, prior, outer, level, log_prior
