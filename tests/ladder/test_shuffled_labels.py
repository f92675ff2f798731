"""The control on shuffled labels: 0 where there is nothing, and it catches a learner that peeks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from dataedge.figures import mean_figure
from dataedge.ladder.classify import ClassifyLadder, Learned
from dataedge.ladder.shuffled_labels import shuffled_control
from dataedge.learner.classifier import Learner


class OnVectors(ClassifyLadder):
    """The real stack and learner on vectors; with `peeks`, held-out labels leak into the features."""

    def __init__(self, seed: int, peeks: float = 0.0) -> None:
        rng, n, self.K = np.random.default_rng(seed), 600, 3
        self.y = rng.choice(3, n, p=[0.5, 0.3, 0.2])
        self.X = rng.normal(size=(n, 12)).astype(np.float32)
        self.log_prior, self.peeks = np.log(np.bincount(self.y[:200]) / 200), peeks
        self.s = SimpleNamespace(
            seed=seed, clusters=np.arange(n), splits=SimpleNamespace(train=np.arange(200)),
            development=np.arange(200, 300), evaluation=np.arange(300, n),
        )  # fmt: skip

    def learn(self, train, y=None):
        learner = Learner().fit(self.X[train], y, self.K, seed=0)
        sides = []
        for i in (self.s.development, self.s.evaluation):
            p = learner.predict_proba(self.X[i])
            sides.append(np.log((1 - self.peeks) * p + self.peeks * np.eye(self.K)[self.y[i]]))
        return Learned(*sides)

    def judge(self, log_proba, indices):
        rows, y = np.arange(len(indices)), self.y[indices]
        return (log_proba.argmax(1) == y).astype(float), -log_proba[rows, y] / np.log(2)


def gain(seed: int, peeks: float = 0.0):
    ladder = OnVectors(seed, peeks)
    _, bits = shuffled_control(ladder)
    at = ladder.s.evaluation
    chance = ladder.judge(np.tile(ladder.log_prior, (len(at), 1)), at)[1]
    return mean_figure(chance - bits, np.arange(len(at)), unit="bits/item", seed=seed)


@pytest.mark.long
def test_nothing_is_found_in_labels_that_the_texts_do_not_tell() -> None:
    found = [gain(seed) for seed in range(6)]
    values = np.array([f.value for f in found])
    assert sum(f.low <= 0.0 for f in found) >= 5
    assert values.mean() <= 2 * values.std(ddof=1) / np.sqrt(len(values))


def test_a_learner_that_peeks_is_caught() -> None:
    assert all(gain(seed, peeks=0.1).low > 0.0 for seed in range(3))
