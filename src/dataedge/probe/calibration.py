"""Label scores of a base model to probabilities that can be believed.

A language model prefers some labels whatever the text says. Without calibration such a model
looks ignorant and every dataset looks like an edge. Fitted on development items only.

Sources: contextual calibration, Zhao et al. 2021; batch calibration, Zhou et al. 2023;
temperature, Guo et al. 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

TEMPERATURES = np.geomspace(0.25, 16.0, 19)
PRIOR_WEIGHTS = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Calibration:
    """log p = log_softmax((scores − offset) / temperature + weight · log prior).

    Attributes:
        kind: none, batch (the mean score of each label over unlabelled items is taken off) or
            contextual (its score under a content-free input is).
        offset: shape (K,).
        temperature: above 1 makes it less sure.
        prior_weight: how much of the train side's label prior is added.
        log_prior: shape (K,).
    """

    kind: str
    offset: NDArray[np.float64]
    temperature: float
    prior_weight: float
    log_prior: NDArray[np.float64]

    def log_proba(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated log-probabilities (nats), shape of `scores` (n, K)."""
        logits = (scores - self.offset) / self.temperature + self.prior_weight * self.log_prior
        return np.asarray(log_softmax(logits, axis=1))


def fit(
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    log_prior: NDArray[np.float64],
    *,
    kinds: Sequence[str] = ("none", "batch", "contextual"),
    content_free: NDArray[np.float64] | None = None,
) -> Calibration:
    """The calibration under which development labels are most likely.

    Args:
        scores: shape (n, K), nats, of development items.
        labels: shape (n,), their label numbers.
        log_prior: shape (K,), of the train side.
        kinds: which to try; contextual needs `content_free`.
        content_free: shape (m, K), scores under inputs that say nothing.

    Returns:
        The best of the kinds, temperatures and prior weights by log-likelihood.
    """
    offsets = {"none": np.zeros(scores.shape[1])}
    if "batch" in kinds:
        offsets["batch"] = scores.mean(axis=0)
    if "contextual" in kinds and content_free is not None:
        offsets["contextual"] = content_free.mean(axis=0)
    rows = np.arange(len(labels))
    best: tuple[float, Calibration] | None = None
    for kind, offset in offsets.items():
        for weight in PRIOR_WEIGHTS:
            for temperature in TEMPERATURES:
                candidate = Calibration(kind, offset, float(temperature), weight, log_prior)
                loss = -candidate.log_proba(scores)[rows, labels].mean()
                if best is None or loss < best[0] - 1e-12:
                    best = (float(loss), candidate)
    assert best is not None
    return best[1]


def log_label_prior(labels: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Add-one smoothed log prior, shape (K,).

    Example:
        >>> np.exp(log_label_prior(np.array([0, 0, 1]), 2)).round(2).tolist()
        [0.6, 0.4]
    """
    counts = np.bincount(labels, minlength=n_classes) + 1.0
    return np.asarray(np.log(counts / counts.sum()))
