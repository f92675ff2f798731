"""The control of `classify`: a learner on shuffled labels, which must find nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from dataedge.learning_curve.more_data import sample_clusters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.prompt.workspace import Workspace

SHUFFLES = 3
ITEMS = 4000
"""Train items that a shuffled learner sees at most."""


class Predictions(Protocol):
    """What a learner says of the held-out items: log-probabilities, shape (m, K)."""

    @property
    def development(self) -> NDArray[np.float64]:
        """Of the development items."""

    @property
    def evaluation(self) -> NDArray[np.float64]:
        """Of the evaluation items."""


class LabelLearning(Protocol):
    """A ladder whose learner can be given other labels."""

    s: Workspace
    y: NDArray[np.int64]
    log_prior: NDArray[np.float64]

    def learn(self, train: NDArray[np.int64], y: NDArray[np.int64] | None = None) -> Predictions:
        """Learn from these train items, with these labels instead of their own."""

    def judge(
        self, log_proba: NDArray[np.float64], indices: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Hits and bits of items, shape (m,) each."""


def shuffled_control(ladder: LabelLearning) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hits and bits of evaluation items, shape (n_eval,) each, mean of three shuffles.

    In bits, as everywhere, development items choose: a learner that is not two standard errors
    better there than the label frequencies gives way to them.

    Args:
        ladder: gives learner, labels and items.
    """
    s, rng = ladder.s, np.random.default_rng(ladder.s.seed)
    train = s.splits.train[sample_clusters(s.clusters[s.splits.train], ITEMS, s.seed)]
    sides = (s.development, s.evaluation)
    prior = [ladder.judge(np.tile(ladder.log_prior, (len(i), 1)), i)[1] for i in sides]
    hits, bits = np.zeros((2, SHUFFLES, len(s.evaluation)))
    for turn in range(SHUFFLES):
        learned = ladder.learn(train, rng.permutation(ladder.y[train]))
        (_, tried), found = map(ladder.judge, (learned.development, learned.evaluation), sides)
        saved = prior[0] - tried
        better = saved.mean() > 2 * saved.std(ddof=1) / np.sqrt(len(saved))
        hits[turn], bits[turn] = found[0], found[1] if better else prior[1]
    return hits.mean(0), bits.mean(0)
