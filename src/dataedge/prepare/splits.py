"""Which items are learned from, which choose settings, and which are reported on."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dataedge.errors import AuditError, ExitCode
from dataedge.items import Task
from dataedge.positions import Positions, positions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from dataedge.items import Dataset


FEWEST = 20
"""Items below which there is nothing to split."""
LARGEST_SHARE = 0.4
"""Of the items, that a made split may hold out."""


@dataclass(frozen=True)
class Splits:
    """Positions of the dataset's items, ascending; no cluster is on two sides.

    Attributes:
        train: learned from, and drawn on for demonstrations.
        development: chooses templates, calibration and temperature.
        evaluation: reported on.
        leaked: test items of the dataset's own split with a near duplicate in its train side;
            they are on no side. Empty for a made split.
        source: the dataset's own split, or one made here.
        notes: sentences for the report.
    """

    train: Positions
    development: Positions
    evaluation: Positions
    leaked: Positions
    source: Literal["dataset", "made"]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Cluster:
    """Items that stay together.

    Attributes:
        members: their indices.
        rank: pseudo-random by seed and content, whatever the row order.
        stratum: the label most of them have; "" where there are no labels.
    """

    members: tuple[int, ...]
    rank: str
    stratum: str


def split(dataset: Dataset, clusters: NDArray[np.int64], *, probe_items: int, seed: int) -> Splits:
    """Splits a dataset so that near duplicates are never on two sides.

    Where items have a time, the latest clusters are held out: those whose first item came last.
    Otherwise a split that the dataset brings is kept: development and evaluation are drawn from its test
    side. Otherwise (or where fewer than FEWEST test items are free of leaks) one is made,
    stratified by label. It depends on the items' content and the seed, not on their order.

    Args:
        dataset: with n items.
        clusters: shape (n,), number of each item's near-duplicate cluster.
        probe_items: how many to hold out at most; a quarter of them for development.
        seed: of the choice.

    Raises:
        AuditError: NO_CONCLUSION, if there are too few items or clusters.
    """
    usable = [i for i, item in enumerate(dataset.items) if not item.label_missing]
    if len(usable) < FEWEST:
        raise AuditError(
            f"{dataset.path}: {len(usable)} distinct items can be used, and a split needs {FEWEST}",
            "Add rows, or labels to rows that have none, then run `dataedge audit` again",
            ExitCode.NO_CONCLUSION,
        )
    budget = min(probe_items, int(LARGEST_SHARE * len(usable)))
    if any(dataset.items[i].time is not None for i in usable):
        return _by_time(dataset, _clusters(dataset, clusters, usable, seed), budget, usable, seed)
    own = _own(dataset, clusters, usable, probe_items, seed)
    if isinstance(own, Splits):
        return own
    pool = _clusters(dataset, clusters, usable, seed)
    held = _choose(pool, budget, seed, spare=True)
    return _sides(dataset, held, usable, seed, own)


def _by_time(
    dataset: Dataset, pool: list[_Cluster], budget: int, usable: Sequence[int], seed: int
) -> Splits:
    """The latest clusters held out, whole; no item of theirs is older than the cut."""
    items = dataset.items
    began = {c.rank: min(items[i].time or 0.0 for i in c.members) for c in pool}
    held: list[_Cluster] = []
    used = 0
    for cluster in sorted(pool, key=lambda c: (-began[c.rank], c.rank)):
        if used + len(cluster.members) > budget:
            break  # nothing older may take its place
        held.append(cluster)
        used += len(cluster.members)
    cut = min((began[c.rank] for c in held), default=0.0)
    inside = {i for c in held for i in c.members}
    later = sum((items[i].time or 0.0) > cut for i in usable if i not in inside)
    note = "held out by time: the latest items, and the groups that began last"
    if later:
        note += f"; {later:,} train items are as late, since what they belong to began before"
    return _sides(dataset, sorted(held, key=lambda c: c.rank), usable, seed, (note,))


def _own(
    dataset: Dataset,
    clusters: NDArray[np.int64],
    usable: Sequence[int],
    probe_items: int,
    seed: int,
) -> Splits | tuple[str, ...]:
    """The dataset's own split, or the notes that say why it was not kept."""
    test = [i for i in usable if dataset.items[i].split == "test"]
    train = [i for i in usable if dataset.items[i].split != "test"]
    if not test:
        return ()
    if len(train) < FEWEST:
        return (f"the dataset's train side has {len(train)} items: a split was made instead",)
    known = {int(clusters[i]) for i in train}
    leaked = [i for i in test if int(clusters[i]) in known]
    free = [i for i in test if int(clusters[i]) not in known]
    if len(free) < FEWEST:
        note = (
            f"{len(leaked):,} of the dataset's {len(test):,} test items have a near duplicate in "
            f"train, which leaves {len(free)}: a split was made instead"
        )
        return (note,)
    held = _choose(_clusters(dataset, clusters, free, seed), min(probe_items, len(free)), seed)
    note = f"{len(leaked):,} of {len(test):,} test items have a near duplicate in train: left out"
    notes = (note,) if leaked else ()
    made = _sides(dataset, held, train, seed, notes)
    return Splits(made.train, made.development, made.evaluation, _array(leaked), "dataset", notes)


