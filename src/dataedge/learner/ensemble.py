"""The normalised geometric mean of several views of the same labels, and its weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.engine.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]


def geometric_mean(weights: Floats, views: Sequence[Floats], log_prior: Floats) -> Floats:
    """softmax(Σ_v w_v S_v + w_p log prior), shape (m, K)."""
    from scipy.special import softmax

    logits: Floats = np.float32(weights[-1]) * log_prior
    for weight, view in zip(weights, views, strict=False):
        logits = logits + np.float32(weight) * view
    out: Floats = softmax(logits, axis=1)
    return out


class FittedWeights(NamedTuple):
    """How views are mixed.

    Attributes:
        weights: shape (V + 1,), of the views, then of the log prior.
        floor: share of labels that follow the prior alone.
        loss: mean −ln p of the labels they were fitted to.
    """

    weights: Floats
    floor: float
    loss: float


def fit_weights(views: Sequence[Floats], log_prior: Floats, y: Ints) -> FittedWeights:
    """Weights ≥ 0 and floor that maximise the likelihood of left-out labels.

    p(y) = (1 − f) softmax(Σ_v w_v S_v + w_p log prior)_y + f prior_y. Negative weights are
    ruled out: left-out scores are lower for an item's own class even on noise (its own label is
    missing from the mean), and a negative weight would read the label off that. Without the
    floor, random label noise would flatten the weights instead.
    """
    from scipy.optimize import minimize

    index, given = np.arange(len(y)), np.exp(log_prior[y]).astype(np.float64)
    stack = [*views, np.broadcast_to(log_prior, views[0].shape)]
    scale = [max(float(view.std()), 1e-6) for view in views] + [1.0]

    def loss(theta: Floats) -> tuple[float, Floats]:
        p = geometric_mean(theta[:-1] / scale, views, log_prior)
        core, floor = p[index, y].astype(np.float64), theta[-1]
        total = (1.0 - floor) * core + floor * given
        share = (1.0 - floor) * core / total
        grad = [
            float(np.mean(share * (np.einsum("ij,ij->i", p, view) - view[index, y]))) / size
            for view, size in zip(stack, scale, strict=True)
        ]
        return -float(np.log(total).mean()), np.array(
            [*grad, float(np.mean((core - given) / total))]
        )

    bounds = [(0.0, 100.0)] * len(views) + [(0.0, 2.0), (1e-4, 0.95)]
    start = np.array([1.0] * len(views) + [0.5, 0.05])
    with one_thread():
        found = minimize(
            loss,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 40, "ftol": 1e-7},
        )
    weights: Floats = found.x[:-1] / scale
    return FittedWeights(weights, float(found.x[-1]), float(found.fun))
