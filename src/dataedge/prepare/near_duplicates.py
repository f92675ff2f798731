"""Near-duplicate texts: MinHash proposes pairs, exact Jaccard similarity decides.

Rows that agree on one band of their MinHash sketch are candidates (Broder 1997; Leskovec,
Rajaraman & Ullman 2020, section 3.4). A candidate becomes a link when the Jaccard similarity of
its two shingle sets, computed exactly, reaches the threshold. Clusters are the connected
components of the links. Nothing depends on the order of the texts.

Short texts are cut into short shingles: one slip of the pen changes as many shingles as a
shingle is wide, and a near-duplicate should survive one slip. Long texts are cut into long ones,
since all long English texts share their pairs of letters.
"""

from __future__ import annotations

from bisect import bisect
from typing import TYPE_CHECKING

import numpy as np

from dataedge.prepare.shingles import ShingleSets, cut, fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

WIDTHS = ((2, 40), (3, 3000), (5, 2**31))  # characters per shingle, for texts up to this length
OVERLAP = 0.7  # texts from this part of the limit on are compared at the next width as well
_SLOTS = 80  # of a sketch: sixteen bands of five
_BAND = 5
_CROWD = 32  # a bucket with more rows than this is split by further slots
_BLOCK_PAIRS = 200_000  # pairs compared at a time
_SIGMAS = 3.0  # a pair whose sketch is this far below the threshold is not verified
_SPREAD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93))


def near_duplicates(texts: Sequence[str], *, threshold: float = 0.8, seed: int = 0) -> Ints:
    """Cluster texts whose shingle sets overlap.

    Args:
        texts: n texts.
        threshold: Jaccard similarity of two texts that are linked, in (0, 1].
        seed: of the sketches.

    Returns:
        Shape (n,), cluster numbers from 0 in order of first appearance. Texts that are equal
        after `fold` always share one.

    Example:
        >>> near_duplicates(["Where is my new card?", "where is my new carb", "Hello"]).tolist()
        [0, 0, 1]
    """
    return near_duplicate_levels(texts, thresholds=(threshold,), seed=seed)[threshold]


def near_duplicate_levels(
    texts: Sequence[str], *, thresholds: Sequence[float] = (0.7, 0.8, 0.9), seed: int = 0
) -> dict[float, Ints]:
    """Clusters at several thresholds from one pass over the texts.

    Args:
        texts: n texts.
        thresholds: each in (0, 1].
        seed: of the sketches.

    Returns:
        Threshold → shape (n,), as from `near_duplicates`. A higher threshold only splits the
        clusters of a lower one.
    """
    if not thresholds or not all(0.0 < t <= 1.0 for t in thresholds):
        raise ValueError(f"thresholds must lie in (0, 1], got {tuple(thresholds)}")
    if len(texts) == 0:
        return {t: np.empty(0, np.int64) for t in thresholds}
    folded = fold(texts)
    distinct = list(dict.fromkeys(folded))
    index = dict(zip(distinct, range(len(distinct)), strict=True))
    rows = np.fromiter(map(index.__getitem__, folded), np.int64, len(folded))
    del folded, index
    links = _Links(len(distinct), sorted(set(thresholds)))
    lengths = np.fromiter(map(len, distinct), np.int64, len(distinct))
    shortest = 0.0
    for width, longest in WIDTHS:
        members = np.flatnonzero((lengths >= shortest) & (lengths <= longest))
        if len(members) > 1:
            _link(distinct, members, width, links, seed)
        shortest = longest * min(OVERLAP, links.thresholds[0])
    return {t: renumber(links.labels(t)[rows]) for t in thresholds}


class _Links:
    """Verified pairs as the components that they form at each threshold."""

    def __init__(self, n: int, thresholds: Sequence[float]) -> None:
        self.n = n
        self.thresholds = list(thresholds)
        self._components = {t: np.arange(n) for t in thresholds}

    def open(self, a: Ints, b: Ints) -> NDArray[np.bool_]:
        """Which pairs could still change a component: those not joined at the top threshold."""
        top = self._components[self.thresholds[-1]]
        apart: NDArray[np.bool_] = top[a] != top[b]
        return apart

    def add(self, a: Ints, b: Ints, similarity: NDArray[np.float64]) -> None:
        """Join the pairs at every threshold that their similarity reaches."""
        for t in self.thresholds:
            near = similarity >= t - 1e-12
            if near.any():
                old = self._components[t]
                first, second = old[a[near]], old[b[near]]
                touched, ends = np.unique(np.concatenate([first, second]), return_inverse=True)
                joined = components(len(touched), ends[: len(first)], ends[len(first) :])
                new = np.arange(self.n)
                new[touched] = touched[np.unique(joined, return_index=True)[1]][joined]
                self._components[t] = new[old]

    def labels(self, threshold: float) -> Ints:
        """Shape (n,), component numbers."""
        return self._components[threshold]


