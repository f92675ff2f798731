"""Choosing among ways to prompt: successive halving on development items.

Choice looks at development items only; what is reported is measured on evaluation items that
had no part in it. Source: Jamieson & Talwalkar 2016 (successive halving).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

C = TypeVar("C")
FIRST_ROUND = 25


def calibrated_on(asked: int, *, remote: bool) -> int:
    """Development items to which a single prompt is fitted that is asked about so many items; at most.

    Args:
        asked: items that it is asked about.
        remote: every question has its price.
    """
    return FIRST_ROUND if remote else max(FIRST_ROUND, asked)


@dataclass(frozen=True)
class Trial(Generic[C]):
    """What a candidate reached on the development items it was tried on.

    Attributes:
        candidate: the strategy.
        n: development items it was tried on.
        gain: shape (n,), per item, higher is better: hits, or −bits.
        loss: shape (n,), bits per item; settles near-ties of gain.
        weight: shape (n,), denominator per item (bytes, or ones).
    """

    candidate: C
    n: int
    gain: NDArray[np.float64]
    loss: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def value(self) -> float:
        """Mean gain."""
        return float(self.gain.sum() / self.weight.sum())

    def record(self, rung: str, sign: int = 1) -> dict[str, Any]:
        """The trial of a prompting strategy for the report; sign −1 turns bits saved into bits."""
        strategy: Any = self.candidate
        return {
            "rung": rung,
            "strategy": strategy.name,
            "shots": strategy.shots,
            "k": strategy.k,
            "development": sign * self.value,
            "n": self.n,
        }


def rank(trials: Sequence[Trial[C]]) -> list[Trial[C]]:
    """Best first: mean gain, where those within one standard error of the best go by loss."""
    best = max(trials, key=lambda t: t.value)

    def key(trial: Trial[C]) -> tuple[int, float]:
        n = min(trial.n, best.n)
        difference = (
            best.gain[:n] / best.weight[:n].mean() - trial.gain[:n] / trial.weight[:n].mean()
        )
        error = difference.std() / np.sqrt(n)
        if trial is best or difference.mean() <= error:
            return (0, float(trial.loss.sum() / trial.weight.sum()))
        return (1, -trial.value)

    return sorted(trials, key=key)


def successive_halving(
    candidates: Sequence[C], attempt: Callable[[C, int], Trial[C]], n: int, keep: int = 2
) -> tuple[list[Trial[C]], dict[C, Trial[C]]]:
    """Try all candidates on few items, the better half on twice as many, and so on.

    Args:
        candidates: what to choose from; at least one.
        attempt: tries a candidate on the first m development items.
        n: development items there are.
        keep: so many finalists are tried on all of them.

    Returns:
        The finalists tried on all n items, best first, and the last trial of every candidate.
    """
    alive = list(candidates)
    trials: dict[C, Trial[C]] = {}
    m = n if len(alive) <= keep else min(n, FIRST_ROUND)
    while True:
        current = [attempt(c, m) for c in alive]
        trials.update({t.candidate: t for t in current})
        ranked = rank(current)
        if m >= n:
            return ranked, trials
        alive = [t.candidate for t in ranked[: max(keep, len(ranked) // 2)]]
        m = n if len(alive) <= keep else min(n, 2 * m)


def schedule(candidates: int, n: int, keep: int = 2) -> int:
    """How many (candidate, item) pairs successive halving asks for; what is asked twice counts once.

    Example:
        >>> schedule(6, 100)  # 6 · 25, then 3 · 25 more, then 2 · 50 more
        325
    """
    alive, asked, before = candidates, 0, 0
    m = n if alive <= keep else min(n, FIRST_ROUND)
    while True:
        asked += alive * (m - before)
        if m >= n:
            return asked
        alive, before = max(keep, alive // 2), m
        m = n if alive <= keep else min(n, 2 * m)
