"""How many rows say something of their own: from rows to distinct meanings, as levels.

rows → unique → near-duplicate clusters (`minhash`) → semantic clusters, with the Vendi score
beside them. No level is the truth: each is a count under one idea of sameness, and the figures
carry the range over thresholds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure
from dataedge.measure.same_meaning import semantic_clusters, vendi_score
from dataedge.prepare.near_duplicates import renumber

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Ints = NDArray[np.int64]


def redundancy(
    counts: Ints,
    clusters: Ints,
    vectors: Floats | None,
    *,
    levels: Mapping[float, Ints] | None = None,
    seed: int = 0,
) -> dict[str, Figure]:
    """The redundancy of a dataset as figures.

    Args:
        counts: shape (n,), rows of the dataset that each distinct item stands for.
        clusters: shape (n,), near-duplicate clusters of the items at the threshold in use.
        vectors: shape (n, d), or None where there are none: no semantic level then.
        levels: threshold → clusters, from `near_duplicate_levels`; gives figures their range.
        seed: of the random pairs behind the semantic threshold.

    Returns:
        `duplicate_share` (rows that repeat another exactly), `near_duplicate_share` (rows beyond
        the first of their cluster, exact repeats included) and `effective_rows` (clusters). Low and
        high are the range over thresholds, not a sampling interval.

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
        detail |= _semantic_detail(vectors, counts, clusters, seed)
    ranged = bool(by_level)
    return {
        "duplicate_share": Figure(1.0 - n / rows, n=rows, unit="share", detail={"unique": n}),
        "near_duplicate_share": Figure(
            1.0 - near / rows,
            1.0 - many / rows if ranged else None,
            1.0 - few / rows if ranged else None,
            n=rows,
            unit="share",
            detail={"largest_cluster": int(np.bincount(renumber(clusters), counts).max())},
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


def _semantic_detail(vectors: Floats, counts: Ints, clusters: Ints, seed: int) -> dict[str, Any]:
    semantic = semantic_clusters(vectors, clusters=clusters, seed=seed)
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