def components(n: int, a: Ints, b: Ints) -> Ints:
    """Connected components of n nodes under the edges (a, b), shape (n,)."""
    from scipy.sparse import coo_array  # slow to import, and not needed for stored clusters
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n))
    labels: Ints = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def join(first: Ints, second: Ints) -> Ints:
    """Clusters that keep together what either of two clusterings keeps together.

    Args:
        first: shape (n,), cluster numbers.
        second: shape (n,), cluster numbers.

    Returns:
        Shape (n,), numbers from 0 in order of first appearance.

    Example:
        >>> join(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])).tolist()
        [0, 0, 0, 1]
    """
    if len(first) == 0:
        return np.empty(0, np.int64)
    a, b = (np.unique(c, return_inverse=True)[1] for c in (first, second))
    labels = components(int(a.max() + b.max()) + 2, a, b + a.max() + 1)
    return renumber(labels[a])


def renumber(labels: Ints) -> Ints:
    """Cluster numbers in order of first appearance."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _link(texts: list[str], members: Ints, width: int, links: _Links, seed: int) -> None:
    """Propose pairs band by band, drop those far below the threshold, verify the rest."""
    slots = np.empty((_SLOTS, len(members)), np.uint32)
    chosen = [texts[i] for i in members.tolist()]
    sets, sketch = ShingleSets(chosen, width), _Sketch(seed)
    for rows, hashes in cut(chosen, width):
        slots[:, rows] = sketch(hashes)
        sets.add(rows, hashes)
    brief = np.ascontiguousarray(slots.T.astype(np.uint8))  # enough to see who is far away
    lowest = links.thresholds[0]
    floor = lowest - _SIGMAS * np.sqrt(lowest * (1.0 - lowest) / _SLOTS)
    for first in range(0, _SLOTS, _BAND):
        for a, b in _batches(_candidates(slots, first, lowest)):
            near = sets.comparable(a, b, lowest)
            a, b = a[near], b[near]
            near = links.open(members[a], members[b])
            a, b = a[near], b[near]
            near = np.count_nonzero(brief[a] == brief[b], axis=1) >= floor * _SLOTS
            a, b = a[near], b[near]
            if len(a):
                links.add(members[a], members[b], sets.jaccard(a, b))


class _Sketch:
    """MinHash: the smallest of a text's hashes under each of 80 permutations.

    A permutation is multiplication by an odd factor modulo 2³², of hashes that are random
    already; over many texts at once that is one product and one minimum per slot. Short texts
    are sketched faster so than by a library that returns its sketches as lists of integers.
    """

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._factors = rng.integers(0, 2**32, _SLOTS, dtype=np.uint32) | np.uint32(1)

    def __call__(self, hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Hashes, shape (m, s) → sketches, shape (80, m)."""
        wide = np.ascontiguousarray(hashes.T)
        permuted = np.empty_like(wide)
        out = np.empty((_SLOTS, wide.shape[1]), np.uint32)
        for slot in range(_SLOTS):
            np.multiply(wide, self._factors[slot], out=permuted)
            np.minimum.reduce(permuted, axis=0, out=out[slot])
        return out


def _candidates(
    slots: NDArray[np.uint32], first: int, lowest: float
) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of rows that agree on a band; crowded buckets are split by more slots."""
    needed = bisect((0.3, 0.5, 0.65, 0.75), lowest) + 1  # slots of the band: 1 … 5
    key = np.zeros(slots.shape[1], np.uint64)
    for step in range(needed):
        key = (key ^ (key >> np.uint64(29))) * _SPREAD[0] + slots[first + step] * _SPREAD[1]
    rows = np.arange(len(key))
    for step in range(needed, _SLOTS + 1):
        by_key = np.argsort(key)
        rows, key = rows[by_key], key[by_key]
        shared = np.zeros(len(key), np.bool_)
        shared[1:] = key[1:] == key[:-1]
        shared[:-1] |= shared[1:]
        rows, key = rows[shared], key[shared]
        starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        sizes = np.diff(np.append(starts, len(key)))
        size, bucket = np.repeat(sizes, sizes), np.repeat(np.arange(len(sizes)), sizes)
        crowded = (size > _CROWD) & (step < _SLOTS)
        yield from _pairs(rows[~crowded], bucket[~crowded])
        rows, bucket = rows[crowded], bucket[crowded]
        if len(rows) == 0:
            return
        key = (bucket.astype(np.uint64) << np.uint64(32)) | slots[(first + step) % _SLOTS, rows]


def _pairs(rows: Ints, bucket: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Pairs of rows within a bucket, at most `_CROWD` places apart."""
    for gap in range(1, _CROWD):
        same = np.flatnonzero(bucket[gap:] == bucket[:-gap])
        if len(same) == 0:
            return
        for at in range(0, len(same), _BLOCK_PAIRS):
            part = same[at : at + _BLOCK_PAIRS]
            yield rows[part], rows[part + gap]


def _batches(pairs: Iterator[tuple[Ints, Ints]]) -> Iterator[tuple[Ints, Ints]]:
    """Small blocks of pairs as fewer larger ones."""
    first: list[Ints] = []
    second: list[Ints] = []
    held = 0
    for a, b in pairs:
        first.append(a)
        second.append(b)
        held += len(a)
        if held >= _BLOCK_PAIRS:
            yield np.concatenate(first), np.concatenate(second)
            first, second, held = [], [], 0
    if held:
        yield np.concatenate(first), np.concatenate(second)
