"""What two fine-tunes tell of one on all rows: on curves whose end is known."""

from __future__ import annotations

import numpy as np

from dataedge.learning_curve.fine_tune_curve import SEED_SPREAD, MoreRows, Size, gain_of_more_rows

FEW, MANY, ALL, ITEMS = 128, 512, 2048, 160


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, Size, Size]:
    """True error rates at the three sizes, and what two fine-tunes show of them on the same items."""
    floor, start, slope = rng.uniform(0.0, 0.1), rng.uniform(0.3, 0.9), rng.uniform(0.2, 0.8)
    law = floor + start * (np.array([FEW, MANY, ALL]) / 32) ** -slope
    hard, own = rng.random(ITEMS), rng.random((2, ITEMS))
    same = rng.random(ITEMS) < 0.6  # these are as hard for the one as for the other
    errors = []
    for at in range(2):
        seen = np.clip(law[at] + rng.normal(0.0, SEED_SPREAD), 0.0, 1.0)
        errors.append((np.where(same, hard, own[at]) < seen).astype(np.float64))
    return law, Size(FEW, errors[0]), Size(MANY, errors[1])


def told(few: Size, many: Size, rows: int = ALL) -> MoreRows:
    ones, clusters = np.ones(len(few.errors)), np.arange(len(few.errors))
    return gain_of_more_rows(few, many, rows, ones, clusters, "accuracy")


def test_its_interval_holds_what_comes_of_all_rows() -> None:
    rng = np.random.default_rng(0)
    covered, missed, untold = [], [], []
    for _ in range(300):
        law, few, many = drawn(rng)
        found = told(few, many)
        truth = law[1] - law[2]
        value, low, high = found.ends
        covered.append(low <= truth <= high)
        missed.append(value - truth)
        untold.append(-truth)
    assert np.mean(covered) >= 0.9
    assert abs(np.mean(missed)) < 0.02
    assert np.mean(np.abs(missed)) < 0.5 * np.mean(np.abs(untold))


def test_beyond_eight_times_nothing_more_is_promised() -> None:
    _, few, many = drawn(np.random.default_rng(1))
    far, farthest = told(few, many, 8 * MANY), told(few, many, 100 * MANY)
    assert far.value == farthest.value
    assert farthest.rows == 8 * MANY
