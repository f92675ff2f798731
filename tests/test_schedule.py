"""The simulated schedule of a cluster keeps what any schedule must."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def schedule() -> Any:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import schedule

    return schedule


@pytest.mark.parametrize("workers", [1, 3, 16])
def test_workers_that_are_slow_set_the_pace(schedule: Any, workers: int) -> None:
    run = schedule.simulate(schedule.Plan(480, 1.0, 0.0, workers, 0.001))
    assert 480 / workers <= run.seconds <= 480 / workers * 1.01 + 1
    assert run.busy > 0.95


def test_storing_that_is_slow_sets_the_pace(schedule: Any) -> None:
    alone = schedule.simulate(schedule.Plan(500, 0.01, 0.0, 8, 0.1))
    assert 50 <= alone.seconds <= 51
    assert alone.storing > 0.99
    shared = schedule.simulate(schedule.Plan(500, 0.01, 0.0, 8, 0.0, 0.1))  # paid once for many
    assert shared.seconds < alone.seconds / 4


def test_what_lost_workers_had_in_hand_is_done_all_the_same(schedule: Any) -> None:
    plan = schedule.Plan(2000, 1.0, 0.3, 4, 0.001, opening=5.0)
    sound = schedule.simulate(plan)
    for seed in range(5):
        harmed = schedule.simulate(plan._replace(between_losses=60 / 3600), seed)
        assert harmed.lost > 5
        # each loss costs the opening of another and two batches at most
        assert (
            sound.seconds
            < harmed.seconds
            < sound.seconds + harmed.lost * (5 + 2 * 2) / 4 * 1.5 + 10
        )


def test_one_batch_takes_opening_work_and_storing(schedule: Any) -> None:
    run = schedule.simulate(schedule.Plan(1, 2.0, 0.0, 4, 0.25, 0.5, 3.0))
    assert run.seconds == pytest.approx(3.0 + 2.0 + 0.75)
