from __future__ import annotations

import numpy as np
import pytest

from dataedge.figures import Figure, bootstrap, mean_figure


def test_a_figure_is_finite_or_missing() -> None:
    with pytest.raises(ValueError, match="finite"):
        Figure(float("nan"))
    assert Figure.missing("no labels").value is None


@pytest.mark.parametrize(("clusters", "size"), [(120, 1), (60, 4)])
def test_interval_covers_the_truth_for_clustered_items(clusters: int, size: int) -> None:
    """Items of a cluster share their luck; the 95 % interval must still cover about 95 %."""
    rng = np.random.default_rng(0)
    covered = 0
    runs = 300
    for run in range(runs):
        luck = rng.normal(0.3, 1.0, clusters)
        values = np.repeat(luck, size) + rng.normal(0, 0.1, clusters * size)
        groups = np.repeat(np.arange(clusters), size)
        low, high = bootstrap(lambda w, v=values: w @ v / w.sum(1), groups, seed=run, resamples=400)
        covered += low <= 0.3 <= high
    assert 0.90 <= covered / runs <= 0.985


def test_ignoring_clusters_would_be_too_sure() -> None:
    """The reason for cluster resampling: per-item resampling of the same data covers far less."""
    rng = np.random.default_rng(1)
    covered = 0
    for run in range(200):
        values = np.repeat(rng.normal(0.3, 1.0, 40), 6)
        low, high = bootstrap(
            lambda w, v=values: w @ v / w.sum(1), np.arange(240), seed=run, resamples=300
        )
        covered += low <= 0.3 <= high
    assert covered / 200 < 0.75


def test_ratio_of_sums_and_same_seed_same_interval() -> None:
    values, weights = np.array([8.0, 2.0, 6.0]), np.array([4.0, 1.0, 3.0])
    figures = [
        mean_figure(values, np.arange(3), unit="bits/byte", seed=5, weights=weights) for _ in "ab"
    ]
    assert figures[0].value == pytest.approx(2.0)
    assert (figures[0].low, figures[0].high) == (figures[1].low, figures[1].high)
