"""From a dataset whose label is a number to findings: numbers reviewed, ladder run, verdict drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.engine import Step
from dataedge.ladder.number import NumberLadder, NumberRun
from dataedge.ladder.outcome_table import outcome_table
from dataedge.ladder.prompt_curve import prompt_curve
from dataedge.learner import item_features
from dataedge.measure import definedness, disagreement, novelty, quantities
from dataedge.positions import Positions, per_item, positions
from dataedge.prompt.latency import request
from dataedge.tasks.input_texts import describe, input_surprisal
from dataedge.tasks.number_review import NumberReview, review_numbers
from dataedge.verdict import limits
from dataedge.verdict.decision import decide
from dataedge.verdict.evidence import evidence_of
from dataedge.verdict.reasons import four_reasons
from dataedge.verdict.result import TaskResult, highest

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.figures import Figure
    from dataedge.prompt.workspace import Workspace
    from dataedge.verdict.limits import Limit

FEATURE_CHOICE = Step("number_feature_choice", 1)


def find(workspace: Workspace, config: AuditConfig, tokens: Figure) -> TaskResult:
    """Everything the audit says about a dataset whose label is a number.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        config: thresholds; δ is `delta_r2`.
        tokens: tokens of the dataset, for the reasons.
    """
    described = describe(
        workspace, FEATURE_CHOICE, item_features.choose_for_numbers, values=workspace.numbers
    )
    index = positions(np.flatnonzero(np.isfinite(workspace.numbers)))
    judged = review_numbers(workspace, described, index)
    # what is pruned from the train side must not have looked at evaluation numbers
    train = workspace.splits.train
    pruned = positions(train[review_numbers(workspace, described, train).found.suspect])
    suspects = np.zeros(len(workspace.dataset.items), bool)
    suspects[index[judged.found.suspect]] = True
    ladder = NumberLadder(workspace, described, suspects, pruned)
    run = ladder.run()
    rungs, errors = run.rungs, run.errors
    twins = _twins(workspace, index)
    evidence = evidence_of(
        workspace, rungs, _limits(run, twins), delta=config.delta_r2, edge=run.edge
    )
    evidence = replace(evidence, beside=errors.difference("with_data", "without_data"))
    edge, tuning, verdict = evidence.edge, evidence.tuning_gain, decide(evidence)
    measured: dict[str, Any] = {
        "tokens": tokens,
        "curve": prompt_curve(workspace, rungs, ladder.on),
        "request": request(workspace, rungs.best_prompt),
        "trials": run.trials,
    }
    reasons = four_reasons(workspace, config, verdict, edge=edge, tuning=tuning, **measured)
    columns = _columns(workspace, run, judged)
    return TaskResult(
        ladder=rungs.ladder_beside(errors),
        edge=edge,
        tuning_gain=tuning,
        parts={errors.unit: evidence.beside} if evidence.beside else {},
        outcomes=outcome_table(rungs, [i.id for i in workspace.dataset.items]),
        verdict=verdict,
        reasons=reasons,
        measures={
            "surprisal_bits_per_byte": input_surprisal(workspace),
            "label_conflicts": judged.found.conflicts,
            "disagreement": twins,
            **_explained(run),
            **_noise(judged),
        },
        columns=columns,
        views=_views(columns, judged),
    )


def _explained(run: NumberRun) -> dict[str, Figure]:
    """What of the numbers' variance the base model knows, and what the input says."""
    rungs = run.rungs
    held: dict[str, Any] = {"clusters": rungs.clusters, "seed": rungs.seed}
    gain = {rung: rungs.outcomes[rung].gain for rung in ("without_data", "with_data")}
    return {
        "known_share": novelty.known_numbers(gain["without_data"], rungs.weight, **held),
        "definedness": definedness.of_numbers(
            gain["with_data"], run.shuffled, rungs.weight, **held
        ),
    }


def _noise(judged: NumberReview) -> dict[str, Figure]:
    reason = f"share of numbers more than {quantities.FAR} robust deviations from the expected one"
    return {"label_noise": replace(judged.found.share, reason=reason)}


def _twins(workspace: Workspace, index: Positions) -> Figure:
    """How far apart the numbers of rows with the same input are."""
    items = [workspace.dataset.items[i] for i in index]
    return disagreement.of_numbers(
        [i.text for i in items], workspace.numbers[index].tolist(), [i.count for i in items]
    )


def _limits(run: NumberRun, twins: Figure) -> dict[Limit, Figure]:
    """Recoverable gains in R²."""
    rungs = run.rungs
    volume = limits.volume_of_loss(
        run.curve, rungs.weight, rungs.clusters, seed=rungs.seed, unit=rungs.unit
    )
    return limits.of_proportions(
        rungs,
        {
            "volume": volume,
            "label_quality": limits.label_quality(rungs.special["repaired"]),
            "definedness": limits.open_numbers(twins),
        },
    )


def _columns(workspace: Workspace, run: NumberRun, judged: NumberReview) -> dict[str, Any]:
    n, rungs = len(workspace.dataset.items), run.rungs
    numbers, found = workspace.numbers, judged.found
    predicted = {
        side: per_item(n, rungs.index, np.asarray(rungs.outcomes[rung].predicted, np.float64))
        for side, rung in (("without", "without_data"), ("with", "with_data"))
    }
    error = {
        side: np.asarray(np.abs(numbers - values), np.float64) for side, values in predicted.items()
    }
    proposed: list[str | None] = [None] * n
    reasons: list[str | None] = [None] * n
    for at in np.flatnonzero(found.suspect):
        i = judged.index[at]
        proposed[i], reasons[i] = f"{judged.expected[at]:.4g}", found.reason[at]
    return {
        "number_without": predicted["without"],
        "number_with": predicted["with"],
        "error_without": error["without"],
        "error_with": error["with"],
        "label_score": per_item(n, judged.index, found.score.astype(np.float64)),
        "suspect": [reason is not None for reason in reasons],
        "proposed": proposed,
        "reason": reasons,
    }


def _views(columns: dict[str, Any], judged: NumberReview) -> dict[str, Positions]:
    flagged = judged.index[judged.found.suspect]
    order = positions(flagged[np.argsort(columns["label_score"][flagged], kind="stable")])
    without, with_ = columns["error_without"], columns["error_with"]
    return {
        "suspects": positions(order[:50]),
        "edge": highest(without - with_, above=0.0),
        "known": highest(-without),
        "hard": highest(np.minimum(without, with_), above=0.0),
        "overwritten": highest(with_ - without, above=0.0),
    }
