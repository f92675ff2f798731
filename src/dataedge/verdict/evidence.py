"""The evidence of a ladder: the figures that a verdict rests on, and what could be done next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataedge.figure_arithmetic import summed, weighed
from dataedge.ladder.rungs import FINE_TUNED
from dataedge.ladder.tuned import TunedPrompt
from dataedge.pilot import amount
from dataedge.pilot import run as pilot
from dataedge.prepare.splits import LARGEST_SHARE
from dataedge.verdict.edge_rule import Evidence, NextSteps
from dataedge.verdict.fine_tune_error import error_of
from dataedge.widened_intervals import widened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataedge.figures import Figure
    from dataedge.ladder.rungs import Basis, Rungs
    from dataedge.prompt.workspace import Workspace
    from dataedge.verdict.fine_tune_error import Gain, Situation
    from dataedge.verdict.limits import Limit

_PILOT_TOKENS = 250_000
"""That a pilot trains on at most where it is advised: about an hour at 70 tokens a second."""


def next_steps_of(workspace: Workspace, rungs: Rungs) -> NextSteps:
    """What could be done next with this dataset and model."""
    splits, items = workspace.splits, workspace.dataset.items
    asked = len(splits.development) + len(splits.evaluation)
    usable = [i for i, item in enumerate(items) if not item.label_missing]
    at_hand = int(LARGEST_SHARE * len(usable))
    if splits.source == "dataset":
        leaked = set(splits.leaked.tolist())
        at_hand = sum(items[i].split == "test" and i not in leaked for i in usable)
    tokens = amount.plan(len(splits.train), workspace.item_tokens).tokens
    possible = workspace.dataset.task not in pilot.REFUSED and not workspace.abilities.remote
    tuned = rungs.outcomes.get(FINE_TUNED)
    longer = tuned is None or (isinstance(tuned.strategy, TunedPrompt) and tuned.strategy.short)
    return NextSteps(
        asked,
        max(at_hand, asked),
        possible and tokens <= _PILOT_TOKENS and longer,
        rungs.outcomes[rungs.best_prompting].prompt_tokens,
        workspace.tuned_tokens(),
    )


def evidence_of(
    workspace: Workspace,
    rungs: Rungs,
    limits: Mapping[Limit, Figure],
    *,
    delta: float,
    edge: Figure | None = None,
    edge_basis: Basis = "estimated",
    parts: Mapping[str, Figure] | None = None,
    clusters: int | None = None,
    ngrams: Figure | None = None,
) -> Evidence:
    """The evidence of a ladder; what a fine-tune is predicted to gain has the interval of a fine-tune.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        rungs: the ladder.
        limits: recoverable gain per limit.
        delta: smallest gain worth having.
        edge: what counts as the edge, where it is not with_data − without_data.
        edge_basis: what `with_data` rests on.
        parts: task and style for generate.
        clusters: behind the edge, where it is measured on fewer than all evaluation items.
        ngrams: what n-grams have of the gain, for text.
    """
    total = rungs.difference("with_data", "without_data")
    task = (parts or {}).get("task")
    counts_task = edge is not None and edge is task
    # of text the edge of the table is that of the task part, and the whole has no line in it
    whole: Gain | None = "edge" if edge is None else None
    counted: Gain | None = "edge" if counts_task else whole
    over_chance = rungs.difference("with_data", "chance")
    return Evidence(
        foretold(workspace, rungs, total if edge is None else edge, edge_basis, counted),
        tuning_gain_of(workspace, rungs),
        foretold(workspace, rungs, over_chance, edge_basis, whole),
        rungs.difference("retrieved", "without_data"),
        rungs.difference("without_data", "chance"),
        limits,
        delta,
        rungs.unit,
        rungs.n_clusters if clusters is None else clusters,
        next_steps_of(workspace, rungs),
        parts or {},
        counts_task=counts_task,
        total=foretold(workspace, rungs, total, edge_basis, whole) if counts_task else None,
        ngrams=ngrams,
        one_prompt=tuning_gain_of(workspace, rungs, rungs.best_prompting),
    )


def tuning_gain_of(workspace: Workspace, rungs: Rungs, over: str = "prompted") -> Figure:
    """What a fine-tune on all train rows gains over the best prompting, retrieval included.

    Where a pilot on a part of the rows tells what the others would add, its word and the prediction of the
    proxy are weighed by their inverse variances; where development items already prefer the pilot on a part
    to the proxy on all, the proxy has nothing to say.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        rungs: the ladder.
        over: what it is held against.
    """
    more, tuned = rungs.forecast_gain, _difference(rungs, FINE_TUNED, over)
    if more is None or tuned.low is None:
        found = _difference(rungs, rungs.fine_tuned, over)
        return foretold(workspace, rungs, found, rungs.tuning_basis, "tuning_gain")
    forecast = summed(tuned, more, rungs.bounds(over))
    predicted = _difference(rungs, "learned", over)
    if rungs.fine_tuned == FINE_TUNED or predicted.low is None:
        return forecast
    predicted = foretold(workspace, rungs, predicted, "estimated", "tuning_gain")
    return weighed(forecast, predicted)


def _difference(rungs: Rungs, upper: str, over: str) -> Figure:
    """A gain over prompting; a single prompt is not fitted again: what the pool varies by stands for it."""
    found = rungs.difference(upper, over)
    if over == "prompted" or found.low is None:
        return found
    added = rungs.added(upper, "prompted")
    return found if added is None else widened(found, added, bounds=rungs.bounds(over))


def foretold(
    workspace: Workspace,
    rungs: Rungs,
    figure: Figure,
    basis: Basis,
    gain: Gain | None,
) -> Figure:
    """A gain with the interval of a fine-tune; as it is where one was measured, or the table has none.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        rungs: whose unit it has.
        figure: with the interval of the measurement.
        basis: what it rests on.
        gain: which line of the table is taken; None where it has none of such a figure.
    """
    if gain is None or basis == "measured" or rungs.fine_tuned == FINE_TUNED:
        return figure  # what a fine-tune does with these data is known
    task, rows = workspace.dataset.task, len(workspace.splits.train)
    learned, without = (rungs.outcomes.get(rung) for rung in ("learned", "without_data"))
    situation: Situation = "learned"
    if learned and without and np.array_equal(learned.gain, without.gain):
        situation = "nothing"
    error = error_of(gain, situation, task, figure.unit, workspace.lazy_model.id, rows)
    return figure if error is None else error.added_to(figure, rungs.bounds("without_data"))
