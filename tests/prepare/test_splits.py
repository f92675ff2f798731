"""Splits: what holds for every dataset and clustering, and what the sizes come to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataedge.errors import AuditError, ExitCode
from dataedge.items import Dataset, Item, Task
from dataedge.prepare.splits import split


def dataset(labels, splits=None, task=Task.CLASSIFY):
    items = tuple(
        Item(
            (f"text {i}",),
            label or "",
            row=i + 1,
            label_missing=label is None,
            split=splits[i] if splits else None,
        )
        for i, label in enumerate(labels)
    )
    return Dataset("x.csv", task, items, len(items), {})


@st.composite
def cases(draw):
    n = draw(st.integers(24, 120))
    labels = draw(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=n, max_size=n))
    clusters = draw(st.lists(st.integers(0, n), min_size=n, max_size=n))
    splits = None
    if draw(st.booleans()):
        splits = draw(st.lists(st.sampled_from(["train", "test"]), min_size=n, max_size=n))
    return labels, np.array(clusters), splits, draw(st.integers(4, 80)), draw(st.integers(0, 9))


def try_split(data, clusters, probe_items, seed):
    try:
        return split(data, clusters, probe_items=probe_items, seed=seed)
    except AuditError as refused:
        if refused.code is not ExitCode.NO_CONCLUSION:
            raise
        return None


@settings(deadline=None, max_examples=150)
@given(cases())
def test_what_always_holds(case):
    labels, clusters, splits, probe_items, seed = case
    data = dataset(labels, splits)
    found = try_split(data, clusters, probe_items, seed)
    if found is None:
        return
    sides = [found.train, found.development, found.evaluation]
    everything = np.concatenate([*sides, found.leaked])
    assert len(everything) == len(set(everything.tolist()))
    known = [set(clusters[side].tolist()) for side in sides]
    assert not known[0] & known[1]
    assert not known[0] & known[2]
    assert not known[1] & known[2]
    assert all(len(side) for side in sides)
    assert all(side.dtype == np.int64 and (np.diff(side) > 0).all() for side in sides)
    assert not any(data.items[i].label_missing for i in everything)
    usable = sum(not i.label_missing for i in data.items)
    held = len(found.development) + len(found.evaluation)
    assert held <= probe_items
    if found.source == "made":
        assert held <= 0.4 * usable
        assert held + len(found.train) == usable
        assert not len(found.leaked)
    else:
        assert held + len(found.leaked) <= sum(i.split == "test" for i in data.items)
        assert all(data.items[i].split == "train" for i in found.train)
        assert all(clusters[i] in known[0] for i in found.leaked)


@settings(deadline=None, max_examples=60)
@given(cases(), st.randoms(use_true_random=False))
def test_the_row_order_plays_no_part(case, random):
    labels, clusters, splits, probe_items, seed = case
    data = dataset(labels, splits)
    order = list(range(len(labels)))
    random.shuffle(order)
    shuffled = Dataset("x.csv", data.task, tuple(data.items[i] for i in order), data.rows, {})
    one = try_split(data, clusters, probe_items, seed)
    again = try_split(data, clusters, probe_items, seed)
    names = 1000 - clusters[order]  # the clusters' numbers play no part either
    two = try_split(shuffled, names, probe_items, seed)
    assert (one is None) == (two is None)
    if one is None or two is None or again is None:
        return
    for side in ("train", "development", "evaluation", "leaked"):
        first, second = getattr(one, side), getattr(two, side)
        assert (first == getattr(again, side)).all()
        assert {data.items[i].id for i in first} == {shuffled.items[i].id for i in second}


def test_sizes_and_strata():
    labels = (["a"] * 6 + ["b"] * 3 + ["c"]) * 200
    found = split(dataset(labels), np.arange(2000), probe_items=400, seed=0)
    assert (len(found.development), len(found.evaluation), len(found.train)) == (100, 300, 1600)
    for side in (found.development, found.evaluation):
        share = np.mean([labels[i] == "a" for i in side])
        assert share == pytest.approx(0.6, abs=0.01)
    other = split(dataset(labels), np.arange(2000), probe_items=400, seed=1)
    assert set(found.evaluation) != set(other.evaluation)


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.GENERATE])
def test_a_larger_audit_judges_the_items_of_a_smaller_one_too(task):
    """The development side came first in rank once: 300 and 75 evaluation items then shared four."""
    labels = (["a"] * 6 + ["b"] * 3 + ["c"]) * 200
    for seed in range(5):
        small, large = (
            split(dataset(labels, task=task), np.arange(2000), probe_items=n, seed=seed)
            for n in (100, 400)
        )
        assert len(set(small.evaluation) - set(large.evaluation)) <= 2  # a quota may be rounded


def test_at_most_two_fifths_are_held_out():
    found = split(dataset(["a", "b"] * 50), np.arange(100), probe_items=400, seed=0)
    assert (len(found.development), len(found.evaluation), len(found.train)) == (10, 30, 60)


def test_a_class_of_one_stays_in_train():
    labels = ["a", "b"] * 30 + ["rare"]
    for seed in range(20):
        found = split(dataset(labels), np.arange(61), probe_items=40, seed=seed)
        assert 60 in found.train


def test_a_large_cluster_is_not_torn():
    clusters = np.concatenate([np.zeros(80, np.int64), np.arange(1, 121)])
    found = split(dataset(["a", "b"] * 100), clusters, probe_items=60, seed=0)
    assert set(range(80)) <= set(found.train.tolist())
    assert len(found.development) + len(found.evaluation) == 60


def test_own_split_reports_its_leaks():
    splits = ["train"] * 100 + ["test"] * 60
    clusters = np.arange(160)
    clusters[100:105] = clusters[:5]
    data = dataset(["a", "b"] * 80, splits)
    found = split(data, clusters, probe_items=40, seed=0)
    assert found.source == "dataset"
    assert found.leaked.tolist() == [100, 101, 102, 103, 104]
    assert (len(found.development), len(found.evaluation)) == (10, 30)
    assert len(found.train) == 100
    assert "5 of 60 test items" in found.notes[0]


def test_own_split_that_leaks_too_much_is_replaced():
    splits = ["train"] * 100 + ["test"] * 60
    clusters = np.arange(160)
    clusters[100:145] = clusters[:45]
    found = split(dataset(["a", "b"] * 80, splits), clusters, probe_items=40, seed=0)
    assert found.source == "made"
    assert "45 of the dataset's 60 test items" in found.notes[0]


def test_a_test_side_without_train_is_split():
    found = split(dataset(["a", "b"] * 50, ["test"] * 100), np.arange(100), probe_items=20, seed=0)
    assert found.source == "made"
    assert found.notes


def test_generation_has_no_strata():
    data = dataset([f"answer {i}" for i in range(100)], task=Task.GENERATE)
    found = split(data, np.arange(100) // 2, probe_items=40, seed=0)
    assert len(found.development) + len(found.evaluation) == 40


@pytest.mark.parametrize(
    ("labels", "clusters"),
    [
        (["a", "b"] * 9, np.arange(18)),
        (["a"] * 10 + [None] * 30, np.arange(40)),
        (["a", "b"] * 20, np.zeros(40, int)),
    ],
)
def test_nothing_to_split(labels, clusters):
    with pytest.raises(AuditError) as raised:
        split(dataset(labels), clusters, probe_items=400, seed=0)
    assert raised.value.code is ExitCode.NO_CONCLUSION
    assert "x.csv" in raised.value.message
