"""The statistics of `benchmarks/edge`: what a table of fine-tunes says of a dataset that is not in it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "edge"))

from random_effects import predictive

LUCK = 0.03


@pytest.mark.parametrize(("between", "within"), [(0.0, 0.03), (0.03, 0.03), (0.05, 0.02)])
def test_the_predictive_interval_covers_an_arm_of_a_new_source(
    between: float, within: float
) -> None:
    """Seven sources of four arms: 95 % and not much more, whether sources differ or not."""
    rng = np.random.default_rng(1)
    sources, each = 7, 4
    of = np.repeat(np.arange(sources), each)
    covered = []
    for _ in range(15):
        own = between * rng.normal(size=sources)[of] + within * rng.normal(size=len(of))
        residual = 0.01 + own + LUCK * rng.normal(size=len(of))
        found = predictive(residual, np.full(len(of), LUCK**2), [str(s) for s in of])
        new = 0.01 + np.hypot(between, within) * rng.normal(size=500)
        covered.append(((found.low <= new) & (new <= found.high)).mean())
    assert 0.92 < np.mean(covered) < 0.995


def test_luck_with_the_items_is_no_error_of_the_prediction() -> None:
    rng = np.random.default_rng(2)
    residual = 0.05 * rng.normal(size=60)
    sources = [str(i % 12) for i in range(60)]
    blind = predictive(residual, np.zeros(60), sources)
    knowing = predictive(residual, np.full(60, 0.05**2), sources)
    assert blind.high - blind.low > 1.5 * (knowing.high - knowing.low)


def test_fewer_sources_are_less_sure() -> None:
    rng = np.random.default_rng(3)
    residual, variance = 0.04 * rng.normal(size=24), np.zeros(24)
    many = predictive(residual, variance, [str(i % 12) for i in range(24)])
    few = predictive(residual, variance, [str(i % 3) for i in range(24)])
    assert few.high - few.low > many.high - many.low
