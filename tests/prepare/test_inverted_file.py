"""The inverted file finds what an exact search finds, as far as it says."""

from __future__ import annotations

import time

import numpy as np
import pytest

from dataedge.learner import neighbour_votes
from dataedge.learner.classifier import Learner
from dataedge.prepare.inverted_file import LONGEST, InvertedFile, _cut
from dataedge.prepare.neighbours import unit_rows
from tests.prepare.test_neighbours import topics


def file_of(unit: np.ndarray) -> InvertedFile:
    return InvertedFile(lambda rows: unit[rows], len(unit))


def all_found(lists: InvertedFile, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    rows, cosine = np.full((n, k), -2, np.int64), np.full((n, k), np.nan, np.float32)
    for batch in lists.near_rows(np.arange(n), k):
        rows[batch.queries], cosine[batch.queries] = batch.rows, batch.cosine
    return rows, cosine


def test_all_lists_find_what_all_pairs_find() -> None:
    unit = unit_rows(topics(3_000, np.random.default_rng(0)))
    lists = file_of(unit)
    lists.probes = 10**6
    rows, cosine = all_found(lists, 3_000, 7)
    exact = unit @ unit.T
    assert np.array_equal(rows[:, 0], np.arange(3_000))
    assert np.allclose(cosine, -np.sort(-exact, axis=1)[:, :7], atol=1e-5)
    assert np.allclose(np.take_along_axis(exact, rows, 1), cosine, atol=1e-5)


def test_the_recall_that_is_told_is_that_of_all_rows() -> None:
    unit = unit_rows(topics(8_000, np.random.default_rng(1), d=24, groups=400))
    lists = file_of(unit)
    lists.probes = 1
    _, poor = all_found(lists, 8_000, 11)
    told = lists.tune(10, 0.98)
    _, found = all_found(lists, 8_000, 11)
    last = -np.sort(-(unit @ unit.T), axis=1)[:, 10:11] - 1e-3
    assert (poor >= last).mean() < 0.95 < 0.98 <= told
    assert (found >= last).mean() == pytest.approx(told, abs=0.01)


def test_new_vectors_are_looked_up_like_rows() -> None:
    unit = unit_rows(topics(2_000, np.random.default_rng(2)))
    lists = file_of(unit[:1_900])
    lists.probes = 10**6
    found = {
        int(q): b.rows[i] for b in lists.near(unit[1_900:], 3) for i, q in enumerate(b.queries)
    }
    exact = np.argsort(-(unit[1_900:] @ unit[:1_900].T), axis=1)[:, :3]
    assert all(np.array_equal(found[q], exact[q]) for q in range(100))


@pytest.mark.parametrize("n", [1, 5, 300])
def test_fewer_rows_than_wanted(n: int) -> None:
    unit = unit_rows(np.random.default_rng(3).normal(size=(n, 8)))
    lists = file_of(unit)
    assert lists.tune(10, 0.99) == 1.0
    rows, cosine = all_found(lists, n, 400)
    assert sorted(rows[0][rows[0] >= 0].tolist()) == list(range(n))
    assert (rows[:, n:] == -1).all()
    assert (cosine[:, n:] == -1.0).all()


def test_rows_that_are_all_alike_do_not_make_one_endless_list() -> None:
    """30,000 equal rows would be a list of 30,000: 900 million cosines for each of its passes."""
    n = 30_000
    unit = np.zeros((n, 32), np.float32)
    unit[:, 0] = 1.0
    started = time.perf_counter()
    lists = file_of(unit)
    assert np.diff(lists._starts).max() <= LONGEST
    _, cosine = all_found(lists, n, 5)
    assert (cosine == 1.0).all()
    assert time.perf_counter() - started < 20


def test_long_lists_are_cut_evenly() -> None:
    sizes = _cut(np.array([161, 0, 3, 1_000]), np.array([2, 0, 1, 7]))
    assert sizes.sum() == 1_164
    assert sizes[:2].tolist() == [81, 80]
    assert sizes.max() <= LONGEST


def test_the_learner_says_nearly_the_same_by_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 12, 3_000)
    X = rng.normal(size=(12, 32))[y] * 0.6 + rng.normal(size=(3_000, 32))
    exact = Learner().fit(X, y, 12, seed=0)
    monkeypatch.setattr(neighbour_votes, "EXACT_ROWS", 1_000)
    lists = Learner().fit(X, y, 12, seed=0)
    assert np.abs(exact.loo_core - lists.loo_core).mean() < 0.005
    assert (exact.loo_core.argmax(1) == lists.loo_core.argmax(1)).mean() > 0.985
    assert (exact.neighbour_labels == lists.neighbour_labels).mean() > 0.97
    new = rng.normal(size=(200, 32))
    assert np.abs(exact.predict_proba(new) - lists.predict_proba(new)).mean() < 0.005
