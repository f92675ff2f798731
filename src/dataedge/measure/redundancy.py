"""How many rows say something of their own: from rows to distinct meanings, as levels.

rows → unique → near-duplicate clusters (`minhash`) → semantic clusters, with the Vendi score
beside them. No level is the truth: each is a count under one idea of sameness, and the figures
carry the range over thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import coo_array

from dataedge.figures import Figure
from dataedge.measure.minhash import (
    components,
    near_duplicate_levels,
    near_duplicates,
    renumber,
)
from dataedge.measure.neighbours import Neighbours, neighbours, unit_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.int64]

__all__ = [
    "Neighbours",
    "SemanticClusters",
    "conflicts",
    "join",
    "near_duplicate_levels",
    "near_duplicates",
    "neighbours",
    "redundancy",
    "semantic_clusters",
    "vendi_score",
]

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
    found: Neighbours | None = None,
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
        found: neighbours of the rows, if they are known already.
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
    near = neighbours(unit, _LINKED, seed=seed) if found is None else found
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
    a, b = _codes(first), _codes(second)
    labels = components(int(a.max() + b.max()) + 2, a, b + a.max() + 1)
    return renumber(labels[a])


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


def conflicts(clusters: Ints, labels: Sequence[object]) -> Ints:
    """Pairs of near-duplicates that carry different labels.

    Args:
        clusters: shape (n,), near-duplicate clusters.
        labels: n labels.

    Returns:
        Shape (m, 2), positions: every item whose label is not its cluster's most frequent one
        (the first such, if several are), paired with the first item that has that label.

    Example:
        >>> conflicts(np.array([0, 0, 0, 1]), ["a", "b", "a", "c"]).tolist()
        [[1, 0]]
    """
    codes: dict[object, int] = {}
    y = np.array([codes.setdefault(label, len(codes)) for label in labels], np.int64)
    pairs: list[tuple[int, int]] = []
    order = np.argsort(clusters, kind="stable")
    bounds = np.flatnonzero(np.diff(clusters[order])) + 1
    for group in np.split(order, bounds):
        seen, first, count = np.unique(y[group], return_index=True, return_counts=True)
        if len(seen) > 1:
            usual = np.lexsort((first, -count))[0]
            other = group[y[group] != seen[usual]]
            pairs.extend((int(i), int(group[first[usual]])) for i in other)
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def redundancy(
    counts: Ints,
    clusters: Ints,
    vectors: Floats | None,
    *,
    levels: Mapping[float, Ints] | None = None,
    labels: Sequence[object] | None = None,
    found: Neighbours | None = None,
    seed: int = 0,
) -> dict[str, Figure]:
    """The redundancy of a dataset as figures.

    Args:
        counts: shape (n,), rows of the dataset that each distinct item stands for.
        clusters: shape (n,), near-duplicate clusters of the items at the threshold in use.
        vectors: shape (n, d), or None where there are none: no semantic level then.
        levels: threshold → clusters, from `near_duplicate_levels`; gives figures their range.
        labels: n labels; adds the measure `conflict_share`.
        found: neighbours of the vectors, if they are known already.
        seed: of the random pairs behind the semantic threshold.

    Returns:
        `duplicate_share` (rows that repeat another exactly), `near_duplicate_share` (rows beyond
        the first of their cluster, exact repeats included), `effective_rows` (clusters) and,
        with labels, `conflict_share` (items whose near-duplicates carry another label). Low
        and high are the range over thresholds, not a sampling interval.

    Example:
        >>> figures = redundancy(np.array([2, 1, 1]), np.array([0, 0, 1]), None)
        >>> figures["duplicate_share"].value, figures["effective_rows"].value
        (0.25, 2.0)
    """
    n = len(counts)
    if n == 0:
        reason = "no items to compare"
        return {
            "duplicate_share": Figure.missing(reason, "share"),
            "near_duplicate_share": Figure.missing(reason, "share"),
            "effective_rows": Figure.missing(reason, "rows"),
        }
    rows = int(np.sum(counts))
    near = len(np.unique(clusters))
    by_level = {t: len(np.unique(c)) for t, c in sorted((levels or {}).items())}
    few, many = min([near, *by_level.values()]), max([near, *by_level.values()])
    detail: dict[str, Any] = {
        "rows": rows,
        "unique": n,
        "near_duplicate_clusters": near,
        "near_duplicate_clusters_by_threshold": {f"{t:g}": c for t, c in by_level.items()},
        "range": "low and high are the range over thresholds",
    }
    reason = ""
    if vectors is None:
        reason = "no vectors: semantic clusters and Vendi score were not measured"
    else:
        detail |= _semantic_detail(vectors, counts, clusters, found, seed)
    ranged = bool(by_level)
    figures = {
        "duplicate_share": Figure(1.0 - n / rows, n=rows, unit="share", detail={"unique": n}),
        "near_duplicate_share": Figure(
            1.0 - near / rows,
            1.0 - many / rows if ranged else None,
            1.0 - few / rows if ranged else None,
            n=rows,
            unit="share",
            detail={"largest_cluster": int(np.bincount(_codes(clusters), counts).max())},
        ),
        "effective_rows": Figure(
            float(near),
            float(few) if ranged else None,
            float(many) if ranged else None,
            n=rows,
            unit="rows",
            reason=reason,
            detail=detail,
        ),
    }
    if labels is not None:
        pairs = conflicts(clusters, labels)
        share = len(np.unique(pairs[:, 0])) / n
        figures["conflict_share"] = Figure(
            share, n=n, unit="share", detail={"pairs": pairs[:100].tolist()}
        )
    return figures


def _codes(clusters: Ints) -> Ints:
    """Cluster numbers without gaps."""
    codes: Ints = np.unique(clusters, return_inverse=True)[1]
    return codes


def _semantic_detail(
    vectors: Floats, counts: Ints, clusters: Ints, found: Neighbours | None, seed: int
) -> dict[str, Any]:
    semantic = semantic_clusters(vectors, clusters=clusters, found=found, seed=seed)
    sizes = np.bincount(semantic.clusters)
    return {
        "semantic_clusters": len(sizes),
        "semantic_clusters_low": semantic.low,
        "semantic_clusters_high": semantic.high,
        "semantic_threshold": round(semantic.threshold, 6),
        "semantic_largest_cluster": int(sizes.max()),
        "random_pairs_above_threshold": semantic.random_share,
        "neighbour_recall": semantic.recall,
        "vendi_score": vendi_score(vectors, weights=counts),
    }
