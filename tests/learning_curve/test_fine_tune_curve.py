"""What two fine-tunes tell of one on all rows: on curves whose end is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from dataedge.figure_arithmetic import summed
from dataedge.intervals import proportion
from dataedge.learning_curve.fine_tune_curve import SEED_SPREAD, MoreRows, Size, gain_of_more_rows

FEW, MANY, ALL, ITEMS = 128, 512, 2048, 160
GUESSED = np.where(np.arange(ITEMS) < 8, 0.0, 1.0)


class Runs(NamedTuple):
    """Two fine-tunes, and what one on all rows gets wrong."""

    few: Size
    many: Size
    end: float


def drawn(law: tuple[float, float, float], rng: np.random.Generator) -> Runs:
    """Single runs of error rates at the three sizes, on the same items."""
    hard, own = rng.random(ITEMS), rng.random((2, ITEMS))
    same = rng.random(ITEMS) < 0.6  # these are as hard for the one as for the other
    rates = np.clip(np.array(law) + rng.normal(0.0, SEED_SPREAD, 3), 0.0, 1.0)
    wrong = [(np.where(same, hard, own[at]) < rates[at]).astype(np.float64) for at in range(2)]
    return Runs(Size(FEW, wrong[0]), Size(MANY, wrong[1]), float(rates[2]))


def told(runs: Runs, rows: int = ALL) -> MoreRows:
    ones, clusters = np.ones(ITEMS), np.arange(ITEMS)
    return gain_of_more_rows(runs.few, runs.many, rows, GUESSED, ones, clusters, "accuracy")


def falling(rng: np.random.Generator) -> tuple[float, float, float]:
    """A power law that was drawn."""
    floor, start, slope = rng.uniform(0.0, 0.1), rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.8)
    few, many, end = floor + start * (np.array([FEW, MANY, ALL]) / 32) ** -slope
    return few, many, end


def test_its_interval_holds_what_all_rows_reach() -> None:
    rng = np.random.default_rng(0)
    covered, missed, untold, asked = [], [], [], 300
    for _ in range(asked):
        runs = drawn(falling(rng), rng)
        found = told(runs)
        if found.value is None:
            continue
        tuned = proportion(1.0 - runs.many.errors, np.arange(ITEMS), unit="accuracy")
        value, low, high = summed(tuned, found, (0.0, 1.0)).ends
        covered.append(low <= 1.0 - runs.end <= high)
        missed.append(1.0 - runs.end - value)
        untold.append(1.0 - runs.end - tuned.ends.value)
    assert len(covered) > 0.6 * asked
    assert np.mean(covered) >= 0.9
    assert abs(np.mean(missed)) < 0.02
    assert np.mean(np.abs(missed)) < 0.75 * np.mean(np.abs(untold))


@pytest.mark.parametrize(
    ("law", "told_of"),
    [((0.3, 0.3, 0.3), 0.1), ((0.25, 0.4, 0.4), 0.01), ((0.97, 0.96, 0.96), 0.1)],
    ids=["flat", "rising", "nothing learned"],
)
def test_a_step_that_is_not_sure_promises_nothing(
    law: tuple[float, float, float], told_of: float
) -> None:
    rng = np.random.default_rng(1)
    found = [told(drawn(law, rng)) for _ in range(150)]
    assert np.mean([f.value is not None for f in found]) <= told_of
    assert {f.status for f in found if f.value is None} == {"refused"}


@pytest.mark.parametrize("law", [(0.36, 0.31, 0.3), (0.6, 0.31, 0.3)], ids=["bends", "jumps"])
def test_a_curve_that_is_at_its_end_is_promised_nothing_for_sure(
    law: tuple[float, float, float],
) -> None:
    """Of two sizes nobody can tell: so the lower end is that of what was measured."""
    rng = np.random.default_rng(2)
    too_sure = 0
    for _ in range(200):
        runs = drawn(law, rng)
        found = told(runs, 8 * MANY)
        if found.value is not None:
            tuned = proportion(1.0 - runs.many.errors, np.arange(ITEMS), unit="accuracy")
            low = summed(tuned, found, (0.0, 1.0)).ends.low
            assert low <= tuned.ends.low
            too_sure += low > 1.0 - runs.end
    assert too_sure <= 0.05 * 200


def test_beyond_eight_times_nothing_is_told() -> None:
    runs = drawn((0.5, 0.2, 0.1), np.random.default_rng(3))
    assert told(runs, 8 * MANY).rows == 8 * MANY
    assert told(runs, 8 * MANY + 1).value is None


def test_without_items_nothing_is_told() -> None:
    none = np.zeros(0)
    sizes = Size(FEW, none), Size(MANY, none)
    found = gain_of_more_rows(*sizes, ALL, none, none, np.zeros(0, np.int64), "bits")
    assert found.value is None
