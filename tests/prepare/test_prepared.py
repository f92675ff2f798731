"""What stands together stays on one side: near duplicates, identical prompts; too little is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from dataedge.engine.local import Engine
from dataedge.errors import AuditError, ExitCode
from dataedge.items import Dataset, Item, Task
from dataedge.prepare import prepared
from dataedge.prepare.splits import Splits
from dataedge.progress import Progress
from dataedge.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SENTENCES = (
    "where did the new bank card go after it was sent from the branch in the old town",
    "please tell me how long a transfer to another country takes when it is sent today",
    "the machine at the corner kept my money although the screen said it was done",
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Store(tmp_path) as store:
        store.begin_run("test", {}, None)
        yield Engine(store, Progress(quiet=True))


def pairs(task: Task) -> Dataset:
    """Twins by a slip, and the same input with another output."""
    items = (
        Item((SENTENCES[0],), "in the post", 1),
        Item((SENTENCES[0].upper() + "?",), "in the post as well", 2),
        Item((SENTENCES[1],), "about two working days, or three where a holiday comes between", 3),
        Item((SENTENCES[1],), "no idea, sorry, ask the friendly people at the branch instead", 4),
        Item((SENTENCES[2],), "it will come back by itself within a week", 5),
    )
    return Dataset("d", task, items, 5, {})


def test_inputs_to_classify_are_twins_whatever_their_label(engine: Engine) -> None:
    data = pairs(Task.CLASSIFY)
    found = prepared.clusters(engine, data, prepared.near_duplicates(engine, data))
    assert found.tolist() == [0, 0, 1, 1, 2]


def test_an_identical_prompt_joins_different_responses(engine: Engine) -> None:
    data = pairs(Task.GENERATE)
    levels = prepared.near_duplicates(engine, data)
    assert levels[prepared.NEAR].tolist()[2] != levels[prepared.NEAR].tolist()[3]
    found = prepared.clusters(engine, data, levels)
    assert found[2] == found[3]
    assert len(set(found.tolist())) == 3


def test_clusters_are_computed_once(engine: Engine) -> None:
    data = pairs(Task.CLASSIFY)
    first = prepared.near_duplicates(engine, data)
    again = prepared.near_duplicates(engine, data)
    assert engine.records["near_duplicates"].done == engine.records["near_duplicates"].reused == 1
    assert all(np.array_equal(first[t], again[t]) for t in first)


def test_items_are_stored_with_their_side_and_cluster(engine: Engine) -> None:
    none = np.array([], np.int64)
    splits = Splits(np.array([0, 1]), np.array([2]), np.array([4]), none, "made")
    one = np.ones((5, 1), np.float32)
    clusters = np.array([0, 0, 1, 1, 2])
    near = {prepared.NEAR: np.array([0, 1, 2, 2, 3])}
    data = prepared.PreparedData(pairs(Task.CLASSIFY), one, (one,), None, near, clusters, splits)
    engine.store.replace("items", prepared.item_table(data))
    run = f"run_{engine.store.run}"
    rows = engine.store.con.sql(
        f"select row, side, cluster, near_duplicates from {run}.items order by row"
    ).fetchall()
    assert rows == [
        (1, "train", 0, 0), (2, "train", 0, 1), (3, "development", 1, 2), (4, "unused", 1, 2),
        (5, "evaluation", 2, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(("held", "refused"), [(3, True), (4, False)])
def test_too_few_held_out_items_are_refused(held: int, refused: bool) -> None:
    side = np.arange(held)
    splits = Splits(np.arange(5), side, side, np.array([], np.int64), "made")
    if not refused:
        prepared.check_split(pairs(Task.CLASSIFY), splits, np.arange(5))
        return
    with pytest.raises(AuditError, match="5 groups of near duplicates") as caught:
        prepared.check_split(pairs(Task.CLASSIFY), splits, np.arange(5))
    assert caught.value.code is ExitCode.NO_CONCLUSION
