"""Workouts of which one alone is acceptable, with fewer held-out items than the default."""

from __future__ import annotations

from tests.samples.audits import LONG, assert_as_expected, audit_of

pytestmark = LONG


def test_the_verdict_is_as_expected() -> None:
    assert_as_expected("workouts/strict", audit_of("workouts/strict", probe_items=60))
