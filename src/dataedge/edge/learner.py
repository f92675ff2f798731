"""The proxy learner: what the data teaches, out of sample, in closed form and without refits.

Two views of the same features, a ridge regression on one-hot labels and a vote of the nearest
neighbours, each with the item itself (and its near-duplicates) left out; their normalised
geometric mean, weighted by held-out likelihood, is the learner's probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

EXACT_NEIGHBOURS = 100_000  # rows up to which neighbours are exact; above, HNSW
_BLOCK = 4096  # rows per block, so that temporaries stay small
_SAMPLE = 4096  # rows on which penalty and weights are chosen
_PENALTIES = np.logspace(-2.5, 2.0, 10)  # times the mean eigenvalue of the Gram matrix
_NEIGHBOURS = (4, 8, 16, 32)


def pair_features(A: Floats, B: Floats) -> list[Floats]:
    """Features of two texts, as blocks [A, B, |A − B|, A·B] for `Learner.fit`.

    The four combinations are those of Conneau et al. 2017 (InferSent, section 3.1).

    Args:
        A: shape (n, d), vectors of the first text.
        B: shape (n, d), of the second.

    Returns:
        Four blocks of shape (n, d); the learner gives each the same total variance.

    Example:
        >>> [block.shape for block in pair_features(np.ones((3, 2)), np.zeros((3, 2)))]
        [(3, 2), (3, 2), (3, 2), (3, 2)]
    """
    return [A, B, np.abs(A - B), A * B]


@dataclass(frozen=True)
class Ridge:
    """Ridge regression on centred features, kept in the basis of the Gram matrix's eigenvectors.

    One eigendecomposition serves every penalty. With Z = X_c V and eigenvalues s, fitted values
    are ȳ + Z diag(1/(s + λ)) Zᵀ Y and leverages 1/n + Σ_r z²_r / (s_r + λ) (Hastie, Tibshirani &
    Friedman 2009, section 3.4; the 1/n is the unpenalised intercept).

    Attributes:
        V: shape (d, r), eigenvectors, r ≤ min(n, d).
        Z: shape (n, r), centred features in that basis.
        s: shape (r,), eigenvalues.
        moments: shape (r, K), Zᵀ Y of the targets.
        y_mean: shape (K,), the intercept.
    """

    V: Floats
    Z: Floats
    s: Floats
    moments: Floats
    y_mean: Floats

    @classmethod
    def fit(cls, X: Floats, y: Ints, n_classes: int) -> Self:
        """Decompose centred features X (n, d) with integer labels y (n,); dual form when n < d."""
        n, d = X.shape
        if n < d:
            kernel = X.astype(np.float64) @ X.T.astype(np.float64)
            s, U = np.linalg.eigh(kernel)
            keep = s > max(s[-1], 0.0) * 1e-10
            s, U = s[keep], U[:, keep]
            V = X.T @ (U / np.sqrt(s))
            Z = U * np.sqrt(s)
        else:
            gram = np.zeros((d, d))
            for rows in _blocks(n):
                block = X[rows].astype(np.float64)
                gram += block.T @ block
            s, V = np.linalg.eigh(gram)
            keep = s > max(s[-1], 0.0) * 1e-10
            s, V = s[keep], V[:, keep]
            Z = X @ V.astype(X.dtype)
        moments = np.zeros((len(s), n_classes))
        np.add.at(moments.T, y, Z)
        y_mean = np.bincount(y, minlength=n_classes) / n
        return cls(V.astype(X.dtype), Z.astype(X.dtype), s, moments, y_mean)

    def coef(self, penalty: float) -> Floats:
        """Coefficients in the eigenbasis, shape (r, K)."""
        coef: Floats = (self.moments / (self.s + penalty)[:, None]).astype(self.Z.dtype)
        return coef

    def loo(self, y: Ints, penalty: float, rows: Ints, groups: Sequence[Ints] = ()) -> Floats:
        """Exact predictions for rows, each with itself left out of the fit, shape (len(rows), K).

        y_i − (y_i − ŷ_i) / (1 − h_i) (Allen 1974, PRESS). For the items of a group, the whole
        group is left out: y_c − (I − H_cc)⁻¹ (y_c − ŷ_c).

        Args:
            y: shape (n,), integer labels of all items.
            penalty: λ > 0.
            rows: items asked for.
            groups: positions within rows of items that are left out together.
        """
        Z = self.Z[rows]
        shrink = (1.0 / (self.s + penalty)).astype(Z.dtype)
        out: Floats = Z @ self.coef(penalty) + self.y_mean.astype(Z.dtype)
        gap = np.maximum(1.0 - 1.0 / len(self.Z) - np.square(Z) @ shrink, 1e-6)
        labels, positions = y[rows], np.arange(len(rows))
        grouped = [(g, Z[g], out[g].copy()) for g in groups]
        out /= gap[:, None]
        out[positions, labels] -= 1.0 / gap - 1.0
        for group, z, fitted in grouped:
            hat = 1.0 / len(self.Z) + (z * shrink) @ z.T
            residual = -fitted
            residual[np.arange(len(group)), labels[group]] += 1.0
            left_out = np.linalg.lstsq(np.eye(len(group)) - hat, residual, rcond=1e-6)[0]
            out[group] = -left_out
            out[group, labels[group]] += 1.0
        return out


class Learner:
    """Closed-form classifier with calibrated out-of-sample probabilities for its own train side.

    Attributes:
        loo_proba: shape (n, K), calibrated probabilities for the training items, each computed
            with the item's whole cluster left out of ridge and vote alike (clusters above 512
            items: ridge leaves out the item only). The penalty, the number of neighbours and
            the two or three weights are chosen on all items, which is what is left of optimism.
        weights: weight of ridge score, neighbours' log vote and log prior.
        penalty: ridge penalty chosen, in units of the features' Gram matrix.
        n_neighbors: number of voting neighbours chosen.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.repeat([0, 1], 50)
        >>> X = rng.normal(size=(100, 5)) + 3 * y[:, None]
        >>> learner = Learner().fit(X, y, 2)
        >>> bool((learner.loo_proba.argmax(1) == y).mean() > 0.95)
        True
        >>> learner.predict_proba(X[:3]).shape
        (3, 2)
    """

    loo_proba: Floats
    weights: Floats
    penalty: float
    n_neighbors: int

    def fit(
        self,
        X: Floats | Sequence[Floats],
        y: Ints,
        n_classes: int,
        *,
        clusters: Ints | None = None,
        seed: int = 0,
    ) -> Self:
        """Fit on features and integer labels.

        Args:
            X: shape (n, d), or a list of blocks (n, d_b); each block is centred and scaled to
                a mean squared norm of 1, so that no block drowns another.
            y: shape (n,), codes in 0 … n_classes − 1.
            n_classes: K ≥ 2; classes without an item are allowed.
            clusters: shape (n,), number of each item's near-duplicate cluster.
            seed: of the sample on which penalty and weights are chosen (only if n is large).

        Returns:
            The learner itself.
        """
        y = np.asarray(y, np.int64)
        self._fit_scaling(X)
        features = self._transform(X)
        self._y, self._n_classes = y, n_classes
        n = len(y)
        groups = _groups(clusters, n)
        rng = np.random.default_rng(seed)
        sample = np.arange(n) if n <= _SAMPLE else np.sort(rng.choice(n, _SAMPLE, replace=False))
        self._ridge = Ridge.fit(features, y, n_classes)
        self.penalty = self._choose_penalty(sample)
        scores = self._ridge_loo(groups)
        self._vectors = _normalised(features)
        prior = (np.bincount(y, minlength=n_classes) + 0.5) / (n + 0.5 * n_classes)
        self._log_prior = np.log(prior).astype(np.float32)
        near, similar = self._neighbours(clusters)
        self._choose_neighbours(near[sample], similar[sample], y[sample])
        votes = self._vote(near, similar)
        self.weights = _stack_weights([scores[sample], votes[sample], self._log_prior], y[sample])
        self.loo_proba = self._blend(scores, votes)
        return self

    def predict_proba(self, X: Floats | Sequence[Floats]) -> Floats:
        """Calibrated probabilities of new items, shape (m, K)."""
        features = self._transform(X)
        coef = (self._ridge.V @ self._ridge.coef(self.penalty)).astype(np.float32)
        scores = features @ coef + self._ridge.y_mean.astype(np.float32)
        similar, near = self._index.search(_normalised(features), self.n_neighbors)
        return self._blend(scores, self._vote(near, similar))

    def _fit_scaling(self, X: Floats | Sequence[Floats]) -> None:
        self._means, self._scales = [], []
        for block in _as_blocks(X):
            mean = block.mean(0, dtype=np.float64)
            power = np.mean([float(np.square(row - mean).sum()) for row in block])
            self._means.append(mean.astype(np.float32))
            self._scales.append(1.0 / np.sqrt(power) if power > 1e-12 else 0.0)

    def _transform(self, X: Floats | Sequence[Floats]) -> Floats:
        blocks = zip(_as_blocks(X), self._means, self._scales, strict=True)
        parts = [(np.asarray(b, np.float32) - m) * np.float32(s) for b, m, s in blocks]
        return parts[0] if len(parts) == 1 else np.hstack(parts)

    def _choose_penalty(self, sample: Ints) -> float:
        ridge, y = self._ridge, self._y
        if len(ridge.s) == 0:
            return 1.0
        grid = _PENALTIES * float(ridge.s.mean())
        losses = []
        for penalty in grid:
            scores = ridge.loo(y, penalty, sample)
            losses.append(_nll(_stack_weights([scores], y[sample]), [scores], y[sample])[0])
        return float(grid[int(np.argmin(losses))])

    def _ridge_loo(self, groups: list[Ints]) -> Floats:
        n = len(self._y)
        out = np.empty((n, self._n_classes), np.float32)
        for rows in _blocks(n):
            out[rows] = self._ridge.loo(self._y, self.penalty, np.arange(n)[rows])
        for group in groups:
            whole = [np.arange(len(group))]
            out[group] = self._ridge.loo(self._y, self.penalty, group, whole)
        return out

    def _neighbours(self, clusters: Ints | None) -> tuple[Ints, Floats]:
        """Nearest items outside each item's own cluster: indices and cosines, −1 where none."""
        import faiss

        n, d = self._vectors.shape
        if n <= EXACT_NEIGHBOURS:
            self._index = faiss.IndexFlatIP(d)
        else:
            self._index = faiss.IndexHNSWFlat(d, 32, faiss.METRIC_INNER_PRODUCT)
            self._index.hnsw.efSearch = 128
        self._index.add(self._vectors)
        own = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
        k = max(_NEIGHBOURS)
        near = np.full((n, k), -1, np.int64)
        similar = np.zeros((n, k), np.float32)
        todo, width = np.arange(n), k + 1
        while len(todo):
            width = min(width, n)
            again = []
            for block in _blocks(len(todo)):
                rows = todo[block]
                cosine, found = self._index.search(self._vectors[rows], width)
                ok = (found >= 0) & (own[found] != own[rows][:, None])
                order = np.argsort(~ok, axis=1, kind="stable")[:, :k]
                kept = np.take_along_axis(ok, order, 1)
                m = order.shape[1]
                near[rows, :m] = np.where(kept, np.take_along_axis(found, order, 1), -1)
                similar[rows, :m] = np.where(kept, np.take_along_axis(cosine, order, 1), 0.0)
                again.append(rows[ok.sum(1) < k])
            if width >= min(n, 16 * (k + 1)):
                break
            todo, width = np.concatenate(again), width * 4
        return near, similar

    def _choose_neighbours(self, near: Ints, similar: Floats, y: Ints) -> None:
        best = np.inf
        for k in _NEIGHBOURS:
            self.n_neighbors = k
            votes = self._vote(near, similar)
            loss = _nll(_stack_weights([votes], y), [votes], y)[0]
            if loss < best:
                best, chosen = loss, k
        self.n_neighbors = chosen

    def _vote(self, near: Ints, similar: Floats) -> Floats:
        """Log of the neighbours' vote, weighted by similarity, smoothed by the prior; (m, K)."""
        k = min(self.n_neighbors, near.shape[1])
        prior = np.exp(self._log_prior)
        out = np.empty((len(near), self._n_classes), np.float32)
        for rows in _blocks(len(near)):
            found = near[rows, :k]
            weight = np.where(found >= 0, np.exp(10.0 * (similar[rows, :k] - 1.0)), 0.0)
            weight /= np.maximum(weight.max(1, keepdims=True), 1e-30)
            vote = np.zeros((len(found), self._n_classes), np.float32)
            np.add.at(vote, (np.arange(len(found))[:, None], self._y[found]), weight)
            out[rows] = np.log((vote + prior) / (vote.sum(1, keepdims=True) + 1.0))
        return out

    def _blend(self, scores: Floats, votes: Floats) -> Floats:
        a, b, c = self.weights.astype(np.float32)
        logits = a * scores + b * votes + c * self._log_prior
        logits -= logits.max(1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(1, keepdims=True)
        return logits


def _as_blocks(X: Floats | Sequence[Floats]) -> list[Floats]:
    return [X] if isinstance(X, np.ndarray) else list(X)


def _blocks(n: int) -> list[slice]:
    return [slice(i, min(i + _BLOCK, n)) for i in range(0, n, _BLOCK)]


def _groups(clusters: Ints | None, n: int) -> list[Ints]:
    """Items of each cluster with 2 to 512 members that is not the whole dataset."""
    if clusters is None:
        return []
    order = np.argsort(clusters, kind="stable")
    cuts = np.flatnonzero(np.diff(clusters[order])) + 1
    return [g for g in np.split(order, cuts) if 1 < len(g) <= 512 and len(g) < n]


def _normalised(X: Floats) -> NDArray[np.float32]:
    norms = np.linalg.norm(X, axis=1, keepdims=True)
    return np.ascontiguousarray(X / np.maximum(norms, 1e-12), np.float32)


def _nll(w: Floats, views: Sequence[Floats], y: Ints) -> tuple[float, Floats]:
    """Mean −ln p(y) of softmax(Σ w_v S_v) and its gradient in w."""
    logits = sum((wv * view for wv, view in zip(w, views, strict=True)), start=np.float64(0))
    logits = np.broadcast_to(logits, (len(y), logits.shape[-1])).astype(np.float64)
    logits -= logits.max(1, keepdims=True)
    p = np.exp(logits)
    total = p.sum(1, keepdims=True)
    rows = np.arange(len(y))
    loss = float(np.mean(np.log(total[:, 0]) - logits[rows, y]))
    p /= total
    grad = []
    for view in views:
        given = view[y] if view.ndim == 1 else view[rows, y]
        grad.append(float(np.mean((p * view).sum(1) - given)))
    return loss, np.array(grad)


def _stack_weights(views: Sequence[Floats], y: Ints) -> Floats:
    """Weights ≥ 0 of a normalised geometric mean that maximise the held-out likelihood.

    Convex in the weights. Negative weights are ruled out: leave-one-out scores are lower for an
    item's own class even on noise (its own label is missing from the mean), and a negative
    weight would read the label off that.
    """
    from scipy.optimize import minimize

    start = np.array([1.0] * len(views))
    found = minimize(
        _nll,
        start,
        args=(views, y),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 200.0)] * len(views),
    )
    weights: Floats = found.x
    return weights
