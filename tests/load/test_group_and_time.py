"""Columns of groups and times: read, kept apart from the text, and what they do to a split."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest

from dataedge.engine.local import Engine
from dataedge.errors import AuditError
from dataedge.learner.classifier import Learner
from dataedge.load import load
from dataedge.prepare import prepared
from dataedge.prepare.splits import split
from dataedge.progress import Progress
from dataedge.store import Store


def table(n: int = 60, **more: object) -> pd.DataFrame:
    frame = {"text": [f"message {i}" for i in range(n)], "label": ["a", "b"] * (n // 2)}
    return pd.DataFrame({**frame, **more})


def test_groups_and_times_are_read_and_play_no_other_role() -> None:
    data = load(
        table(
            customer=[f"c{i // 6}" for i in range(60)], sent=pd.date_range("2026-01-01", periods=60)
        ),
        group_column="Customer",
        time_column="sent",
    )
    assert data.columns == {"text": "text", "label": "label", "group": "customer", "time": "sent"}
    assert data.items[7].groups == ("c1",)
    assert data.items[1].time - data.items[0].time == 86400.0
    plain = load(table(), text_column="text", label_column="label")
    assert [i.id for i in data.items] == [i.id for i in plain.items]
    assert data.fingerprint != plain.fingerprint


def test_copies_in_two_groups_belong_to_both_and_are_as_old_as_the_first() -> None:
    twice = pd.concat([table(), table().head(1)], ignore_index=True)
    twice["who"], twice["year"] = [f"g{i}" for i in range(61)], range(2061, 2000, -1)
    data = load(twice, group_column="who", time_column="year", text_column="text")
    assert data.items[0].groups == ("g0", "g60")
    assert data.items[0].time == 2001.0
    near = np.arange(60)
    grouped = prepared.with_groups(data, near)
    assert len(set(grouped.tolist())) == 60
    twice.loc[60, "who"] = "g5"
    grouped = prepared.with_groups(load(twice, group_column="who", text_column="text"), near)
    assert grouped[0] == grouped[5]
    assert len(set(grouped.tolist())) == 59


@pytest.mark.parametrize("cells", [
    ["2026-01-02", "2026-01-10T09:00:00+02:00"], [date(2025, 1, 1), date(2026, 1, 1)],
    [1999, 2001], ["3", "20"], [datetime(2026, 1, 1, 5, tzinfo=UTC), datetime(2026, 1, 1, 6, tzinfo=UTC)],
])  # fmt: skip
def test_times_are_numbers_or_iso_dates_and_an_empty_cell_is_the_earliest(cells: list) -> None:
    when = [None, cells[0], *[cells[1]] * 58]
    data = load(table(when=pd.Series(when, dtype=object)), time_column="when")
    times = [i.time for i in data.items]
    assert times[0] == times[1] < times[2]


@pytest.mark.parametrize(("cells", "said"), [
    (["soon"] * 60, "row 1"), ([7] * 60, "1 distinct times"),
])  # fmt: skip
def test_no_time_to_split_by_is_said_with_its_place(cells: list, said: str) -> None:
    with pytest.raises(AuditError, match=said):
        load(table(when=cells), time_column="when")
    with pytest.raises(AuditError, match="no column 'whem'"):
        load(table(when=cells), time_column="whem")


def test_the_latest_are_held_out_even_of_a_dataset_with_a_split_of_its_own() -> None:
    day = np.random.default_rng(0).permutation(60)
    own = ["test" if i % 2 else "train" for i in range(60)]
    data = load(table(day=day, split=own), time_column="day")
    found = split(data, np.arange(60), probe_items=20, seed=0)
    held = [*found.development, *found.evaluation]
    assert len(held) == 20
    assert min(day[held]) > max(day[found.train])
    assert "by time" in found.notes[0]


def test_what_began_before_the_cut_stays_in_train() -> None:
    data = load(table(day=range(60)), time_column="day")
    clusters = np.arange(60)
    clusters[[0, 59]] = 0
    found = split(data, clusters, probe_items=20, seed=0)
    assert 59 in found.train
    assert "1 train items are as late" in found.notes[0]


def test_without_groups_a_learner_of_who_wrote_looks_like_one_of_the_task(tmp_path) -> None:
    """40 writers whose label is a coin's: a split by rows finds 90 %, one by writers finds chance."""
    reached: dict[str | None, list[float]] = {None: [], "writer": []}
    for seed in range(4):
        rng = np.random.default_rng(seed)
        writer = np.repeat(np.arange(40), 10)
        coin = rng.permutation(np.arange(40) % 2)
        style = rng.normal(size=(40, 30))
        X = (style[writer] + 0.5 * rng.normal(size=(400, 30))).astype(np.float32)
        frame = table(400, writer=writer)
        frame["label"] = np.where(coin[writer], "a", "b")
        for column, found in reached.items():
            data = load(frame, group_column=column, text_column="text", label_column="label")
            with Store(tmp_path / f"{seed}{column}") as store:
                levels = {prepared.NEAR: np.arange(400)}
                clusters = prepared.clusters(Engine(store, Progress()), data, levels)
            sides = split(data, clusters, probe_items=150, seed=seed)
            y = (frame["label"] == "a").to_numpy().astype(np.int64)
            learner = Learner().fit(
                X[sides.train], y[sides.train], 2, clusters=clusters[sides.train], seed=0
            )
            hits = learner.predict_proba(X[sides.evaluation]).argmax(1) == y[sides.evaluation]
            found.append(float(hits.mean()))
    assert np.mean(reached[None]) > 0.85
    assert abs(np.mean(reached["writer"]) - 0.5) < 0.15
