"""The ladder of `number`: how much of the numbers' variance prompting explains, and what the data adds.

R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)², ȳ the train side's mean: 0 is as good as always answering that mean,
and an answer can be worse. Mean absolute error stands beside it, of the same predictions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.engine import Step
from dataedge.figures import Figure, mean_figure
from dataedge.ladder import number_refits
from dataedge.ladder.number_prompts import AskedNumbers, NumberPrompts
from dataedge.ladder.refits import Gains, Refits
from dataedge.ladder.rungs import Repaired, Rungs
from dataedge.ladder.stack import SHARES, Stacked, stack_numbers
from dataedge.ladder.units import ABSOLUTE, R2
from dataedge.learner import regression
from dataedge.learner.regression import Regression
from dataedge.learning_curve.more_data import sample_clusters
from dataedge.positions import Positions, positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.ladder.outcome import Outcome
    from dataedge.learner.item_features import Description
    from dataedge.prompt.number_pool import PooledNumbers
    from dataedge.prompt.workspace import Workspace

    Floats = NDArray[np.float64]

SHUFFLES = 20
SHUFFLED_ITEMS = 200
"""Train items that a learner of shuffled numbers sees at most."""
PARTS = ((8, 6), (4, 4), (2, 3), (1, 1))
"""Points of the learning curve: one part in so many of the train side, and draws of it."""


@dataclass(frozen=True)
class LearnedNumbers:
    """What a learner says of held-out items, in standard deviations from the train mean."""

    development: NDArray[np.float64]
    evaluation: NDArray[np.float64]


LEARNER = Step("number_learner", 1, (LearnedNumbers,))
REFITS = Step("number_refits", 1, (Refits, Gains))


@dataclass(frozen=True)
class NumberRun:
    """A ladder that was run and what else was learned on the way.

    Attributes:
        rungs: in R², on the evaluation items.
        edge: with_data − without_data in R². Where development items left the learner out, the two are
            almost the same and so is their interval, [0, 0]; the upper end is then that of the best
            mix which does not leave it out.
        errors: the same in absolute error.
        trials: per prompt, on development items.
        shuffled: squared error that a learner of shuffled numbers takes away, per evaluation item.
        curve: train items, and squared error per evaluation item (n,) there, at sizes that double.
    """

    rungs: Rungs
    edge: Figure
    errors: Rungs
    trials: list[dict[str, Any]]
    shuffled: NDArray[np.float64]
    curve: list[tuple[int, NDArray[np.float64]]]


class NumberLadder(NumberPrompts):
    """Climbs the ladder of a dataset whose label is a number.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        described: what the learner sees.
        suspects: shape (n,), items whose number is suspect.
        pruned: train items whose number is suspect as far as the train side alone can tell.
    """

    def __init__(
        self,
        workspace: Workspace,
        described: Description,
        suspects: NDArray[np.bool_],
        pruned: Positions,
    ) -> None:
        super().__init__(workspace)
        self.described = described
        self.suspects = suspects
        self.pruned = pruned

    def run(self) -> NumberRun:
        """All rungs."""
        s = self.s
        asked = self.ask()
        nothing = np.zeros(len(s.evaluation))
        shown = f"always {self.mean:.5g}, the mean of the train items"
        outcomes = {"chance": self.outcome(shown, None, nothing), **asked.outcomes}
        own = self.learn(s.splits.train)
        outcomes["learned"], learned = self.stacked(own, asked.without)
        outcomes["with_data"], mixed = self.stacked(own, asked.prompted)
        index = s.evaluation
        rungs = Rungs(
            R2,
            index,
            np.square(self.z[index]),
            s.clusters[index],
            outcomes,
            asked.missing,
            s.seed,
            no_bits="a number is judged by its distance, not in bits",
            refits=self._refits(asked, own),
        )
        rungs.special["repaired"] = self._repaired(rungs, asked.without)
        return NumberRun(
            rungs,
            rungs.difference("with_data", "without_data")
            if mixed.own_weight > 0
            else self._edge_left_open(rungs, own, asked.prompted),
            absolute(rungs, s.numbers[index]),
            asked.trials,
            self._shuffled(),
            self._curve(learned, asked.without),
        )

    # -- learning ------------------------------------------------------------------------------

    def learn(self, train: Positions, z: Floats | None = None) -> LearnedNumbers:
        """What ridge regression on some train items says of the held-out ones.

        Args:
            train: which items.
            z: shape (len(train),), numbers in place of their own.
        """
        s, given = self.s, self.z[train] if z is None else z
        inputs: dict[str, Any] = {
            "train": train,
            "given": given,
            "clusters": s.clusters[train],
            "development": s.development,
            "evaluation": s.evaluation,
            "regression": regression.VERSION,
        }

        def compute(_: object) -> LearnedNumbers:
            blocks = self.described.blocks
            fitted = Regression().fit([b[train] for b in blocks], given, s.clusters[train])
            sides = ([b[i] for b in blocks] for i in (s.development, s.evaluation))
            return LearnedNumbers(*map(fitted.predict, sides))

        return s.engine.once(LEARNER, {**self.described.inputs, **inputs}, compute)

    def stacked(
        self, own: LearnedNumbers, base: PooledNumbers, least: float = 0.0
    ) -> tuple[Outcome, Stacked]:
        """The learner on top of a pool of prompts; weights by development items.

        Args:
            own: the learner.
            base: the pool.
            least: weight that the learner has at least.
        """
        mixed = stack_numbers(own, base, self.z[self.s.development], least=least)
        n = len(self.s.splits.train)
        outcome = self.outcome(
            f"ridge regression on {self.described.name} of {n} items, weight {mixed.own_weight:g}, "
            f"base model weight {mixed.base_weight:g}",
            mixed.development,
            mixed.evaluation,
            {
                "train_items": n,
                "base_weight": mixed.base_weight,
                "learner_weight": mixed.own_weight,
            },
        )
        return replace(outcome, base_weight=mixed.base_weight), mixed

    def _refits(self, asked: AskedNumbers, own: LearnedNumbers) -> Refits[Gains]:
        """The same ladder with another train side, other weights and other prompts."""
        s = self.s
        inputs: dict[str, Any] = {
            "z": self.z,
            "clusters": s.clusters,
            "train": s.splits.train,
            "development": s.development,
            "evaluation": s.evaluation,
            "panel": asked.panel,
            "without": asked.without,
            "prompted": asked.prompted,
            "own": own,
            "seed": s.seed,
        }
        return s.engine.once(
            REFITS,
            {**self.described.inputs, **inputs, "regression": regression.VERSION},
            lambda _: number_refits.Ladder(self.described.blocks, **inputs).refit(),
        )

    # -- the other rungs -----------------------------------------------------------------------

    def _edge_left_open(self, rungs: Rungs, own: LearnedNumbers, base: PooledNumbers) -> Figure:
        """The edge where development items left the learner out: its upper end is that of keeping it."""
        edge = rungs.difference("with_data", "without_data")
        kept = {**rungs.outcomes, "with_data": self.stacked(own, base, SHARES[1])[0]}
        other = replace(rungs, outcomes=kept).difference("with_data", "without_data")
        high = max(edge.high or 0.0, other.high or 0.0)
        return replace(edge, high=high, detail={"learner_kept": other.brief})

    def _repaired(self, rungs: Rungs, base: PooledNumbers) -> Figure:
        train = self.s.splits.train
        kept = np.setdiff1d(train, self.pruned)
        clean = ~self.suspects[rungs.index]
        if len(kept) == len(train):
            return Figure.missing("no suspect numbers on the train side", R2)
        if len(kept) < 3 or not clean.any():
            return Figure.missing("too little is left without the suspect numbers", R2)
        outcome, _ = self.stacked(self.learn(positions(kept)), base)
        before = rungs.outcomes["learned"].gain
        held: dict[str, Any] = {"unit": R2, "seed": rungs.seed, "weights": rungs.weight[clean]}
        clusters = rungs.clusters[clean]
        found = mean_figure(
            outcome.gain[clean],
            clusters,
            **held,
            how=f"{len(train) - len(kept)} suspect train items left out, judged on {int(clean.sum())} items "
            "whose number is not suspect",
            learned_on_the_same_items=float(before[clean].sum() / rungs.weight[clean].sum()),
        )
        gain = mean_figure((outcome.gain - before)[clean], clusters, **held)
        return Repaired(**vars(found), gain=gain)

    def _shuffled(self) -> Floats:
        """The control: squared error taken away by a learner of shuffled numbers, mean of 20 shuffles.

        It goes the way of the learner on real numbers, stack included, on top of the train mean. The
        development numbers, by which it is weighted, are shuffled too.
        """
        s, rng = self.s, np.random.default_rng(self.s.seed)
        side = s.splits.train
        train = positions(side[sample_clusters(s.clusters[side], SHUFFLED_ITEMS, s.seed)])
        mean = LearnedNumbers(np.zeros(len(s.development)), np.zeros(len(s.evaluation)))
        gains = np.zeros((SHUFFLES, len(s.evaluation)))
        for turn in range(SHUFFLES):
            own = self.learn(train, rng.permutation(self.z[train]))
            mixed = stack_numbers(own, mean, rng.permutation(self.z[s.development]))
            gains[turn] = self.trial(None, mixed.evaluation, s.evaluation).gain
        return np.asarray(gains.mean(0))

    def _curve(
        self, stacked: Stacked, base: PooledNumbers
    ) -> list[tuple[int, NDArray[np.float64]]]:
        """Squared error of `learned`, its weights kept, from ever larger parts of the train side."""
        s, rng = self.s, np.random.default_rng(self.s.seed)
        train, out = s.splits.train, []
        given = self.z[s.evaluation]
        for part, draws in PARTS:
            size = len(train) // part
            if size < 8:
                continue
            left = np.zeros((draws, len(given)))
            for turn in range(draws):
                some = np.sort(rng.permutation(train)[:size]) if part > 1 else train
                own = self.learn(positions(some)).evaluation
                mixed = stacked.own_weight * own + stacked.base_weight * base.evaluation
                left[turn] = np.square(given - mixed)
            out.append((size, np.asarray(left.mean(0))))
        return out


def absolute(rungs: Rungs, numbers: Floats) -> Rungs:
    """The same rungs in mean absolute error.

    Args:
        rungs: in R².
        numbers: shape (n,), of the evaluation items.
    """
    outcomes = {
        rung: replace(o, gain=-np.abs(numbers - o.predicted))
        for rung, o in rungs.outcomes.items()
        if o.predicted is not None
    }
    return replace(
        rungs,
        unit=ABSOLUTE,
        weight=np.ones(len(numbers)),
        outcomes=outcomes,
        special={},
        refits=None,  # they are in squared error
    )
