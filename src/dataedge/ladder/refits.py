"""What the ladder of labels would have reached with another train side, other weights, other prompts.

No question is asked anew. The learner is fitted to random parts of the train side, pools and stacks to
development items that count differently, and pools once more without one of their prompts; all are
judged on the same evaluation items. How far the edge moves is what an interval over evaluation
items alone leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.ladder.stack import stack
from dataedge.learner.classifier import Learner
from dataedge.learning_curve.more_data import sample_clusters
from dataedge.prompt.pool import Centred, Pool, centre, pool_centred
from dataedge.widened_intervals import Added, refit_variance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.ladder.stack import Predictions
    from dataedge.prompt.pool import Pooled

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

REFITTED = ("without_data", "prompted", "learned", "with_data")
"""The rungs that are refitted, in the order in which they are kept."""
CONSTANT = "chance"
"""The rung that is taken to stay as it is."""
PARTS, REWEIGHTS = 16, 12
"""Refits on random parts of the train side, and with development items weighted anew."""
KEPT = 0.7
"""Share of the train items in a part. Of a half, a learner of few rows learns so little that the stack
hardly listens to it, and the variance found is too small; of four fifths it came out too large."""
LARGEST_PART = 800
"""Train items of a part at most; fewer where features are wide."""
WIDTH = 512
"""Features up to which that many are taken."""


class Items(NamedTuple):
    """The evaluation items that a figure rests on.

    Attributes:
        weight: shape (n,), 1 on the mean.
        clusters: shape (n,).
        classes: shape (n,), their labels; None where they do not matter.
    """

    weight: Floats
    clusters: Ints
    classes: Ints | None = None


@dataclass(frozen=True)
class Answers:
    """Which of its answers each refit has right.

    Attributes:
        hits: shape (R, 4, n), of the likeliest label, by rung in the order of `REFITTED`.
        balanced: same shape, of the label that is likeliest beyond its frequency.
        scale: the variance between these refits times this is the variance between audits.
    """

    hits: Bools
    balanced: Bools
    scale: float

    def items(self, mask: Bools) -> Answers:
        """The same on some of the evaluation items."""
        return Answers(self.hits[:, :, mask], self.balanced[:, :, mask], self.scale)

    def variance(self, upper: str, lower: str, on: Items, *, balanced: bool) -> float:
        """Of the weighted mean of `upper`, less that of `lower` unless it stays as it is."""
        hits = self.balanced if balanced else self.hits
        values = hits[:, REFITTED.index(upper)].astype(np.float64)
        if lower != CONSTANT:
            values -= hits[:, REFITTED.index(lower)]
        return self.scale * refit_variance(values * on.weight, on.clusters, on.classes)


@dataclass(frozen=True)
class Refits:
    """Refits by what was drawn anew.

    Attributes:
        train_side: the learner, on parts of the train side, and its stacks.
        development: pools and stacks, development items weighted anew.
        prompts: pools and stacks without one prompt, for each kind of which there are several.
    """

    train_side: Answers
    development: Answers
    prompts: tuple[Answers, ...]

    def items(self, mask: Bools) -> Refits:
        """The same on some of the evaluation items."""
        return Refits(
            self.train_side.items(mask),
            self.development.items(mask),
            tuple(a.items(mask) for a in self.prompts),
        )

    def variances(self, upper: str, lower: str, on: Items, *, balanced: bool) -> Added | None:
        """What refits add to the variance of a rung's mean, or of a difference of two.

        Args:
            upper: a rung.
            lower: the rung that is taken off; `chance` for none.
            on: the evaluation items.
            balanced: count the label that is likeliest beyond its frequency.

        Returns:
            By source; None where one of the two is not refitted.
        """
        if upper not in REFITTED or lower not in (*REFITTED, CONSTANT):
            return None
        groups = ((self.train_side,), (self.development,), self.prompts)
        train, development, prompts = (
            sum(a.variance(upper, lower, on, balanced=balanced) for a in answers)
            for answers in groups
        )
        one, two, three = (max(v, 0.0) for v in (train, development, prompts))
        made = [[len(a.hits) for a in g] for g in groups]
        free = [float(max(sum(m) - len(m), 1)) for m in made]
        return Added(one, two, three, (free[0], free[1], free[2]), sum(map(sum, made)))


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


class _Said(NamedTuple):
    """Log-probabilities, shape (m, K) on each side."""

    development: Floats
    evaluation: Floats


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
        log_prior: shape (K,), of the train side.
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
    log_prior: Floats
    panel: Panel
    without: Pooled
    prompted: Pooled
    own: Predictions
    seed: int
    width: int | None = None

    def refit(self) -> Refits:
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
                prior = _Said(*(np.tile(self.log_prior, (len(side), 1)) for side in held))
                found.append(self._rungs(self.without, self.prompted, prior))
                continue
            learner = Learner().fit(
                [b[rows] for b in self.blocks],
                self.y[rows],
                len(self.log_prior),
                clusters=self.clusters[rows],
                seed=self.seed,
                like=first,
            )
            first = first or learner
            sides = ([b[i] for b in self.blocks] for i in (self.development, self.evaluation))
            own = _Said(*(np.log(np.maximum(learner.predict_proba(X), 1e-9)) for X in sides))
            found.append(self._rungs(self.without, self.prompted, own))
        kept = float(np.mean(sizes)) if sizes else 0.0
        return self._answers(found, kept / max(len(train) - kept, 1.0))

    def _development(self) -> Answers:
        """Clusters of development items with exponential weights: the Bayesian bootstrap (Rubin 1981)."""
        rng = np.random.default_rng(self.seed + 1)
        _, own = np.unique(self.clusters[self.development], return_inverse=True)
        found = []
        for _ in range(REWEIGHTS):
            weights = rng.exponential(size=int(own.max()) + 1)[own]
            weights *= len(own) / weights.sum()
            pools = self._pools(range(len(self.panel.kinds)), weights)
            found.append(self._rungs(*pools, self.own, weights))
        return self._answers(found, 1.0)

    def _prompts(self) -> tuple[Answers, ...]:
        """Each prompt left out in turn: the jackknife, within each kind of prompt."""
        kinds, out = self.panel.kinds, []
        for kind in dict.fromkeys(kinds):
            members = [i for i, other in enumerate(kinds) if other == kind]
            k = len(members)
            if k < 2:
                continue
            kept = [[i for i in range(len(kinds)) if i != left_out] for left_out in members]
            found = [self._rungs(*self._pools(some), self.own) for some in kept]
            out.append(self._answers(found, (k - 1) ** 2 / k))
        return tuple(out)

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
        start = Pool(fitted.weights[at], fitted.share, fitted.prior_weight, self.log_prior)
        some = Centred(centred.scores[at], centred.offset[at], centred.answered)
        labels = self.y[self.development]
        # from the prior alone, where all weights are 0, no search should begin
        near = start if start.weights.any() else None
        return pool_centred(some, labels, self.log_prior, weights, near)

    def _rungs(
        self,
        without: Predictions,
        prompted: Predictions,
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
        beyond = [(log_proba - self.log_prior).argmax(axis=1) == truth for log_proba in said]
        return np.array([likeliest, beyond])

    def _answers(self, found: list[NDArray[np.bool_]], scale: float) -> Answers:
        none = np.zeros((0, 2, len(REFITTED), len(self.evaluation)), bool)
        both = np.stack(found) if found else none
        return Answers(both[:, 0], both[:, 1], scale)
