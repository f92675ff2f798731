"""What is measured of every dataset, whatever its task: tokens, balance of classes, redundancy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataedge.engine import Step
from dataedge.figures import Figure
from dataedge.items import Task
from dataedge.measure import volume
from dataedge.prepare.prepared import NEAR
from dataedge.prompt.scores import Tokens, ask_tokens

if TYPE_CHECKING:
    from dataedge.engine.local import Engine
    from dataedge.items import Dataset
    from dataedge.prepare.prepared import PreparedData
    from dataedge.prompt.workspace import Workspace

REDUNDANCY = Step("redundancy", 2)
TOKEN_SAMPLE = 20_000
REMOTE_SAMPLE = 64
"""Texts whose tokens are counted: all that a machine has time for, few where each has its price."""


def tokens(workspace: Workspace) -> Figure:
    """Tokens of the distinct items, from a sample where there are very many."""
    items = workspace.dataset.items
    sample = REMOTE_SAMPLE if workspace.abilities.remote else TOKEN_SAMPLE
    rows = np.sort(np.random.default_rng(workspace.seed).permutation(len(items))[:sample])
    texts = [f"{items[i].text} {items[i].target}" for i in rows]
    counts = np.array(
        [len(t) for t in ask_tokens(workspace.engine, Tokens(workspace.lazy_model), texts)]
    )
    return volume.tokens(counts, workspace.clusters[rows], of=len(items), seed=workspace.seed)


def class_balance(dataset: Dataset, seed: int) -> Figure:
    """How evenly the labels are spread."""
    if dataset.task is not Task.CLASSIFY:
        return Figure.missing("the task has no classes", "share")
    return volume.class_balance([i.target for i in dataset.items if not i.label_missing], seed=seed)


def redundancy(engine: Engine, data: PreparedData, seed: int) -> dict[str, Figure]:
    """Rows, distinct items, near duplicates and meanings, by name."""
    counts = np.array([i.count for i in data.dataset.items])
    levels, vectors = data.near_duplicates, data.vectors

    def compute(_: object) -> dict[str, Figure]:
        from dataedge.measure.redundancy import redundancy

        return redundancy(counts, levels[NEAR], vectors, levels=levels, seed=seed)

    inputs = {"counts": counts, "levels": levels, "vectors": vectors, "seed": seed}
    return engine.once(REDUNDANCY, inputs, compute)


def measures(
    engine: Engine, data: PreparedData, counted: Figure, *, seed: int
) -> dict[str, Figure]:
    """All of them by name.

    Args:
        engine: keeps what was found.
        data: the prepared dataset.
        counted: its `tokens`, which the reasons need first.
        seed: of resampling.
    """
    return {
        **redundancy(engine, data, seed),
        "class_balance": class_balance(data.dataset, seed),
        "tokens": counted,
    }
