"""The ladder of `multilabel`: one question about a text, and a ladder of yes and no for each label.

Behind one prompt, yes and no are scored for every label; what the ladders of two labels ask is the same,
so that many labels cost little more than one. Prompts are chosen once, by the mean over labels. Each label
then has its own calibration, pool, learner, stack and refits, and the ladders are pooled: with every answer
counting alike (micro), or every label and both its answers (macro: balanced accuracy).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.items import Task
from dataedge.ladder.classify import ClassifyLadder, ClassifyRun
from dataedge.ladder.joint_pool import joint_answers, joint_inputs
from dataedge.ladder.label_prompts import POOL
from dataedge.ladder.outcome import Outcome
from dataedge.ladder.refits import Answers, Refits
from dataedge.ladder.units import BALANCED
from dataedge.positions import Positions, positions
from dataedge.prompt import panel
from dataedge.prompt.pool import pool_prompts
from dataedge.prompt.scores import ChoiceAnswers, Choices, ask_choices
from dataedge.prompt.templates import YES_NO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.ladder.label_prompts import Asked
    from dataedge.ladder.rungs import Rungs
    from dataedge.learner.item_features import Description
    from dataedge.prompt.search import Trial
    from dataedge.prompt.templates import Strategy
    from dataedge.prompt.workspace import Workspace

HOW = {
    "chance": "its more frequent answer",
    "without_data": "a pool of prompts",
    "prompted": "a pool of prompts, retrieved demonstrations among them",
    "learned": "the closed-form learner and the pool of prompts without data",
    "with_data": "the closed-form learner and the pool of prompts",
}
"""Rungs that are each label's own, in words."""
LEAST = 3
"""Items of each side that a label must apply to, and that it must not, to be asked about."""


def of_one_label(workspace: Workspace, label: str) -> Workspace:
    """The same items with one question: does this label apply?"""
    items = tuple(
        replace(i, target="" if i.label_missing else YES_NO[label in i.labels], labels=())
        for i in workspace.dataset.items
    )
    columns = {**workspace.dataset.columns, "label": label}
    dataset = replace(workspace.dataset, task=Task.CLASSIFY, items=items, columns=columns)
    return replace(workspace, dataset=dataset)


def learnable(workspace: Workspace) -> tuple[str, ...]:
    """Labels that some items of each side have and some have not."""
    found = workspace.dataset.labels
    for side in (workspace.splits.train, workspace.development, workspace.evaluation):
        given = [workspace.dataset.items[i].labels for i in side]
        counts = {name: sum(name in labels for labels in given) for name in found}
        found = tuple(name for name in found if LEAST <= counts[name] <= len(given) - LEAST)
    return found


