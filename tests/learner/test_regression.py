"""A number is predicted as if its item, and the item's near duplicates, had never been seen."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.learner.regression import Regression, left_out


def sample(n: int = 600, d: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X @ rng.normal(size=d) + 0.5 * rng.normal(size=n)


def refit(X: np.ndarray, y: np.ndarray, kept: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Least squares fitted again without some rows, for comparison."""
    A = np.column_stack([X, np.ones(len(X))])
    return A[rows] @ np.linalg.lstsq(A[kept], y[kept], rcond=None)[0]


def test_left_out_predictions_are_those_of_a_refit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataedge.learner.regression._PENALTIES", (1e-9,))
    X, y = sample(200)
    clusters = np.arange(200)
    clusters[[5, 9, 30]] = 5
    out = left_out([X], y, clusters)
    for rows in (np.array([0]), np.array([5, 9, 30])):
        want = refit(X, y, np.setdiff1d(np.arange(200), rows), rows)
        np.testing.assert_allclose(out[rows], want, atol=1e-5)


def test_more_features_than_items() -> None:
    X, y = sample(60, d=200)
    assert np.isfinite(left_out([X, X[:, :3]], y, np.arange(60))).all()
    assert np.isfinite(left_out([np.zeros((4, 2))], np.arange(4.0), np.arange(4))).all()


def test_a_wrong_number_does_not_choose_the_penalty() -> None:
    X, y = sample(300)
    clean = left_out([X], y, np.arange(300))
    wild = y.copy()
    wild[:9] = 1e6
    errors = np.abs(left_out([X], wild, np.arange(300)) - y)[9:]
    assert np.median(np.abs(clean - y)) < 1.0
    assert np.isfinite(errors).all()
    copies = np.repeat(np.arange(150), 2)
    noise = np.repeat(np.random.default_rng(3).normal(size=150), 2)
    told = left_out([np.repeat(X[:150], 2, axis=0)], noise, copies)
    assert np.corrcoef(told, noise)[0, 1] < 0.2  # twins do not give each other away


def test_new_items_are_predicted_as_well_as_left_out_ones() -> None:
    rng = np.random.default_rng(7)
    X = rng.normal(size=(300, 40)).astype(np.float32)
    y = X[:, :5].sum(1) + rng.normal(size=300) + 50.0
    found = Regression().fit([X[:150]], y[:150], np.arange(150))
    errors = [
        np.square(found.left_out - y[:150]).mean(),
        np.square(found.predict([X[150:]]) - y[150:]).mean(),
    ]
    assert errors[0] == pytest.approx(errors[1], rel=0.35)
    assert max(errors) < 0.5 * y.var()


def test_noise_is_predicted_by_little_more_than_the_mean() -> None:
    rng, spread = np.random.default_rng(8), []
    for _ in range(20):
        X, y = rng.normal(size=(200, 60)).astype(np.float32), rng.normal(size=200)
        new = rng.normal(size=(50, 60)).astype(np.float32)
        spread.append(np.square(Regression().fit([X], y, np.arange(200)).predict([new])).mean())
    assert np.mean(spread) < 0.1
