"""The control of `classify`: a learner on shuffled labels, which must find nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dataedge.ladder.stack import stack
from dataedge.learning_curve.more_data import sample_clusters
from dataedge.positions import Positions, positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.ladder.stack import Predictions
    from dataedge.prompt.workspace import Workspace

SHUFFLES = 20
ITEMS = 200
"""Train items that a shuffled learner sees at most."""


@dataclass(frozen=True)
class _Prior:
    """The label frequencies as predictions, shape (m, K) on each side."""

    development: NDArray[np.float64]
    evaluation: NDArray[np.float64]


class LabelLearning(Protocol):
    """A ladder whose learner can be given other labels."""

    s: Workspace
    y: NDArray[np.int64]
    log_prior: NDArray[np.float64]

    def learn(self, train: Positions, y: NDArray[np.int64] | None = None) -> Predictions:
        """Learn from these train items, with these labels instead of their own."""

    def judge(
        self, log_proba: NDArray[np.float64], indices: Positions
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Hits and bits of items, shape (m,) each."""


def shuffled_control(ladder: LabelLearning) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Hits and bits of evaluation items, shape (n_eval,) each, mean of 20 shuffles.

    The learner goes the way that it goes on real labels: features, fit, weights of the stack by
    development items, here on top of the label frequencies. It passes no gate besides.

    Args:
        ladder: gives learner, labels and items.
    """
    s, rng = ladder.s, np.random.default_rng(ladder.s.seed)
    side = s.splits.train
    train = positions(side[sample_clusters(s.clusters[side], ITEMS, s.seed)])
    prior = _Prior(*(np.tile(ladder.log_prior, (len(i), 1)) for i in (s.development, s.evaluation)))
    hits, bits = np.zeros((2, SHUFFLES, len(s.evaluation)))
    for turn in range(SHUFFLES):
        learned = ladder.learn(train, rng.permutation(ladder.y[train]))
        mixed = stack(learned, prior, ladder.y[s.development])
        hits[turn], bits[turn] = ladder.judge(mixed.evaluation, s.evaluation)
    return hits.mean(0), bits.mean(0)
