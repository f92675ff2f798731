"""Exact tests by permutation: which value belongs to which row, which row to which arm."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import rankdata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 19_999
CELLS = 2_000_000
"""Permuted positions held at a time."""


def monte_carlo(observed: float, drawn: Floats) -> float:
    """The p-value (1 + #{T* ≥ T}) / (B + 1), never 0 nor too small (Davison & Hinkley 1997, 4.2).

    Sums are compared with a tolerance: permutations that leave the sum as it was count.

    Example:
        >>> monte_carlo(3.0, np.array([1.0, 2.0, 3.0]))
        0.5
    """
    return float((1 + (drawn >= observed - 1e-9).sum()) / (len(drawn) + 1))


def matching_ranks(scores: Floats) -> Floats:
    """How well each value fits each row, as a rank among the values: 0 worst, 1 best.

    Row and column means go first, so that neither an easy row nor a value that the model likes
    everywhere counts; what is left is what binds this value to this row.

    Args:
        scores: shape (m, m), log-probability of value j in row i.

    Returns:
        Shape (m, m), rank of value j within row i, divided by m − 1; ties share their rank.
    """
    bound = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True)
    ranked: Floats = rankdata(bound, axis=1)
    return (ranked - 1.0) / max(len(scores) - 1, 1)


def matching_test(
    blocks: Sequence[Floats], *, seed: int, draws: int = DRAWS, ranks: bool = True
) -> tuple[float, float]:
    """Do values fit their own rows better than they fit the other rows of their block?

    The sum of the diagonals against the same with the values of each block permuted. If values
    were handed to rows at random, every such permutation was as likely, whatever the values'
    distribution and whatever the model thinks of them: the p-value is exact.

    Args:
        blocks: square matrices, each of shape (m, m): value j in row i, own values on the diagonal.
        seed: of the permutations.
        draws: how many.
        ranks: sum ranks within rows (see `matching_ranks`), not the scores themselves.

    Returns:
        (p, mean rank of the own value: 1/2 if it is like any other).

    Example:
        >>> p, rank = matching_test([np.eye(5)] * 4, seed=0)
        >>> p < 0.001, rank
        (True, 1.0)
    """
    rng = np.random.default_rng(seed)
    total, drawn, count = 0.0, np.zeros(draws), 0
    for block in blocks:
        table = matching_ranks(block) if ranks else block
        m = len(table)
        own = np.arange(m)
        total += float(table[own, own].sum())
        count += m
        step = max(1, CELLS // m)
        for start in range(0, draws, step):
            part = slice(start, min(start + step, draws))
            permuted = rng.permuted(np.tile(own, (part.stop - start, 1)), axis=1)
            drawn[part] += table[own, permuted].sum(axis=1)
    return monte_carlo(total, drawn), total / max(count, 1)


def arms_test(suspect: Floats, control: Floats, *, seed: int, draws: int = DRAWS) -> float:
    """Do suspects score above controls? Mean rank against permuted arms, one-sided.

    Args:
        suspect: shape (n,).
        control: shape (m,).
        seed: of the permutations.
        draws: how many.
    """
    rng = np.random.default_rng(seed)
    ranks = rankdata(np.concatenate([suspect, control]))
    n = len(suspect)
    drawn = np.empty(draws)
    step = max(1, CELLS // len(ranks))
    for start in range(0, draws, step):
        part = slice(start, min(start + step, draws))
        shuffled = rng.permuted(np.tile(ranks, (part.stop - start, 1)), axis=1)
        drawn[part] = shuffled[:, :n].sum(axis=1)
    return monte_carlo(float(ranks[:n].sum()), drawn)


def rank_sum_test(ranks: NDArray[np.int64], decoys: int) -> float:
    """P(sum of ranks ≥ observed) where each is uniform on 0 … decoys; exact, by convolution.

    Args:
        ranks: shape (s,), how many of its decoys each stands above.
        decoys: how many there were.

    Example:
        >>> rank_sum_test(np.array([9, 9]), 9)
        0.01
    """
    single = np.full(decoys + 1, 1.0 / (decoys + 1))
    law = np.ones(1)
    for _ in ranks:
        law = np.convolve(law, single)
    return min(1.0, float(np.round(law[int(ranks.sum()) :].sum(), 15)))


def auroc(high: Floats, low: Floats) -> float:
    """How often one of `high` stands above one of `low`, ties half.

    Example:
        >>> auroc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
        0.875
    """
    ranks = rankdata(np.concatenate([high, low]))
    n, m = len(high), len(low)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * m))


class Auroc(NamedTuple):
    """An AUROC with its 95 % interval, all within [0, 1]."""

    value: float
    low: float
    high: float


def auroc_interval(high: Floats, low: Floats) -> Auroc:
    """AUROC with its 95 % interval by DeLong et al. 1988, kept within [0, 1]."""
    n, m = len(high), len(low)
    together = rankdata(np.concatenate([high, low]))
    above = (together[:n] - rankdata(high)) / m
    below = 1.0 - (together[n:] - rankdata(low)) / n
    value = float(above.mean())
    error = 1.96 * float(np.sqrt(above.var(ddof=1) / n + below.var(ddof=1) / m))
    return Auroc(value, max(0.0, value - error), min(1.0, value + error))
