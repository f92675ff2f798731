"""From prompts and responses, or passages, to findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure
from dataedge.items import Task
from dataedge.ladder.generate import GenerateLadder, GenerateRun
from dataedge.ladder.prompt_curve import prompt_curve
from dataedge.measure import definedness, disagreement, novelty
from dataedge.measure.responses import Losses
from dataedge.measure.verbatim_recall import recall
from dataedge.positions import per_item
from dataedge.prompt.latency import request
from dataedge.tasks.closed_book import ClosedBookResult, both_losses, closed_book
from dataedge.tasks.response_review import review_responses
from dataedge.verdict import limits
from dataedge.verdict.decision import decide
from dataedge.verdict.evidence import evidence_of
from dataedge.verdict.reasons import four_reasons
from dataedge.verdict.result import RESPONSE_SCHEMA, TaskResult, highest

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.prompt.templates import Strategy
    from dataedge.prompt.workspace import Workspace
    from dataedge.verdict.decision import Verdict
    from dataedge.verdict.limits import Limit


def find(workspace: Workspace, config: AuditConfig, tokens: Figure) -> TaskResult:
    """Everything the audit says about a dataset of responses or passages.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        config: thresholds, and whether style counts.
        tokens: tokens of the dataset, for the reasons.
    """
    ladder = GenerateLadder(workspace)
    ladder_run = ladder.run()
    rungs, seed = ladder_run.rungs, workspace.seed
    outcomes = rungs.outcomes
    total = rungs.difference("with_data", "without_data")
    parts = split_gain(ladder_run)
    counted = parts["task"] if parts and config.count == "task" else total
    reason = "passages have no prompt that could determine them"
    known, defined = Figure.missing(reason, "share"), Figure.missing(reason, "bits/byte")
    if ladder_run.without_other is not None and ladder_run.with_other is not None:
        with_bits = outcomes["with_data"].bits
        defined = definedness.of_responses(
            with_bits,
            ladder_run.with_other,
            rungs.weight,
            rungs.clusters,
            seed=seed,
            with_third=ladder_run.with_third,
        )
        known = novelty.known_responses(
            outcomes["without_data"].bits,
            ladder_run.without_other,
            with_bits,
            ladder_run.with_other,
            rungs.clusters,
            seed=seed,
        )
    else:
        known = known_passages(ladder_run, seed=seed)
    apart = _apart(workspace)
    lacks = _limits(workspace, ladder_run, parts, apart)
    evidence = evidence_of(workspace, rungs, lacks, delta=config.delta, edge=counted, parts=parts)
    tuning, verdict = evidence.tuning_gain, decide(evidence)
    # where the task itself gains nothing, what tuning gains is style, and no reason to tune
    gain = tuning if verdict.label == "edge" or counted is total else counted
    columns = _columns(workspace, ladder_run)
    views = {
        "edge": highest(columns["edge_bits"], above=0.0),
        "known": highest(-columns["bits_per_byte_without"]),
        "hard": highest(columns["bits_per_byte_with"]),
        "overwritten": highest(-columns["edge_bits"], above=0.0),
    }
    said, defects, responses = ClosedBookResult({}), {}, RESPONSE_SCHEMA.empty_table()
    if workspace.dataset.task is Task.GENERATE:
        columns |= both_losses(workspace, ladder_run)
        said = closed_book(workspace, ladder_run.chosen)
        columns["knowledge"] = said.column(len(workspace.dataset.items))
        losses = Losses(columns["loss_given"], columns["loss_alone"])
        review = review_responses(workspace, losses)
        columns |= review.columns
        views["responses"] = review.view
        defects, responses = {"response_defects": review.defects}, review.table
    no_labels = Figure.missing("the task has no labels", "share")
    return TaskResult(
        ladder=said.beside(rungs.ladder()),
        edge=counted,
        tuning_gain=tuning,
        parts={"total": total, **parts} if parts else {},
        verdict=warned(verdict, said.figures.get("knowledge")),
        reasons=four_reasons(
            workspace,
            config,
            verdict,
            edge=counted,
            tuning=tuning,
            curve=prompt_curve(workspace, rungs, ladder.on),
            request=request(workspace, rungs.best_prompt),
            trials=ladder_run.trials,
            tokens=tokens,
            task_gain=gain,
        ),
        measures={
            "known_share": known,
            "surprisal_bits_per_byte": novelty.surprisal(
                outcomes["zero_shot"].bits,
                rungs.weight,
                rungs.clusters,
                seed=seed,
                what="responses given their prompts"
                if parts
                else "passages given their first words",
            ),
            "verbatim_recall": _recall(workspace),
            **said.figures,
            "label_noise": no_labels,
            "label_conflicts": no_labels,
            "definedness": defined,
            "disagreement": apart,
            **defects,
        },
        columns=columns,
        views=views,
        responses=responses,
    )


def warned(verdict: Verdict, known: Figure | None) -> Verdict:
    """The verdict, with the warning of `knowledge` where the advice is to fine-tune."""
    if verdict.advice != "fine_tune" or known is None or known.value is None or not known.reason:
        return verdict
    return replace(verdict, why=(*verdict.why, f"Take care: {known.reason}."))


def _recall(workspace: Workspace) -> Figure:
    items, rows = workspace.dataset.items, workspace.evaluation

    def write(strategy: Strategy, i: int) -> str:
        return workspace.prompter.prompt(strategy, items[rows[i]].texts)

    return recall(
        workspace.engine,
        workspace.lazy_model,
        workspace.probes["recall"],
        write,
        [items[i].target for i in rows],
        workspace.clusters[rows],
        seed=workspace.seed,
    )


def split_gain(ladder_run: GenerateRun) -> dict[str, Figure]:
    """The gain in parts: task, what the prompt now tells; style, what is gained even without it."""
    if ladder_run.without_other is None or ladder_run.with_other is None:
        return {}
    rungs = ladder_run.rungs
    total = rungs.outcomes["with_data"].gain - rungs.outcomes["without_data"].gain
    style = ladder_run.without_other - ladder_run.with_other
    return {"task": rungs.paired(total - style), "style": rungs.paired(style)}


def known_passages(ladder_run: GenerateRun, *, seed: int) -> Figure:
    """Share of a passage's bits that the base model saves over byte frequencies."""
    outcomes = ladder_run.rungs.outcomes
    chance, zero = outcomes["chance"].bits, outcomes["zero_shot"].bits
    hits = np.full(len(zero), np.nan_to_num((zero < chance).mean()))
    return novelty.known_labels(chance, zero, hits, ladder_run.rungs.clusters, seed=seed)


