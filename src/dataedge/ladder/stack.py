"""Two opinions of the same items as one, weighted by development items."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from dataedge.prompt.calibration import log_softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
BASE = (0.0, 0.25, 0.5, 1.0, 1.5)
"""Weights of the learner and of what it stands on that are tried."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The same for numbers, where both are calibrated already."""


class Predictions(Protocol):
    """What is said of the held-out items: log-probabilities, shape (m, K), or numbers, shape (m,)."""

    @property
    def development(self) -> NDArray[np.float64]:
        """Of the development items."""

    @property
    def evaluation(self) -> NDArray[np.float64]:
        """Of the evaluation items."""


class Stacked(NamedTuple):
    """Both opinions mixed.

    Attributes:
        development: log-probabilities, shape (n_dev, K), or numbers, shape (n_dev,).
        evaluation: shape (n_eval, K) or (n_eval,).
        own_weight: of the learner.
        base_weight: of what it stands on.
    """

    development: NDArray[np.float64]
    evaluation: NDArray[np.float64]
    own_weight: float
    base_weight: float


def stack(
    own: Predictions,
    base: Predictions,
    labels: NDArray[np.int64],
    weights: NDArray[np.float64] | None = None,
) -> Stacked:
    """Log p = log_softmax(a · own + b · base), a and b those that make development labels likeliest.

    Args:
        own: a learner's predictions.
        base: what it stands on; rows of NaN where it has no answer.
        labels: shape (n_dev,), of the development items.
        weights: shape (n_dev,), how much each development item counts; 1 if None.
    """
    good = np.isfinite(base.development).all(axis=1)
    counted = np.ones(len(labels)) if weights is None else weights
    learner, stood_on, y = own.development[good], base.development[good], labels[good]
    rows, counted = np.arange(len(y)), counted[good]

    def loss(tried: tuple[float, float]) -> float:
        mixed = log_softmax(tried[0] * learner + tried[1] * stood_on)
        return float(-(counted @ mixed[rows, y]))

    a, b = min(((a, b) for a in OWN for b in BASE), key=loss)
    return Stacked(
        log_softmax(a * own.development + b * np.nan_to_num(base.development)),
        log_softmax(a * own.evaluation + b * base.evaluation),
        a,
        b,
    )


def stack_numbers(
    own: Predictions,
    base: Predictions,
    given: NDArray[np.float64],
    counts: NDArray[np.float64] | None = None,
    *,
    least: float = 0.0,
) -> Stacked:
    """Predictions a · own + b · base, a and b of `SHARES` those with the least squared error.

    Args:
        own: a learner's deviations from the train mean.
        base: those of what it stands on.
        given: shape (n_dev,), deviations of the development items' numbers from the train mean.
        counts: shape (n_dev,), how much each development item counts; 1 if None.
        least: weight that the learner has at least.
    """

    def loss(weights: tuple[float, float]) -> float:
        mixed = weights[0] * own.development + weights[1] * base.development
        left = np.square(given - mixed)
        return float((left if counts is None else counts * left).sum())

    a, b = min(((a, b) for a in SHARES if a >= least for b in SHARES), key=loss)
    return Stacked(
        a * own.development + b * base.development, a * own.evaluation + b * base.evaluation, a, b
    )
