"""Nearest items outside an item's own near-duplicate cluster, and their weighted vote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.learner.feature_matrix import blocks
from dataedge.prepare.inverted_file import Found, InvertedFile, lists_where_faster
from dataedge.prepare.neighbours import EXACT_ROWS, all_pairs_index

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.integer[Any]]

_WIDTH = 96  # neighbours kept per item, so that some remain when suspects are left out
_VOTING = 64  # of them vote at most
RECALL = 0.98  # of those, beyond the rows up to which every pair is compared
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
        self._lists: InvertedFile | None = None
        if n > EXACT_ROWS:
            lists = lists_where_faster(vectors, n, _VOTING, RECALL, sample=500, seed=0)
            self._lists = None if lists is None else lists.file
        if self._lists is None:
            self._pairs = all_pairs_index(vectors(every[:1]).shape[1])
            for rows in blocks(n, 16):
                self._pairs.add(vectors(every[rows]))
        self._own = np.arange(n)
        if clusters is not None:
            self._own = np.unique(clusters, return_inverse=True)[1]
        self._near = np.full((n, _WIDTH), -1, np.int32)
        self._similar = np.zeros((n, _WIDTH), np.float32)
        self._known = np.zeros(n, bool)

    def find(self, rows: Ints) -> None:
        """Search the neighbours of rows that were not asked for before, best of many at once."""
        n, width = len(self._own), _WIDTH + 1
        todo = np.unique(rows[~self._known[rows]])
        self._known[todo] = True
        while len(todo):  # items with many twins look further
            width = min(width, n)
            again = [self._keep_others(todo[b.queries], b) for b in self._nearest(todo, width)]
            if width >= min(n, 16 * _WIDTH):
                break
            todo, width = np.concatenate(again), width * 4

    def _nearest(self, rows: Ints, width: int) -> Iterator[Found]:
        """The nearest of rows, themselves among them, in batches."""
        if self._lists is not None:
            yield from self._lists.near_rows(np.asarray(rows, np.int64), width)
            return
        for some in blocks(len(rows)):
            cosine, found = self._pairs.search(self._vectors(rows[some]), width)
            yield Found(np.arange(len(rows))[some], found, cosine)

    def _keep_others(self, rows: Ints, batch: Found) -> Ints:
        """Store the neighbours outside each row's cluster; return rows that have too few."""
        found = batch.rows
        ok = (found >= 0) & (self._own[found] != self._own[rows][:, None])
        order = np.argsort(~ok, axis=1, kind="stable")[:, :_WIDTH]
        kept, m = np.take_along_axis(ok, order, 1), order.shape[1]
        self._near[rows, :m] = np.where(kept, np.take_along_axis(found, order, 1), -1)
        cosine = np.take_along_axis(batch.cosine, order, 1)
        self._similar[rows, :m] = np.where(kept, cosine, 0.0)
        few: Ints = rows[ok.sum(1) < _WIDTH]
        return few

    def of(self, rows: Ints, keep: NDArray[np.bool_]) -> tuple[Ints, Floats]:
        """Neighbours (−1 where none) and cosines of fitted items, nearest kept ones first."""
        self.find(np.asarray(rows))
        near, similar = self._near[rows], self._similar[rows]
        return (near, similar) if keep.all() else kept_first(near, similar, keep)

    def search(
        self, vectors: NDArray[np.float32], k: int, keep: NDArray[np.bool_]
    ) -> tuple[Ints, Floats]:
        """Neighbours (−1 where none) and cosines of new unit vectors (m, d), shapes (m, ≥ k).

        The nearest that are kept come first.
        """
        near, similar = self._search(vectors, k if keep.all() else min(4 * k, len(keep)))
        return (near, similar) if keep.all() else kept_first(near, similar, keep)

    def _search(self, vectors: NDArray[np.float32], k: int) -> tuple[Ints, Floats]:
        if self._lists is None:
            similar, near = self._pairs.search(vectors, k)
        else:
            near = np.full((len(vectors), k), -1, np.int64)
            similar = np.zeros((len(vectors), k), np.float32)
            for batch in self._lists.near(vectors, k):
                near[batch.queries], similar[batch.queries] = batch.rows, batch.cosine
        return near, np.where(near >= 0, similar, 0.0)  # fewer than k: faiss fills with −max


def kept_first(near: Ints, similar: Floats, keep: NDArray[np.bool_]) -> tuple[Ints, Floats]:
    """Neighbours without those that are not kept, which become −1 at the end of their row.

    Example:
        >>> kept_first(np.array([[2, 0, 1]]), np.array([[0.9, 0.8, 0.7]]), np.array([True, True, False]))
        (array([[ 0,  1, -1]]), array([[0.8, 0.7, 0.9]]))
    """
    near = np.where(keep[near], near, -1)
    order = np.argsort(near < 0, axis=1, kind="stable")
    return np.take_along_axis(near, order, 1), np.take_along_axis(similar, order, 1)


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
