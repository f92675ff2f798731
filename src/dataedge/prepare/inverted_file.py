"""Approximate nearest neighbours by an inverted file, whose lists are compared by matrix products.

Rows are kept by the nearest of many centroids (Sivic & Zisserman 2003; Jégou et al. 2011, section IV). A
query is compared with the rows of the lists whose centroids are nearest to it. Queries are taken many at a
time, in the order of their own lists, so that all those which look into a list are compared with it at once:
a processor multiplies matrices ten times as fast as it follows a graph from row to row. How many lists are
looked into is raised until a sample of rows, compared with all others, finds what it should.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Ints = NDArray[np.int64]

LIST = 128
"""Rows of a list, on the mean."""
LONGEST = 160
"""Rows of a list at most; what has more is cut in pieces, whose order among equals does not matter."""
TRAINED = 32
"""Rows per centroid that centroids are learned from."""
ROUNDS = 6
"""Of k-means."""
EFFORTS = (8, 16, 32, 64, 128, 256, 512)
"""Lists that a query looks into, raised until recall suffices."""
TIE = 1e-3
"""Cosines this close to the last exact one count as found: ties."""
WORTH = 6
"""Of so many lists one at most is looked into: beyond that comparing all pairs is faster."""
BLOCK = 8192
"""Rows that are handled at a time."""
MOST_PAIRS = 200_000
"""Rows up to which all pairs can be compared in minutes."""
CELLS = 2**25
"""Cosines that are held at a time: 128 MiB."""


class Found(NamedTuple):
    """Neighbours of some queries, nearest first.

    Attributes:
        queries: shape (m,), positions among what was asked.
        rows: shape (m, k), rows; −1 where there are fewer.
        cosine: shape (m, k), −1.0 where there is none.
    """

    queries: Ints
    rows: Ints
    cosine: Floats


class InvertedFile:
    """Unit vectors by list.

    Args:
        vectors: maps m row numbers to their float32 unit vectors (m, d), so that no second copy of large data
            is held.
        n: rows.
        seed: of the centroids.
    """

    def __init__(self, vectors: Callable[[Ints], Floats], n: int, *, seed: int = 0) -> None:
        import faiss

        rng, lists = np.random.default_rng(seed), max(1, n // LIST)
        taught = vectors(np.sort(rng.permutation(n)[: TRAINED * lists]))
        means = faiss.Kmeans(
            taught.shape[1],
            lists,
            niter=ROUNDS,
            spherical=True,
            seed=seed,
            min_points_per_centroid=1,
            max_points_per_centroid=TRAINED,
        )
        means.train(taught)
        centroids: Floats = np.asarray(means.centroids)
        own = np.empty(n, np.int64)
        for start in range(0, n, BLOCK):
            rows = np.arange(start, min(start + BLOCK, n))
            own[rows] = (vectors(rows) @ centroids.T).argmax(1)
        self._row = np.argsort(own, kind="stable")
        counts = np.bincount(own, minlength=lists)
        pieces = -(-counts // LONGEST)
        self._centroids = np.repeat(centroids, pieces, axis=0)
        self._starts = np.concatenate([[0], np.cumsum(_cut(counts, pieces))])
        self._place = np.empty(n, np.int64)
        self._place[self._row] = np.arange(n)
        self._kept = np.empty((n, taught.shape[1]), np.float32)
        for start in range(0, n, BLOCK):
            part = slice(start, start + BLOCK)
            self._kept[part] = vectors(self._row[part])
        self.probes = EFFORTS[0]

    @property
    def sizes(self) -> Ints:
        """Rows of each list."""
        return np.diff(self._starts)

    def __len__(self) -> int:
        return len(self._row)

    def rows(self, rows: Ints) -> Floats:
        """The vectors that are kept of rows, shape (m, d)."""
        kept: Floats = self._kept[self._place[rows]]
        return kept

    def near_rows(self, rows: Ints, k: int) -> Iterator[Found]:
        """The nearest of each row, itself among them, in batches of rows that lie together."""
        order = np.argsort(self._place[rows], kind="stable")
        yield from self._search(order, lambda some: self.rows(rows[some]), k)

    def near(self, vectors: Floats, k: int) -> Iterator[Found]:
        """The nearest rows of new unit vectors (m, d), in batches that lie together."""
        own = [
            (vectors[start : start + BLOCK] @ self._centroids.T).argmax(1)
            for start in range(0, len(vectors), BLOCK)
        ]
        order = np.argsort(np.concatenate(own), kind="stable")
        yield from self._search(order, lambda some: vectors[some], k)

    def tune(
        self, k: int, recall: float, *, sample: int = 500, seed: int = 0, most: int = EFFORTS[-1]
    ) -> float:
        """Raise the lists that are searched until so much of the k nearest is found.

        Args:
            k: neighbours of a row, itself not counted.
            recall: wanted.
            sample: rows on which it is checked, against all others.
            seed: of that sample.
            most: lists that may be looked into.

        Returns:
            The recall that was reached.
        """
        rows = np.sort(np.random.default_rng(seed).permutation(len(self))[:sample])
        width = min(k + 1, len(self))
        found = self._found_by_effort(rows, width)
        for self.probes, reached in zip(EFFORTS, found, strict=True):
            if reached >= recall or self.probes > most:
                break
        return reached

    def _found_by_effort(self, rows: Ints, width: int) -> list[float]:
        """Share of the nearest of rows that lie in the lists of each effort; ties count as found."""
        vectors, last = self.rows(rows), self._last(rows, width)
        lists = len(self.sizes)
        order = np.argsort(-(vectors @ self._centroids.T), axis=1)
        turn = np.empty_like(order)  # at which a query comes to a list
        np.put_along_axis(turn, order, np.arange(lists)[None, :], axis=1)
        list_of = np.repeat(np.arange(lists), self.sizes)
        met = np.zeros((len(rows), len(EFFORTS)), np.int64)
        looked_into = np.array([self._probes(effort, width) for effort in EFFORTS])
        for start in range(0, len(self), BLOCK):
            similar = vectors @ self._kept[start : start + BLOCK].T
            query, place = np.nonzero(similar >= last[:, None] - TIE)
            first = np.searchsorted(looked_into, turn[query, list_of[start + place]], side="right")
            there = first < len(EFFORTS)
            np.add.at(met, (query[there], first[there]), 1)
        return list(np.minimum(met.cumsum(axis=1), width).mean(axis=0) / width)

    def _probes(self, effort: int, k: int) -> int:
        """Lists that a query looks into: so many that they hold twice k rows, as lists go.

        Where they do not, rows are missing.
        """
        lists = len(self.sizes)
        return min(max(effort, -(-2 * k * lists // len(self))), lists)

    def _last(self, rows: Ints, width: int) -> Floats:
        """Cosine of the last of a row's nearest, all compared, shape (m,)."""
        vectors = self.rows(rows)
        best = np.full((len(rows), width), -np.inf, np.float32)
        for start in range(0, len(self), BLOCK):
            similar = vectors @ self._kept[start : start + BLOCK].T
            both = np.hstack([best, similar])
            best = -np.partition(-both, width - 1, axis=1)[:, :width]
        least: Floats = best.min(1)
        return least

    def _search(self, order: Ints, vectors: Callable[[Ints], Floats], k: int) -> Iterator[Found]:
        """Queries in this order, as many at a time as fit."""
        sizes = self.sizes
        widest = int(sizes.max())
        probes = self._probes(self.probes, k)
        step = max(1, CELLS // (probes * widest + 4 * len(sizes)))
        for start in range(0, len(order), step):
            queries = order[start : start + step]
            yield self._compared(queries, vectors(queries), probes, widest, k)

    def _compared(self, queries: Ints, asked: Floats, probes: int, widest: int, k: int) -> Found:
        """Some queries against the lists that each looks into."""
        near = asked @ self._centroids.T
        lists = np.argpartition(-near, probes - 1, axis=1)[:, :probes]
        import torch

        similar = np.full((len(queries), probes, widest), -1.0, np.float32)
        by_list = np.argsort(lists, axis=None, kind="stable")
        which, firsts = np.unique(lists.ravel()[by_list], return_index=True)
        for number, cells in zip(which, np.split(by_list, firsts[1:]), strict=True):
            query, probe = np.divmod(cells, probes)
            first, last = self._starts[number], self._starts[number + 1]
            similar[query, probe, : last - first] = asked[query] @ self._kept[first:last].T
        width = min(k, probes * widest)
        nearest = torch.from_numpy(similar).flatten(1).topk(width)
        cosine, top = nearest.values.numpy(), nearest.indices.numpy()
        probe, place = np.divmod(top, widest)
        chosen = np.take_along_axis(lists, probe, axis=1)
        there = place < self.sizes[chosen]
        index = np.full((len(queries), k), -1, np.int64)
        out = np.full((len(queries), k), -1.0, np.float32)
        at = np.where(there, self._starts[chosen] + place, 0)
        index[:, :width] = np.where(there, self._row[at], -1)
        out[:, :width] = np.where(there, cosine, -1.0)
        return Found(queries, index, out)


class Lists(NamedTuple):
    """An inverted file and the share of the nearest that it finds."""

    file: InvertedFile
    recall: float


def lists_where_faster(
    vectors: Callable[[Ints], Floats], n: int, k: int, recall: float, *, sample: int, seed: int
) -> Lists | None:
    """An inverted file tuned to a recall; None where comparing all pairs is faster and takes minutes at most.

    That is where vectors do not lie in groups, random ones for example, and few lists do not find them.

    Args:
        vectors: as for `InvertedFile`.
        n: rows.
        k: neighbours of a row, itself not counted.
        recall: wanted.
        sample: rows on which it is checked.
        seed: of centroids and sample.
    """
    found = InvertedFile(vectors, n, seed=seed)
    most = len(found.sizes) // WORTH if n <= MOST_PAIRS else EFFORTS[-1]
    reached = found.tune(k, recall, sample=sample, seed=seed, most=most)
    return None if found.probes > most else Lists(found, reached)


def _cut(counts: Ints, pieces: Ints) -> Ints:
    """Sizes of lists once the longest are cut into so many pieces of nearly the same size.

    Example:
        >>> _cut(np.array([5, 0, 7]), np.array([1, 0, 2])).tolist()
        [5, 4, 3]
    """
    sizes = [
        np.full(p, c // p) + (np.arange(p) < c % p)
        for c, p in zip(counts, pieces, strict=True)
        if p
    ]
    return np.concatenate(sizes)
