"""The proxy learner: exact left-out predictions, calibration, honesty on noise, odd inputs."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.learner.classifier import Learner, pair_features
from dataedge.learner.closed_form import LinearDiscriminant, Ridge
from dataedge.learner.feature_matrix import Moments
from dataedge.learner.neighbour_votes import Neighbours

K = 5


def blobs(n=300, d=12, k=4, spread=1.0, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    X = rng.normal(size=(k, d))[y] + spread * rng.normal(size=(n, d))
    return X.astype(np.float32), y


def log_loss(proba, y):
    return float(-np.log(proba[np.arange(len(y)), y]).mean())


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(1)
    y = rng.integers(0, K - 1, 40)
    y[0] = K - 1  # a class with one item
    return rng.normal(size=(40, 7)) + 0.5 * y[:, None], y


def ridge_refit(X, y, keep, rows, penalty):
    mean, Y = X[keep].mean(0), np.eye(K)[y[keep]]
    centred = X[keep] - mean
    inverse = np.linalg.inv(centred.T @ centred + penalty * np.eye(X.shape[1]))
    return (X[rows] - mean) @ inverse @ centred.T @ (Y - Y.mean(0)) + Y.mean(0)


def gaussian_refit(X, y, keep, rows, tau):
    counts = np.bincount(y[keep], minlength=K)
    means = np.stack([X[keep][y[keep] == c].sum(0) / max(counts[c], 1) for c in range(K)])
    centred = X[keep] - means[y[keep]]
    inverse = np.linalg.inv(centred.T @ centred / len(X) + tau * np.eye(X.shape[1]))
    apart = X[rows][:, None] - means[None]
    square = np.einsum("ikd,de,ike->ik", apart, inverse, apart)
    square[:, counts == 0] = -np.inf
    square[:, counts == 0] = square.max(1, keepdims=True)
    return -0.5 * square


def both(X, y):
    moments = Moments.of(X.__getitem__, np.arange(len(y)), y, K)
    return Ridge.fit(moments), LinearDiscriminant.fit(moments)


@pytest.mark.parametrize("left_out", [[3], [0], [1, 5, 9, 0], [2, 30]])
def test_left_out_scores_equal_refits(small, left_out):
    X, y = small
    rows = np.array(left_out)
    keep = np.setdiff1d(np.arange(len(y)), rows)
    groups = [np.arange(len(rows))] if len(rows) > 1 else []
    ridge, gaussian = both(X, y)
    got = ridge.loo(X[rows], y[rows], 2.5, groups)
    np.testing.assert_allclose(got, ridge_refit(X, y, keep, rows, 2.5), atol=1e-6)
    got = gaussian.loo(X[rows], y[rows], 0.7, groups)
    expected = gaussian_refit(X, y, keep, rows, 0.7 * gaussian.s.mean())
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_one_at_a_time_in_one_call(small):
    X, y = small
    ridge, gaussian = both(X, y)
    tau = 3.0 * gaussian.s.mean()
    R, G = ridge.loo(X, y, 1.0), gaussian.loo(X, y, 3.0)
    for i in range(len(y)):
        keep = np.arange(len(y)) != i
        np.testing.assert_allclose(R[[i]], ridge_refit(X, y, keep, [i], 1.0), atol=1e-6)
        np.testing.assert_allclose(G[[i]], gaussian_refit(X, y, keep, [i], tau), atol=1e-6)


def test_neighbours_are_never_from_the_own_cluster():
    X, _ = blobs()
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    unit = np.vstack([unit, unit])  # every item has a twin
    clusters = np.tile(np.arange(300), 2)
    near, _ = Neighbours(unit.__getitem__, len(unit), clusters).of(
        np.arange(600), np.ones(600, bool)
    )
    assert (near >= 0).all()
    assert (clusters[near] != clusters[:, None]).all()


def test_twins_do_not_vouch_for_each_other():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(150, 20)).astype(np.float32), 2, axis=0)
    y = np.repeat(rng.integers(0, 3, 150), 2)  # labels that only the twin knows
    clusters = np.repeat(np.arange(150), 2)
    apart = Learner().fit(X, y, 3).loo_proba
    together = Learner().fit(X, y, 3, clusters=clusters).loo_proba
    assert (apart.argmax(1) == y).mean() > 0.9
    assert (together.argmax(1) == y).mean() < 0.55


def test_probabilities_are_calibrated_in_and_out_of_sample():
    X, y = blobs(n=3000, spread=1.6, seed=2)
    learner = Learner().fit(X[:1500], y[:1500], 4)
    for proba, labels in (
        (learner.loo_proba, y[:1500]),
        (learner.predict_proba(X[1500:]), y[1500:]),
    ):
        assert np.allclose(proba.sum(1), 1.0, atol=1e-4)
        top, hit = proba.max(1), proba.argmax(1) == labels
        bins = np.digitize(top, [0.5, 0.7, 0.9])
        for b in np.unique(bins):
            inside = bins == b
            error = 3 * np.sqrt(0.25 / inside.sum())
            assert abs(top[inside].mean() - hit[inside].mean()) < error


def test_left_out_loss_predicts_the_loss_on_new_items():
    X, y = blobs(n=2400, d=60, k=10, spread=2.5, seed=3)
    learner = Learner().fit(X[:800], y[:800], 10)
    new = log_loss(learner.predict_proba(X[800:]), y[800:])
    assert log_loss(learner.loo_proba, y[:800]) == pytest.approx(new, rel=0.08)


@pytest.mark.parametrize("seed", range(3))
def test_shuffled_labels_show_no_skill(seed):
    X, y = blobs(n=600, seed=seed)
    y = np.random.default_rng(seed).permutation(np.where(y > 1, 1, y))
    proba = Learner().fit(X, y, 2).loo_proba
    share = np.bincount(y) / len(y)
    prior = log_loss(np.tile(share, (len(y), 1)), y)
    assert log_loss(proba, y) > prior - 0.01
    assert np.abs(proba - share).mean() < 0.05


def test_refit_without_ignores_the_labels_left_out():
    X, y = blobs(n=400)
    wrong = np.arange(400) < 80
    given = np.where(wrong, (y + 1) % 4, y)
    learner = Learner().fit(X, given, 4)
    before, after = learner.loo_core, learner.refit_without(wrong)
    assert log_loss(after, y) < log_loss(before, y)
    np.testing.assert_array_equal(before, learner.loo_core)
    other = np.where(wrong, (y + 2) % 4, y)
    again = Learner().fit(X, given, 4)
    again._y = other
    np.testing.assert_allclose(after, again.refit_without(wrong), atol=1e-5)


@pytest.mark.parametrize("n", [300, 2600])
def test_a_learner_without_some_items_has_never_seen_their_labels(n):
    X, y = blobs(n=n)
    held = np.random.default_rng(1).random(n) < 0.15
    other = np.where(held, (y + 1) % 4, y)
    clusters = np.arange(n) // 2  # a held item may be another's twin
    one, two = (Learner().fit(X, labels, 4, clusters=clusters) for labels in (y, other))
    assert np.abs(one.loo_core - two.loo_core).max() > 0.1
    first, second = one.without(held), two.without(held)
    assert (first.penalty, first.shrink, first.floor) == (
        second.penalty,
        second.shrink,
        second.floor,
    )
    np.testing.assert_array_equal(first.weights, second.weights)
    np.testing.assert_array_equal(first.loo_core, second.loo_core)
    np.testing.assert_array_equal(first.neighbour_labels[~held], second.neighbour_labels[~held])
    np.testing.assert_array_equal(
        first.predict_proba(X[:50] + 0.1), second.predict_proba(X[:50] + 0.1)
    )
    assert not (first.teaches & held).any()
    alone = Learner().fit(X[~held], y[~held], 4, clusters=clusters[~held])
    assert np.abs(first.loo_core[~held] - alone.loo_core).mean() < 0.02
    fresh = Learner().fit(X, y, 4, clusters=clusters)
    np.testing.assert_array_equal(one.loo_core, fresh.loo_core)  # and is itself unchanged


def test_what_it_says_it_keeps_is_kept_until_the_next_fit(monkeypatch):
    asked = []
    left_out = Learner._out_of_sample
    monkeypatch.setattr(Learner, "_out_of_sample", lambda self: asked.append(1) or left_out(self))
    X, y = blobs(n=200)
    learner = Learner().fit(X, y, 4)
    assert not asked, "computed before it was asked for"
    core, neighbours = learner.loo_core, learner.neighbour_labels
    assert learner.loo_proba.shape == core.shape
    assert learner.loo_core is core
    assert learner.neighbour_labels is neighbours
    assert len(asked) == 1
    learner.refit_without(y == 0)
    assert len(asked) == 2
    assert learner.loo_core is core, "what is learned without some items is not kept"
    fresh = Learner().fit(X[::-1], y[::-1], 4)
    again = learner.fit(X[::-1], y[::-1], 4)
    np.testing.assert_array_equal(again.loo_core, fresh.loo_core)
    np.testing.assert_array_equal(again.neighbour_labels, fresh.neighbour_labels)


def test_an_item_without_neighbours_keeps_its_own_label():
    X, y = blobs(n=40)
    learner = Learner().fit(X, y, 4, clusters=np.zeros(40, int))
    np.testing.assert_array_equal(learner.neighbour_labels, y)


def test_same_input_same_output():
    X, y = blobs(n=2500)
    one, two = (Learner().fit(X, y, 4, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one.loo_core, two.loo_core)


def degenerate():
    rng = np.random.default_rng(0)
    X, y = blobs(n=60)
    yield "constant features", np.ones((30, 4), np.float32), np.arange(30) % 2, 2
    yield "more dimensions than items", rng.normal(size=(30, 100)).astype(np.float32), y[:30], 4
    yield "one item per class", X, np.arange(60), 60
    yield "absent classes", X, y, 500
    yield "one class only", X, np.zeros(60, int), 2
    yield "two items", X[:2], np.array([0, 1]), 2
    yield "some constant columns", np.hstack([X, np.zeros((60, 3), np.float32)]), y, 4
    yield "all the same item", np.tile(X[:1], (60, 1)), y, 4


@pytest.mark.parametrize("case", list(degenerate()), ids=lambda case: case[0])
def test_odd_inputs_still_give_probabilities(case):
    _, X, y, k = case
    for clusters in (None, np.arange(len(y)) // 2, np.zeros(len(y), int)):
        learner = Learner().fit(X, y, k, clusters=clusters)
        for proba in (learner.loo_proba, learner.predict_proba(X[:5])):
            assert proba.dtype == np.float32
            assert np.isfinite(proba).all()
            assert np.allclose(proba.sum(1), 1.0, atol=1e-3)
            assert (proba > 0).all()


def test_blocks_of_two_texts_are_used():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(2, 500, 8)).astype(np.float32)
    B[:250] = A[:250] + 0.1 * B[:250]
    y = (np.arange(500) < 250).astype(int)  # do the two texts say the same?
    alone = Learner().fit(A, y, 2).loo_proba
    pairs = Learner().fit(pair_features(A, 100 * B / 100), y, 2).loo_proba
    assert (alone.argmax(1) == y).mean() < 0.65
    assert (pairs.argmax(1) == y).mean() > 0.95
