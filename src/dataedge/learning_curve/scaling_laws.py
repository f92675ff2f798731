"""The rectified law of learning curves, and the posterior over what its points leave open.

    e(n) = (B / (D_l + n^β) + E)^α        (Lin et al. 2024; α is the method page's outer exponent)

The power law a·n^−b + c is the case D_l = 0, α = 1. It lies in the grid with half of the prior's
weight: the laws are averaged by how well they meet the points instead of one being chosen. A grid
rather than an optimiser: the scale B is solved for at each grid point (Gauss–Newton from the weighted
linear solution), nothing has to converge, and the spread over the grid is the uncertainty of the fit.

No curve follows a law exactly. ln e departs from it by a scatter σ at each point and by a random walk
of variance walk·σ² per doubling away from the largest size, so that small sizes count less and
forecasts widen with the distance. σ is part of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_SIGMAS = np.geomspace(0.002, 0.06, 7)
_SIGMA_DF = 3.0  # of the scaled inverse χ² prior of σ²
_POWER = 0.5  # prior weight of the power law
_SLOW, _FAST = 0.7, 1.6  # usual exponent of a curve without floor, and of one that is all floor
_KEPT = 1e-7  # grid points of less weight are dropped
_STEPS = 2  # Gauss–Newton steps for B
_LEAST = 1e-4  # an error of 0 counts as this share of the scale


@dataclass(frozen=True)
class Prior:
    """What is expected of curves before their points are seen.

    Attributes:
        exponents: grid of β.
        known: grid of D_l^(1/β), in units of the largest size; 0 is added.
        outers: grid of α.
        levels: grid of u, the floor as a share of the last error.
        floor_power: density of u is proportional to (u + 0.02)^floor_power · exp(−floor_rate·u).
        floor_rate: see there.
        exponent_spread: standard deviation of ln β around its usual value, which grows with u: a
            curve that nears its floor gets there fast, one that goes on falling does so slowly.
        outer_spread: standard deviation of ln α around 0.
        sigma: usual departure of ln e from its law, at a point.
        walk: variance of the departure per doubling away from the largest size, in units of σ².
    """

    exponents: tuple[float, ...]
    known: tuple[float, ...]
    outers: tuple[float, ...]
    levels: tuple[float, ...]
    floor_power: float
    floor_rate: float
    exponent_spread: float
    outer_spread: float
    sigma: float
    walk: float


def _spaced(low: float, high: float, count: int) -> tuple[float, ...]:
    return tuple(np.geomspace(low, high, count).tolist())


ERROR_RATES = Prior(
    exponents=_spaced(0.1, 4.0, 14),
    known=_spaced(0.01, 3.0, 6),
    outers=(0.5, 1.0, 2.0),
    levels=tuple(np.linspace(0.0, 1.0, 21).tolist()),
    floor_power=0.5,
    floor_rate=0.0,
    exponent_spread=0.3,
    outer_spread=0.5,
    sigma=0.007,
    walk=6.0,
)
"""1 − accuracy: wrong and ambiguous labels leave a floor. Set on the development curves of
`benchmarks/volume.py`."""

LOSSES = Prior(
    exponents=_spaced(0.15, 2.0, 10),
    known=_spaced(0.003, 30.0, 10),
    outers=(0.25, 0.5, 1.0, 2.0, 4.0),
    levels=(0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    floor_power=0.0,
    floor_rate=1.0,
    exponent_spread=1.0,
    outer_spread=1.0,
    sigma=0.005,
    walk=4.0,
)
"""Bits or nats: losses mostly go on falling, often faster after a slow start. Set on the
development curves of `benchmarks/forecast.py`."""


@dataclass(frozen=True)
class Fit:
    """The law's posterior: a weighted grid of what the points leave open.

    Attributes:
        n_max: the largest size fitted, in whose units sizes are counted below.
        weight: shape (G,), posterior weight of each grid point; sums to 1.
        exponent: shape (G,), β.
        known: shape (G,), D_l, in units of n_max^β.
        outer: shape (G,), α.
        floor: shape (G,), E.
        scale: shape (G,), B.
        sigma: shape (G,), departure of ln e from the law at a point.
        walk: variance of that departure per doubling beyond n_max, in units of σ².
    """

    n_max: float
    weight: Floats
    exponent: Floats
    known: Floats
    outer: Floats
    floor: Floats
    scale: Floats
    sigma: Floats
    walk: float

    def values(self, sizes: Floats, rows: Any = slice(None)) -> Floats:
        """Error at sizes (m,) for every grid point, or for some of them: shape (G, m)."""
        x = np.asarray(sizes, np.float64) / self.n_max
        scale, floor, outer = (v[rows, None] for v in (self.scale, self.floor, self.outer))
        shape = 1.0 / (self.known[rows, None] + x ** self.exponent[rows, None])
        out: Floats = (scale * shape + floor) ** outer
        return out

    def mean(self, sizes: Floats) -> Floats:
        """Posterior mean error at sizes (m,)."""
        out: Floats = self.weight @ self.values(sizes)
        return out

    @property
    def asymptote(self) -> Floats:
        """Error that no amount of data goes below, of every grid point: E^α, shape (G,)."""
        out: Floats = self.floor**self.outer
        return out

    def draws(self, sizes: Floats, count: int, rng: np.random.Generator) -> Floats:
        """Errors at increasing sizes (m,) of curves drawn from the posterior: shape (count, m).

        Each curve departs from its law by a random walk over the doublings beyond n_max.
        """
        rows = rng.choice(len(self.weight), count, p=self.weight)
        chosen, which = np.unique(rows, return_inverse=True)
        law = self.values(sizes, chosen)[which]
        ahead = np.maximum(np.log2(np.asarray(sizes, np.float64) / self.n_max), 0.0)
        steps = np.sqrt(self.walk * np.diff(ahead, prepend=0.0))
        walk = np.cumsum(rng.normal(size=law.shape) * steps, 1)
        out: Floats = law * np.exp(self.sigma[rows, None] * walk)
        return out

    def first_below(
        self, goals: Floats, sizes: Floats, rng: np.random.Generator
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Where curves drawn from the posterior come down to their goals.

        Each curve departs from its law by one draw, scaled to the random walk's spread at each
        size: right for any one size, and free of the dips of a walk.

        Args:
            goals: shape (draws,), an error for each curve.
            sizes: shape (m,), increasing.
            rng: of the curves.

        Returns:
            The first of the sizes at which the error is at most the goal, inf if none, shape
            (draws,); and whether the curve's asymptote lies above the goal.
        """
        rows = rng.choice(len(self.weight), len(goals), p=self.weight)
        chosen, which = np.unique(rows, return_inverse=True)
        ahead = np.maximum(np.log2(np.asarray(sizes, np.float64) / self.n_max), 0.0)
        departure = self.sigma[rows] * rng.normal(size=len(goals))
        error = self.values(sizes, chosen)[which]
        error *= np.exp(departure[:, None] * np.sqrt(self.walk * ahead))
        there = error <= goals[:, None]
        need = np.where(there.any(1), np.asarray(sizes)[there.argmax(1)], np.inf)
        return need, self.asymptote[rows] > goals


