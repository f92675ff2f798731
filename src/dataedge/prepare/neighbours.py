"""Nearest neighbours by cosine: exact while that is cheap, checked against exact beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.int64]

EXACT_ROWS = 100_000  # rows up to which every pair is compared
RECALL = 0.99  # recall@k that the approximate search must reach on its sample
_BLOCK = 8192
_QUERIES = 512
_LINKS = 32  # HNSW links per node
_EFFORTS = (64, 128, 256, 512, 1024)  # efSearch, raised until the sample's recall suffices
_TIE = 1e-3  # cosines this close to the k-th exact one count as found: ties and half precision


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

    Up to `exact_rows` rows by comparing all pairs; above by HNSW (Malkov & Yashunin 2018) over
    half-precision vectors, whose search effort is raised until recall@k on a random sample of
    rows, compared with all others exactly, reaches 0.99.

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
    exact = n <= exact_rows
    searcher = open_index(unit[:1], exact=exact)
    for start in range(0, n, 16 * _BLOCK):
        searcher.add(unit[start : start + 16 * _BLOCK])
    recall, checked = 1.0, 0
    if not exact:
        rows = np.sort(np.random.default_rng(seed).choice(n, min(sample, n), replace=False))
        recall, checked = _tune(searcher, unit, rows, width), len(rows)
    for start in range(0, n, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, n))
        found = _search(searcher, unit, rows, width)
        index[rows, :width] = found
        cosine[rows, :width] = np.where(found >= 0, _cosines(unit, rows, found), -1.0)
    if not exact:  # half precision may order near-ties wrongly
        order = np.argsort(-cosine, axis=1, kind="stable")
        index, cosine = np.take_along_axis(index, order, 1), np.take_along_axis(cosine, order, 1)
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


def open_index(first: NDArray[np.float32], *, exact: bool) -> Any:
    """An empty faiss index of inner products: of all pairs, or an HNSW graph in half precision.

    Args:
        first: shape (≥ 1, d), float32 rows that the index is trained on.
        exact: compare all pairs.
    """
    import faiss

    if exact:
        return faiss.IndexFlatIP(first.shape[1])
    half: Any = faiss.ScalarQuantizer.QT_fp16
    graph = faiss.IndexHNSWSQ(first.shape[1], half, _LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 80
    graph.train(first)
    return graph


def _search(searcher: Any, unit: NDArray[np.float32], rows: Ints, width: int) -> Ints:
    """Found rows without the row itself, shape (len(rows), width)."""
    _, found = searcher.search(unit[rows], width + 1)
    own = found == rows[:, None]
    own[~own.any(1), -1] = True  # the row was crowded out by its twins: drop the last instead
    kept: Ints = found[~own].reshape(len(rows), width)
    return kept


def _cosines(unit: NDArray[np.float32], rows: Ints, found: Ints) -> NDArray[np.float32]:
    """Cosine of each row to the rows found for it, shape of `found`."""
    out = np.empty(found.shape, np.float32)
    for column in range(found.shape[1]):
        out[:, column] = np.einsum("ij,ij->i", unit[rows], unit[found[:, column]])
    return np.clip(out, -1.0, 1.0)


def _tune(searcher: Any, unit: NDArray[np.float32], rows: Ints, width: int) -> float:
    """Raise the search effort until recall on the sampled rows suffices; the recall reached."""
    last = np.full(len(rows), -np.inf, np.float32)
    best = np.full((len(rows), width), -np.inf, np.float32)
    for start in range(0, len(unit), 16 * _BLOCK):
        stop = min(start + 16 * _BLOCK, len(unit))
        similar = unit[rows] @ unit[start:stop].T
        inside = np.flatnonzero((rows >= start) & (rows < stop))
        similar[inside, rows[inside] - start] = -np.inf
        both = np.hstack([best, similar])
        best = -np.partition(-both, width - 1, axis=1)[:, :width]
    last = best.min(1)
    recall = 0.0
    for effort in _EFFORTS:
        searcher.hnsw.efSearch = effort
        found = _search(searcher, unit, rows, width)
        hit = (found >= 0) & (_cosines(unit, rows, found) >= last[:, None] - _TIE)
        recall = float(hit.mean())
        if recall >= RECALL:
            break
    return recall
