"""From texts with several labels each to findings: yes or no to every label, pooled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.engine import Step
from dataedge.errors import AuditError, ExitCode
from dataedge.figures import Figure
from dataedge.ladder.multilabel import (
    MultilabelLadder,
    MultilabelRun,
    OneLabel,
    SharedQuestion,
    learnable,
    of_one_label,
)
from dataedge.ladder.prompt_curve import prompt_curve
from dataedge.learner import item_features
from dataedge.measure import definedness, novelty
from dataedge.positions import per_item, positions
from dataedge.prompt.latency import request
from dataedge.tasks.input_texts import describe, input_surprisal
from dataedge.tasks.label_review import label_views, suspect_labels, twins
from dataedge.verdict import limits
from dataedge.verdict.decision import decide
from dataedge.verdict.evidence import evidence_of
from dataedge.verdict.reasons import four_reasons
from dataedge.verdict.result import TaskResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.config import AuditConfig
    from dataedge.prompt.workspace import Workspace
    from dataedge.tasks.label_review import LabelReview

FEATURE_CHOICE = Step("feature_choice", 1)
ACCURACY = "accuracy"


@dataclass(frozen=True)
class ReviewedLabel:
    """One label: its ladder, and what the review of its yes and no found."""

    ladder: OneLabel
    judged: LabelReview


def find(workspace: Workspace, config: AuditConfig, tokens: Figure) -> TaskResult:
    """Everything the audit says about texts with several labels each.

    The headline is balanced accuracy over labels and both answers, since no is the answer most of the time.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        config: thresholds; δ is `delta_balanced`.
        tokens: tokens of the dataset, for the reasons.

    Raises:
        AuditError: the base model gives no log-probabilities, or no label can be learned.
    """
    if workspace.abilities.choices != "logprobs":
        raise AuditError(
            "several labels per row are asked about by the log-probabilities of yes and no, which this model "
            "does not give",
            hint="Name a model that gives them: --model",
            code=ExitCode.NO_CONCLUSION,
        )
    reviewed = _reviewed(workspace)
    ladder = MultilabelLadder(workspace, [label.ladder for label in reviewed])
    run = ladder.run()
    rungs = run.rungs
    answers = replace(rungs, unit=ACCURACY)
    unknown = Figure.missing("known of one label per row alone", rungs.unit)
    recoverable: dict[limits.Limit, Figure] = {
        "volume": unknown,
        "label_quality": unknown,
        "definedness": unknown,
    }
    evidence = evidence_of(
        workspace, rungs, limits.of_proportions(rungs, recoverable), delta=config.delta_balanced
    )
    evidence = replace(evidence, beside=answers.difference("with_data", "without_data"))
    edge, tuning, verdict = evidence.edge, evidence.tuning_gain, decide(evidence)
    asked: dict[str, Any] = {
        "curve": prompt_curve(workspace, rungs, ladder.on),
        "request": request(workspace, rungs.best_prompt),
        "trials": run.trials,
        "tokens": tokens,
    }
    reasons = four_reasons(workspace, config, verdict, edge=edge, tuning=tuning, **asked)
    columns = _columns(workspace, run, reviewed)
    return TaskResult(
        ladder=rungs.ladder_beside(answers),
        edge=edge,
        tuning_gain=tuning,
        parts={answers.unit: evidence.beside} if evidence.beside else {},
        verdict=verdict,
        reasons=reasons,
        measures={
            **_in_bits(run, workspace.seed),
            "surprisal_bits_per_byte": input_surprisal(workspace),
            "label_noise": mean_over_labels([label.judged.quality.noise for label in reviewed]),
            "disagreement": twins(workspace),
        },
        columns=columns,
        views=label_views(columns, positions(np.flatnonzero(columns["suspect"]))),
        notes=_notes(workspace, reviewed),
    )


def _reviewed(workspace: Workspace) -> list[ReviewedLabel]:
    """Every label that can be learned, its yes and no reviewed."""
    question, found = SharedQuestion(workspace), []
    for label in learnable(workspace):
        own = of_one_label(workspace, label)
        labelled = {"y": own.label_numbers, "n_classes": len(own.dataset.labels)}
        described = describe(own, FEATURE_CHOICE, item_features.choose, **labelled)
        judged, suspects, pruned = suspect_labels(own, described)
        ladder = OneLabel(question, label, own, described, suspects, pruned)
        found.append(ReviewedLabel(ladder, judged))
    if not found:
        raise AuditError(
            f"{workspace.dataset.path}: no label applies to enough rows of the train side",
            hint="Add rows, or hold out fewer with --probe-items",
            code=ExitCode.NO_CONCLUSION,
        )
    return found


def mean_over_labels(found: Sequence[Figure]) -> Figure:
    """Mean of figures of the same items, ends likewise: never too narrow, however they depend on each other.

    Example:
        >>> both = [Figure(0.1, 0.0, 0.2, 50, "share"), Figure(0.3, 0.2, 0.4, 50, "share")]
        >>> mean_over_labels(both).low
        0.1
    """
    unknown = next((f for f in found if f.value is None), None)
    if unknown is not None:
        return unknown
    ends = np.array([(f.value, f.low, f.high) for f in found], np.float64).mean(axis=0)
    value, low, high = map(float, ends)
    return replace(found[0], value=value, low=low, high=high, detail={"labels": len(found)})


def _in_bits(run: MultilabelRun, seed: int) -> dict[str, Figure]:
    """What the base model knows of the labels, and what the input says about them."""
    outcomes, clusters = run.rungs.outcomes, run.rungs.clusters
    chance, without = outcomes["chance"], outcomes["without_data"]
    return {
        "known_share": novelty.known_labels(
            chance.bits, without.bits, without.gain, clusters, seed=seed
        ),
        "definedness": definedness.of_labels(
            chance.bits,
            outcomes["with_data"].bits,
            run.shuffled,
            chance.gain,
            clusters,
            seed=seed,
            bits_shuffled=run.shuffled_bits,
        ),
    }


def _notes(workspace: Workspace, reviewed: Sequence[ReviewedLabel]) -> tuple[str, ...]:
    """Labels that were left out since the train side has too few of them."""
    asked = {label.ladder.label for label in reviewed}
    left = [name for name in workspace.dataset.labels if name not in asked]
    if not left:
        return ()
    return (
        f"Too few train rows have or lack these labels, which are left out: {', '.join(left)}.",
    )


def _columns(
    workspace: Workspace, run: MultilabelRun, reviewed: Sequence[ReviewedLabel]
) -> dict[str, Any]:
    """Per item: probabilities as geometric means over labels, and the labels that are suspect."""
    n = len(workspace.dataset.items)
    index = next(iter(run.runs.values())).rungs.index
    bits = {
        side: run.rungs.outcomes[rung].bits.reshape(len(reviewed), -1)
        for side, rung in (("without", "without_data"), ("with", "with_data"))
    }
    score = np.full(n, np.inf)
    proposed: list[list[str]] = [[] for _ in range(n)]
    for label in reviewed:
        quality, at = label.judged.quality, label.judged.index
        score[at] = np.minimum(score[at], quality.score)
        for i in at[quality.suspect]:
            has = label.ladder.label in workspace.dataset.items[i].labels
            proposed[i].append(f"{'−' if has else '+'}{label.ladder.label}")
    return {
        **{f"p_{side}": per_item(n, index, 2.0 ** -each.mean(0)) for side, each in bits.items()},
        "edge_bits": per_item(n, index, (bits["without"] - bits["with"]).sum(0)),
        "label_score": np.where(np.isfinite(score), score, np.nan),
        "suspect": [bool(labels) for labels in proposed],
        "proposed": ["; ".join(labels) or None for labels in proposed],
        "reason": ["learner disagrees" if labels else None for labels in proposed],
    }
