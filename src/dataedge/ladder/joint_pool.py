"""One pool of prompts for several labels, which their development items choose together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.prompt.calibration import log_softmax
from dataedge.prompt.label_prior import LabelPrior
from dataedge.prompt.pool import centre

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.prompt.pool import Pooled


def joint_inputs(
    scores: Sequence[NDArray[np.float64]],
    given: Sequence[NDArray[np.int64]],
    priors: Sequence[LabelPrior],
) -> dict[str, Any]:
    """What one pool for L labels is fitted to: their development items one after another.

    Args:
        scores: per label what M prompts say, shape (M, n_dev + n_eval, 2), nats.
        given: per label its answers, shape (n_dev,).
        priors: per label what the train side tells of how frequent either answer is.
    """
    tried, labels = len(given[0]), np.concatenate(given)
    sides = [_centred(one) for one in scores]
    stacked = [*(s[:, :tried] for s in sides), *(s[:, tried:] for s in sides)]
    return {
        "scores": np.concatenate(stacked, axis=1),
        "labels": labels,
        "prior": LabelPrior(np.sum([p.train for p in priors], axis=0), priors[0].independent),
    }


def joint_answers(
    scores: NDArray[np.float64],
    found: Pooled,
    priors: Sequence[NDArray[np.float64]],
) -> list[NDArray[np.int64]]:
    """Per label the answer to each evaluation item, shape (n_eval,), where both answers count alike.

    Scores are what a prompt says of an item more than of the others, most of which have the commoner answer:
    halfway between the two kinds of items lies above or below their mean, by the label's own frequency. How
    far is what the pool's weight of the prior says beyond 1.

    Args:
        scores: shape (M, L · n_dev + L · n_eval, 2), as the pool was fitted to.
        found: the pool of all labels.
        priors: per label the logarithm of how frequent either answer is, shape (2,).
    """
    said = found.evaluation - found.prior_weight * found.log_prior
    moved = (found.prior_weight - 1.0) * np.array(priors)
    if not found.weights.any():  # prompts count alike
        said = centre(scores).scores[:, -len(said) :].mean(axis=0)
        moved = np.zeros_like(moved)
    of_labels = said.reshape(len(priors), -1, 2)
    return list(np.nan_to_num(of_labels + moved[:, None]).argmax(axis=2))


def _centred(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Batch-calibrated scores: what a prompt says of an item more than of the others."""
    known = log_softmax(scores)
    return np.asarray(known - np.nanmean(known, axis=1, keepdims=True))
