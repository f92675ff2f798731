"""Numeric labels are numbers; where classes are asked for, they are classes by quartile."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataedge.errors import AuditError
from dataedge.items import Task
from dataedge.load import load
from dataedge.load.quantities import Bins


def frame(values: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"text": [f"words {i} here" for i in range(len(values))], "label": values})


def test_numbers_are_read_as_numbers_with_a_note() -> None:
    data = load(frame([i / 7 for i in range(80)]))
    assert data.task is Task.NUMBER
    assert data.labels == ()
    assert [i.number for i in data.items[:2]] == [0.0, 1 / 7]
    assert [i.target for i in data.items[:2]] == ["0.0", "0.14286"]
    assert any("80 different numbers: read as numbers" in n for n in data.notes)
    assert data.items[0].id != load(frame([i / 7 + 1e-9 for i in range(80)])).items[0].id


def test_classes_by_quartile_where_classes_are_asked_for() -> None:
    data = load(frame([i / 7 for i in range(80)]), task="classify")
    assert data.task is Task.CLASSIFY
    assert len(data.labels) == 4
    counts = pd.Series([i.target for i in data.items]).value_counts()
    assert counts.min() >= 18
    assert all(i.number is None for i in data.items)
    assert any("read as classes by quartile" in n for n in data.notes)


def test_few_numbers_are_numbers_where_numbers_are_asked_for() -> None:
    stars = frame([i % 5 for i in range(80)])
    for found in (load(stars, task="number"), load(stars, task="number", label_column="label")):
        assert found.task is Task.NUMBER
        assert [i.number for i in found.items[:3]] == [0.0, 1.0, 2.0]
    named = load(stars.rename(columns={"label": "weight"}), task="number")
    assert named.columns["label"] == "weight"
    answers = pd.DataFrame({"question": list(stars["text"]), "answer": [i % 30 for i in range(80)]})
    assert load(answers, task="number").task is Task.NUMBER


@pytest.mark.parametrize(
    ("values", "label"),
    [(["a", "b"] * 40, None), (["a", "b"] * 40, "label"), ([3] * 80, None), ([3] * 80, "label")],
)
def test_no_numbers_or_one_number_are_refused(values: list[object], label: str | None) -> None:
    with pytest.raises(AuditError, match=r"number") as caught:
        load(frame(values), task="number", label_column=label)
    assert caught.value.hint


def test_annotators_cannot_give_numbers() -> None:
    data = pd.DataFrame(
        {"text": [f"words {i}" for i in range(40)], "a": [1, 2] * 20, "b": [2] * 40}
    )
    with pytest.raises(AuditError, match="must be classes"):
        load(data, task="number", label_column="a,b")


def test_gaps_and_a_flag() -> None:
    values = [None if i % 10 == 0 else float(i) + 0.5 for i in range(80)]
    data = load(frame(values).rename(columns={"label": "price"}), label_column="price")
    missing = [i for i in data.items if i.label_missing]
    assert len(missing) == 8
    assert all(i.number is None and not i.target for i in missing)


def test_few_numbers_stay_classes() -> None:
    data = load(frame([i % 5 for i in range(80)]))
    assert data.labels == ("0", "1", "2", "3", "4")
    assert all(i.number is None for i in data.items)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80))
def test_every_number_has_a_class_and_higher_numbers_no_lower_one(values: list[float]) -> None:
    bins = Bins(values)
    assert 1 <= len(bins.names) <= 4
    ranks = [bins.names.index(bins.of(v)) for v in sorted(values)]
    assert (np.diff(ranks) >= 0).all()
