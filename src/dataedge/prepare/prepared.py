"""What an audit works with before anything is asked: vectors, near duplicates, the items' sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dataedge.engine import Step
from dataedge.errors import AuditError, ExitCode
from dataedge.items import LABELLED, Task
from dataedge.prepare.splits import split
from dataedge.prepare.vectors import Embed, embed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.engine.local import Engine
    from dataedge.items import Dataset
    from dataedge.prepare.splits import Splits

NEAR_DUPLICATES = Step("near_duplicates", 1)
CLUSTERS = Step("clusters", 1)
NEAR = 0.8
"""Jaccard similarity of character n-grams from which two texts are near duplicates."""
LEVELS = (0.7, NEAR, 0.9)
"""Those at which they are counted."""
SAME_PROMPT = 0.95
"""From which two prompts count as one."""
FEWEST_HELD_OUT = 4
"""Development and evaluation items below which nothing can be said."""


@dataclass(frozen=True)
class PreparedData:
    """A dataset with everything that is known of it before a base model is asked.

    Attributes:
        dataset: the n items.
        vectors: shape (n, d), of each item's input, unit length.
        by_text: for each input text its vectors, shape (n, d).
        responses: shape (n, d), of each item's response; None where the task has none.
        near_duplicates: by threshold, each item's near-duplicate cluster, shape (n,).
        clusters: shape (n,): items of one cluster are never on two sides.
        splits: train, development and evaluation indices.
    """

    dataset: Dataset
    vectors: NDArray[np.float32]
    by_text: tuple[NDArray[np.float32], ...]
    responses: NDArray[np.float32] | None
    near_duplicates: dict[float, NDArray[np.int64]]
    clusters: NDArray[np.int64]
    splits: Splits


def prepare(
    engine: Engine, embedder: Embed, dataset: Dataset, *, probe_items: int, seed: int
) -> PreparedData:
    """Embed a dataset, find its near duplicates, and settle which items are held out.

    Args:
        engine: keeps the vectors and the clusters.
        embedder: what makes the vectors.
        dataset: the items.
        probe_items: how many to hold out at most.
        seed: of that choice.

    Raises:
        AuditError: too few items can be held out.
    """
    whole, by_text = vectors(engine, embedder, dataset)
    levels = near_duplicates(engine, dataset)
    joined = clusters(engine, dataset, levels)
    sides = split(dataset, joined, probe_items=probe_items, seed=seed)
    check_split(dataset, sides, joined)
    responses = None
    if dataset.task is Task.GENERATE:
        responses = embed(engine, embedder, [i.target for i in dataset.items])
    return PreparedData(dataset, whole, by_text, responses, levels, joined, sides)


def vectors(
    engine: Engine, embedder: Embed, dataset: Dataset
) -> tuple[NDArray[np.float32], tuple[NDArray[np.float32], ...]]:
    """Vectors of the whole inputs, and of each input text where there are two beside a label."""
    items = dataset.items
    whole = embed(engine, embedder, [i.text for i in items])
    texts = len(items[0].texts)
    if dataset.task not in LABELLED or texts == 1:
        return whole, (whole,)
    return whole, tuple(embed(engine, embedder, [i.texts[t] for i in items]) for t in range(texts))


def near_duplicates(engine: Engine, dataset: Dataset) -> dict[float, NDArray[np.int64]]:
    """Near-duplicate clusters at several thresholds.

    By the input where it has a label (so that twins with different labels are found),
    by the whole text otherwise.
    """
    items = dataset.items
    labelled = dataset.task in LABELLED
    texts = [i.text if labelled else f"{i.text}\n{i.target}" for i in items]

    def compute(_: object) -> dict[float, NDArray[np.int64]]:
        from dataedge.prepare.near_duplicates import near_duplicate_levels

        return near_duplicate_levels(texts, thresholds=LEVELS)

    return engine.once(NEAR_DUPLICATES, {"texts": texts, "thresholds": LEVELS}, compute)


def clusters(
    engine: Engine, dataset: Dataset, levels: dict[float, NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Items that must not stand on both sides of a split.

    Near duplicates, the same group (`--group-column`), and an identical prompt to answer.
    """
    near = with_groups(dataset, levels[NEAR])
    if dataset.task is not Task.GENERATE:
        return near
    prompts = [i.text for i in dataset.items]

    def compute(_: object) -> NDArray[np.int64]:
        from dataedge.prepare.near_duplicates import join, near_duplicates

        return join(near, near_duplicates(prompts, threshold=SAME_PROMPT))

    inputs = {"near": near, "prompts": prompts, "threshold": SAME_PROMPT}
    return engine.once(CLUSTERS, inputs, compute)


def with_groups(dataset: Dataset, near: NDArray[np.int64]) -> NDArray[np.int64]:
    """Clusters that groups join: an item of several groups, a copy of rows in each, joins them."""
    from dataedge.prepare.near_duplicates import components, renumber

    names = {g: k for k, g in enumerate(sorted({g for i in dataset.items for g in i.groups}))}
    if not names:
        return near
    n, first = len(near), len(near) + int(near.max()) + 1
    member = [(at, first + names[g]) for at, i in enumerate(dataset.items) for g in i.groups]
    item, group = np.array(member, np.int64).T
    ends = np.concatenate([np.arange(n), item]), np.concatenate([n + near, group])
    return renumber(components(first + len(names), *ends)[:n])


def check_split(dataset: Dataset, splits: Splits, clusters: NDArray[np.int64]) -> None:
    """Refuse a dataset of which too little can be held out.

    Raises:
        AuditError: fewer than four development or evaluation items.
    """
    if min(len(splits.development), len(splits.evaluation)) < FEWEST_HELD_OUT:
        raise AuditError(
            f"{dataset.path}: {len(dataset.items):,} items in only {len(np.unique(clusters)):,} groups of "
            "near duplicates; too few can be held out without a twin in the train side",
            hint="Add rows that differ by more than a few characters, then run `dataedge audit` again",
            code=ExitCode.NO_CONCLUSION,
        )


def item_table(data: PreparedData) -> pa.Table:
    """Every item with its side, for SQL: what is never split, and which items are near duplicates."""
    items, splits = data.dataset.items, data.splits
    side = np.full(len(items), "unused", object)
    for name in ("train", "development", "evaluation", "leaked"):
        side[getattr(splits, name)] = name
    extra: dict[str, Any] = {}
    if any(i.number is not None for i in items):
        extra["number"] = pa.array([i.number for i in items], pa.float64())
    if any(i.labels for i in items):
        extra["labels"] = pa.array([list(i.labels) for i in items], pa.list_(pa.string()))
    if any(i.annotations for i in items):
        said = [list(i.annotations) for i in items]
        extra["annotations"] = pa.array(said, pa.list_(pa.string()))
    return pa.table(
        {
            "item": [i.id for i in items],
            "row": [i.row for i in items],
            "count": [i.count for i in items],
            "texts": pa.array([list(i.texts) for i in items], pa.list_(pa.string())),
            "target": [i.target for i in items],
            "side": list(side),
            "cluster": data.clusters,
            "near_duplicates": data.near_duplicates[NEAR],
            **extra,
        }
    )
