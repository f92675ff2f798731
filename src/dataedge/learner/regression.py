"""Ridge regression of a number on features: closed form, items predicted without near-duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dataedge.learner.closed_form import left_out_groups, left_out_residuals
from dataedge.learner.feature_matrix import FeatureMatrix, gram

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

VERSION = 1
"""Raised when the same features and numbers would give other predictions."""
_PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)  # times the mean eigenvalue


class Regression:
    """Ridge regression with an unpenalised intercept.

    The penalty is the one whose left-out predictions of the fitted items are nearest, in the mean
    square or, with `robust`, in the median, which wrong values cannot sway.

    Attributes:
        left_out: shape (n,), predictions of the fitted items, in the unit of the values, each without
            its whole cluster (Allen 1974, PRESS; of clusters above 256 items without itself only).
        penalty: in units of the Gram matrix's mean eigenvalue.

    Example:
        >>> x = np.linspace(0, 1, 50)[:, None]
        >>> found = Regression().fit([x], 3 * x[:, 0] + 1, np.arange(50))
        >>> found.predict([np.array([[0.5]])]).round(1).tolist()
        [2.5]
    """

    left_out: NDArray[np.float64]
    penalty: float

    def fit(
        self, X: Sequence[Floats], values: Floats, clusters: Ints, *, robust: bool = False
    ) -> Self:
        """Fit on features and numbers.

        Args:
            X: blocks of shape (n, d_b); each is centred and scaled to a mean squared norm of 1.
            values: shape (n,), finite.
            clusters: shape (n,), near-duplicate clusters.
            robust: choose the penalty by the median error.

        Returns:
            The regression itself.
        """
        y = np.asarray(values, np.float64)
        n = len(y)
        self._features = FeatureMatrix(X)
        self._mean = float(y.mean())
        Z = self._features.rows(np.arange(n)).astype(np.float64)
        s, V = np.linalg.eigh(gram(Z))
        kept = s > max(float(s[-1]), 0.0) * 1e-10
        s, V = s[kept], V[:, kept]
        self._coef, self.penalty = np.zeros(len(V)), 0.0
        self.left_out = np.full(n, self._mean)
        if n < 3 or not len(s):
            return self
        Z, centred = Z @ V, y - self._mean
        moments, groups = Z.T @ centred, left_out_groups(clusters)
        best = np.inf
        for penalty in _PENALTIES:
            ridge = s + penalty * float(s.mean())
            error = centred - Z @ (moments / ridge)
            residual = left_out_residuals(error[:, None], Z / np.sqrt(ridge), n, groups)[:, 0]
            loss = np.median(np.abs(residual)) if robust else np.square(residual).mean()
            if loss < best:
                best, self.penalty, self.left_out = float(loss), penalty, y - residual
                self._coef = V @ (moments / ridge)
        return self

    def predict(self, X: Sequence[Floats]) -> NDArray[np.float64]:
        """Predictions of new items, shape (m,), in the unit of the values."""
        Z = self._features.of(X).astype(np.float64)
        return np.asarray(Z @ self._coef + self._mean, np.float64)


def left_out(X: Sequence[Floats], values: Floats, clusters: Ints) -> NDArray[np.float64]:
    """Predictions of the fitted items, the item and its whole cluster left out; penalty by the median.

    Args:
        X: blocks of shape (n, d_b).
        values: shape (n,), finite.
        clusters: shape (n,), near-duplicate clusters.

    Returns:
        Shape (n,), in the unit of the values.

    Example:
        >>> x = np.linspace(0, 1, 50)[:, None]
        >>> bool(np.abs(left_out([x], 3 * x[:, 0] + 1, np.arange(50)) - 3 * x[:, 0] - 1).max() < 0.2)
        True
    """
    return Regression().fit(X, values, clusters, robust=True).left_out
