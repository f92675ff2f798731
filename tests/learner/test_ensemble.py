"""Views of the same labels are weighed by what they tell; random label noise goes to the floor."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.learner.ensemble import fit_weights, geometric_mean


def views(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, the scores of a view that tells them, and of one that tells nothing."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    telling = rng.normal(size=(n, k))
    telling[np.arange(n), y] += 2.0
    return y, telling.astype(np.float32), rng.normal(size=(n, k)).astype(np.float32)


def test_the_mean_is_a_distribution_and_what_its_formula_says() -> None:
    _, a, b = views(50, 4, 0)
    prior = np.log(np.array([0.1, 0.2, 0.3, 0.4], np.float32))
    found = geometric_mean(np.array([1.5, 0.5, 2.0]), [a, b], prior)
    logits = np.exp(1.5 * a + 0.5 * b + 2.0 * prior)
    np.testing.assert_allclose(found, logits / logits.sum(1, keepdims=True), rtol=1e-4)
    np.testing.assert_allclose(found.sum(1), 1.0, atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_a_view_that_tells_nothing_gets_no_weight(seed: int) -> None:
    y, telling, noise = views(2000, 5, seed)
    prior = np.full(5, np.log(0.2), np.float32)
    weights, floor, loss = fit_weights([noise, telling], prior, y)
    assert weights[0] < 0.1 * weights[1]
    assert floor < 0.05
    alone = fit_weights([telling], prior, y).loss
    assert loss <= alone + 1e-3
    assert loss < np.log(5)


def test_a_view_that_points_away_is_not_read_backwards() -> None:
    """Left-out scores are lower for an item's own class even on noise: that must not be used."""
    y, telling, _ = views(2000, 4, 1)
    prior = np.full(4, np.log(0.25), np.float32)
    weights, _, loss = fit_weights([-telling], prior, y)
    assert weights[0] == pytest.approx(0.0, abs=1e-6)
    assert loss == pytest.approx(np.log(4), abs=0.01)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.4])
def test_the_floor_is_the_share_of_labels_that_follow_no_text(rate: float) -> None:
    y, telling, _ = views(6000, 5, 2)
    rng = np.random.default_rng(3)
    given = np.where(rng.random(len(y)) < rate, rng.integers(0, 5, len(y)), y)
    floor = fit_weights([4 * telling], np.full(5, np.log(0.2), np.float32), given).floor
    assert floor == pytest.approx(rate, abs=0.06)
