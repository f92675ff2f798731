"""Ridge regression of a number on features, every item predicted without its near-duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.learner.closed_form import left_out_groups, left_out_residuals
from dataedge.learner.feature_matrix import FeatureMatrix, gram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

_PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)  # times the mean eigenvalue


def left_out(X: Sequence[Floats], values: Floats, clusters: Ints) -> NDArray[np.float64]:
    """Predictions in closed form, the item and its whole cluster left out of the fit.

    The penalty is the one whose left-out predictions are nearest in the median, which wrong values
    cannot sway.

    Args:
        X: blocks of shape (n, d_b); each is centred and scaled to a mean squared norm of 1.
        values: shape (n,), finite.
        clusters: shape (n,), near-duplicate clusters.

    Returns:
        Shape (n,), in the unit of the values.

    Example:
        >>> x = np.linspace(0, 1, 50)[:, None]
        >>> bool(np.abs(left_out([x], 3 * x[:, 0] + 1, np.arange(50)) - 3 * x[:, 0] - 1).max() < 0.2)
        True
    """
    y = np.asarray(values, np.float64)
    n = len(y)
    Z = FeatureMatrix(X).rows(np.arange(n)).astype(np.float64)
    s, V = np.linalg.eigh(gram(Z))
    kept = s > max(float(s[-1]), 0.0) * 1e-10
    s, Z = s[kept], Z @ V[:, kept]
    if n < 3 or not len(s):
        return np.full(n, y.mean())
    centred = y - y.mean()
    moments = Z.T @ centred
    groups = left_out_groups(clusters)
    best, out = np.inf, np.full(n, y.mean())
    for penalty in _PENALTIES:
        ridge = s + penalty * float(s.mean())
        error = centred - Z @ (moments / ridge)
        residual = left_out_residuals(error[:, None], Z / np.sqrt(ridge), n, groups)[:, 0]
        loss = float(np.median(np.abs(residual)))
        if loss < best:
            best, out = loss, y - residual
    return out