class SharedQuestion:
    """Asks about all labels at once, and hands each label what concerns it.

    Args:
        workspace: of the items with all their labels.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.s = workspace
        self.labels = workspace.dataset.labels
        self._known: dict[tuple[Strategy, bytes], ChoiceAnswers] = {}

    def answers(self, strategy: Strategy, indices: Positions) -> ChoiceAnswers:
        """Scores of no and yes for every label, shape (m, 2L), nats."""
        key = strategy, indices.tobytes()
        if key not in self._known:
            stage = Choices(self.s.lazy_model, self.s.prompter.choices(strategy))
            self.s.widen(stage, strategy.k if strategy.shots == "random" else 0)
            prompts = self.s.prompts(strategy, indices)
            self._known[key] = ask_choices(self.s.engine, stage, prompts)
        return self._known[key]

    def of(self, label: str, strategy: Strategy, indices: Positions) -> ChoiceAnswers:
        """Scores of no and yes for one label, shape (m, 2)."""
        scores, cut = self.answers(strategy, indices)
        at = 2 * self.labels.index(label)
        return ChoiceAnswers(scores[:, at : at + 2], cut)


class OneLabel(ClassifyLadder):
    """Climbs the ladder of one label.

    Args:
        question: asks about all labels.
        label: this one.
        workspace: of the items with a yes or no to it.
        described: what its learner sees.
        suspects: shape (n,), items whose yes or no is suspect.
        pruned: train items whose yes or no is suspect as far as the train side alone can tell.
    """

    def __init__(
        self,
        question: SharedQuestion,
        label: str,
        workspace: Workspace,
        described: Description,
        suspects: NDArray[np.bool_],
        pruned: Positions,
    ) -> None:
        super().__init__(workspace, described, suspects, pruned)
        self.question = question
        self.label = label

    def answers(
        self,
        strategy: Strategy,
        indices: Positions,
        besides: Sequence[str] = (),  # noqa: ARG002
    ) -> ChoiceAnswers:
        """What the question about all labels says of this one, shape (m, 2)."""
        return self.question.of(self.label, strategy, indices)

    def _empty_prompts(self, strategy: Strategy) -> list[str]:  # noqa: ARG002
        return []  # without a text no label would apply, which is no bias of the prompt

    def prompt_tokens(self, strategies: Sequence[Strategy]) -> float:
        """Mean tokens of the question about all labels."""
        return float(sum(map(self.question.s.prompt_tokens, strategies)))


class MultilabelRun(NamedTuple):
    """The ladders of L labels, pooled.

    Attributes:
        rungs: label by label, shape (L · n,), in balanced accuracy: the mean over labels and both answers.
        runs: the ladders, by label.
        trials: per strategy: k, shots, mean accuracy on development items.
        shuffled: shape (L · n,), hits of the learner on shuffled labels: the control.
        shuffled_bits: what the labels cost with it.
    """

    rungs: Rungs
    runs: dict[str, ClassifyRun]
    trials: list[dict[str, Any]]
    shuffled: NDArray[np.float64]
    shuffled_bits: NDArray[np.float64]


@dataclass(frozen=True)
class MultilabelLadder:
    """Climbs the ladders of all labels.

    Attributes:
        workspace: of the items with all their labels.
        ladders: one per label.
    """

    workspace: Workspace
    ladders: Sequence[OneLabel]

    def attempt(self, strategy: Strategy, m: int) -> Trial[Strategy]:
        """A prompt on the first m development items, mean over labels."""
        return joint_trial([ladder.attempt(strategy, m) for ladder in self.ladders])

    def run(self) -> MultilabelRun:
        """All rungs."""
        widest = max(sum(b.shape[1] for b in one.described.blocks) for one in self.ladders)
        chosen = panel.finalists(self.workspace, self.attempt)
        asked = self._jointly([ladder.ask_with(chosen) for ladder in self.ladders])
        runs = {  # refits on parts of one size, so that they are the same parts
            ladder.label: ladder.climb(one, widest)
            for ladder, one in zip(self.ladders, asked, strict=True)
        }
        every = list(runs.values())
        return MultilabelRun(
            self._pooled(every),
            runs,
            chosen.trials,
            np.concatenate([run.shuffled for run in every]),
            np.concatenate([run.shuffled_bits for run in every]),
        )

    def _jointly(self, asked: Sequence[Asked]) -> list[Asked]:
        """The same, pools answering with weights that all labels' development items choose together.

        A label that few of them have tells little of which prompts to believe, and its own pool may be its
        frequency alone, which is no answer where both answers count alike.
        """
        panel_ = asked[0].panel
        own = {"without_data": panel_.cheap, "prompted": list(range(len(panel_.kinds)))}
        hits = {rung: self._joint_hits(asked, members) for rung, members in own.items()}
        return [
            replace(
                one,
                outcomes={
                    **one.outcomes,
                    **{
                        rung: replace(one.outcomes[rung], balanced=found[at])
                        for rung, found in hits.items()
                    },
                },
            )
            for at, one in enumerate(asked)
        ]

    def _joint_hits(self, asked: Sequence[Asked], members: list[int]) -> list[NDArray[np.float64]]:
        """Hits of each label, shape (n_eval,), by weights of the prompts that are common to all."""
        scores = [one.panel.scores[members] for one in asked]
        given = [ladder.y[ladder.s.development] for ladder in self.ladders]
        inputs = joint_inputs(scores, given, [ladder.prior for ladder in self.ladders])
        found = self.workspace.engine.once(POOL, inputs, lambda _: pool_prompts(**inputs))
        priors = [ladder.log_prior for ladder in self.ladders]
        said = joint_answers(inputs["scores"], found, priors)
        return [
            np.asarray(one == ladder.y[ladder.s.evaluation], np.float64)
            for ladder, one in zip(self.ladders, said, strict=True)
        ]

    def _pooled(self, runs: Sequence[ClassifyRun]) -> Rungs:
        first = runs[0].rungs
        if any(not np.array_equal(run.rungs.index, first.index) for run in runs):
            raise AssertionError("labels of one question have the same answered items")
        index = np.concatenate([run.rungs.index for run in runs])
        classes = [
            2 * at + ladder.y[run.rungs.index]
            for at, (ladder, run) in enumerate(zip(self.ladders, runs, strict=True))
        ]
        return replace(
            first,
            unit=BALANCED,
            index=positions(index),
            weight=np.ones(len(index)),
            clusters=np.concatenate([run.rungs.clusters for run in runs]),
            outcomes={
                rung: joint([run.rungs.outcomes[rung] for run in runs], rung)
                for rung in first.outcomes
            },
            special={},
            classes=np.concatenate(classes),
            refits=pooled_refits([run.refits for run in runs]),
        )

    def on(self, strategy: Strategy, indices: Positions) -> Outcome:
        """What a strategy reaches on some evaluation items, label by label."""
        return joint([ladder.on(strategy, indices) for ladder in self.ladders], strategy.name)


def joint_trial(trials: Sequence[Trial[Any]]) -> Trial[Any]:
    """Trials of one candidate on the same items as one: gain and loss are means."""
    gain, loss = (
        np.mean([getattr(trial, side) for trial in trials], axis=0) for side in ("gain", "loss")
    )
    return replace(trials[0], gain=gain, loss=loss)


def joint(outcomes: Sequence[Outcome], rung: str) -> Outcome:
    """Outcomes of L labels on n items as one on L · n answers."""
    first = outcomes[0]
    developed = [o.development for o in outcomes if o.development is not None]
    balanced = [o.gain if o.balanced is None else o.balanced for o in outcomes]
    tokens = [o.prompt_tokens for o in outcomes if o.prompt_tokens is not None]
    return Outcome(
        f"for each of {len(outcomes)} labels: {HOW[rung]}"
        if rung in HOW
        else f"{rung if first.strategy is None else first.strategy.name}, calibrated for each label",
        joint_trial(developed) if len(developed) == len(outcomes) else None,
        np.concatenate([o.gain for o in outcomes]),
        np.concatenate([o.bits for o in outcomes]),
        max(tokens) if tokens else None,
        {key: first.detail[key] for key in ("strategy", "cut_share") if key in first.detail},
        base_weight=float(np.mean([o.base_weight for o in outcomes])),
        balanced=np.concatenate(balanced),
        strategy=first.strategy,
    )


def pooled_refits(refits: Sequence[Refits[Answers]]) -> Refits[Answers]:
    """Refits of L labels on n items as refits of L · n answers.

    Each refit is of the same part of the train side, the same weights or the same prompts for all labels.
    """

    def pooled(parts: Sequence[Answers]) -> Answers:
        hits = np.concatenate([part.hits for part in parts], axis=-1)
        balanced = np.concatenate([part.balanced for part in parts], axis=-1)
        return Answers(hits, balanced, parts[0].scale)

    return Refits(
        pooled([r.train_side for r in refits]),
        pooled([r.development for r in refits]),
        tuple(map(pooled, zip(*(r.prompts for r in refits), strict=True))),
    )