def fit(sizes: Floats, errors: Floats, noise: Floats, prior: Prior, *, scale: float = 1.0) -> Fit:
    """Weigh the law's grid by how well it meets the points.

    Args:
        sizes: shape (S,), increasing.
        errors: shape (S,), ≥ 0: 1 − accuracy, bits, or nats.
        noise: shape (S,), standard deviation of each error apart from what all sizes share; 0
            where it is not known.
        prior: `ERROR_RATES` or `LOSSES`.
        scale: 1 for an error rate, the largest loss for losses.

    Example:
        >>> n = np.array([50., 100., 200., 400., 800.])
        >>> fitted = fit(n, 2 * n**-0.7 + 0.1, np.full(5, 0.002), ERROR_RATES)
        >>> bool(abs(fitted.mean(np.array([3200.]))[0] - (2 * 3200**-0.7 + 0.1)) < 0.01)
        True
    """
    n_max = float(sizes[-1])
    x = np.asarray(sizes, np.float64) / n_max
    exponent, known, outer, level, log_prior = _grid(prior)
    e = np.maximum(np.asarray(errors, np.float64), _LEAST * scale)
    y = np.log(e)
    floor = (level * (e[-1] + noise[-1])) ** (1.0 / outer)
    shape = 1.0 / (known[:, None] + x ** exponent[:, None])
    t = e ** (1.0 / outer[:, None])  # where the law is linear: dt = t / α · d ln e
    least = 1e-9 * t[:, -1]
    gap = (outer[:, None] / t) ** 2 * shape
    log_weight = np.empty((len(_SIGMAS), len(level)))
    scales = np.empty_like(log_weight)
    for i, sigma in enumerate(_SIGMAS):
        variance = np.square(noise / e) + sigma**2 * (1.0 - prior.walk * np.log2(x))
        precision = 1.0 / variance
        b = ((gap * (t - floor[:, None])) @ precision) / ((gap * shape) @ precision)
        b = np.maximum(b, least)
        for _ in range(_STEPS):
            model = b[:, None] * shape + floor[:, None]
            slope = outer[:, None] * shape / model
            miss = y - outer[:, None] * np.log(model)
            b = np.maximum(b + ((slope * miss) @ precision) / (slope**2 @ precision), least)
        miss = y - outer[:, None] * np.log(b[:, None] * shape + floor[:, None])
        # B takes one degree of freedom: the last term
        likelihood = -0.5 * (miss**2 @ precision + np.log(variance).sum() + np.log(precision.sum()))
        expected = -_SIGMA_DF * (np.log(sigma) + 0.5 * (prior.sigma / sigma) ** 2)
        log_weight[i], scales[i] = log_prior + likelihood + expected, b
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    s, g = np.nonzero(weight > _KEPT)
    return Fit(
        n_max,
        weight[s, g] / weight[s, g].sum(),
        exponent[g],
        known[g],
        outer[g],
        floor[g],
        scales[s, g],
        _SIGMAS[s],
        prior.walk,
    )


class _Grid(NamedTuple):
    """β, D_l, α and the floor's level u of every grid point, and their log prior: each (G,)."""

    exponent: Floats
    known: Floats
    outer: Floats
    level: Floats
    log_prior: Floats


@lru_cache(maxsize=2)
def _grid(prior: Prior) -> _Grid:
    """The laws that are weighed."""
    axes = (prior.exponents, (0.0, *prior.known), prior.outers, prior.levels)
    exponent, known, outer, level = (m.ravel() for m in np.meshgrid(*axes, indexing="ij"))
    usual = _SLOW * (_FAST / _SLOW) ** level
    log_prior = prior.floor_power * np.log(level + 0.02) - prior.floor_rate * level
    log_prior -= 0.5 * np.square(np.log(exponent / usual) / prior.exponent_spread)
    log_prior -= 0.5 * np.square(np.log(outer) / prior.outer_spread)
    power = (known == 0.0) & (outer == 1.0)
    share = float(np.exp(np.logaddexp.reduce(log_prior[power]) - np.logaddexp.reduce(log_prior)))
    log_prior += np.where(power, np.log(_POWER / share), np.log((1 - _POWER) / (1 - share)))
    return _Grid(exponent, known**exponent, outer, level, log_prior)
