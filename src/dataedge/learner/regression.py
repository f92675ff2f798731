"""Ridge regression of a number on features, every item predicted without its near-duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.learner.feature_matrix import blocks, scatter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

_PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)  # times the mean eigenvalue
_LARGEST = 256  # items of a cluster that are left out together; larger ones item by item


def left_out(X: Sequence[Floats], values: Floats, clusters: Ints) -> NDArray[np.float64]:
    """Predictions in closed form, the item and its whole cluster left out of the fit.

    y_c − (I − H_cc)⁻¹ (y_c − ŷ_c) with H the hat matrix of ridge with an unpenalised intercept
    (Allen 1974, PRESS); the penalty is the one whose left-out predictions are nearest in the
    median, which wrong values cannot sway.

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
    Z = np.hstack([_scaled(np.asarray(block, np.float64)) for block in X])
    s, V = np.linalg.eigh(scatter(Z))
    kept = s > max(float(s[-1]), 0.0) * 1e-10
    s, Z = s[kept], Z @ V[:, kept]
    if n < 3 or not len(s):
        return np.full(n, y.mean())
    moments = Z.T @ (y - y.mean())
    groups = _groups(clusters)
    best, out = np.inf, np.full(n, y.mean())
    for penalty in _PENALTIES:
        ridge = s + penalty * float(s.mean())
        error = y - y.mean() - Z @ (moments / ridge)
        half = Z / np.sqrt(ridge)
        leverage = np.concatenate([np.square(half[r]).sum(1) for r in blocks(n)]) + 1.0 / n
        residual = error / np.maximum(1.0 - leverage, 1e-6)
        for g in groups:
            hat = 1.0 / n + half[g] @ half[g].T
            residual[g] = np.linalg.lstsq(np.eye(len(g)) - hat, error[g], rcond=1e-9)[0]
        loss = float(np.median(np.abs(residual)))
        if loss < best:
            best, out = loss, y - residual
    return out


def _scaled(block: Floats) -> Floats:
    centred = block - block.mean(0)
    power = float(np.square(centred).sum(1).mean())
    out: Floats = centred / np.sqrt(power) if power > 1e-12 else centred * 0.0
    return out


def _groups(clusters: Ints) -> list[NDArray[np.int64]]:
    """Rows of each cluster of two or more."""
    order = np.argsort(clusters, kind="stable").astype(np.int64)
    cuts = np.flatnonzero(np.diff(clusters[order])) + 1
    return [g for g in np.split(order, cuts) if 1 < len(g) <= min(_LARGEST, len(order) - 1)]