def _apart(workspace: Workspace) -> Figure:
    """How far responses to the same prompt lie apart."""
    if workspace.dataset.task is not Task.GENERATE:
        return Figure.missing("passages have no prompt that could determine them", "share")
    items = workspace.dataset.items
    return disagreement.of_responses(
        [i.text for i in items], [i.target for i in items], seed=workspace.seed
    )


def _limits(
    workspace: Workspace, ladder_run: GenerateRun, parts: dict[str, Figure], apart: Figure
) -> dict[Limit, Figure]:
    """Recoverable gains in bits per byte. What a perfect score would be is not known here."""
    rungs = ladder_run.rungs
    found: dict[Limit, Figure] = {
        "volume": limits.volume_of_loss(
            ladder_run.curve, rungs.weight, rungs.clusters, seed=workspace.seed
        )
    }
    if ladder_run.without_other is None:
        return found
    told = rungs.paired(ladder_run.without_other - rungs.outcomes["without_data"].bits)
    return {
        "novelty": limits.novelty(told, parts["task"]),
        **found,
        "definedness": limits.open_responses(apart, rungs.figure("with_data")),
    }


def _columns(workspace: Workspace, ladder_run: GenerateRun) -> dict[str, Any]:
    n, rungs = len(workspace.dataset.items), ladder_run.rungs
    without, with_ = rungs.outcomes["without_data"].bits, rungs.outcomes["with_data"].bits
    return {
        "bits_per_byte_without": per_item(n, rungs.index, without / rungs.weight),
        "bits_per_byte_with": per_item(n, rungs.index, with_ / rungs.weight),
        "edge_bits": per_item(n, rungs.index, without - with_),
    }
