"""Label scores of a base model to probabilities that can be believed.

A language model prefers some labels whatever the text says. Without calibration such a model
looks ignorant and every dataset looks like an edge. Fitted on development items only.

Sources: contextual calibration, Zhao et al. 2021; batch calibration, Zhou et al. 2023;
temperature, Guo et al. 2017.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.prompt.label_prior import LabelPrior

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

TEMPERATURES = np.geomspace(0.25, 16.0, 13)
PRIOR_WEIGHTS = (0.0, 0.5, 1.0)
IGNORE = 1e12
"""A temperature at which scores no longer matter."""


@dataclass(frozen=True)
class Calibration:
    """log p = log_softmax((scores − offset) / temperature + weight · log prior).

    Attributes:
        kind: none, prior (scores are not believed), batch (the mean score of each label over
            unlabelled items is taken off) or
            contextual (its score under a content-free input is).
        offset: shape (K,).
        temperature: above 1 makes it less sure.
        prior_weight: how much of the label prior is added.
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
        return log_softmax(logits)


def log_softmax(logits: Floats) -> Floats:
    """Logarithms of exp(logits), normalised over the last axis; of the same shape.

    Example:
        >>> np.exp(log_softmax(np.array([[1000.0, 1000.0]]))).tolist()
        [[0.5, 0.5]]
    """
    from scipy import special

    return np.asarray(special.log_softmax(logits, axis=-1))


def fit(
    scores: Floats,
    labels: Ints,
    prior: LabelPrior,
    *,
    kinds: Sequence[str] = ("none", "batch", "contextual"),
    content_free: Floats | None = None,
) -> Calibration:
    """The calibration that makes labels likeliest on development items it was not fitted on.

    Kind and prior weight are chosen by cross-validation, the temperature by likelihood. "prior",
    the label prior alone, is among the kinds: a model that knows nothing is not made to look
    worse than knowing nothing.

    Args:
        scores: shape (n, K), nats, of development items.
        labels: shape (n,), their label numbers.
        prior: how frequent labels are by what the train side tells.
        kinds: which to try; contextual needs `content_free`.
        content_free: shape (m, K), scores under inputs that say nothing.
    """
    without = [
        prior.knowing(labels[np.setdiff1d(np.arange(len(labels)), fold)])
        for fold in _folds(len(labels))
    ]
    families = _families(scores, prior.knowing(labels), kinds, content_free)
    losses = [
        -_out_of_fold(family, without, scores, labels)[np.arange(len(labels)), labels].mean()
        for family in families
    ]
    return _with_temperature(families[int(np.argmin(losses))], scores, labels)


def out_of_fold(
    scores: Floats,
    labels: Ints,
    prior: LabelPrior,
    *,
    kinds: Sequence[str] = ("none", "batch", "contextual"),
    content_free: Floats | None = None,
) -> Floats:
    """Log-probabilities (n, K) of development items, each calibrated on the other folds.

    What choices among prompts are made on: a calibration fitted to the very items would flatter
    the prompt that varies most.
    """
    out = np.empty_like(scores)
    for fold in _folds(len(labels)):
        rest = np.setdiff1d(np.arange(len(labels)), fold)
        fitted = fit(scores[rest], labels[rest], prior, kinds=kinds, content_free=content_free)
        out[fold] = fitted.log_proba(scores[fold])
    return out


def _families(
    scores: Floats, log_prior: Floats, kinds: Sequence[str], content_free: Floats | None
) -> list[Calibration]:
    """Offset and prior weight of every calibration to try, temperature still open."""
    offsets = {"none": np.zeros(scores.shape[1])}
    if "batch" in kinds:
        offsets["batch"] = scores.mean(axis=0)
    if "contextual" in kinds and content_free is not None:
        offsets["contextual"] = content_free.mean(axis=0)
    found = [
        Calibration(kind, offset, 1.0, weight, log_prior)
        for kind, offset in offsets.items()
        for weight in PRIOR_WEIGHTS
    ]
    return [Calibration("prior", offsets["none"], IGNORE, 1.0, log_prior), *found]


def _tempered(family: Calibration, scores: Floats) -> Floats:
    """Log-probabilities under every temperature that is tried, shape (T, n, K)."""
    tried = np.array([family.temperature]) if family.kind == "prior" else TEMPERATURES
    bias = family.prior_weight * family.log_prior
    return log_softmax((scores - family.offset)[None] / tried[:, None, None] + bias)


def _with_temperature(family: Calibration, scores: Floats, labels: Ints) -> Calibration:
    """The temperature of highest likelihood, all tried at once."""
    if family.kind == "prior":
        return family
    given = _tempered(family, scores)[:, np.arange(len(labels)), labels]
    return replace(family, temperature=float(TEMPERATURES[int(given.mean(axis=1).argmax())]))


def _out_of_fold(
    family: Calibration, without: Sequence[Floats], scores: Floats, labels: Ints
) -> Floats:
    """Log-probabilities (n, K), of each fold by the prior and the temperature that the others tell.

    Args:
        family: temperature still open.
        without: per fold the log prior (K,) that the other folds' labels tell.
        scores: shape (n, K).
        labels: shape (n,).
    """
    rows, out = np.arange(len(labels)), np.empty_like(scores)
    for fold, log_prior in zip(_folds(len(labels)), without, strict=True):
        tempered = _tempered(replace(family, log_prior=log_prior), scores)
        given = np.delete(tempered[:, rows, labels], fold, axis=1)
        out[fold] = tempered[given.mean(axis=1).argmax(), fold]
    return out


def _folds(n: int) -> list[Ints]:
    """Up to five folds of development items; they come in random order already."""
    return [np.arange(n)[k :: min(5, n)] for k in range(min(5, n))]
