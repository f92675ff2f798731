"""Many prompts as one: their calibrated label scores pooled, with weights from development items.

Choosing one prompt on a few dozen items is a lottery. A pool keeps what the prompts agree on, and
its weights are drawn towards each other, so that few items suffice to fit them.

Sources: batch calibration, Zhou et al. 2023; logarithmic opinion pools, Genest & Zidek 1986;
prompt ensembles, Jiang et al. 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataedge.prompt.calibration import log_softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.prompt.label_prior import LabelPrior

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

APART = 8.0
"""Penalty on weights that differ, in nats per squared unit of weight, over all development items."""
LARGE = 1.0
"""Penalty on the squared sum of all weights."""
PRIOR = 1.0
"""Penalty on a weight of the label prior other than 1."""
OFFSET = 8.0
"""Penalty on what is given back of the batch offset."""
TRUST = (1.0, 0.5, 0.25, 0.125, 0.0)
"""How far a pool may go from the label prior, all equally likely before; 0 is the prior itself."""
FOLDS = 5
NEAR = 1e-6
"""Relative fall of the loss at which a search that began nearby ends."""


@dataclass(frozen=True)
class Centred:
    """Label scores of M prompts on n items without what each prompt prefers whatever the text says.

    Attributes:
        scores: shape (M, n, K), nats less the mean over the batch, in units of the prompt's own
            standard deviation; 0 where a prompt has no score for an item.
        offset: shape (M, K), what was taken off, in the same units.
        answered: shape (n,), whether any prompt has a score for the item.
    """

    scores: Floats
    offset: Floats
    answered: NDArray[np.bool_]

    def items(self, which: Ints) -> Centred:
        """Some of the items; the batch that was taken off stays the same."""
        return Centred(self.scores[:, which], self.offset, self.answered[which])


def centre(scores: Floats) -> Centred:
    """Batch-calibrate every prompt on all items that it was asked about; no label is used.

    Args:
        scores: shape (M, n, K), nats; rows of NaN where a prompt has no score for an item.
    """
    missing: NDArray[np.bool_] = np.asarray(~np.isfinite(scores).all(axis=2))
    logs = log_softmax(np.where(missing[:, :, None], 0.0, scores))
    present = (~missing)[:, :, None]
    count = np.maximum(present.sum(axis=1, keepdims=True), 1)
    offset = (logs * present).sum(axis=1, keepdims=True) / count
    centred = np.where(present, logs - offset, 0.0)
    centred -= centred.mean(axis=2, keepdims=True)
    spread = np.sqrt((centred**2).sum(axis=(1, 2), keepdims=True) / (count * logs.shape[2]))
    spread = np.where(spread > 1e-9, spread, 1.0)
    level = (offset - offset.mean(axis=2, keepdims=True)) / spread
    return Centred(centred / spread, level[:, 0], np.asarray(~missing.all(axis=0)))


@dataclass(frozen=True)
class Pool:
    """log p = log_softmax(Σ weight · centred score + share · mean offset + prior · log prior).

    Attributes:
        weights: shape (M,), none below 0.
        share: of the batch offset that is given back, not below 0.
        prior_weight: of the label prior.
        log_prior: shape (K,).
    """

    weights: Floats
    share: float
    prior_weight: float
    log_prior: Floats

    def trusted(self, trust: float) -> Pool:
        """The pool that goes only this far from the label prior, in logits."""
        prior = 1.0 + trust * (self.prior_weight - 1.0)
        return Pool(trust * self.weights, trust * self.share, prior, self.log_prior)

    def log_proba(self, centred: Centred) -> Floats:
        """Log-probabilities (n, K); NaN where no prompt has an answer."""
        logits = np.einsum("m,mnk->nk", self.weights, centred.scores)
        logits = logits + self.share * centred.offset.mean(axis=0)
        logits = logits + self.prior_weight * self.log_prior
        found = log_softmax(logits)
        return np.where(centred.answered[:, None], found, np.nan)


def fit_pool(
    centred: Centred,
    labels: Ints,
    log_prior: Floats,
    weights: Floats | None = None,
    start: Pool | None = None,
) -> Pool:
    """The pool that makes the labels of development items likeliest, less penalties; convex.

    Penalties draw the weights towards their mean and their sum towards 0, the offset towards none
    and the weight of the prior towards 1. The prior alone is within the family (all weights 0).

    Args:
        centred: shape (M, n, K), of development items, calibrated on more items than those.
        labels: shape (n,), their label numbers.
        log_prior: shape (K,).
        weights: shape (n,), how much each item counts; 1 if None.
        start: a pool of the same prompts from which the search begins, and ends after fewer steps.
    """
    from scipy.optimize import minimize  # slow to import, and not needed for a stored pool

    good = centred.answered
    scores, y = centred.scores[:, good], labels[good]
    counted = np.ones(len(y)) if weights is None else weights[good]
    M, n, _ = scores.shape
    rows = np.arange(n)
    level = centred.offset.mean(axis=0)
    constant = np.stack([level, log_prior])  # (2, K)

    def objective(theta: Floats) -> tuple[float, Floats]:
        w, share, prior = theta[:M], theta[M], theta[M + 1]
        logits = np.einsum("m,mnk->nk", w, scores) + theta[M:] @ constant
        log_p = log_softmax(logits)
        residual = np.exp(log_p)
        residual[rows, y] -= 1.0  # (n, K)
        residual *= counted[:, None]
        slope = np.concatenate(
            [np.einsum("mnk,nk->m", scores, residual), constant @ residual.sum(axis=0)]
        )
        apart = w - w.mean()
        loss = -(counted @ log_p[rows, y]) + APART * (apart @ apart) + LARGE * w.sum() ** 2
        loss += OFFSET * share**2 + PRIOR * (prior - 1.0) ** 2
        slope[:M] += 2 * APART * apart + 2 * LARGE * w.sum()
        slope[M] += 2 * OFFSET * share
        slope[M + 1] += 2 * PRIOR * (prior - 1.0)
        return float(loss), slope

    begin = np.concatenate([np.full(M, 1.0 / M), [0.0, 1.0]])
    options = {}
    if start is not None:
        begin = np.array([*start.weights, start.share, start.prior_weight])
        options = {"ftol": NEAR}
    bounds = [(0.0, None)] * (M + 2)
    found = minimize(
        objective, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    ).x
    return Pool(found[:M], float(found[M]), float(found[M + 1]), log_prior)


@dataclass(frozen=True)
class Pooled:
    """What a pool of prompts says of held-out items.

    Attributes:
        development: shape (n_dev, K), log-probabilities of weights fitted on the other folds.
        evaluation: shape (n_eval, K), of weights fitted on all development items.
        weights: shape (M,), of the prompts.
        share: of the batch offset that is given back.
        prior_weight: of the label prior.
        log_prior: shape (K,), of train and development items.
    """

    development: Floats
    evaluation: Floats
    weights: Floats
    share: float
    prior_weight: float
    log_prior: Floats


class OutOfFold(NamedTuple):
    """What is said of development items by what is known without their fold, shape (n_dev, K) each.

    Attributes:
        log_proba: log-probabilities.
        log_prior: the label prior that they are based on.
    """

    log_proba: Floats
    log_prior: Floats


def pool_prompts(scores: Floats, labels: Ints, prior: LabelPrior) -> Pooled:
    """Pool prompts on held-out items, as far from the prior alone as is likely out of fold.

    Args:
        scores: shape (M, n_dev + n_eval, K), nats, development items first.
        labels: shape (n_dev,), label numbers of the development items.
        prior: how frequent labels are by what the train side tells.
    """
    return pool_centred(centre(scores), labels, prior)


def pool_centred(
    centred: Centred,
    labels: Ints,
    prior: LabelPrior,
    weights: Floats | None = None,
    start: Pool | None = None,
) -> Pooled:
    """The same of calibrated scores, where some development items may count more than others.

    Args:
        centred: shape (M, n_dev + n_eval, K), development items first.
        labels: shape (n_dev,).
        prior: the same.
        weights: shape (n_dev,), how much each development item counts; 1 if None.
        start: a pool of the same prompts from which the search begins.
    """
    n = len(labels)
    counted = np.ones(n) if weights is None else weights
    development = centred.items(np.arange(n))
    evaluation = centred.items(np.arange(n, centred.scores.shape[1]))
    log_prior = prior.knowing(labels, counted)
    pool = fit_pool(development, labels, log_prior, counted, start)
    held = pooled_out_of_fold(development, labels, prior, counted, pool if start else None)
    trust = _trust(held, labels, counted)
    pool = pool.trusted(trust)
    return Pooled(
        _towards(held, trust),
        pool.log_proba(evaluation),
        pool.weights,
        pool.share,
        pool.prior_weight,
        log_prior,
    )


def _trust(held: OutOfFold, labels: Ints, counted: Floats) -> float:
    """How far to go from the prior: the mean of TRUST under their likelihood of development items.

    The likeliest one alone goes all the way where few items happen to speak for weak prompts, and not at all
    where they happen to speak against them.
    """
    rows = np.arange(len(labels))
    told = np.array([np.nansum(counted * _towards(held, trust)[rows, labels]) for trust in TRUST])
    weight = np.exp(told - told.max())
    return float(weight @ np.array(TRUST) / weight.sum())


def _towards(held: OutOfFold, trust: float) -> Floats:
    """Log-probabilities (n, K) that go only this far from the prior."""
    return log_softmax(held.log_prior + trust * (held.log_proba - held.log_prior))


def pooled_out_of_fold(
    centred: Centred,
    labels: Ints,
    prior: LabelPrior,
    weights: Floats | None = None,
    start: Pool | None = None,
) -> OutOfFold:
    """Development items, each pooled with the weights and the label prior of the other folds."""
    n, K = len(labels), centred.scores.shape[2]
    counted = np.ones(n) if weights is None else weights
    log_proba, log_prior = np.empty((2, n, K))
    for k in range(min(FOLDS, n)):
        fold = np.arange(n)[k::FOLDS]
        rest = np.setdiff1d(np.arange(n), fold)
        log_prior[fold] = known = prior.knowing(labels[rest], counted[rest])
        fitted = fit_pool(centred.items(rest), labels[rest], known, counted[rest], start)
        log_proba[fold] = fitted.log_proba(centred.items(fold))
    return OutOfFold(log_proba, log_prior)
