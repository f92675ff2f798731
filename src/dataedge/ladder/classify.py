"""The ladder of `classify`: what prompting reaches, and what the labels add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.engine import Step
from dataedge.figures import Figure
from dataedge.intervals import paired_proportions, proportion
from dataedge.ladder.label_prompts import LabelPrompts
from dataedge.ladder.label_refits import Ladder
from dataedge.ladder.outcome import Outcome, keep, valid_items
from dataedge.ladder.refits import Answers, Refits
from dataedge.ladder.rungs import Repaired, Rungs
from dataedge.ladder.shuffled_labels import shuffled_control
from dataedge.ladder.stack import stack
from dataedge.learner.classifier import Learner
from dataedge.positions import Positions, positions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.ladder.label_prompts import Asked
    from dataedge.learner.item_features import Description
    from dataedge.prompt.pool import Pooled
    from dataedge.prompt.workspace import Workspace


@dataclass(frozen=True)
class ClassifyRun:
    """A ladder that was run and what else was learned on the way.

    Attributes:
        rungs: rungs on the evaluation items.
        trials: per strategy name: k, shots, mean accuracy on development items and their number.
        shuffled: hits of the learner on shuffled labels, per evaluation item: the control.
        shuffled_bits: what the labels cost with that learner, which must not be less than by chance.
        refits: the same ladder fitted again, on the same evaluation items.
        prompted: the pool of prompts, of all held-out items.
    """

    rungs: Rungs
    trials: list[dict[str, Any]]
    shuffled: NDArray[np.float64]
    shuffled_bits: NDArray[np.float64]
    refits: Refits[Answers]
    prompted: Pooled


@dataclass(frozen=True)
class Learned:
    """What a learner says of held-out items: log-probabilities, shape (m, K) on each side."""

    development: NDArray[np.float64]
    evaluation: NDArray[np.float64]


LEARNER = Step("learner", 1, (Learned,))
REFITS = Step("refits", 4, (Refits, Answers))


class ClassifyLadder(LabelPrompts):
    """Climbs the ladder of a classification dataset.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        described: what the learner sees.
        suspects: shape (n,), items whose label is suspect (from the label measure).
        pruned: train items whose label is suspect as far as the train side alone can tell.
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

    # -- learning ------------------------------------------------------------------------------

    def learn(self, train: Positions, y: NDArray[np.int64] | None = None) -> Learned:
        """What the proxy learner of some train items says of the held-out ones."""
        s, labels = self.s, self.y[train] if y is None else y
        inputs: dict[str, Any] = {
            "train": train,
            "y": labels,
            "n_classes": self.K,
            "clusters": s.clusters[train],
            "development": s.development,
            "evaluation": s.evaluation,
            "seed": s.seed,
        }

        def compute(_: object) -> Learned:
            blocks = self.described.blocks
            learner = Learner().fit(
                [b[train] for b in blocks],
                labels,
                self.K,
                clusters=s.clusters[train],
                seed=s.seed,
            )
            sides = ([b[i] for b in blocks] for i in (s.development, s.evaluation))
            return Learned(*(np.log(np.maximum(learner.predict_proba(X), 1e-9)) for X in sides))

        return s.engine.once(LEARNER, {**self.described.inputs, **inputs}, compute)

    def learned(self, own: Learned, base: Pooled) -> Outcome:
        """The learner stacked with a pool of prompts; weights by development."""
        mixed = stack(own, base, self.y[self.s.development])
        hits, bits = self.judge(mixed.evaluation, self.s.evaluation)
        return Outcome(
            f"closed-form learner on {self.described.name} of {len(self.s.splits.train)} items, "
            f"base model weight {mixed.base_weight:g}",
            self.trial(None, mixed.development, self.s.development),
            hits,
            bits,
            detail={
                "train_items": len(self.s.splits.train),
                "base_weight": mixed.base_weight,
                "learner_weight": mixed.own_weight,
            },
            base_weight=mixed.base_weight,
            balanced=self.balanced(mixed.evaluation, self.s.evaluation),
        )

    def run(self) -> ClassifyRun:
        """All rungs."""
        return self.climb(self.ask())

    def climb(self, asked: Asked, refit_width: int | None = None) -> ClassifyRun:
        """All rungs, of what the base model was asked.

        Args:
            asked: by which prompts, and what they reach.
            refit_width: features that the size of a refit's train side allows for; its own if None.
        """
        s = self.s
        outcomes = {"chance": self._chance(), **asked.outcomes}
        without = asked.without
        own = self.learn(s.splits.train)
        outcomes["learned"] = self.learned(own, without)
        outcomes["with_data"] = self.learned(own, asked.prompted)
        refits = self._refits(asked, own, refit_width)
        shuffled, shuffled_bits = shuffled_control(self)
        valid = valid_items(outcomes)
        index = positions(s.evaluation[valid])
        refits = refits.items(valid)
        rungs = Rungs(
            "accuracy",
            index,
            np.ones(len(index)),
            s.clusters[index],
            keep(outcomes, valid),
            asked.missing,
            s.seed,
            no_bits="the model's server gives no probabilities of labels"
            if s.abilities.choices == "text"
            else "",
            refits=refits,
        )
        rungs.special["repaired"] = self._repaired(rungs, without)
        return ClassifyRun(
            rungs,
            asked.trials,
            shuffled[valid],
            shuffled_bits[valid],
            refits,
            asked.prompted,
        )

    def _refits(self, asked: Asked, own: Learned, width: int | None) -> Refits[Answers]:
        """The same ladder with another train side, other weights and other prompts."""
        s = self.s
        inputs: dict[str, Any] = {
            "y": self.y,
            "clusters": s.clusters,
            "train": s.splits.train,
            "development": s.development,
            "evaluation": s.evaluation,
            "prior": self.prior,
            "panel": asked.panel,
            "without": asked.without,
            "prompted": asked.prompted,
            "own": own,
            "seed": s.seed,
        }
        if width is not None:
            inputs["width"] = width
        return s.engine.once(
            REFITS,
            {**self.described.inputs, **inputs},
            lambda _: Ladder(self.described.blocks, **inputs).refit(),
        )

    # -- the other rungs -----------------------------------------------------------------------

    def _chance(self) -> Outcome:
        hits, bits = self.judge(
            np.tile(self.log_prior, (len(self.s.evaluation), 1)), self.s.evaluation
        )
        majority = self.s.dataset.labels[int(self.log_prior.argmax())]
        return Outcome(f"always {majority!r}, the most frequent label", None, hits, bits)

    def _repaired(self, rungs: Rungs, base: Pooled) -> Figure:
        train = self.s.splits.train
        kept = np.setdiff1d(train, self.pruned)
        clean = ~self.suspects[rungs.index]
        if len(kept) == len(train):
            return Figure.missing("no suspect labels on the train side", "accuracy")
        if len(np.unique(self.y[kept])) < 2 or not clean.any():
            return Figure.missing("too little is left without the suspect labels", "accuracy")
        position = {int(i): at for at, i in enumerate(self.s.evaluation)}
        rows = np.array([position[int(i)] for i in rungs.index])
        outcome = self.learned(self.learn(positions(kept)), base)
        gain = outcome.gain[rows][clean]
        before = rungs.outcomes["learned"].gain[clean]
        clusters = rungs.clusters[clean]
        difference = paired_proportions(gain - before, clusters, unit="accuracy")
        found = proportion(
            gain,
            clusters,
            unit="accuracy",
            how=f"{len(train) - len(kept)} suspect train items left out, judged on {int(clean.sum())} items "
            "whose label is not suspect",
            learned_on_the_same_items=float(before.mean()),
        )
        return Repaired(**vars(found), gain=difference)
