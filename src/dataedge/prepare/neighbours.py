"""Nearest neighbours by cosine: exact while that is cheap, checked against exact beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.prepare.inverted_file import Found, lists_where_faster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.int64]

EXACT_ROWS = 40_000  # rows up to which every pair is compared
RECALL = 0.99  # recall@k that the approximate search must reach on its sample
_BLOCK = 8192
_QUERIES = 512


@dataclass(frozen=True)
class Neighbours:
    """The k nearest other rows of every row.

    Attributes:
        index: shape (n, k), row numbers by falling cosine; −1 where there are fewer.
        cosine: shape (n, k), float32; −1.0 where there is no neighbour.
        exact: every pair was compared.
        recall: share of the exact k nearest that were found, 1.0 if exact, else on a sample.
        sample: rows on which recall was checked; 0 if exact.
    """

    index: Ints
    cosine: NDArray[np.float32]
    exact: bool
    recall: float
    sample: int


def unit_rows(vectors: Floats) -> NDArray[np.float32]:
    """Rows scaled to length 1, shape (n, d), float32; copied only where it must be.

    A zero row stays zero.
    """
    out = np.ascontiguousarray(vectors, np.float32)
    squares = np.einsum("ij,ij->i", out, out)
    if np.all(np.abs(squares - 1.0) < 1e-4):
        return out
    norms = np.sqrt(squares)[:, None]
    scaled: NDArray[np.float32] = np.zeros_like(out)
    np.divide(out, norms, out=scaled, where=norms > 1e-12)
    return scaled


def neighbours(
    vectors: Floats, k: int, *, exact_rows: int = EXACT_ROWS, sample: int = 500, seed: int = 0
) -> Neighbours:
    """Find the k rows of highest cosine to each row, itself left out.

    Up to `exact_rows` rows by comparing all pairs; above by an inverted file, of which so many
    lists are searched that recall@k on a random sample of rows, compared with all others exactly,
    reaches 0.99.

    Args:
        vectors: shape (n, d); they need not have unit length.
        k: neighbours per row.
        exact_rows: rows up to which the search is exact.
        sample: rows on which recall is checked.
        seed: of that sample.

    Returns:
        Neighbours, with the recall reached: the caller reports it, also where it falls short.

    Example:
        >>> found = neighbours(np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), 1)
        >>> found.index.ravel().tolist(), found.exact, found.recall
        ([1, 0, 1], True, 1.0)
    """
    unit = unit_rows(vectors)
    n = len(unit)
    index = np.full((n, k), -1, np.int64)
    cosine = np.full((n, k), -1.0, np.float32)
    width = min(k, n - 1)
    if width <= 0:
        return Neighbours(index, cosine, exact=True, recall=1.0, sample=0)
    lists = None
    if n > exact_rows:
        lists = lists_where_faster(
            lambda rows: unit[rows], n, width, RECALL, sample=sample, seed=seed
        )
    exact, recall, checked = True, 1.0, 0
    if lists is None:
        batches = _all_pairs(unit, width + 1)
    else:
        exact, recall, checked = False, lists.recall, min(sample, n)
        batches = lists.file.near_rows(np.arange(n), width + 1)
    for batch in batches:
        found = _others(batch.rows, batch.queries)
        near = np.where(found >= 0, _cosines(unit, batch.queries, found), -1.0)
        order = np.argsort(
            -near, axis=1, kind="stable"
        )  # half precision may order near-ties wrongly
        index[batch.queries, :width] = np.take_along_axis(found, order, 1)
        cosine[batch.queries, :width] = np.take_along_axis(near, order, 1)
    return Neighbours(index, cosine, exact=exact, recall=recall, sample=checked)


def nearest(queries: NDArray[np.float32], others: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Positions of the k rows of highest inner product with each query, exact.

    Args:
        queries: shape (n, d).
        others: shape (m, d).
        k: rows per query; all m if there are fewer.

    Returns:
        Shape (n, min(k, m)), the most similar last.

    Example:
        >>> nearest(np.eye(2, dtype=np.float32), np.eye(3, 2, dtype=np.float32), 1).tolist()
        [[0], [1]]
    """
    k = min(k, len(others))
    out = np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), _QUERIES):
        similar = queries[start : start + _QUERIES] @ others.T
        top = np.argpartition(-similar, k - 1, axis=1)[:, :k]
        order = np.take_along_axis(similar, top, axis=1).argsort(axis=1, kind="stable")
        out[start : start + _QUERIES] = np.take_along_axis(top, order, axis=1)
    return out


def _all_pairs(unit: NDArray[np.float32], width: int) -> Iterator[Found]:
    """The nearest of each row, itself among them, every pair compared."""
    searcher = all_pairs_index(unit.shape[1])
    searcher.add(unit)
    for start in range(0, len(unit), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(unit)))
        cosine, found = searcher.search(unit[rows], width)
        yield Found(rows, found, cosine)


def all_pairs_index(dimensions: int) -> Any:
    """An empty faiss index that compares inner products of all pairs."""
    import faiss

    return faiss.IndexFlatIP(dimensions)


def _others(found: Ints, rows: Ints) -> Ints:
    """Found rows without the row itself, shape (m, k − 1)."""
    own = found == rows[:, None]
    own[~own.any(1), -1] = True  # the row was crowded out by its twins: drop the last instead
    kept: Ints = found[~own].reshape(len(rows), found.shape[1] - 1)
    return kept


def _cosines(unit: NDArray[np.float32], rows: Ints, found: Ints) -> NDArray[np.float32]:
    """Cosine of each row to the rows found for it, shape of `found`."""
    out = np.empty(found.shape, np.float32)
    for column in range(found.shape[1]):
        out[:, column] = np.einsum("ij,ij->i", unit[rows], unit[found[:, column]])
    return np.clip(out, -1.0, 1.0)
