"""Dataset inference: are these rows more familiar to the model than rows it cannot have seen?

Maini et al. 2024, "LLM Dataset Inference" (2406.06443): membership features of each row, their
weights fitted on half A of both sets, a p-value on half B, one split fixed beforehand. Control
rows must come from the same source as the suspects; whether they do is the user's word, and the
gate in `blind_classifier.py` checks that the text alone does not tell them apart.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataedge.exposure.permutation import arms_test, auroc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.models.base import Moments

    Floats = NDArray[np.float64]

FEATURES = ("total", "per_zlib_byte", "min_k", "min_k_plus_plus")
"""All so that more is more familiar."""
K = 0.2
"""Share of a row's tokens that Min-K% looks at."""
RIDGE = 0.1
"""Penalty of the weights, in rows, so that few rows do not make wild weights."""


def features(text: str, reading: Moments) -> Floats:
    """Shape (4,), each larger the more familiar the row is to the model.

    total: log-probability of the row, nats. per_zlib_byte: that, over the bytes that zlib makes of
    the row (Carlini et al. 2021; total over total, since a mean loss over total bytes would only
    measure length). min_k: mean log-probability of the 20 % least likely tokens (Shi et al. 2024,
    2310.16789). min_k_plus_plus: the same of (log p − mean) / deviation, both over the vocabulary
    (Zhang et al. 2024, 2404.02936). At least one token counts.

    Args:
        text: the row.
        reading: what the model made of it; where it has no mean and deviation, the last feature
            is the third again.
    """
    logprobs = reading.logprobs
    if len(logprobs) == 0:
        return np.full(len(FEATURES), np.nan)
    lowest = max(1, int(K * len(logprobs)))
    plus = logprobs
    if len(reading.mean):
        plus = (logprobs - reading.mean) / np.maximum(reading.std, 1e-6)
    total = float(logprobs.sum())
    return np.array(
        [
            total,
            total / len(zlib.compress(text.encode("utf-8", "replace"))),
            np.sort(logprobs)[:lowest].mean(),
            np.sort(plus)[:lowest].mean(),
        ]
    )


def feature_table(texts: Sequence[str], readings: Sequence[Moments | None]) -> Floats:
    """Shape (n, 4); a row of NaN where the model failed."""
    missing = np.full(len(FEATURES), np.nan)
    return np.array(
        [missing if r is None else features(t, r) for t, r in zip(texts, readings, strict=True)]
    ).reshape(-1, len(FEATURES))


def halves(n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two halves of n rows at random; B is the larger where n is odd."""
    order = rng.permutation(n)
    return order[: n // 2], order[n // 2 :]


class Inference(NamedTuple):
    """What half B showed.

    Attributes:
        p: of the arms' permutation test.
        rows: of the smaller arm in half B.
        aurocs: of each feature on half B, and of the fit.
    """

    p: float
    rows: int
    aurocs: dict[str, float]


def infer(suspect: Floats, control: Floats, *, seed: int) -> Inference:
    """Fit weights on half A, test on half B.

    Weights are least squares on standardised features and never negative: exposure makes text
    more familiar, so that a set that the model finds *stranger* than its control is no finding.

    Args:
        suspect: shape (n, f).
        control: shape (m, f).
        seed: of the split and of the permutations.
    """
    from scipy.optimize import nnls

    rng = np.random.default_rng(seed)
    (a, b), (c, d) = halves(len(suspect), rng), halves(len(control), rng)
    fit = np.concatenate([suspect[a], control[c]])
    y = np.repeat([1.0, -1.0], [len(a), len(c)])
    y = y / np.where(y > 0, len(a), len(c)) * len(y) / 2  # arms count the same
    centre, scale = fit.mean(axis=0), fit.std(axis=0) + 1e-12
    X = (fit - centre) / scale
    penalty = np.sqrt(RIDGE * len(X)) * np.eye(X.shape[1])
    target = np.concatenate([y - y.mean(), np.zeros(X.shape[1])])
    weights, _ = nnls(np.concatenate([X, penalty]), target)
    if not weights.any():
        weights = np.ones(X.shape[1])
    ours, theirs = (suspect[b] - centre) / scale, (control[d] - centre) / scale
    p = arms_test(ours @ weights, theirs @ weights, seed=seed + 1)
    areas = {name: auroc(ours[:, k], theirs[:, k]) for k, name in enumerate(FEATURES)}
    areas = {"fitted": auroc(ours @ weights, theirs @ weights), **areas}
    return Inference(p, min(len(b), len(d)), areas)
