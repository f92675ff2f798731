"""Counts, tokens and class balance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataedge.measure.volume import class_balance, tokens


def test_tokens_are_exact_where_all_items_were_counted() -> None:
    found = tokens(np.array([10, 20, 30]), np.arange(3))
    assert (found.value, found.low, found.high, found.n) == (60, None, None, 3)
    assert tokens(np.array([], int), np.array([], int)).status == "skipped"


def test_tokens_of_a_sample_stand_for_all_items_within_their_interval() -> None:
    rng = np.random.default_rng(0)
    everything = rng.poisson(40, 5000) + 1
    covered = 0
    for seed in range(40):
        rows = np.random.default_rng(seed).choice(5000, 200, replace=False)
        found = tokens(everything[rows], np.arange(200), of=5000, seed=seed)
        assert found.n == 5000
        assert found.detail["counted_on"] == 200
        assert found.value is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.value < found.high
        covered += found.low <= everything.sum() <= found.high
    assert covered >= 34


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
