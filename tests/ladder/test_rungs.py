"""Rungs stand on the same items, differences are paired, choices are made on development items."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.ladder.outcome import Outcome, choose, keep, valid_items
from dataedge.ladder.rungs import Rungs
from dataedge.ladder.tuned import with_preference
from dataedge.prompt.search import Trial


def outcome(gain: np.ndarray, development: float | None = None, how: str = "") -> Outcome:
    trial = None
    if development is not None:
        hits = np.where(np.arange(400) < 400 * development, 1.0, 0.0)
        trial = Trial(None, 400, hits, 1.0 - hits, np.ones(400))
    return Outcome(how, trial, gain, np.ones(len(gain)))


def rungs(unit: str, weight: np.ndarray, **outcomes: Outcome) -> Rungs:
    n = len(weight)
    return Rungs(
        unit, np.arange(n), weight, np.arange(n), outcomes, {"few_shot": "no room"}, seed=0
    )


def test_differences_are_paired() -> None:
    """Two rungs that vary together differ surely, though each one is unsure."""
    rng = np.random.default_rng(0)
    hard = rng.random(300) < 0.5
    lower = outcome((~hard).astype(float))
    upper = outcome(np.where(np.arange(300) % 10 == 0, 1.0, (~hard).astype(float)))
    found = rungs("accuracy", np.ones(300), chance=lower, learned=upper)
    gain = found.difference("learned", "chance")
    assert gain.value == pytest.approx(upper.gain.mean() - lower.gain.mean())
    assert gain.low is not None
    assert gain.high is not None
    assert gain.low > 0
    one, other = found.figure("learned"), found.figure("chance")
    assert one.low is not None
    assert other.high is not None
    assert one.low < other.high  # unpaired, they overlap


def test_bits_are_reported_lower_is_better_and_gained_higher_is_better() -> None:
    size = np.array([10.0, 30.0])
    short, long = outcome(-np.array([5.0, 15.0])), outcome(-np.array([20.0, 60.0]))
    found = rungs("bits/byte", size, learned=short, chance=long)
    assert found.figure("learned").value == pytest.approx(20 / 40)
    assert found.figure("chance").value == pytest.approx(2.0)
    assert found.difference("learned", "chance").value == pytest.approx(1.5)


def test_a_rung_that_was_not_reached_says_why() -> None:
    found = rungs("accuracy", np.ones(4), chance=outcome(np.ones(4)))
    assert found.figure("few_shot").reason == "no room"
    assert found.difference("few_shot", "chance").reason == "no room"
    assert found.difference("learned", "chance").value is None


def test_choices_look_at_development_items_alone() -> None:
    outcomes = {
        "zero_shot": outcome(np.ones(20), development=0.5, how="better on evaluation items"),
        "few_shot": outcome(np.zeros(20), development=0.8, how="better on development items"),
    }
    choose(outcomes, "without_data", ("zero_shot", "few_shot"))
    assert outcomes["without_data"].same_as == "few_shot"
    assert outcomes["without_data"].how == "better on development items"
    assert (outcomes["without_data"].gain == 0).all()


@pytest.mark.parametrize(("reached", "preferred"), [(0.9, True), (0.5, False)])
def test_whether_a_fine_tune_is_preferred_is_said_by_development_items(
    reached: float, preferred: bool
) -> None:
    outcomes = {
        "prompted": outcome(np.ones(20), development=0.7),
        "tuned": outcome(np.zeros(20), development=reached),
    }
    assert with_preference(outcomes).detail == {"preferred_to_prompting": preferred}


def test_only_items_with_an_answer_on_every_rung_count() -> None:
    outcomes = {
        "chance": outcome(np.array([1.0, 1.0, np.nan, 0.0])),
        "learned": outcome(np.array([0.0, np.nan, 1.0, 1.0])),
    }
    valid = valid_items(outcomes)
    assert valid.tolist() == [True, False, False, True]
    kept = keep(outcomes, valid)
    assert [o.gain.tolist() for o in kept.values()] == [[1.0, 0.0], [0.0, 1.0]]
    assert all(len(o.bits) == 2 for o in kept.values())
