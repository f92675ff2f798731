"""Label quality: planted errors are found, counted with honest intervals, and explained."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.learner.classifier import Learner
from dataedge.measure.label_noise import LEARNER, NEIGHBOURS, TWIN, label_quality
from dataedge.measure.noise_model import NoiseModel


def certain(y, k, strength=0.9, seed=0):
    """Probabilities whose labels are really drawn from them: y follows proba."""
    rng = np.random.default_rng(seed)
    rest = rng.dirichlet(np.ones(k), len(y)) * (1 - strength)
    proba = rest + strength * np.eye(k)[y]
    return proba / proba.sum(1, keepdims=True)


def drawn(n, k, rate, seed):
    """Calibrated probabilities, labels drawn from them, then a share moved at random."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 4
    proba = np.exp(logits - logits.max(1, keepdims=True))
    proba /= proba.sum(1, keepdims=True)
    y = (proba.cumsum(1) < rng.random(n)[:, None]).sum(1).clip(0, k - 1)
    wrong = rng.random(n) < rate
    given = np.where(wrong, (y + rng.integers(1, k, n)) % k, y)
    return proba.astype(np.float32), given, wrong


def test_planted_errors_rank_lowest_and_are_proposed_right():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 400)
    given = y.copy()
    given[:40] = (y[:40] + 1) % 5
    found = label_quality(certain(y, 5), given)
    assert found.score[:40].max() < found.score[40:].min()
    assert found.suspect[:40].all()
    assert not found.suspect[40:].any()
    np.testing.assert_array_equal(found.proposed, y)
    assert ((found.score >= 0) & (found.score <= 1)).all()
    assert found.noise.value == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.2])
def test_noise_interval_covers_the_planted_rate(rate):
    hits = 0
    for seed in range(20):
        proba, given, wrong = drawn(1500, 8, rate, seed)
        noise = label_quality(proba, given, seed=seed).noise
        assert noise.low <= noise.value <= noise.high
        hits += noise.low - 1e-9 <= wrong.mean() <= noise.high + 0.002
    assert hits >= 16


def test_more_noise_is_measured_as_more():
    rates = []
    for rate in (0.0, 0.1, 0.3):
        proba, given, _ = drawn(2000, 6, rate, 1)
        rates.append(label_quality(proba, given).noise.value)
    assert rates == sorted(rates)
    assert rates[0] < 0.02


def test_leaving_suspects_out_improves_the_ranking():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 6, 900)
    X = (rng.normal(size=(6, 16))[y] + rng.normal(size=(900, 16))).astype(np.float32)
    wrong = rng.random(900) < 0.3
    given = np.where(wrong, (y + 1) % 6, y)
    learner = Learner().fit(X, given, 6)
    once = label_quality(learner.loo_core, given)
    twice = label_quality(learner.loo_core, given, refit=learner.refit_without)

    def misordered(score):
        return float((score[wrong][:, None] > score[~wrong][None]).mean())

    assert misordered(twice.score) <= misordered(once.score) + 0.002
    assert misordered(twice.score) < 0.06
    assert (twice.suspect & wrong).sum() / twice.suspect.sum() > 0.8


def test_confused_pairs_name_the_classes():
    y = np.repeat([0, 1, 2], 100)
    given = y.copy()
    given[:15] = 2
    found = label_quality(certain(y, 3), given, label_names=["cat", "dog", "fox"])
    assert found.confused[0][:2] == ("fox", "cat")
    assert found.confused[0][2] == pytest.approx(15, abs=3)


def test_reasons_name_the_most_direct_evidence():
    y = np.tile([0, 1, 2, 3], 50)
    given = y.copy()
    given[:4] = (y[:4] + 1) % 4
    neighbours = given.copy()
    neighbours[:3] = y[:3]
    twins = np.arange(200)
    twins[0] = twins[50] = 1000  # item 50 has the same input as item 0
    proba = certain(y, 4, strength=0.98)
    found = label_quality(proba, given, twins=twins, neighbour_labels=neighbours)
    assert found.reason[:4] == (TWIN, NEIGHBOURS, NEIGHBOURS, LEARNER)
    assert set(found.reason[4:]) == {""}
    assert found.conflicts.value == pytest.approx(0.01)


def test_the_channel_tells_mix_ups_from_random_errors():
    rng = np.random.default_rng(0)
    k, n = 12, 3000
    y = rng.integers(0, k, n)
    partner = y ^ 1
    proba = 0.85 * np.eye(k)[y] + 0.12 * np.eye(k)[partner] + 0.03 / k
    wrong = rng.random(n) < 0.2
    mixed = np.where(wrong, partner, y)
    anywhere = np.where(wrong, (y + rng.integers(1, k, n)) % k, y)
    alike = [NoiseModel.fit(proba, g, smoothing=16, rounds=2).alike for g in (mixed, anywhere)]
    assert alike[0] > 0.8
    assert alike[1] < 0.3


def test_same_seed_same_result():
    proba, given, _ = drawn(600, 5, 0.1, 0)
    one, two = (label_quality(proba, given, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one.score, two.score)
    assert one.noise == two.noise


def degenerate():
    yield "nothing", np.zeros((0, 3)), np.zeros(0, int)
    yield "one item", np.array([[0.2, 0.8]]), np.array([0])
    yield "one class", np.ones((20, 1)), np.zeros(20, int)
    yield "certain and right", np.eye(3)[np.arange(60) % 3], np.arange(60) % 3
    yield "certain and wrong", np.eye(2)[np.arange(60) % 2], 1 - np.arange(60) % 2
    yield "no idea", np.full((60, 4), 0.25), np.arange(60) % 4
    yield "absent class", np.full((60, 4), 0.25), np.arange(60) % 2


@pytest.mark.parametrize("case", list(degenerate()), ids=lambda case: case[0])
def test_odd_inputs_give_finite_scores(case):
    _, proba, labels = case
    found = label_quality(proba, labels, twins=np.arange(len(labels)))
    assert len(found.reason) == len(found.score) == len(labels)
    assert np.isfinite(found.score).all()
    assert len(labels) >= 50 or found.noise.status in {"skipped", "underpowered"}
