"""Two closed-form classifiers whose leave-one-out predictions need no refit.

Ridge regression on one-hot labels is linear and forgiving where classes are few; a Gaussian per
class with one shared covariance is sharper where they are many. Both work in the eigenbasis of
the features' covariance, and both leave out an item, or its whole near-duplicate cluster, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dataedge.engine.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.learner.feature_matrix import Moments

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

LARGEST_GROUP = 256
"""Items of a cluster that are left out together; larger ones go item by item."""


@dataclass(frozen=True)
class Ridge:
    """Ridge regression on one-hot labels with an unpenalised intercept, all penalties at once.

    With Z = (X − x̄) V and eigenvalues s of the centred Gram matrix, fitted values are
    ȳ + Z diag(1/(s + λ)) Zᵀ Y and leverages 1/n + Σ_r z²_r / (s_r + λ) (Hastie, Tibshirani &
    Friedman 2009, section 3.4.1).

    Attributes:
        mean: shape (d,), of the features.
        V: shape (d, r), eigenvectors.
        s: shape (r,), eigenvalues.
        moments: shape (r, K), Zᵀ Y.
        y_mean: shape (K,), the intercept.
        n: items fitted on.
    """

    mean: Floats
    V: Floats
    s: Floats
    moments: Floats
    y_mean: Floats
    n: int

    @classmethod
    def fit(cls, moments: Moments) -> Self:
        """Decompose the centred Gram matrix: one eigendecomposition, d × d."""
        counts, sums = moments.counts, moments.sums
        n = float(counts.sum())
        mean = sums.sum(0) / n
        with one_thread():
            s, V = np.linalg.eigh(moments.gram - n * np.outer(mean, mean))
        keep = s > max(float(s[-1]), 0.0) * 1e-10
        s, V = s[keep], V[:, keep]
        towards = V.T @ (sums - counts[:, None] * mean).T
        dtype = moments.dtype
        return cls(mean.astype(dtype), V.astype(dtype), s, towards, counts / n, int(n))

    def predict(self, X: Floats, penalty: float) -> Floats:
        """Scores of new items (m, d), shape (m, K)."""
        coef = self.V @ (self.moments / (self.s + penalty)[:, None]).astype(X.dtype)
        out: Floats = (X - self.mean) @ coef + self.y_mean.astype(X.dtype)
        return out

    def loo(self, X: Floats, y: Ints, penalty: float, groups: Sequence[Ints] = ()) -> Floats:
        """Scores of fitted items, each left out of the fit, shape (m, K).

        Args:
            X: shape (m, d), rows that were fitted on.
            y: shape (m,), their labels.
            penalty: λ > 0.
            groups: rows of X that are left out together; the others one at a time.
        """
        index = np.arange(len(y))
        half = ((X - self.mean) @ self.V) / np.sqrt(self.s + penalty).astype(X.dtype)
        error = -self.predict(X, penalty)
        error[index, y] += 1.0
        out: Floats = -left_out_residuals(error, half, self.n, groups)
        out[index, y] += 1.0
        return out


@dataclass(frozen=True)
class LinearDiscriminant:
    """One Gaussian per class, one shared within-class covariance shrunk towards a sphere.

    Scores are −½ (x − μ_k)ᵀ (S_W/n + τ I)⁻¹ (x − μ_k), τ a multiple of the mean eigenvalue of
    S_W/n (linear discriminant analysis, Hastie, Tibshirani & Friedman 2009, section 4.3; the
    shrinkage is Friedman 1989's). Leaving items out changes S_W by a few rank-one terms and the
    means of their classes, so the left-out score follows from Woodbury's identity; τ and the
    divisor n stay those of all items.

    Attributes:
        means: shape (K, d), class means.
        counts: shape (K,), items per class.
        V: shape (d, d), eigenvectors of S_W/n.
        s: shape (d,), eigenvalues.
    """

    means: Floats
    counts: Floats
    V: Floats
    s: Floats

    @classmethod
    def fit(cls, moments: Moments) -> Self:
        """Class means and within-class scatter."""
        counts = moments.counts
        means = moments.sums / np.maximum(counts, 1.0)[:, None]
        within = moments.gram - (means * counts[:, None]).T @ means
        with one_thread():
            s, V = np.linalg.eigh(within / counts.sum())
        dtype = moments.dtype
        return cls(means.astype(dtype), counts, V.astype(dtype), np.maximum(s, 0.0))

    def _whiten(self, X: Floats, shrink: float) -> Floats:
        tau = shrink * max(float(self.s.mean()), 1e-12)
        out: Floats = X @ (self.V / np.sqrt(self.s + tau).astype(X.dtype))
        return out

    def predict(self, X: Floats, shrink: float) -> Floats:
        """Scores of new items (m, d), shape (m, K); a class without items scores lowest."""
        means = self._whiten(self.means, shrink)
        return self._finish(_distances(self._whiten(X, shrink), means), self.counts == 0)

    def loo(self, X: Floats, y: Ints, shrink: float, groups: Sequence[Ints] = ()) -> Floats:
        """Scores of fitted items (m, d) with labels (m,), each left out, shape (m, K).

        Args:
            X: rows that were fitted on.
            y: their labels.
            shrink: τ in units of the mean eigenvalue.
            groups: rows of X that are left out together; the others one at a time.
        """
        Z, means = self._whiten(X, shrink), self._whiten(self.means, shrink)
        n = float(self.counts.sum())
        index, size = np.arange(len(y)), self.counts[y]
        square = _distances(Z, means)
        plain = [square[g].astype(np.float64) for g in groups]
        own = square[index, y].astype(np.float64)
        grow = size / np.maximum(size - 1.0, 1.0)  # x − μ without x is this times x − μ
        factor = grow / n / np.maximum(1.0 - grow / n * own, 1e-6)
        cross = own[:, None] - (Z - means[y]) @ means.T + _rowdot(Z - means[y], means[y])
        square += (factor[:, None] * np.square(cross)).astype(square.dtype)
        square[index, y] = grow**2 * (own + factor * own**2)
        alone = size <= 1
        square[index[alone], y[alone]] = np.inf
        empty = np.tile(self.counts == 0, (len(y), 1)) if len(groups) else self.counts == 0
        for g, before in zip(groups, plain, strict=True):
            square[g], empty[g] = self._without(Z[g], y[g], means, before)
        return self._finish(square, empty)

    def _without(
        self, Z: Floats, y: Ints, means: Floats, square: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Distances of whitened rows once they all are left out, and the classes that vanish."""
        n, counts, removed = float(self.counts.sum()), self.counts.copy(), []
        Z, cross_means = Z.astype(np.float64), []
        for c in np.unique(y):
            deviation = Z[y == c] - means[c]
            m = len(deviation)
            shift, rest = deviation.mean(0), self.counts[c] - m
            removed.append(deviation)
            if rest > 0:
                removed.append(shift[None] * np.sqrt(m * m / rest))
                cross_means.append((c, means[c] - m * shift / rest))
            counts[c] = rest
        B = np.vstack(removed) / np.sqrt(n)
        towards = B @ means.T
        for c, moved in cross_means:
            square[:, c] = np.square(Z - moved).sum(1)
            towards[:, c] = B @ moved
        cross = (B @ Z.T)[:, :, None] - towards[:, None, :]
        solved = _solve(np.eye(len(B)) - B @ B.T, cross.reshape(len(B), -1))
        return square + (cross * solved.reshape(cross.shape)).sum(0), counts == 0

    @staticmethod
    def _finish(square: Floats, empty: NDArray[np.bool_]) -> Floats:
        square = np.where(empty, np.inf, square)
        worst = np.where(np.isfinite(square), square, -np.inf).max(1, keepdims=True)
        out: Floats = -0.5 * np.minimum(square, np.where(np.isfinite(worst), worst, 0.0))
        return out


def left_out_residuals(error: Floats, half: Floats, n: int, groups: Sequence[Ints]) -> Floats:
    """Residuals of ridge regression once the item itself, or its group, is left out of the fit.

    (y_i − ŷ_i) / (1 − h_i) (Allen 1974, PRESS), and for items left out together
    (I − H_cc)⁻¹ (y_c − ŷ_c), with H the hat matrix of ridge with an unpenalised intercept.

    Args:
        error: shape (m, K), y − ŷ of fitted items.
        half: shape (m, r), their features in the eigenbasis over √(s + λ).
        n: items fitted on.
        groups: rows that are left out together; the others one at a time.

    Returns:
        Shape (m, K).
    """
    gap = np.maximum(1.0 - 1.0 / n - np.square(half).sum(1), 1e-6)
    residual: Floats = error / gap[:, None]
    for g in groups:
        hat = 1.0 / n + half[g].astype(np.float64) @ half[g].T
        residual[g] = _solve(np.eye(len(g)) - hat, error[g])
    return residual


def left_out_groups(clusters: Ints) -> list[NDArray[np.int64]]:
    """Rows of each cluster that is left out whole: of 2 to 256 items, and not the whole dataset.

    Example:
        >>> [g.tolist() for g in left_out_groups(np.array([7, 3, 7, 5]))]
        [[0, 2]]
    """
    order = np.argsort(clusters, kind="stable").astype(np.int64)
    cuts = np.flatnonzero(np.diff(clusters[order])) + 1
    return [g for g in np.split(order, cuts) if 1 < len(g) <= min(LARGEST_GROUP, len(order) - 1)]


def _solve(A: Floats, B: Floats) -> Floats:
    """Least-squares solution: what is left out may be all that an intercept rests on."""
    out: Floats = np.linalg.lstsq(A, B.astype(np.float64), rcond=1e-9)[0]
    return out


def _rowdot(A: Floats, B: Floats) -> Floats:
    out: Floats = np.einsum("ij,ij->i", A, B)[:, None]
    return out


def _distances(Z: Floats, means: Floats) -> Floats:
    """Squared distances of rows to means, shape (m, K)."""
    out: Floats = _rowdot(Z, Z) - 2.0 * (Z @ means.T) + _rowdot(means, means).T
    return np.maximum(out, 0.0)
