"""Nearest items outside an item's own near-duplicate cluster, and their weighted vote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.learner.feature_matrix import blocks
from dataedge.prepare.neighbours import EXACT_ROWS, open_index

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

_WIDTH = 96  # neighbours kept per item, so that some remain when suspects are left out
_SHARPNESS = 10.0  # a neighbour's weight is exp(10 · cosine), relative to the nearest


class Neighbours:
    """Searches each item's neighbours once, when they are asked for; votes may use any labels.

    Args:
        vectors: maps m row numbers to their float32 unit vectors (m, d), so that no second copy of
            large data is held.
        n: rows.
        clusters: shape (n,), items that must not vote for each other; each its own if None.
    """

    def __init__(
        self, vectors: Callable[[Ints], NDArray[np.float32]], n: int, clusters: Ints | None = None
    ) -> None:
        self._vectors, every = vectors, np.arange(n)
        self._index = open_index(vectors(every[:1]), exact=n <= EXACT_ROWS)
        if n > EXACT_ROWS:
            self._index.hnsw.efSearch = 2 * _WIDTH
        for rows in blocks(n, 16):
            self._index.add(vectors(every[rows]))
        self._own = np.arange(n)
        if clusters is not None:
            self._own = np.unique(clusters, return_inverse=True)[1]
        self._near = np.full((n, _WIDTH), -1, np.int32)
        self._similar = np.zeros((n, _WIDTH), np.float32)
        self._known = np.zeros(n, bool)

    def _find(self, rows: Ints) -> None:
        """Search the neighbours of rows that were not asked for before."""
        n, width = len(self._own), _WIDTH + 1
        todo = np.unique(rows[~self._known[rows]])
        self._known[todo] = True
        while len(todo):  # items with many twins look further
            width = min(width, n)
            again = [self._keep_others(todo[b], width) for b in blocks(len(todo))]
            if width >= min(n, 16 * _WIDTH):
                break
            todo, width = np.concatenate(again), width * 4

    def _keep_others(self, rows: Ints, width: int) -> Ints:
        """Store the neighbours outside each row's cluster; return rows that have too few."""
        cosine, found = self._index.search(self._vectors(rows), width)
        ok = (found >= 0) & (self._own[found] != self._own[rows][:, None])
        order = np.argsort(~ok, axis=1, kind="stable")[:, :_WIDTH]
        kept, m = np.take_along_axis(ok, order, 1), order.shape[1]
        self._near[rows, :m] = np.where(kept, np.take_along_axis(found, order, 1), -1)
        self._similar[rows, :m] = np.where(kept, np.take_along_axis(cosine, order, 1), 0.0)
        few: Ints = rows[ok.sum(1) < _WIDTH]
        return few

    def of(self, rows: Ints, keep: NDArray[np.bool_]) -> tuple[Ints, Floats]:
        """Neighbours (−1 where none) and cosines of fitted items, nearest kept ones first."""
        self._find(np.asarray(rows))
        near, similar = self._near[rows], self._similar[rows]
        if keep.all():
            return near, similar
        near = np.where(keep[near], near, -1)
        order = np.argsort(near < 0, axis=1, kind="stable")
        return np.take_along_axis(near, order, 1), np.take_along_axis(similar, order, 1)

    def search(self, vectors: NDArray[np.float32], k: int) -> tuple[Ints, Floats]:
        """Neighbours and cosines of new unit vectors (m, d), shapes (m, k)."""
        similar, near = self._index.search(vectors, k)
        return near, np.where(near >= 0, similar, 0.0)  # fewer than k: faiss fills with −max


def votes(near: Ints, similar: Floats, y: Ints, n_classes: int, k: int) -> Floats:
    """Weighted votes of the k nearest, shape (m, K); a vote of the nearest weighs 1.

    Args:
        near: shape (m, ≥ k), neighbours, nearest first, −1 where none.
        similar: same shape, cosines.
        y: shape (n,), labels of the neighbours.
        n_classes: K.
        k: how many vote.

    Example:
        >>> votes(np.array([[0, 1]]), np.array([[1.0, 1.0]]), np.array([1, 1]), 2, 2)
        array([[0., 2.]], dtype=float32)
    """
    from scipy.sparse import csr_array

    near, similar = near[:, :k], similar[:, :k]
    weight = np.where(near >= 0, np.exp(_SHARPNESS * (similar - 1.0)), 0.0).astype(np.float32)
    weight /= np.maximum(weight.max(1, keepdims=True), 1e-30)
    m, k = near.shape
    table = csr_array((weight.ravel(), y[near].ravel(), np.arange(0, m * k + 1, k)), (m, n_classes))
    out: Floats = table.toarray()
    return out
