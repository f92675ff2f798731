"""Are labels as frequent among held-out items as on the train side?

They are not where someone picked as many train rows of every label, or where the held-out rows are later
ones. What learns from the train side then expects the train side's frequencies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Reported

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Ints = NDArray[np.integer[Any]]

SHUFFLES = 999
LARGEST_P = 0.01
SMALLEST = 0.1
"""Share of held-out labels that would have to be others, beyond chance, from which on it is told."""
ITEMS = 20_000
"""Items of a side that are counted at most, drawn at random."""


def label_shift(
    train: Ints,
    held_out: Ints,
    train_clusters: Ints,
    held_out_clusters: Ints,
    labels: Sequence[str],
    *,
    seed: int,
) -> Reported:
    """How far label frequencies of the two sides lie apart, beyond what chance explains.

    The distance is the total variation ½ Σ |p − q|: the share of held-out labels that would have to be
    others. Of that, the mean of 999 shuffles of items over the two sides is taken off, and the p-value
    is theirs (Phipson & Smyth 2010: (b + 1) / (m + 1)), where one item of each near-duplicate cluster
    counts.

    Args:
        train: shape (n,), codes of train items' labels, 0 … K − 1.
        held_out: shape (m,), of held-out items.
        train_clusters: shape (n,), number of each item's near-duplicate cluster.
        held_out_clusters: shape (m,).
        labels: the K labels as given.
        seed: of the shuffles, and of the items counted where a side has more than 20 000.

    Returns:
        The share beyond chance, 0 or more. The detail has `p`, the `label` whose share of items moved
        most, and its share on either side. It is reported with p ≤ .01 and a tenth or more beyond chance,
        of one item of each cluster and of all.

    Example:
        >>> train, held_out = np.arange(60) % 3, np.repeat([0, 1, 2], [40, 10, 10])
        >>> apart = np.arange(60)
        >>> found = label_shift(train, held_out, apart, apart, ["a", "b", "c"], seed=0)
        >>> found.reported, found.detail["label"], round(found.detail["held_out_share"], 2)
        (True, 'a', 0.67)
    """
    rng, K = np.random.default_rng(seed), len(labels)
    if min(len(train), len(held_out)) == 0:
        return Reported.missing("both sides need labels", "share")
    singles = [
        _one_of_each(np.asarray(y), np.asarray(clusters), rng)
        for y, clusters in ((train, train_clusters), (held_out, held_out_clusters))
    ]
    every, n = np.concatenate(singles), len(singles[0])
    distance = _distance(every, n, K)
    shuffled = np.array([_distance(rng.permutation(every), n, K) for _ in range(SHUFFLES)])
    p = float((shuffled >= distance - 1e-12).sum() + 1) / (SHUFFLES + 1)
    before, after = _shares(np.asarray(train), K), _shares(np.asarray(held_out), K)
    of_items = float(np.abs(after - before).sum() / 2)
    beyond = min(distance, of_items) - float(shuffled.mean())
    most = int(np.abs(after - before).argmax())
    detail = {
        "p": p,
        "shuffles": SHUFFLES,
        "label": labels[most],
        "train_share": float(before[most]),
        "held_out_share": float(after[most]),
    }
    return Reported(
        max(beyond, 0.0),
        None,
        None,
        len(held_out),
        "share",
        detail=detail,
        reported=p <= LARGEST_P and beyond >= SMALLEST,
    )


def sentence(found: Reported) -> str:
    """What the user is told of a shift; empty where there is none to report.

    Example:
        >>> sentence(Reported.missing("both sides need labels", "share"))
        ''
    """
    if not found.reported:
        return ""
    d = found.detail
    return (
        f"Labels are not as frequent on both sides: {d['train_share']:.0%} of the train rows and "
        f"{d['held_out_share']:.0%} of the held-out ones have {d['label']!r}. What is foretold here knows "
        "that from development items; a fine-tune learns the train rows' frequencies, so weigh its label "
        "scores by how frequent labels are where it will be used"
    )


def _one_of_each(y: Ints, clusters: Ints, rng: np.random.Generator) -> Ints:
    """Labels of one item of each cluster, of some clusters where there are many."""
    _, single = np.unique(clusters, return_index=True)
    if len(single) > ITEMS:
        single = rng.choice(single, ITEMS, replace=False)
    return y[single]


def _shares(y: Ints, n_classes: int) -> NDArray[np.float64]:
    return np.bincount(y, minlength=n_classes) / len(y)


def _distance(every: Ints, n: int, n_classes: int) -> float:
    """Total variation between the labels of the first n items and of the others."""
    return float(np.abs(_shares(every[:n], n_classes) - _shares(every[n:], n_classes)).sum() / 2)
