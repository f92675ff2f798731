"""Differences of two audits: intervals that cover, and no difference claimed where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.comparison.differences import Shared, beside_items, independent, level, paired, turned
from dataedge.figures import Figure
from dataedge.ladder.units import BALANCED, R2
from dataedge.report.model import FigureModel

DRAWS = 400


def shared_of(
    n: int, clusters: np.ndarray | None = None, weight: np.ndarray | None = None
) -> Shared:
    ones = np.ones(n) if weight is None else weight
    own = np.arange(n) if clusters is None else clusters
    return Shared(({}, {}), (ones, ones), np.zeros(n, np.int64), own, n)


def figure(
    value: float, low: float, high: float, unit: str = "accuracy", **detail: object
) -> FigureModel:
    return FigureModel(
        value=value, low=low, high=high, n=100, unit=unit, status="ok", reason="", detail=detail
    )  # fmt: skip


def hits(rng: np.random.Generator, n: int, *rates: float) -> list[np.ndarray]:
    """Hits of several ways of answering that find the same items easy."""
    ease = rng.random(n)
    return [(0.7 * ease + 0.3 * rng.random(n) > 1 - rate).astype(float) for rate in rates]


def truth(*rates: float) -> np.ndarray:
    return np.array([h.mean() for h in hits(np.random.default_rng(1), 1_000_000, *rates)])


@pytest.mark.parametrize("n", [40, 200])
def test_a_rung_on_shared_items_is_covered(n: int) -> None:
    rng, (before, after) = np.random.default_rng(0), truth(0.5, 0.6)
    covered = 0
    for _ in range(DRAWS):
        a, b = hits(rng, n, 0.5, 0.6)
        found = paired(a, b, shared_of(n), "accuracy", 0.0)
        covered += found.low <= after - before <= found.high
    assert covered / DRAWS > 0.93


@pytest.mark.parametrize("n", [40, 200])
def test_an_edge_against_an_edge_is_covered_and_not_found_where_there_is_none(n: int) -> None:
    rng, rates = np.random.default_rng(0), (0.4, 0.6, 0.5, 0.7)
    t = truth(*rates)
    difference = (t[3] - t[2]) - (t[1] - t[0])
    covered, found_some = 0, 0
    for _ in range(DRAWS):
        a0, a1, b0, b1 = hits(rng, n, *rates)
        found = paired(a1 - a0, b1 - b0, shared_of(n), "accuracy", 0.0)
        covered += found.low <= difference <= found.high
        same0, same1, other0, other1 = hits(rng, n, 0.4, 0.6, 0.4, 0.6)
        found = paired(same1 - same0, other1 - other0, shared_of(n), "accuracy", 0.0)
        found_some += found.low > 0 or found.high < 0
    assert covered / DRAWS > 0.93
    assert found_some / DRAWS < 0.07


def test_all_alike_is_not_surely_alike() -> None:
    found = paired(np.zeros(40), np.zeros(40), shared_of(40), "accuracy", 0.0)
    assert found.low < -0.02
    assert found.high > 0.02


def test_bits_are_a_ratio_and_clusters_count_once() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(DRAWS):
        cluster = np.repeat(np.arange(60), 3)
        own = rng.normal(0.1, 0.5, 60)[cluster]
        weight = rng.integers(20, 80, 60)[cluster].astype(float)
        found = paired(0 * weight, own * weight, shared_of(180, cluster, weight), "bits/byte", 0.0)
        covered += found.low <= 0.1 <= found.high
    assert covered / DRAWS > 0.92


def test_what_either_audit_carries_beside_its_items_widens_the_difference() -> None:
    """Each audit's learner has luck of its own that no item tells: intervals of items alone miss it."""
    rng, n, spread = np.random.default_rng(0), 200, 0.04
    low, high = truth(0.45, 0.55)
    covered = {0.0: 0, 2 * (spread * (high - low) / 0.1) ** 2: 0}
    for _ in range(DRAWS):
        a, b = hits(rng, n, *(0.5 + rng.normal(0, spread, 2)))
        for more in covered:
            found = paired(a, b, shared_of(n), "accuracy", more)
            covered[more] += found.low <= 0 <= found.high
    alone, widened = (count / DRAWS for count in covered.values())
    assert alone < 0.9
    assert widened > 0.93


def test_what_is_carried_is_read_from_the_figure() -> None:
    assert beside_items(figure(0.5, 0.4, 0.6)) == 0.0
    half = beside_items(figure(0.5, 0.402, 0.598, interval_carries={"items": 0.5}))
    assert half == pytest.approx(0.5 * 0.05**2, rel=0.01)


def test_independent_figures_are_covered() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(DRAWS):
        a, b = rng.normal(0.5, 0.03), rng.normal(0.6, 0.05)
        found = independent(
            figure(a, a - 1.96 * 0.03, a + 1.96 * 0.03), figure(b, b - 1.96 * 0.05, b + 1.96 * 0.05)
        )
        covered += found.low <= 0.1 <= found.high
    assert 0.92 < covered / DRAWS < 0.98


def test_fewer_bits_are_a_gain() -> None:
    found = turned(
        independent(figure(1.5, 1.4, 1.6, "bits/byte"), figure(1.2, 1.1, 1.3, "bits/byte"))
    )
    assert found.value == pytest.approx(0.3)
    assert found.low > 0.1
    missing = independent(
        figure(1.5, 1.4, 1.6), FigureModel(**Figure.missing("no", "accuracy").__dict__)
    )
    assert missing.value is None
    assert missing.reason == "no"


def test_numbers_are_counted_in_each_audits_own_variance() -> None:
    """The same predictions of the same items, one train side half as wide: R² is the same."""
    rng = np.random.default_rng(0)
    truth_, said = rng.normal(size=200), rng.normal(size=200) * 0.3
    wide, narrow = (np.square(truth_ / sd) for sd in (2.0, 1.0))
    gains = [np.square(truth_ / sd) - np.square((truth_ - said) / sd) for sd in (2.0, 1.0)]
    shared = shared_of(200)._replace(weights=(wide, narrow))
    found = paired(*gains, shared, "R²", 0.0)
    assert found.value == pytest.approx(0.0, abs=1e-9)
    assert found.low == pytest.approx(0.0, abs=1e-9)


def test_counts_have_a_difference_and_no_interval() -> None:
    count = figure(10.0, 10.0, 10.0).model_copy(update={"low": None, "high": None})
    found = independent(count, count.model_copy(update={"value": 13.0}))
    assert (found.value, found.low, found.high) == (3.0, None, None)


@pytest.mark.parametrize("unit", ["accuracy", BALANCED, "bits/byte", R2])
def test_what_each_reached_differs_by_the_difference(unit: str) -> None:
    """A difference and the two figures beside it are of the same items, weighed alike."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 3, 120)
    if unit in ("accuracy", BALANCED):
        gains = [(rng.random(120) < share).astype(float) for share in (0.4, 0.7)]
        weights = (np.ones(120), np.ones(120))
    else:
        gains = [rng.normal(size=120), rng.normal(size=120)]
        weights = (rng.uniform(1, 9, 120), rng.uniform(1, 9, 120))
    shared = Shared(({}, {}), weights, label, np.arange(120), 120)
    found = paired(gains[0], gains[1], shared, unit, 0.0)
    one, other = (level(g, w, shared, unit) for g, w in zip(gains, weights, strict=True))
    assert found.value == pytest.approx(other - one)