def _sides(
    dataset: Dataset,
    held: Sequence[_Cluster],
    usable: Sequence[int],
    seed: int,
    notes: tuple[str, ...],
) -> Splits:
    """Development and evaluation out of what is held out; the rest of the usable is train.

    Development takes the last in rank: of two audits of the same data, the one that holds out more is
    then judged on the items of the other, and on further ones.
    """
    size = sum(len(c.members) for c in held)
    development = _choose(held[::-1], max(1, round(size / 4)), seed)
    if not development and held:
        development = [min(held, key=lambda c: (len(c.members), c.rank))]
    inside = {i for c in development for i in c.members}
    evaluation = [i for c in held for i in c.members if i not in inside]
    train = set(usable) - inside - set(evaluation)
    if not inside or not evaluation or not train:
        raise AuditError(
            f"{dataset.path}: {len(usable)} items, but too many near duplicates to split them",
            "Add rows that differ, then run `dataedge audit` again",
            ExitCode.NO_CONCLUSION,
        )
    return Splits(_array(train), _array(inside), _array(evaluation), _array(()), "made", notes)


def _clusters(
    dataset: Dataset, clusters: NDArray[np.int64], chosen: Iterable[int], seed: int
) -> list[_Cluster]:
    """The chosen items by cluster, in the order of their ranks."""
    groups: dict[int, list[int]] = {}
    for i in chosen:
        groups.setdefault(int(clusters[i]), []).append(i)
    several = Counter(label for item in dataset.items for label in item.labels)
    found = []
    for members in groups.values():
        stratum = ""
        if dataset.task is Task.CLASSIFY:
            labels = Counter(dataset.items[i].target for i in members)
            stratum = min(labels, key=lambda label: (-labels[label], label))
        elif several:  # the rarest label of a cluster is the one that may be missing on a side
            own = {label for i in members for label in dataset.items[i].labels}
            stratum = min(own, key=lambda label: (several[label], label), default="")
        rank = _hash(seed, min(dataset.items[i].id for i in members))
        found.append(_Cluster(tuple(members), rank, stratum))
    return sorted(found, key=lambda c: c.rank)


def _choose(
    pool: Sequence[_Cluster], budget: int, seed: int, *, spare: bool = False
) -> list[_Cluster]:
    """Whole clusters with at most `budget` items together, each stratum in proportion.

    Args:
        pool: in the order of their ranks.
        budget: in items.
        seed: breaks ties between strata.
        spare: leave at least one cluster of every stratum.
    """
    quotas = _quotas(pool, budget, seed)
    left = Counter(c.stratum for c in pool)
    chosen: dict[str, _Cluster] = {}
    used = 0
    for room in (quotas, None):
        for cluster in pool:
            size = len(cluster.members)
            free = budget - used if room is None else room[cluster.stratum]
            if cluster.rank in chosen or size > free or (spare and left[cluster.stratum] == 1):
                continue
            chosen[cluster.rank] = cluster
            left[cluster.stratum] -= 1
            used += size
            if room is not None:
                room[cluster.stratum] -= size
    return [cluster for cluster in pool if cluster.rank in chosen]


def _quotas(pool: Sequence[_Cluster], budget: int, seed: int) -> dict[str, int]:
    """Items per stratum in proportion to its size, by largest remainders."""
    sizes: Counter[str] = Counter()
    for cluster in pool:
        sizes[cluster.stratum] += len(cluster.members)
    total = sum(sizes.values())
    shares = {s: budget * n / total for s, n in sizes.items()}
    quotas = {s: int(share) for s, share in shares.items()}
    order = sorted(shares, key=lambda s: (quotas[s] - shares[s], _hash(seed, s)))
    for stratum in order[: budget - sum(quotas.values())]:
        quotas[stratum] += 1
    return quotas


def _hash(seed: int, content: str) -> str:
    return hashlib.sha256(f"{seed}:{content}".encode()).hexdigest()


def _array(indices: Iterable[int]) -> Positions:
    return positions(sorted(indices))
