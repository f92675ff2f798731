"""Counts, tokens and class balance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataedge.items import Dataset, Item, Task
from dataedge.measure.volume import class_balance, counts, tokens


def test_counts_keep_rows_items_and_missing_labels_apart() -> None:
    items = (
        Item(("a",), "x", row=1, count=3),
        Item(("b",), "y", row=4),
        Item(("c",), "", row=5, label_missing=True),
    )
    found = counts(Dataset("d", Task.CLASSIFY, items, rows=5, columns={}))
    assert {k: f.value for k, f in found.items()} == {
        "rows": 5,
        "items": 3,
        "unlabelled": 1,
        "classes": 2,
    }
    assert "classes" not in counts(Dataset("d", Task.GENERATE, items, rows=5, columns={}))


def test_tokens_weigh_repeated_rows_in_the_total_only() -> None:
    found = tokens(np.array([10, 20, 30]), np.arange(3), repeats=np.array([5, 1, 1]))
    assert found["total"].value == 100
    assert found["distinct"].value == 60
    mean = found["mean"]
    assert mean.value == 20
    assert mean.low is not None
    assert mean.high is not None
    assert mean.low < 20 < mean.high
    assert mean.detail["longest"] == 30
    assert tokens(np.array([], int), np.array([], int))["mean"].status == "skipped"


def test_balance_of_even_and_skewed_classes() -> None:
    assert class_balance(["a", "b", "c"] * 40).value == pytest.approx(1.0)
    skewed = class_balance(["yes"] * 85 + ["no"] * 14 + ["maybe"])
    assert skewed.value is not None
    assert 0.3 < skewed.value < 0.5
    assert skewed.detail["majority_share"] == 0.85
    assert skewed.detail["largest"]["yes"] == 85
    assert next(iter(skewed.detail["smallest"])) == "maybe"
    assert "1 of 3 classes" in skewed.reason
    assert class_balance([]).value is None
    assert class_balance(["a"] * 9).value == 0.0


def test_balance_interval_covers_the_true_balance() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(12, 2.0))
    truth = float(-(p * np.log(p)).sum() / np.log(12))
    covered = 0
    for trial in range(100):
        figure = class_balance([str(c) for c in rng.choice(12, 300, p=p)], seed=trial)
        assert figure.low is not None
        assert figure.high is not None
        covered += figure.low <= truth <= figure.high
    assert covered >= 88


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60))
def test_balance_is_a_share_within_its_interval(labels: list[str]) -> None:
    figure = class_balance(labels)
    assert figure.value is not None
    assert 0.0 <= figure.value <= 1.0
    if figure.low is not None and figure.high is not None:
        assert 0.0 <= figure.low <= figure.value <= figure.high <= 1.0
