"""Numbers of several prompts as one: no worse than the train mean, better than the lottery of one prompt."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.prompt.number_pool import candidates, expectation, fit_weights, pool_numbers

DEVELOPMENT, EVALUATION = 60, 300


def r2(given: np.ndarray, predicted: np.ndarray) -> float:
    return float(1 - np.square(given - predicted).sum() / np.square(given).sum())


def least_squares(expected: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The old rule's kin: plain least squares on development items, no shrinking, no gate."""
    n = len(given)
    centred = expected - expected.mean(1, keepdims=True)
    return np.linalg.lstsq(centred[:, :n].T, given, rcond=None)[0] @ centred[:, n:]


def drawn(rng: np.random.Generator, signals: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, and what prompts of a given correlation with them expect, in scales of their own."""
    given = rng.normal(size=DEVELOPMENT + EVALUATION)
    noise = rng.normal(size=(len(signals), len(given)))
    r = np.array(signals)[:, None]
    expected = r * given + np.sqrt(1 - r**2) * noise
    return given, expected * rng.uniform(0.1, 3.0, (len(signals), 1)) + rng.normal()


def test_prompts_that_know_nothing_leave_the_train_mean() -> None:
    rng = np.random.default_rng(0)
    pooled, plain = [], []
    for _ in range(200):
        given, expected = drawn(rng, [0.0] * 5)
        found = pool_numbers(expected, given[:DEVELOPMENT])
        pooled.append(r2(given[DEVELOPMENT:], found.evaluation))
        plain.append(r2(given[DEVELOPMENT:], least_squares(expected, given[:DEVELOPMENT])))
    assert np.mean(pooled) > -0.01
    assert np.quantile(pooled, 0.05) > -0.03
    assert np.mean(plain) < -0.05  # what the gate and the penalties are for


def test_choosing_the_best_of_many_that_know_nothing_costs_little() -> None:
    """Twenty prompts, the best four of them on 60 items pooled on the same items."""
    rng = np.random.default_rng(5)
    found = []
    for _ in range(40):
        given, expected = drawn(rng, [0.0] * 20)
        y = given[:DEVELOPMENT]
        tried = [r2(y, pool_numbers(one[None], y).development) for one in expected]
        best = expected[np.argsort(tried)[-4:]]
        found.append(r2(given[DEVELOPMENT:], pool_numbers(best, y).evaluation))
    assert np.mean(found) > -0.02
    assert np.quantile(found, 0.1) > -0.06


def test_a_pool_is_better_than_the_prompt_that_development_items_put_first() -> None:
    rng = np.random.default_rng(1)
    pooled, single = [], []
    for _ in range(100):
        given, expected = drawn(rng, [0.5, 0.45, 0.4, 0.1, 0.0])
        y = given[:DEVELOPMENT]
        pooled.append(r2(given[DEVELOPMENT:], pool_numbers(expected, y).evaluation))
        each = [pool_numbers(one[None], y) for one in expected]
        best = max(each, key=lambda p: r2(y, p.development))
        single.append(r2(given[DEVELOPMENT:], best.evaluation))
    assert np.mean(pooled) > np.mean(single) + 0.05
    assert np.mean(pooled) > 0.3


def test_development_predictions_are_out_of_fold() -> None:
    """What choices are made on is not what was fitted: on noise it is no better than the mean."""
    rng = np.random.default_rng(2)
    inside, outside = [], []
    for _ in range(100):
        given, expected = drawn(rng, [0.0] * 8)
        y = given[:DEVELOPMENT]
        held = pool_numbers(expected, y).development
        outside.append(float(held @ y))
        features = (expected - expected.mean(1, keepdims=True)) / expected.std(1, keepdims=True)
        weights = fit_weights(features[:, :DEVELOPMENT], y, np.ones(DEVELOPMENT))
        inside.append(float(weights @ features[:, :DEVELOPMENT] @ y))
    assert np.mean(outside) < 0.25 * np.mean(inside)


def test_weights_are_not_negative_and_missing_answers_say_nothing() -> None:
    rng = np.random.default_rng(3)
    given, expected = drawn(rng, [0.8, -0.8])
    expected[0, ::7] = np.nan
    found = pool_numbers(expected, given[:DEVELOPMENT])
    assert (found.weights >= 0).all()
    assert found.weights[0] > found.weights[1]
    assert np.isfinite(found.evaluation).all()
    gone = pool_numbers(np.full_like(expected, np.nan), given[:DEVELOPMENT])
    assert not gone.evaluation.any()


@pytest.mark.parametrize("bias", [0.0, 5.0])
def test_what_a_prompt_prefers_whatever_the_text_says_is_taken_off(bias: float) -> None:
    rng = np.random.default_rng(4)
    values = np.linspace(-2, 2, 9)
    given = rng.normal(size=400)
    scores = -np.square(given[:, None] - values) + bias * np.arange(9)
    found = expectation(scores, values)
    assert np.corrcoef(found, given)[0, 1] > 0.9
    assert abs(found.mean()) < 0.2
    scores[0] = np.nan
    assert np.isnan(expectation(scores, values)[0])


def test_candidates_are_train_numbers_as_written() -> None:
    values = np.array([10.0, 2.5, 7.0, 2.5, 100.0])
    grid = candidates(values, ["10", "2.50", "7", "2.50", "100"], 5)
    assert grid.texts == ("2.50", "7", "10", "100")
    assert grid.values.tolist() == [2.5, 7.0, 10.0, 100.0]
