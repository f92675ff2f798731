"""R² and its interval: what it is, how often it holds the truth, and what it says of nothing."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from dataedge.ladder.number import LearnedNumbers, NumberLadder, absolute
from dataedge.ladder.outcome import Outcome
from dataedge.ladder.rungs import Rungs
from dataedge.ladder.stack import Stacked, stack_numbers
from dataedge.ladder.units import R2
from dataedge.prompt.number_pool import PooledNumbers


def rungs(z: np.ndarray, clusters: np.ndarray | None = None, **predicted: np.ndarray) -> Rungs:
    """A ladder of predictions in standard deviations from the train mean."""
    zero = np.zeros(len(z))
    outcomes = {
        name: Outcome("", None, z**2 - (z - p) ** 2, zero, predicted=10 + 2 * p)
        for name, p in {"chance": zero, **predicted}.items()
    }
    own = np.arange(len(z)) if clusters is None else clusters
    return Rungs(R2, np.arange(len(z)), z**2, own, outcomes, {}, 0, no_bits="a number")


def test_r2_is_what_it_is_called_and_the_train_mean_is_zero() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=200)
    found = rungs(z, learned=0.8 * z, mean=np.zeros(200))
    assert found.figure("learned").value == pytest.approx(1 - 0.2**2)
    assert found.figure("mean").value == found.figure("chance").value == 0.0
    errors = absolute(found, 10 + 2 * z)
    assert errors.figure("chance").value == pytest.approx(2 * np.abs(z).mean())
    assert errors.difference("learned", "chance").value == pytest.approx(1.6 * np.abs(z).mean())


@pytest.mark.parametrize(("n", "size"), [(90, 1), (300, 1), (300, 3)])
def test_intervals_of_a_difference_in_r2_hold_the_truth(n: int, size: int) -> None:
    """Learned explains 30 %, the base model 10 %; items of a cluster err together."""
    rng, held, wrong = np.random.default_rng(1), 0, 0
    runs, clusters = 150, np.repeat(np.arange(n // size), size)
    for _ in range(runs):
        a, b, c = (rng.normal(size=n // size)[clusters] for _ in range(3))
        z = np.sqrt(0.1) * a + np.sqrt(0.2) * b + np.sqrt(0.7) * c
        both = np.sqrt(0.1) * a + np.sqrt(0.2) * b
        found = rungs(z, clusters, without_data=np.sqrt(0.1) * a, with_data=both)
        figure = found.difference("with_data", "without_data")
        held += figure.low <= 0.2 <= figure.high
        alone = rungs(z, None, without_data=np.sqrt(0.1) * a, with_data=both)
        figure = alone.difference("with_data", "without_data")
        wrong += figure.low <= 0.2 <= figure.high
    assert held >= 0.9 * runs
    if size > 1:  # items counted as independent, the old rule's mistake
        assert wrong < 0.85 * runs


def kept(
    z: np.ndarray, own: LearnedNumbers, base: PooledNumbers, least: float
) -> tuple[Outcome, Stacked]:
    """What `NumberLadder.stacked` does, of numbers of which the first 16 are development items."""
    mixed = stack_numbers(own, base, z[:16], least=least)
    left = (z[16:] - mixed.evaluation) ** 2
    return Outcome("", None, z[16:] ** 2 - left, np.zeros(len(left))), mixed


def test_a_learner_that_was_left_out_is_no_proof_that_there_is_no_edge() -> None:
    """16 development items leave out a learner that explains 8 % now and then; [0, 0] says no edge."""
    rng, left_out, hidden, told = np.random.default_rng(2), 0, 0, 0
    for _ in range(150):
        z = rng.normal(size=116)
        own = 0.08 * z + np.sqrt(0.08 * 0.92) * rng.normal(size=116)
        learned = LearnedNumbers(own[:16], own[16:])
        pool = PooledNumbers(np.zeros(16), np.zeros(100), np.zeros(0))
        mixed = stack_numbers(learned, pool, z[:16])
        if mixed.own_weight > 0:
            continue
        left_out += 1
        ladder = SimpleNamespace(stacked=partial(kept, z))
        found = rungs(z[16:], without_data=np.zeros(100), with_data=mixed.evaluation)
        hidden += found.difference("with_data", "without_data").high < 0.05
        edge = NumberLadder._edge_left_open(ladder, found, learned, pool)  # type: ignore[arg-type]
        told += edge.high < 0.05
    assert left_out >= 5
    assert hidden == left_out
    assert told <= 0.4 * left_out


def test_the_stack_takes_what_development_items_show() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=160)
    good, noise = 0.5 * z + 0.5 * rng.normal(size=160), rng.normal(size=160)
    for own, base, heavier in ((good, noise, "own"), (noise, good, "base")):
        mixed = stack_numbers(
            LearnedNumbers(own[:60], own[60:]),
            PooledNumbers(base[:60], base[60:], np.ones(1)),
            z[:60],
        )
        weights = {"own": mixed.own_weight, "base": mixed.base_weight}
        assert max(weights, key=lambda name: weights[name]) == heavier
        assert 1 - np.square(z[60:] - mixed.evaluation).mean() / np.square(z[60:]).mean() > 0.2
