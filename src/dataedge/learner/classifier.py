"""The proxy learner: what the data teaches, out of sample, in closed form and without refits.

Three views of the same features, a Gaussian per class, a ridge regression and a vote of the
nearest neighbours that falls back on the Gaussian, each with the item itself (and its
near-duplicates) left out; their normalised geometric mean, weighted by held-out likelihood.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from dataedge.learner.closed_form import LinearDiscriminant, Ridge, left_out_groups
from dataedge.learner.ensemble import fit_weights, geometric_mean
from dataedge.learner.feature_matrix import FeatureMatrix, Moments, blocks
from dataedge.learner.neighbour_votes import Neighbours, votes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

VERSION = 2
"""Raised when the same features and labels would give other probabilities."""
_SAMPLE = 2000  # rows on which weights are fitted; half of them choose the penalties
_PENALTIES = (0.03, 0.1, 0.5, 2.0, 10.0)  # times the mean eigenvalue
_SHRINKS = (0.3, 3.0, 30.0)  # times the mean within-class eigenvalue
_VOTERS = (16, 64)
_FALLBACKS = (1.0, 4.0, 16.0)  # votes that the Gaussian counts for


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


class Learner:
    """Closed-form classifier with calibrated out-of-sample probabilities for its own train side.

    Every probability of a fitted item is computed with the item's whole near-duplicate cluster
    left out, exactly, of ridge, Gaussian and vote alike (of clusters above 256 items, ridge and
    Gaussian leave out the item only). Penalties and weights are chosen on those left-out
    scores: eleven numbers, which is what is left of optimism.

    `loo_core` and `neighbour_labels` are computed when they are first asked for and kept until the
    next `fit`; all else is computed at every call.

    Attributes:
        weights: shape (4,), weight of Gaussian, ridge, vote and log prior in the mean.
        floor: share of labels that follow the prior alone whatever the text says.
        penalty: ridge penalty, in units of the Gram matrix.
        shrink: of the Gaussian's covariance, in units of its mean eigenvalue.
        n_neighbors: how many neighbours vote.

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

    weights: Floats
    floor: float
    penalty: float
    shrink: float
    n_neighbors: int

    def fit(
        self,
        X: Floats | Sequence[Floats],
        y: Ints,
        n_classes: int,
        *,
        clusters: Ints | None = None,
        seed: int = 0,
        like: Learner | None = None,
    ) -> Self:
        """Fit on features and integer labels.

        Args:
            X: shape (n, d), or a list of blocks (n, d_b); each block is centred and scaled to
                a mean squared norm of 1, so that no block drowns another.
            y: shape (n,), codes in 0 … n_classes − 1; n ≥ 2.
            n_classes: K ≥ 2; classes without an item are allowed.
            clusters: shape (n,), number of each item's near-duplicate cluster.
            seed: of the sample on which penalties and weights are chosen (only if n is large).
            like: a learner fitted on about as many items of the same kind, whose penalties and
                voters are taken over; only weights and floor are fitted. Chosen anew if None.

        Returns:
            The learner itself.
        """
        self._forget()
        self._y, self._n_classes = np.asarray(y, np.int64), n_classes
        n = len(self._y)
        self._basis = basis = FeatureMatrix(X)
        basis.whiten(self._train(np.ones(n, bool)))
        self._neighbours = Neighbours(lambda rows: basis.unit(basis.rows(rows)), n, clusters)
        self._groups = [] if clusters is None else left_out_groups(np.asarray(clusters))
        self._group_of = np.full(n, -1, np.int64)
        for number, group in enumerate(self._groups):
            self._group_of[group] = number
        self._order = np.random.default_rng(seed).permutation(n)
        self._settle(like)
        return self

    @cached_property
    def loo_core(self) -> Floats:
        """Out-of-sample probabilities of the label that belongs to the text, shape (n, K), float32.

        Random label noise is taken out; see `loo_proba` for the labels as given.
        """
        return self._out_of_sample()

    @property
    def teaches(self) -> NDArray[np.bool_]:
        """Which of the items it learned from, shape (n,)."""
        return self._keep

    @property
    def loo_proba(self) -> Floats:
        """Calibrated out-of-sample probabilities of the labels as given, shape (n, K).

        Made of `loo_core` at every call, so that large data is not held twice.
        """
        return self._floored(self.loo_core)

    @cached_property
    def neighbour_labels(self) -> NDArray[np.int64]:
        """Label that most neighbours outside the item's own cluster carry, shape (n,).

        The item's own label where it has no such neighbour.
        """
        out = np.empty(len(self._y), np.int64)
        self._neighbours.find(np.arange(len(out)))
        for rows in blocks(len(out)):
            found = self._neighbours.of(np.arange(len(out))[rows], self._keep)
            count = votes(*found, self._y, self._n_classes, self.n_neighbors)
            out[rows] = np.where(count.sum(1) > 0, count.argmax(1), self._y[rows])
        return out

    def predict_proba(self, X: Floats | Sequence[Floats]) -> Floats:
        """Calibrated probabilities of new items, shape (m, K)."""
        Z = self._basis.of(X)
        gauss = self._gaussian.predict(Z, self.shrink)
        ridge = self._ridge.predict(Z, self.penalty)
        found = self._neighbours.search(self._basis.unit(Z), self.n_neighbors, self._keep)
        vote = self._vote(gauss, *found)
        return self._floored(geometric_mean(self.weights, [gauss, ridge, vote], self._log_prior))

    def refit_without(self, mask: NDArray[np.bool_]) -> Floats:
        """Probabilities of all items, shape (n, K), once the items in mask teach nothing.

        Penalties and voters stay those of `fit`; weights and floor are fitted anew on the kept
        items. The learner itself, and what it keeps, is unchanged.

        Args:
            mask: shape (n,), items to leave out of training (suspect labels).
        """
        return Learner._relearn(copy(self), mask)

    def without(self, mask: NDArray[np.bool_]) -> Learner:
        """The learner that never saw some items' labels: all is fitted and chosen without them.

        It knows the same items, so that what has been searched of their neighbours is not searched again;
        features are scaled by all texts, whose labels play no part in that.

        Args:
            mask: shape (n,), items to leave out.
        """
        return Learner._learn_without(copy(self), mask)

    def _learn_without(self, mask: NDArray[np.bool_]) -> Learner:
        self._forget()
        self._train(~mask)
        self._order = self._order[~mask[self._order]]
        self._settle()
        return self

    def _forget(self) -> None:
        """What is kept until the next fit."""
        for kept in ("loo_core", "neighbour_labels"):
            self.__dict__.pop(kept, None)

    def _settle(self, like: Learner | None = None) -> None:
        """Penalties and voters, or those of another learner, then weights and floor."""
        sample = np.sort(self._order[:_SAMPLE])
        if like is None:
            self._choose(sample[::2] if len(self._order) > _SAMPLE else sample)
        else:
            self._adopt(like)
        self._fit_weights(sample)

    def _relearn(self, mask: NDArray[np.bool_]) -> Floats:
        self._train(~mask)
        kept = self._order[~mask[self._order]]
        self._fit_weights(np.sort(kept[:_SAMPLE]))
        return self._out_of_sample()

    def _train(self, keep: NDArray[np.bool_]) -> Moments:
        rows = np.flatnonzero(keep)
        self._keep = keep
        moments = Moments.of(self._basis.rows, rows, self._y[rows], self._n_classes)
        self._ridge, self._gaussian = Ridge.fit(moments), LinearDiscriminant.fit(moments)
        prior = (moments.counts + 0.5) / (len(rows) + 0.5 * self._n_classes)
        self._log_prior = np.log(prior).astype(np.float32)
        return moments

    def _choose(self, sample: Ints) -> None:
        """Penalty, shrinkage and voters by the likelihood of left-out labels."""
        y = self._y[sample]
        power = self._power
        ridge = {p * power: self._loo(self._ridge, sample, p * power) for p in _PENALTIES}
        self.penalty = min(ridge, key=lambda p: fit_weights([ridge[p]], self._log_prior, y).loss)
        gauss = {s: self._loo(self._gaussian, sample, s) for s in _SHRINKS}
        fits = {s: fit_weights([gauss[s]], self._log_prior, y) for s in _SHRINKS}
        self.shrink = min(fits, key=lambda s: fits[s].loss)
        self._fallback_weights = fits[self.shrink].weights
        best, chosen = np.inf, (_VOTERS[0], _FALLBACKS[0])
        near, similar = self._neighbours.of(sample, self._keep)
        for self.n_neighbors, self._fallback in product(_VOTERS, _FALLBACKS):
            vote = self._vote(gauss[self.shrink], near, similar)
            loss = fit_weights([vote], self._log_prior, y).loss
            if loss < best:
                best, chosen = loss, (self.n_neighbors, self._fallback)
        self.n_neighbors, self._fallback = chosen

    @property
    def _power(self) -> float:
        """Mean eigenvalue of the Gram matrix, the unit of the penalty."""
        return float(self._ridge.s.mean()) if len(self._ridge.s) else 1.0

    def _adopt(self, other: Learner) -> None:
        """Another learner's settings, the penalty in units of this Gram matrix."""
        self.penalty = other.penalty / other._power * self._power
        self.shrink, self.n_neighbors = other.shrink, other.n_neighbors
        self._fallback = other._fallback
        self._fallback_weights = other._fallback_weights

    def _fit_weights(self, sample: Ints) -> None:
        self._sample = sample, self._left_out(sample)
        self.weights, self.floor, _ = fit_weights(self._sample[1], self._log_prior, self._y[sample])

    def _left_out(self, rows: Ints) -> list[Floats]:
        """The three views of training items, each with the item left out; (m, K) each."""
        gauss = self._loo(self._gaussian, rows, self.shrink)
        ridge = self._loo(self._ridge, rows, self.penalty)
        return [gauss, ridge, self._vote(gauss, *self._neighbours.of(rows, self._keep))]

    def _loo(self, view: LinearDiscriminant | Ridge, rows: Ints, workspace: float) -> Floats:
        """Left-out scores of rows; whole clusters are left out together."""
        touched = np.unique(self._group_of[rows])
        members = [self._groups[g][self._keep[self._groups[g]]] for g in touched if g >= 0]
        members = [m for m in members if len(m) > 1]
        kept = self._keep[rows]
        out = np.empty((len(rows), self._n_classes), np.float32)
        if not kept.all():
            out[~kept] = view.predict(self._basis.rows(rows[~kept]), workspace)
        fitted = np.unique(np.concatenate([rows[kept], *members]))
        groups = [np.searchsorted(fitted, m) for m in members]
        scores = view.loo(self._basis.rows(fitted), self._y[fitted], workspace, groups)
        out[kept] = scores[np.searchsorted(fitted, rows[kept])]
        return out

    def _vote(self, gauss: Floats, near: Ints, similar: Floats) -> Floats:
        """Log of the neighbours' vote, with the Gaussian's probabilities as pseudo-votes."""
        count = votes(near, similar, self._y, self._n_classes, self.n_neighbors)
        prior = geometric_mean(self._fallback_weights, [gauss], self._log_prior)
        total = count.sum(1, keepdims=True) + self._fallback
        out: Floats = np.log((count + self._fallback * prior) / total + 1e-9)
        return out

    def _out_of_sample(self) -> Floats:
        out = np.empty((len(self._y), self._n_classes), np.float32)
        sample, views = self._sample
        out[sample] = geometric_mean(self.weights, views, self._log_prior)
        others = np.setdiff1d(np.arange(len(out)), sample, assume_unique=True)
        self._neighbours.find(others)
        for block in blocks(len(others)):
            rows = others[block]
            out[rows] = geometric_mean(self.weights, self._left_out(rows), self._log_prior)
        return out

    def _floored(self, core: Floats) -> Floats:
        out: Floats = (1.0 - self.floor) * core + np.float32(self.floor) * np.exp(self._log_prior)
        return out
