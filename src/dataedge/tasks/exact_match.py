"""From short responses, judged by exact match alone, to findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dataedge.figures import Figure
from dataedge.ladder.exact_match import EXACT_MATCH, ExactMatchLadder
from dataedge.ladder.outcome_table import outcome_table
from dataedge.ladder.prompt_curve import prompt_curve
from dataedge.measure import disagreement
from dataedge.positions import per_item
from dataedge.prompt.answer_match import normalise
from dataedge.prompt.latency import request
from dataedge.tasks.response_review import review_responses
from dataedge.verdict import limits
from dataedge.verdict.decision import decide
from dataedge.verdict.evidence import evidence_of
from dataedge.verdict.reasons import four_reasons
from dataedge.verdict.result import TaskResult, highest

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.prompt.workspace import Workspace


def find(workspace: Workspace, config: AuditConfig, tokens: Figure) -> TaskResult:
    """Everything the audit says about prompts and responses of a model that only writes.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        config: thresholds.
        tokens: tokens of the dataset, for the reasons.
    """
    ladder = ExactMatchLadder(workspace)
    rungs, trials = ladder.run()
    outcomes, why = rungs.outcomes, rungs.no_bits
    edge = rungs.difference("with_data", "without_data")
    if not any(outcomes[rung].gain.any() for rung in ("without_data", "with_data")):
        reason = "not one answer matched its response, with or without the data"
        edge = Figure.missing(reason, EXACT_MATCH, "underpowered")
    twins = _twins(workspace)
    open_ = limits.of_proportions(rungs, {"definedness": _open(twins)})
    evidence = evidence_of(workspace, rungs, open_, delta=config.delta, edge=edge)
    edge, tuning, verdict = evidence.edge, evidence.tuning_gain, decide(evidence)
    figures: dict[str, Any] = {
        "edge": edge,
        "tuning": tuning,
        "curve": prompt_curve(workspace, rungs, ladder.on),
        "request": request(workspace, rungs.best_prompt),
        "tokens": tokens,
    }
    reasons = four_reasons(workspace, config, verdict, trials=trials, **figures)
    n = len(workspace.dataset.items)
    review = review_responses(workspace)
    columns: dict[str, Any] = {
        "right_without": per_item(n, rungs.index, outcomes["without_data"].gain),
        "right_with": per_item(n, rungs.index, outcomes["with_data"].gain),
        **review.columns,
    }
    without, with_ = outcomes["without_data"].gain, outcomes["with_data"].gain
    no_labels = Figure.missing("the task has no labels", "share")
    return TaskResult(
        ladder=rungs.ladder(),
        edge=edge,
        tuning_gain=tuning,
        outcomes=outcome_table(rungs, [i.id for i in workspace.dataset.items]),
        verdict=verdict,
        reasons=reasons,
        measures={
            "known_share": Figure.missing(why, "share"),
            "surprisal_bits_per_byte": Figure.missing(why, "bits/byte"),
            "label_noise": no_labels,
            "label_conflicts": no_labels,
            "definedness": Figure.missing(why, "bits/byte"),
            "disagreement": twins,
            "response_defects": review.defects,
        },
        columns=columns,
        views={
            "edge": highest(per_item(n, rungs.index, with_ - without), above=0.0),
            "known": highest(per_item(n, rungs.index, without), above=0.0),
            "hard": highest(per_item(n, rungs.index, 1.0 - with_), above=0.0),
            "overwritten": highest(per_item(n, rungs.index, without - with_), above=0.0),
            "responses": review.view,
        },
        responses=review.table,
    )


def _twins(workspace: Workspace) -> Figure:
    """How often rows with the same prompt have different responses."""
    items = workspace.dataset.items
    return disagreement.of_twins(
        [i.text for i in items],
        [normalise(i.target) for i in items],
        [i.count for i in items],
    )


def _open(twins: Figure) -> Figure:
    """Answers that no data gives because the same prompt has several."""
    error = limits.error_of_disagreement(twins)
    detail = {"shown_by": "rows with the same prompt have different responses"}
    return replace(error, unit=EXACT_MATCH, detail=detail)
