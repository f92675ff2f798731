"""Numeric labels become classes by quartile, and keep their number."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from dataedge.items import Task
from dataedge.load import load
from dataedge.load.quantities import Bins


def frame(values: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"text": [f"words {i} here" for i in range(len(values))], "label": values})


def test_numbers_are_read_as_quartiles_with_a_note() -> None:
    data = load(frame([i / 7 for i in range(80)]))
    assert data.task is Task.CLASSIFY
    assert len(data.labels) == 4
    counts = pd.Series([i.target for i in data.items]).value_counts()
    assert counts.min() >= 18
    assert [i.number for i in data.items[:2]] == [0.0, 1 / 7]
    assert any("80 different numbers: read as classes by quartile" in n for n in data.notes)
    assert data.items[0].id != load(frame([i / 7 + 1e-9 for i in range(80)])).items[0].id


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
