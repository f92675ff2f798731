"""A number from a base model: what each prompt expects, and many prompts as one.

A prompt's expectation is the mean of a few candidate numbers under its batch-calibrated
probabilities. Prompts differ in scale and in how far they can be believed, so their expectations are
joined by a linear regression on development items, with weights that are not below 0, drawn towards
each other and towards 0. No weight at all, which answers the train mean, is within the family.

Sources: batch calibration, Zhou et al. 2023; stacked regressions with weights not below 0, Breiman
1996; forecasts combined with weights shrunk to equal, Diebold & Pauly 1990.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataedge.prompt.pool import FOLDS, centre

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CANDIDATES = {False: 12, True: 8}
"""Numbers that a prompt is asked about, train quantiles; fewer where every question has its price."""
APART = 8.0
"""Penalty on weights that differ, in squared standard deviations, over all development items."""
LARGE = 4.0
"""Penalty on the squared sum of all weights."""


class Grid(NamedTuple):
    """Candidate numbers.

    Attributes:
        values: shape (K,), ascending.
        texts: K, as the data writes them.
    """

    values: Floats
    texts: tuple[str, ...]


def candidates(values: Floats, texts: Sequence[str], size: int) -> Grid:
    """Numbers of the train side at evenly spaced quantiles, each once.

    Args:
        values: shape (n,), finite.
        texts: n, as the data writes them.
        size: at most so many.

    Example:
        >>> candidates(np.array([3.0, 1.0, 2.0, 3.0]), ["3.0", "1.0", "2.0", "3.0"], 2).texts
        ('2.0', '3.0')
    """
    order = np.argsort(values, kind="stable")
    at = ((np.arange(size) + 0.5) / size * len(values)).astype(int)
    picked = {float(values[i]): texts[i] for i in order[at]}
    kept = sorted(picked)
    return Grid(np.array(kept), tuple(picked[v] for v in kept))


def expectation(scores: Floats, values: Floats) -> Floats:
    """What one prompt expects of each item.

    Args:
        scores: shape (n, K), nats, of the candidates; rows of NaN where there are none.
        values: shape (K,), the candidates.

    Returns:
        Shape (n,); NaN where there are no scores.

    Example:
        >>> expectation(np.array([[0.0, -9.0], [-9.0, 0.0]]), np.array([1.0, 3.0])).round(1).tolist()
        [1.2, 2.8]
    """
    centred = centre(scores[None])
    weight = np.exp(centred.scores[0])
    found = weight @ values / weight.sum(axis=1)
    return np.where(np.isfinite(scores).all(axis=1), found, np.nan)


@dataclass(frozen=True)
class PooledNumbers:
    """What a pool of prompts says of held-out items, in standard deviations from the train mean.

    Attributes:
        development: shape (n_dev,), with weights fitted on the other folds.
        evaluation: shape (n_eval,), with weights fitted on all development items.
        weights: shape (M,), of the prompts, shrunk.
    """

    development: Floats
    evaluation: Floats
    weights: Floats


def pool_numbers(expected: Floats, given: Floats, counts: Floats | None = None) -> PooledNumbers:
    """Pool what prompts expect of held-out items.

    All weights are shrunk once more by `believed_slope` of what they predict out of fold: prompts that
    do not help there leave the train mean.

    Args:
        expected: shape (M, n_dev + n_eval), development items first; NaN where a prompt has no answer.
        given: shape (n_dev,), the numbers of development items in standard deviations from the
            train mean.
        counts: shape (n_dev,), how much each development item counts; 1 if None.
    """
    n, features = len(given), standardised(expected)
    counted = np.ones(n) if counts is None else counts
    development = features[:, :n]
    held = np.empty(n)
    for k in range(min(FOLDS, n)):
        fold = np.arange(n)[k::FOLDS]
        rest = np.setdiff1d(np.arange(n), fold)
        held[fold] = (
            fit_weights(development[:, rest], given[rest], counted[rest]) @ development[:, fold]
        )
    slope = believed_slope(held, given, counted)
    weights = slope * fit_weights(development, given, counted)
    return PooledNumbers(slope * held, weights @ features[:, n:], weights)


def believed_slope(held: Floats, given: Floats, counts: Floats | None = None) -> float:
    """Slope of the numbers on predictions, shrunk by its own error, between 0 and 1.

    β (1 − 2/t²) with t = β / se(β), none where t is below √2: the positive part of James & Stein's
    (1961) estimator for one coefficient, its error counted twice because the prompts were chosen on
    the same items. `tests/prompt/test_number_pool.py` simulates what that costs where prompts know
    nothing, the best four of twenty pooled, and where they know something.

    Args:
        held: shape (n,), predictions out of fold.
        given: shape (n,), numbers.
        counts: shape (n,), how much each item counts; 1 if None.

    Example:
        >>> given = np.array([-1.0, 1.0, -1.0, 1.0])
        >>> round(believed_slope(2 * given + [0.1, 0, -0.1, 0], given), 2), believed_slope(-given, given)
        (0.5, 0.0)
    """
    counted = np.ones(len(given)) if counts is None else counts
    power, product = float(held @ (counted * held)), float(held @ (counted * given))
    if power <= 0 or product <= 0:
        return 0.0
    slope = product / power
    left = float(counted @ np.square(given - slope * held))
    error = left / max(len(given) - 1, 1) / power
    return min(max(slope - 2.0 * error / slope, 0.0), 1.0)


def standardised(expected: Floats) -> Floats:
    """Each prompt's expectations less their mean over all items, in their own standard deviations.

    Args:
        expected: shape (M, n); NaN becomes 0, which says nothing.
    """
    known = np.isfinite(expected)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    values = np.where(known, expected, 0.0)
    centred = np.where(known, values - values.sum(axis=1, keepdims=True) / count, 0.0)
    spread = np.sqrt(np.square(centred).sum(axis=1, keepdims=True) / count)
    return np.asarray(centred / np.where(spread > 1e-12, spread, 1.0))


def fit_weights(features: Floats, given: Floats, counts: Floats) -> Floats:
    """Weights of least squares, not below 0, with penalties on differences and on their sum.

    Args:
        features: shape (M, n), standardised expectations.
        given: shape (n,), standardised numbers.
        counts: shape (n,), how much each item counts.

    Returns:
        Shape (M,).
    """
    from scipy.optimize import nnls

    M = len(features)
    apart = np.sqrt(APART) * (np.eye(M) - 1.0 / M)
    large = np.full((1, M), np.sqrt(LARGE))
    root = np.sqrt(counts)
    rows = np.vstack([(root * features).T, apart, large])
    return np.asarray(nnls(rows, np.concatenate([root * given, np.zeros(M + 1)]))[0])
