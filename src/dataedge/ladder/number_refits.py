"""What the ladder of numbers would have reached with another train side, other weights, other prompts.

As in `label_refits.py` no question is asked anew: the learner is fitted to random parts of the train side,
pools and stacks to development items that count differently, and pools once more without one of their
prompts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.ladder.refits import KEPT, Gains, Refits, Said, counted_anew, without_one
from dataedge.ladder.stack import stack_numbers
from dataedge.learner.regression import Regression
from dataedge.learning_curve.more_data import sample_clusters
from dataedge.prompt.number_pool import pool_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.ladder.stack import Predictions
    from dataedge.prompt.number_pool import PooledNumbers

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

PARTS, REWEIGHTS = 8, 12
"""Refits on random parts of the train side, and with development items weighted anew."""
FEWEST, LARGEST_PART = 3, 2_000
"""Train items of a part at least and at most."""


@dataclass(frozen=True)
class Expectations:
    """The prompts that are pooled, and the numbers that they expect.

    Attributes:
        values: shape (M, n_dev + n_eval), in standard deviations from the train mean, development items
            first; NaN where a prompt gave no number.
        kinds: of each prompt: zero_shot, few_shot or retrieved; the last ones are not in `without_data`.
    """

    values: Floats
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Ladder:
    """A ladder of numbers, as far as it can be fitted again.

    Attributes:
        blocks: features of all items, a list of shape (N, d_b).
        z: shape (N,), numbers in standard deviations from the train mean.
        clusters: shape (N,).
        train: the train items.
        development: the development items.
        evaluation: the evaluation items.
        panel: what the prompts expect.
        without: the pool of `without_data`.
        prompted: the pool with retrieved demonstrations too.
        own: what the learner of all train items says.
        seed: of the draws.
    """

    blocks: Sequence[NDArray[np.floating[Any]]]
    z: Floats
    clusters: Ints
    train: Ints
    development: Ints
    evaluation: Ints
    panel: Expectations
    without: PooledNumbers
    prompted: PooledNumbers
    own: Predictions
    seed: int

    def refit(self) -> Refits[Gains]:
        """All refits: some seconds."""
        return Refits(self._train_side(), self._development(), self._prompts())

    def _train_side(self) -> Gains:
        """Parts of whole clusters without replacement: the delete-d jackknife (Shao & Wu 1989)."""
        train = self.train
        most = min(round(KEPT * len(train)), LARGEST_PART)
        found, sizes = [], []
        for turn in range(PARTS):
            rows = train[sample_clusters(self.clusters[train], most, self.seed + turn)]
            if len(rows) < FEWEST:  # a cluster larger than a part was drawn first
                continue
            sizes.append(len(rows))
            learner = Regression().fit(
                [b[rows] for b in self.blocks], self.z[rows], self.clusters[rows]
            )
            sides = ([b[i] for b in self.blocks] for i in (self.development, self.evaluation))
            own = Said(*map(learner.predict, sides))
            found.append(self._rungs(self.without, self.prompted, own))
        if not found:
            return Gains(np.zeros((0, 4, len(self.evaluation))), 0.0)
        kept = float(np.mean(sizes))
        return Gains(np.stack(found), kept / max(len(train) - kept, 1.0))

    def _development(self) -> Gains:
        """Development items counted anew, for pools and stacks."""
        every = range(len(self.panel.kinds))
        anew = counted_anew(self.clusters[self.development], REWEIGHTS, self.seed + 1)
        found = [self._rungs(*self._pools(every, counts), self.own, counts) for counts in anew]
        return Gains(np.stack(found), 1.0)

    def _prompts(self) -> tuple[Gains, ...]:
        """Pools without one prompt."""
        return tuple(
            Gains(
                np.stack([self._rungs(*self._pools(some), self.own) for some in kept]),
                (len(kept) - 1) ** 2 / len(kept),
            )
            for kept in without_one(self.panel.kinds)
        )

    def _pools(
        self, members: Sequence[int], counts: Floats | None = None
    ) -> tuple[PooledNumbers, PooledNumbers]:
        """`without_data` and `prompted`, pooled from some of the prompts."""
        given, values = self.z[self.development], self.panel.values
        cheap = [i for i in members if self.panel.kinds[i] != "retrieved"]
        without = pool_numbers(values[cheap], given, counts)
        if len(cheap) == len(members):
            return without, without
        return without, pool_numbers(values[list(members)], given, counts)

    def _rungs(
        self,
        without: Predictions,
        prompted: Predictions,
        own: Predictions,
        counts: Floats | None = None,
    ) -> Floats:
        """Squared error that the four rungs take away, shape (4, n)."""
        given, truth = self.z[self.development], self.z[self.evaluation]
        said = (
            without.evaluation,
            prompted.evaluation,
            stack_numbers(own, without, given, counts).evaluation,
            stack_numbers(own, prompted, given, counts).evaluation,
        )
        return np.stack([np.square(truth) - np.square(truth - one) for one in said])
