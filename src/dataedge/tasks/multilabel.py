"""From texts with several labels each to findings: yes or no to every label, pooled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.errors import AuditError, ExitCode
from dataedge.ladder.multilabel import (
    MultilabelLadder,
    MultilabelRun,
    OneLabel,
    SharedQuestion,
    learnable,
    of_one_label,
)
from dataedge.ladder.outcome_table import outcome_table
from dataedge.ladder.prompt_curve import prompt_curve
from dataedge.ladder.units import BALANCED
from dataedge.load.label_lists import NONE
from dataedge.measure import definedness, novelty
from dataedge.positions import per_item, positions
from dataedge.prompt.latency import request
from dataedge.tasks.input_texts import input_surprisal
from dataedge.tasks.label_review import label_views, suspect_labels, twins
from dataedge.verdict import limits
from dataedge.verdict.decision import decide
from dataedge.verdict.evidence import evidence_of
from dataedge.verdict.reasons import four_reasons
from dataedge.verdict.result import TaskResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from dataedge.config import AuditConfig
    from dataedge.figures import Figure
    from dataedge.prompt.workspace import Workspace
    from dataedge.tasks.label_review import LabelReview

    Floats = NDArray[np.float64]

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
        AuditError: the base model is on a server, or no label can be asked about.
    """
    if workspace.abilities.remote:
        raise refused_on_a_server()
    reviewed = _reviewed(workspace)
    ladder = MultilabelLadder(workspace, [label.ladder for label in reviewed])
    run = ladder.run()
    rungs = run.rungs
    answers = replace(rungs, unit=ACCURACY)
    known = limits.of_proportions(rungs, {})  # what limits one label is not measured of several
    evidence = evidence_of(workspace, rungs, known, delta=config.delta_balanced)
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
        ladder=_with_labels(rungs.ladder_beside(answers), run, reviewed),
        edge=edge,
        tuning_gain=tuning,
        parts={answers.unit: evidence.beside} if evidence.beside else {},
        outcomes=outcome_table(
            rungs,
            [i.id for i in workspace.dataset.items],
            [label for label, one in run.runs.items() for _ in one.rungs.index],
        ),
        verdict=verdict,
        reasons=reasons,
        measures={
            **_in_bits(run, workspace.seed),
            "surprisal_bits_per_byte": input_surprisal(workspace),
            "label_noise": of_any_label([label.judged.quality.noise for label in reviewed]),
            "disagreement": twins(workspace),
        },
        columns=columns,
        views=label_views(columns, positions(np.flatnonzero(columns["suspect"]))),
        notes=_notes(workspace, reviewed),
    )


def refused_on_a_server() -> AuditError:
    """The error for a base model that tells too little."""
    return AuditError(
        "several labels per row are asked about by the log-probabilities of yes and no to every label, "
        "which servers give of few answers only",
        hint="Name a model on this machine: --model",
        code=ExitCode.NO_CONCLUSION,
    )


def _reviewed(workspace: Workspace) -> list[ReviewedLabel]:
    """Every label that can be learned, its yes and no reviewed."""
    question, found = SharedQuestion(workspace), []
    for label in learnable(workspace):
        own = of_one_label(workspace, label)
        described, judged, suspects, pruned = suspect_labels(own)
        ladder = OneLabel(question, label, own, described, suspects, pruned)
        found.append(ReviewedLabel(ladder, judged))
    if not found:
        raise AuditError(
            f"{workspace.dataset.path}: no label applies to enough rows of each side of the split",
            hint="Add rows, or hold out more with --probe-items",
            code=ExitCode.NO_CONCLUSION,
        )
    return found


def of_any_label(found: Sequence[Figure]) -> Figure:
    """Share of rows with at least one wrong answer: at most the sum of the labels' shares.

    Example:
        >>> from dataedge.figures import Figure
        >>> both = [Figure(0.1, 0.0, 0.2, 50, "share"), Figure(0.3, 0.2, 0.4, 50, "share")]
        >>> round(of_any_label(both).high, 3)
        0.6
    """
    unknown = next((f for f in found if f.value is None), None)
    if unknown is not None:
        return unknown
    ends = np.array([(f.value, f.low, f.high) for f in found], np.float64).sum(axis=0)
    value, low, high = (min(float(end), 1.0) for end in ends)
    reason = "rows where a label is missing or too many, at most: the sum over labels"
    return replace(found[0], value=value, low=low, high=high, detail={}, reason=reason)


def _in_bits(run: MultilabelRun, seed: int) -> dict[str, Figure]:
    """What the base model knows of an item's labels together, and what the input says about them."""
    outcomes, labels = run.rungs.outcomes, len(run.runs)

    def per_item(of_answers: Floats) -> Floats:
        return np.asarray(of_answers.reshape(labels, -1).sum(axis=0))

    bits = {r: per_item(outcomes[r].bits) for r in ("chance", "without_data", "with_data")}
    hits = {r: per_item(outcomes[r].gain) / labels for r in ("chance", "without_data")}
    clusters = run.rungs.clusters[: len(bits["chance"])]
    return {
        "known_share": novelty.known_labels(
            bits["chance"], bits["without_data"], hits["without_data"], clusters, seed=seed
        ),
        "definedness": definedness.of_labels(
            bits["chance"],
            bits["with_data"],
            per_item(run.shuffled) / labels,
            hits["chance"],
            clusters,
            seed=seed,
            bits_shuffled=per_item(run.shuffled_bits),
        ),
    }


def _with_labels(
    ladder: Mapping[str, Figure], run: MultilabelRun, reviewed: Sequence[ReviewedLabel]
) -> dict[str, Figure]:
    """The ladder, with what each label by itself reaches in the detail of `with_data`."""
    by_label = {}
    for label in reviewed:
        one = run.runs[label.ladder.label].rungs
        one = replace(one, unit=BALANCED, classes=label.ladder.y[one.index])
        by_label[label.ladder.label] = {
            "frequency": float((label.ladder.y[label.judged.index] == 1).mean()),
            "without_data": one.figure("without_data").brief,
            "with_data": one.figure("with_data").brief,
            "edge": one.difference("with_data", "without_data").brief,
            "label_noise": label.judged.quality.noise.brief,
        }
    top = ladder["with_data"]
    return {**ladder, "with_data": replace(top, detail={**top.detail, "labels": by_label})}


def _notes(workspace: Workspace, reviewed: Sequence[ReviewedLabel]) -> tuple[str, ...]:
    """Labels that were left out since a side has too few of them."""
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
    items = workspace.dataset.items
    proposed = [set(item.labels) for item in items]
    for label in reviewed:
        quality, at = label.judged.quality, label.judged.index
        score[at] = np.minimum(score[at], quality.score)
        for i in at[quality.suspect]:
            proposed[i] ^= {label.ladder.label}
    wrong = [own != set(item.labels) for own, item in zip(proposed, items, strict=True)]
    return {
        **{f"p_{side}": per_item(n, index, 2.0 ** -each.mean(0)) for side, each in bits.items()},
        "edge_bits": per_item(n, index, (bits["without"] - bits["with"]).sum(0)),
        "label_score": np.where(np.isfinite(score), score, np.nan),
        "suspect": wrong,
        "proposed": [
            "; ".join(sorted(own)) or NONE if w else None
            for own, w in zip(proposed, wrong, strict=True)
        ],
        "reason": ["learner disagrees" if w else None for w in wrong],
    }
