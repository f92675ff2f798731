"""Items of two texts: intervals that allow for shared ones, and the edge where both are new."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.figures import bootstrap
from dataedge.measure.shared_pieces import edge_of_unseen_pieces, half_width


def test_intervals_cover_where_items_share_pieces_and_the_items_bootstrap_does_not() -> None:
    """200 items of 25 premises and 25 hypotheses, each piece with an effect of its own."""
    rng, covered, old = np.random.default_rng(0), [], []
    for seed in range(200):
        a, b = rng.integers(0, 25, (2, 200))
        gains = rng.normal(size=25)[a] + rng.normal(size=25)[b] + rng.normal(size=200)
        half = half_width(gains, [(f"a{i}", f"b{j}") for i, j in zip(a, b, strict=True)])
        covered.append(abs(gains.mean()) <= half)
        low, high = bootstrap(
            lambda w, g=gains: (w @ g) / w.sum(1), np.arange(200), seed=seed, resamples=200
        )
        old.append(low <= 0.0 <= high)
    assert 0.9 <= np.mean(covered) <= 0.99
    assert np.mean(old) < 0.7


def test_independent_items_have_the_usual_interval() -> None:
    gains = np.random.default_rng(1).normal(size=400)
    half = half_width(gains, [(f"a{i}", f"b{i}") for i in range(400)])
    assert half == pytest.approx(1.966 * gains.std(ddof=1) / 20, rel=0.01)
    same = half_width(gains, [(f"a{i}", f"a{i}") for i in range(400)])
    assert same == pytest.approx(half)


def test_a_learner_that_remembers_pieces_has_no_edge_on_new_ones() -> None:
    """A piece decides the label: known pieces are gained, new ones are a coin's flip."""
    rng = np.random.default_rng(2)
    pairs = [(f"Left {i}", f"right {i}") for i in range(200)]
    train = [(f"left  {i}", f"other {i}") for i in range(100)]
    gains = np.where(np.arange(200) < 100, 1.0, rng.choice([-1.0, 0.0, 1.0], 200))
    found = edge_of_unseen_pieces(gains, pairs, train)
    assert found.n == 100
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.0 < found.high
    assert found.detail["seen"]["value"] == 1.0
    assert found.detail["all"]["low"] > 0.3


def test_too_few_new_pieces_are_said() -> None:
    pairs = [(f"a{i}", f"b{i}") for i in range(40)]
    assert edge_of_unseen_pieces(np.ones(40), pairs, pairs).status == "skipped"
    assert edge_of_unseen_pieces(np.ones(40), pairs, pairs[:30]).status == "underpowered"
    assert edge_of_unseen_pieces(np.ones(40), [("one",)] * 40, []).value is None
