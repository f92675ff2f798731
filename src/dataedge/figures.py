"""A figure with its interval, and the bootstrap that gives it one.

Nothing in a report is a bare number: a `Figure` says what was measured, on how much, how sure
it is, or why there is none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

MANY_CLUSTERS = 50_000
FEWER_RESAMPLES = 400
"""Enough where the interval is narrow anyway, and each resample takes long."""
BLOCK_CELLS = 20_000_000
"""Weights held at a time: 160 MB, whatever the number of items."""
KEPT_CELLS = 8_000_000
"""Draws up to which they are kept for the next figure on the same clusters: 16 MB."""


class Interval(NamedTuple):
    """A value and its ends, where all are there."""

    value: float
    low: float
    high: float


Status = Literal["ok", "skipped", "underpowered", "refused", "failed"]


@dataclass(frozen=True)
class Figure:
    """A measured value, or the reason why there is none.

    Attributes:
        value: finite, or None unless status is ok or underpowered.
        low: lower end of the 95 % interval; None where no interval applies (exact counts).
        high: upper end.
        n: how many items it rests on.
        unit: accuracy, share, bits/byte, bits, items, tokens …
        status: ok, skipped (nothing to measure), underpowered, refused, failed.
        reason: a sentence; empty when ok and plain.
        detail: figures behind the figure, JSON-serialisable.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    unit: str = ""
    status: Status = "ok"
    reason: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("value", "low", "high"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"Figure.{name} must be finite or None, got {number}")

    @property
    def described(self) -> dict[str, Any]:
        """The detail, with what a kind of figure knows beyond it: for the report."""
        return dict(self.detail)

    @property
    def ends(self) -> Interval:
        """Value, lower and upper end.

        Raises:
            ValueError: one of them is not there.
        """
        if self.value is None or self.low is None or self.high is None:
            raise ValueError(f"a figure without an interval: {self.reason}")
        return Interval(self.value, self.low, self.high)

    @property
    def brief(self) -> dict[str, Any]:
        """Value and interval, with the reason where there is one: for another figure's detail."""
        out: dict[str, Any] = {"value": self.value, "low": self.low, "high": self.high}
        return {**out, "reason": self.reason} if self.reason else out

    @classmethod
    def missing(cls, reason: str, unit: str = "", status: Status = "skipped") -> Self:
        """A figure that could not be measured, with the sentence that says why."""
        return cls(value=None, unit=unit, status=status, reason=reason)


@dataclass(frozen=True)
class Reported(Figure):
    """A measure that is told at the report's top where it says that something is wrong.

    Attributes:
        reported: whether it is large, and more than chance explains.
    """

    reported: bool = False

    @property
    def described(self) -> dict[str, Any]:
        """The detail, and whether it is reported."""
        return {**self.detail, "reported": self.reported}


def bootstrap(
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    clusters: NDArray[np.integer[Any]],
    *,
    seed: int,
    resamples: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of a statistic, resampling whole clusters of items.

    Items that are near-duplicates of each other are not independent: clusters are drawn with
    replacement, and an item's weight is how often its cluster was drawn (Davison & Hinkley
    1997, section 3.8).

    Args:
        statistic: maps weights of shape (resamples, n) to values of shape (resamples,).
        clusters: shape (n,), cluster number of each item.
        seed: of the resampling.
        resamples: how many.
        level: coverage of the interval.

    Returns:
        Lower and upper end.
    """
    _, inverse = np.unique(clusters, return_inverse=True)
    k = int(inverse.max()) + 1
    resamples = resamples if k <= MANY_CLUSTERS else min(resamples, FEWER_RESAMPLES)
    draws = _draws(k, resamples, seed, block=max(1, BLOCK_CELLS // len(inverse)))
    values = np.concatenate([statistic(drawn[:, inverse]) for drawn in draws])
    values = values[np.isfinite(values)]
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def _draws(k: int, resamples: int, seed: int, *, block: int) -> Iterator[NDArray[np.float64]]:
    """How often each of k clusters was drawn, block of resamples after block, (·, k)."""
    starts = range(0, resamples, block)
    if k * resamples <= KEPT_CELLS:
        kept = _kept(k, resamples, seed)
        yield from (kept[s : s + block].astype(np.float64) for s in starts)
        return
    rng = np.random.default_rng(seed)
    for s in starts:
        yield _draw(rng, k, min(block, resamples - s)).astype(np.float64)


@lru_cache(maxsize=4)
def _kept(k: int, resamples: int, seed: int) -> NDArray[np.uint16]:
    """All draws: every figure on as many clusters under the same seed has the same ones."""
    return _draw(np.random.default_rng(seed), k, resamples).astype(np.uint16)


def _draw(rng: np.random.Generator, k: int, size: int) -> NDArray[np.int64]:
    return rng.multinomial(k, np.full(k, 1.0 / k), size=size)


def mean_figure(
    values: NDArray[np.float64],
    clusters: NDArray[np.integer[Any]],
    *,
    unit: str,
    seed: int,
    weights: NDArray[np.float64] | None = None,
    **detail: Any,
) -> Figure:
    """Mean (or ratio of sums) over items with a cluster-bootstrap interval.

    Args:
        values: shape (n,), one per item: 0/1 hits, or bits.
        clusters: shape (n,).
        unit: of the result.
        seed: of the bootstrap.
        weights: shape (n,), the denominator per item (bytes, for bits per byte); 1 if None.
        detail: stored with the figure.

    Example:
        >>> f = mean_figure(np.array([0., 1., 1., 1.]), np.arange(4), unit="accuracy", seed=0)
        >>> f.value, f.n
        (0.75, 4)
    """
    n = len(values)
    if n == 0:
        return Figure.missing("no items to measure on", unit)
    base = np.ones(n) if weights is None else weights
    value = float(values.sum() / base.sum())
    low, high = bootstrap(lambda w: (w @ values) / (w @ base), clusters, seed=seed)
    return Figure(value, low, high, n, unit, detail=dict(detail))
