"""What the ladder of labels would have reached with another train side, other weights, other prompts.

No question is asked anew. The learner is fitted to random parts of the train side, pools and stacks to
development items that count differently, and pools once more without one of their prompts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.ladder.refits import KEPT, REFITTED, Answers, Refits, Said, counted_anew, without_one
from dataedge.ladder.stack import stack
from dataedge.learner.classifier import Learner
from dataedge.learning_curve.more_data import sample_clusters
from dataedge.prompt.pool import Centred, Pool, centre, pool_centred

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.ladder.stack import Predictions
    from dataedge.prompt.label_prior import LabelPrior
    from dataedge.prompt.pool import Pooled

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

PARTS, REWEIGHTS = 16, 12
"""Refits on random parts of the train side, and with development items weighted anew."""
LARGEST_PART = 800
"""Train items of a part at most; fewer where features are wide."""
WIDTH = 512
"""Features up to which that many are taken."""


@dataclass(frozen=True)
class Panel:
    """The prompts that are pooled, and what they say.

    Attributes:
        scores: shape (M, n_dev + n_eval, K), nats, development items first.
        kinds: of each prompt: zero_shot, few_shot or retrieved; the last ones are not in `without_data`.
    """

    scores: Floats
    kinds: tuple[str, ...]

    @property
    def cheap(self) -> list[int]:
        """Positions of the prompts of `without_data`."""
        return [i for i, kind in enumerate(self.kinds) if kind != "retrieved"]


@dataclass(frozen=True)
class Ladder:
    """A ladder of labels, as far as it can be fitted again.

    Attributes:
        blocks: features of all items, a list of shape (N, d_b).
        y: shape (N,), label numbers.
        clusters: shape (N,).
        train: the train items.
        development: the development items.
        evaluation: the evaluation items.
        prior: how frequent labels are by what the train side tells.
        panel: what the prompts say.
        without: the pool of `without_data`.
        prompted: the pool with retrieved demonstrations too.
        own: what the learner of all train items says.
        seed: of the draws.
        width: features that the size of a part allows for; those of the blocks if None.
    """

    blocks: Sequence[NDArray[np.floating[Any]]]
    y: Ints
    clusters: Ints
    train: Ints
    development: Ints
    evaluation: Ints
    prior: LabelPrior
    panel: Panel
    without: Pooled
    prompted: Pooled
    own: Predictions
    seed: int
    width: int | None = None

    def refit(self) -> Refits[Answers]:
        """All refits: some seconds."""
        return Refits(self._train_side(), self._development(), self._prompts())

    def _train_side(self) -> Answers:
        """Random parts without replacement: the delete-d jackknife (Shao & Wu 1989).

        The variance of fits to r of n items, times r / (n − r), is that of fits to n items.
        """
        train = self.train
        width = self.width or sum(block.shape[1] for block in self.blocks)
        most = int(min(KEPT * len(train), LARGEST_PART * min(1.0, WIDTH / width)))
        first: Learner | None = None
        found, sizes = [], []
        for turn in range(PARTS):
            rows = train[sample_clusters(self.clusters[train], most, self.seed + turn)]
            sizes.append(len(rows))
            if len(np.unique(self.y[rows])) < 2:
                # nothing is learned of one label but how frequent it is
                held = (self.development, self.evaluation)
                prior = Said(*(np.tile(self.without.log_prior, (len(side), 1)) for side in held))
                found.append(self._rungs(self.without, self.prompted, prior))
                continue
            learner = Learner().fit(
                [b[rows] for b in self.blocks],
                self.y[rows],
                len(self.prior.train),
                clusters=self.clusters[rows],
                seed=self.seed,
                like=first,
            )
            first = first or learner
            sides = ([b[i] for b in self.blocks] for i in (self.development, self.evaluation))
            own = Said(*(np.log(np.maximum(learner.predict_proba(X), 1e-9)) for X in sides))
            found.append(self._rungs(self.without, self.prompted, own))
        kept = float(np.mean(sizes)) if sizes else 0.0
        return self._answers(found, kept / max(len(train) - kept, 1.0))

    def _development(self) -> Answers:
        """Development items counted anew, for pools and stacks."""
        every = range(len(self.panel.kinds))
        anew = counted_anew(self.clusters[self.development], REWEIGHTS, self.seed + 1)
        found = [self._rungs(*self._pools(every, counts), self.own, counts) for counts in anew]
        return self._answers(found, 1.0)

    def _prompts(self) -> tuple[Answers, ...]:
        """Pools without one prompt."""
        return tuple(
            self._answers(
                [self._rungs(*self._pools(some), self.own) for some in kept],
                (len(kept) - 1) ** 2 / len(kept),
            )
            for kept in without_one(self.panel.kinds)
        )

    @cached_property
    def _all(self) -> Centred:
        return centre(self.panel.scores)

    @cached_property
    def _cheap(self) -> Centred:
        return centre(self.panel.scores[self.panel.cheap])

    def _pools(
        self, members: Sequence[int], weights: Floats | None = None
    ) -> tuple[Pooled, Pooled]:
        """`without_data` and `prompted`, pooled from some of the prompts."""
        cheap = [i for i in members if i in self.panel.cheap]
        without = self._pool(self._cheap, cheap, self.panel.cheap, self.without, weights)
        if len(cheap) == len(members):
            return without, without
        every = list(range(len(self.panel.kinds)))
        return without, self._pool(self._all, list(members), every, self.prompted, weights)

    def _pool(
        self,
        centred: Centred,
        members: list[int],
        of: list[int],
        fitted: Pooled,
        weights: Floats | None,
    ) -> Pooled:
        at = [of.index(i) for i in members]
        start = Pool(fitted.weights[at], fitted.share, fitted.prior_weight, fitted.log_prior)
        some = Centred(centred.scores[at], centred.offset[at], centred.answered)
        labels = self.y[self.development]
        # from the prior alone, where all weights are 0, no search should begin
        near = start if start.weights.any() else None
        return pool_centred(some, labels, self.prior, weights, near)

    def _rungs(
        self,
        without: Pooled,
        prompted: Pooled,
        own: Predictions,
        weights: Floats | None = None,
    ) -> NDArray[np.bool_]:
        """Right answers of the four rungs, of the likeliest label and beyond frequency, (2, 4, n)."""
        labels, truth = self.y[self.development], self.y[self.evaluation]
        said = (
            without.evaluation,
            prompted.evaluation,
            stack(own, without, labels, weights).evaluation,
            stack(own, prompted, labels, weights).evaluation,
        )
        likeliest = [log_proba.argmax(axis=1) == truth for log_proba in said]
        priors = (without.log_prior, prompted.log_prior) * 2
        beyond = [
            (log_proba - log_prior).argmax(axis=1) == truth
            for log_proba, log_prior in zip(said, priors, strict=True)
        ]
        return np.array([likeliest, beyond])

    def _answers(self, found: list[NDArray[np.bool_]], scale: float) -> Answers:
        none = np.zeros((0, 2, len(REFITTED), len(self.evaluation)), bool)
        both = np.stack(found) if found else none
        return Answers(both[:, 0], both[:, 1], scale)
