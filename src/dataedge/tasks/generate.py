"""From prompts and responses, or passages, to findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure, mean_figure
from dataedge.items import Task
from dataedge.ladder.generate import GenerateLadder, GenerateRun
from dataedge.ladder.outcome_table import outcome_table
from dataedge.ladder.prompt_curve import prompt_curve
from dataedge.ladder.task_style import split
from dataedge.measure import definedness, disagreement, novelty
from dataedge.measure.responses import Losses
from dataedge.measure.verbatim_recall import recall
from dataedge.pilot.rungs import of_responses as pilot_of_responses
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
    from dataedge.ladder.rungs import Basis
    from dataedge.ladder.task_style import Split
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
    ladder_run = ladder.run(*pilot_of_responses(ladder, config))
    rungs, tuned, seed = ladder_run.rungs, ladder_run.tuned, workspace.seed
    outcomes = rungs.outcomes
    total = rungs.difference("with_data", "without_data")
    others, counted, clusters = ladder_run.others, total, rungs.n_clusters
    halves = split(rungs, others) if others else None
    parts = {"task": halves.task, "style": halves.style} if halves else {}
    if others and halves and config.count == "task":
        counted, clusters = halves.task, len(np.unique(rungs.clusters[others.rows]))
    known, defined = _prompt_measures(ladder_run, halves, seed=seed)
    apart, ngrams = _apart(workspace), ngram_part(ladder_run)
    lacks = _limits(workspace, ladder_run, halves, apart)
    basis: Basis = "measured" if tuned and not tuned.short else "estimated"
    evidence = evidence_of(
        workspace,
        rungs,
        lacks,
        delta=config.delta,
        edge=counted,
        edge_basis=basis,
        parts=parts,
        clusters=clusters,
        ngrams=ngrams,
    )
    edge, tuning, verdict = evidence.edge, evidence.tuning_gain, decide(evidence)
    # where the task itself gains nothing, what tuning gains is style, and no reason to tune
    gain = tuning if verdict.label == "edge" or counted is total else edge
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
        edge=edge,
        tuning_gain=tuning,
        parts={"total": total, **parts, "n-grams": ngrams},
        outcomes=outcome_table(rungs, [i.id for i in workspace.dataset.items]),
        verdict=warned(verdict, said.figures.get("knowledge")),
        reasons=four_reasons(
            workspace,
            config,
            verdict,
            task_gain=gain,
            edge=edge,
            tuning=tuning,
            curve=prompt_curve(workspace, rungs, ladder.on),
            request=request(workspace, rungs.best_prompt),
            trials=ladder_run.trials,
            tokens=tokens,
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
        edge_basis=basis,
        tuning_basis=rungs.tuning_basis,
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


def ngram_part(ladder_run: GenerateRun) -> Figure:
    """What n-grams of the train side gain over what they are mixed into: prompts, and a tuned model.

    It is within task and style, not beside them: n-grams see the response alone, so most of it is
    style. The control is the gain of n-grams whose tokens were shuffled.
    """
    rungs, plain = ladder_run.rungs, ladder_run.plain
    control = rungs.paired(plain - ladder_run.shuffled)
    what = "the same with n-grams of shuffled tokens"
    detail = {"what": what, "value": control.value, "low": control.low, "high": control.high}
    return rungs.paired(plain - rungs.outcomes["with_data"].bits, control=detail)


def _prompt_measures(
    ladder_run: GenerateRun, halves: Split | None, *, seed: int
) -> tuple[Figure, Figure]:
    """`known_share` and `definedness`, on the responses that stood behind other prompts as well."""
    rungs, others = ladder_run.rungs, ladder_run.others
    if others is None or halves is None:
        reason = "passages have no prompt that could determine them"
        return known_passages(ladder_run, seed=seed), Figure.missing(reason, "bits/byte")
    size, clusters = rungs.weight[others.rows], rungs.clusters[others.rows]
    without, with_ = halves.information
    return (
        novelty.known_responses(without.information, with_.information, clusters, seed=seed),
        definedness.of_responses(
            with_, others.with_, size, clusters, seed=seed, errors=halves.errors
        ),
    )


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
    workspace: Workspace, ladder_run: GenerateRun, halves: Split | None, apart: Figure
) -> dict[Limit, Figure]:
    """Recoverable gains in bits per byte. What a perfect score would be is not known here."""
    rungs = ladder_run.rungs
    found: dict[Limit, Figure] = {
        "volume": limits.volume_of_loss(
            ladder_run.curve, rungs.weight, rungs.clusters, seed=workspace.seed
        )
    }
    others = ladder_run.others
    if others is None or halves is None:
        return found
    known = mean_figure(
        halves.information.without.information,
        rungs.clusters[others.rows],
        unit=rungs.unit,
        seed=rungs.seed,
        weights=rungs.weight[others.rows],
    )
    return {
        "novelty": limits.novelty(known, halves.task),
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
