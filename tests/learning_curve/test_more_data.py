"""What more data would give: gains that cover, reasons instead of figures, controls at nothing."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from dataedge.figures import Figure
from dataedge.learning_curve.forecast import forecast_points
from dataedge.learning_curve.more_data import edge_target, measure_more_data, sample_clusters
from tests.learning_curve.test_forecast import SIZES, law, simulated

LEARNED = Figure(0.8, 0.75, 0.85, 300, "accuracy")


def blobs(n: int = 700, k: int = 5, d: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    X = 0.45 * rng.normal(size=(k, d))[y] + 0.8 * rng.normal(size=(n, d))
    return X.astype(np.float32), y


@pytest.fixture(scope="module")
def more_data():
    X, y = blobs()
    return measure_more_data([X], y, 5, np.arange(len(y)), seed=0)


def test_more_data_stands_on_top_of_learned(more_data) -> None:
    rung = more_data.rung(LEARNED)
    gain = rung.detail["gain"]
    assert rung.value == pytest.approx(0.8 + gain["value"])
    assert rung.low < rung.value < rung.high
    assert rung.detail["at_4x"]["value"] >= rung.value
    assert "1,400 train items" in rung.detail["how"]
    assert "upper estimate" in more_data.rung(LEARNED, base_weight=0.5).detail["how"]
    json.dumps(rung.detail, allow_nan=False)
    doubling = more_data.next_doubling
    assert doubling.value == gain["value"]
    assert 0.0 <= doubling.low <= doubling.value <= doubling.high
    assert doubling.unit == "accuracy"


def test_measures_have_intervals_and_the_control_is_at_nothing(more_data) -> None:
    found = more_data.measures(exactly(0.6))
    assert set(found) == {"examples_needed", "bits_learned"}
    bits = found["bits_learned"]
    assert bits.low > 0
    control = bits.detail["shuffled_labels"]
    assert abs(control["value"]) < 0.05 * bits.value
    easy = more_data.measures(exactly(0.1))["examples_needed"]
    assert easy.low == 0.0
    assert "at most" in easy.reason
    for target in (1.0, 1.02):
        never = more_data.measures(exactly(target))["examples_needed"]
        assert never.status == "refused"
        assert never.reason


def exactly(target: float) -> Figure:
    return Figure(target, target, target, 100, "accuracy")


def test_a_target_is_never_below_chance() -> None:
    """An unbalanced set where the base model is 13 points below always saying one label."""
    without, chance = Figure(0.72, 0.65, 0.79, 200), Figure(0.85, 0.8, 0.9, 200)
    target = edge_target(without, chance, 0.02)
    assert target.value == pytest.approx(0.87)
    assert (target.low, target.high) == (pytest.approx(0.82), pytest.approx(0.92))
    asked = edge_target(without, chance, 0.02, 0.8)
    assert asked.value == pytest.approx(0.87)
    assert "below chance" in asked.reason
    assert edge_target(without, chance, 0.02, 0.9) == Figure(0.9, 0.9, 0.9, 200, "accuracy")
    above = edge_target(Figure(0.6, 0.5, 0.7, 200), Figure(0.2, 0.15, 0.25, 200), 0.02)
    assert above.value == pytest.approx(0.62)
    assert above.high == pytest.approx(0.72)


def test_too_few_rows_give_a_reason_in_every_place() -> None:
    X, y = blobs(30)
    small = measure_more_data([X], y, 5, np.arange(30), seed=0)
    for figure in (
        small.rung(LEARNED),
        small.gain(4),
        small.measures(exactly(0.9))["examples_needed"],
    ):
        assert figure.value is None
        assert figure.status == "refused"
        assert "to forecast from" in figure.reason


def test_the_gain_covers_what_more_data_brings() -> None:
    """95 % intervals of the gain from 800 to 3,200 rows, slow and fast curves, with floor and without."""
    covered = []
    for seed in range(60):
        b, c = (0.4, 0.7, 1.0, 1.4)[seed % 4], (0.0, 0.1, 0.2)[seed % 3]
        found = forecast_points(SIZES, simulated(law(SIZES, b, c), seed=seed), 1000).gain(800, 3200)
        if found.value is not None:
            covered.append(found.low <= float(law(800, b, c) - law(3200, b, c)) <= found.high)
    assert len(covered) >= 55
    assert np.mean(covered) >= 0.85


def test_a_sample_takes_whole_clusters() -> None:
    clusters = np.repeat(np.arange(300), 3)
    rows = sample_clusters(clusters, 100, 0)
    assert 90 <= len(rows) <= 100
    assert (np.bincount(clusters[rows])[np.unique(clusters[rows])] == 3).all()
    assert len(sample_clusters(clusters, 900, 0)) == 900


@pytest.mark.long
def test_the_cost_is_bounded_whatever_the_size() -> None:
    """More rows than a curve takes cost no more: most of the time is the fits of the curve."""
    X, y = blobs(40_000, k=2, d=8)
    start = time.process_time()
    found = measure_more_data([X], y, 2, np.arange(len(y)), seed=0)
    assert time.process_time() - start < 60
    assert found.train_items == 40_000
    assert found.curve.sizes[-1] < 6000
    assert "more than 8 times" in found.rung(LEARNED).reason
