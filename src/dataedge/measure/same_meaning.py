"""Rows that mean the same: clusters by cosine, with a threshold set on random pairs, and diversity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.prepare.neighbours import Neighbours, neighbours, unit_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.int64]

FALSE_LINKS = 0.001  # links that a row may have by chance alone, in expectation
_RANGE = (0.0001, 0.01)  # the same, for the range that is reported
_LINKED = 16  # neighbours through which clusters grow
_PAIRS = 400_000  # random pairs that set the threshold
_BLOCK = 16_384


@dataclass(frozen=True)
class SemanticClusters:
    """Rows that mean the same, as far as their vectors tell.

    Attributes:
        clusters: shape (n,), numbers from 0.
        threshold: cosine from which two rows are linked.
        low: fewest clusters where ten times as many chance links, or a tenth, are allowed.
        high: most clusters there.
        random_share: share of random pairs whose cosine reaches the threshold (what is left of
            it beyond chance is sameness of topic).
        recall: of the neighbour search.
    """

    clusters: Ints
    threshold: float
    low: int
    high: int
    random_share: float
    recall: float


def semantic_clusters(
    vectors: Floats,
    *,
    clusters: Ints | None = None,
    false_links: float = FALSE_LINKS,
    seed: int = 0,
) -> SemanticClusters:
    """Cluster rows by cosine, the threshold set on random pairs.

    A cluster is a star: a centre and the rows within the threshold of it, the row with the most
    links first. Every row is then as close to its centre as the threshold says, and the number of
    clusters is how many rows would do to stand for all. (Connected components would chain: in
    22,500 rows of clinc_oos, one of them held a fifth of the data.)

    Random pairs of rows from different near-duplicate clusters show how similar unrelated rows
    are. Their cosines are put on Fisher's scale, where they are close to normal (Fisher 1915);
    centre and spread are read off the median and the 99th percentile, so that the few pairs
    that do belong together do not move them; and the threshold is where a row has `false_links`
    links by chance. It is never below what directions drawn evenly from the sphere would need.
    Distances to nearest neighbours play no part: they shrink as twins are added, and a
    threshold tied to them goes blind.

    Args:
        vectors: shape (n, d).
        clusters: shape (n,), near-duplicate clusters, which stay whole; each row its own if None.
        false_links: expected number of chance links per row.
        seed: of the random pairs.

    Returns:
        Clusters, threshold and the range of cluster counts over thresholds.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> rows = rng.normal(size=(200, 64))
        >>> twins = np.vstack([rows, rows + 0.05 * rng.normal(size=rows.shape)])
        >>> int(semantic_clusters(twins).clusters.max()) + 1
        200
    """
    unit = unit_rows(vectors)
    n = len(unit)
    own = np.arange(n) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    if n == 0:
        return SemanticClusters(own, 1.0, 0, 0, 0.0, 1.0)
    near = neighbours(unit, _LINKED, seed=seed)
    cosines, groups = _random_pairs(unit, own, seed)
    levels = [_threshold(cosines, groups, unit.shape[1], f) for f in (false_links, *_RANGE)]
    joined = [_stars(near, own, threshold) for threshold in levels]
    counts = [int(j.max()) + 1 for j in joined]
    share = float((cosines >= levels[0]).mean()) if len(cosines) else 0.0
    return SemanticClusters(joined[0], levels[0], min(counts), max(counts), share, near.recall)


def _random_pairs(unit: NDArray[np.float32], own: Ints, seed: int) -> tuple[Floats, int]:
    """Cosines of random pairs from different clusters, and how many clusters there are."""
    _, first = np.unique(own, return_index=True)
    m = len(first)
    if m < 2:
        return np.empty(0), m
    if m * (m - 1) // 2 <= _PAIRS:
        a, b = np.triu_indices(m, 1)
    else:
        rng = np.random.default_rng(seed)
        a = rng.integers(0, m, _PAIRS)
        b = (a + rng.integers(1, m, _PAIRS)) % m
    a, b = first[a], first[b]
    parts = [
        np.einsum("ij,ij->i", unit[a[i : i + _BLOCK]], unit[b[i : i + _BLOCK]])
        for i in range(0, len(a), _BLOCK)
    ]
    return np.clip(np.concatenate(parts).astype(np.float64), -1.0, 1.0), m


def _threshold(cosines: Floats, groups: int, d: int, false_links: float) -> float:
    """Cosine above which a row has `false_links` chance links among `groups` unrelated rows."""
    from scipy.stats import beta, norm

    if groups < 2:
        return 1.0 - 1e-6
    tail = min(false_links / (groups - 1), 0.5)
    scale = np.arctanh(np.clip(cosines, -1.0 + 1e-9, 1.0 - 1e-9))
    centre, upper = np.quantile(scale, [0.5, 0.99])
    spread = (upper - centre) / norm.isf(0.01)
    fitted = float(np.tanh(centre + spread * norm.isf(tail)))
    even = float(np.sqrt(beta.isf(2.0 * tail, 0.5, (d - 1) / 2))) if d > 1 else 1.0
    return min(max(fitted, even), 1.0 - 1e-6)


def _stars(near: Neighbours, own: Ints, threshold: float) -> Ints:
    """Centres with the rows linked to them, the most linked first; shape (n,).

    Near-duplicate clusters stay whole: they, not rows, are the nodes.
    """
    rows, columns = np.nonzero((near.cosine >= threshold) & (near.index >= 0))
    a, b = own[rows], own[near.index[rows, columns]]
    groups = int(own.max()) + 1
    from scipy.sparse import coo_array  # slow to import, and not needed for stored clusters

    links = coo_array(
        (np.ones(2 * len(a), np.int8), (np.concatenate([a, b]), np.concatenate([b, a]))),
        shape=(groups, groups),
    ).tocsr()
    begin, linked = links.indptr.tolist(), links.indices
    star = np.full(groups, -1, np.int64)
    stars = 0
    for centre in np.argsort(-np.diff(links.indptr), kind="stable").tolist():
        if star[centre] < 0:
            around = linked[begin[centre] : begin[centre + 1]]
            star[around[star[around] < 0]] = stars
            star[centre] = stars
            stars += 1
    clusters: Ints = star[own]
    return clusters


def vendi_score(vectors: Floats, *, weights: NDArray[Any] | None = None) -> float:
    """Effective number of orthogonal directions among the rows: exp of the spectral entropy.

    exp(−Σ λ log λ) over the eigenvalues of the cosine kernel divided by n (Friedman & Dieng
    2022, equation 3). The d × d Gram matrix has the same non-zero eigenvalues, so that memory
    does not grow with n. A diversity, at most min(n, d): never a count of rows.

    Args:
        vectors: shape (n, d).
        weights: shape (n,), how many rows each vector stands for; 1 if None.

    Returns:
        From 1 (all alike) to min(n, d); 0.0 without rows.

    Example:
        >>> round(vendi_score(np.eye(4)), 6), round(vendi_score(np.ones((4, 3))), 6)
        (4.0, 1.0)
    """
    unit = unit_rows(vectors)
    if len(unit) == 0:
        return 0.0
    share = np.ones(len(unit)) if weights is None else np.asarray(weights, np.float64)
    gram = np.zeros((unit.shape[1],) * 2)
    for start in range(0, len(unit), _BLOCK):
        block = unit[start : start + _BLOCK].astype(np.float64)
        gram += (block * share[start : start + _BLOCK, None]).T @ block
    trace = float(np.trace(gram))
    if trace <= 0.0:
        return 0.0
    eigenvalues = np.linalg.eigvalsh(gram / trace)
    eigenvalues = eigenvalues[eigenvalues > 1e-12]
    return float(np.exp(-np.sum(eigenvalues * np.log(eigenvalues))))
