"""From a classification dataset to findings: labels reviewed, ladder run, verdict drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.engine import Step
from dataedge.figures import Figure, Reported
from dataedge.ladder.classify import ClassifyLadder, ClassifyRun
from dataedge.ladder.outcome_table import outcome_table
from dataedge.ladder.prompt_curve import prompt_curve
from dataedge.ladder.units import BALANCED
from dataedge.learning_curve.checks import CurvePoints
from dataedge.learning_curve.curve import Curve
from dataedge.learning_curve.forecast import Forecast
from dataedge.learning_curve.more_data import MoreData, edge_target, measure_more_data
from dataedge.learning_curve.scaling_laws import Fit
from dataedge.measure import definedness, disagreement, label_leak, label_shift, novelty
from dataedge.measure.shared_pieces import edge_of_unseen_pieces
from dataedge.pilot.rungs import of_labels as pilot_of_labels
from dataedge.positions import Positions, per_item, positions
from dataedge.prompt.latency import request
from dataedge.tasks.input_texts import input_surprisal
from dataedge.tasks.label_review import label_views, review_annotators, suspect_labels, twins
from dataedge.verdict import limits
from dataedge.verdict.decision import decide
from dataedge.verdict.evidence import evidence_of, foretold
from dataedge.verdict.reasons import four_reasons
from dataedge.verdict.result import TaskResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dataedge.config import AuditConfig
    from dataedge.ladder.rungs import Rungs
    from dataedge.learner import item_features
    from dataedge.measure import label_noise
    from dataedge.prompt.workspace import Workspace
    from dataedge.verdict.limits import Limit

LEADING = 0.8
"""Share of one label beyond which accuracy says little, and balanced accuracy is the headline."""
LABEL_LEAK = Step("label_leak", 1, (label_leak.Leak,))
LABEL_SHIFT = Step("label_shift", 1, (Reported,))
LEARNING_CURVE = Step("learning_curve", 2, (MoreData, Curve, Forecast, CurvePoints, Fit), parts=2)


def find(workspace: Workspace, config: AuditConfig, tokens: Figure) -> TaskResult:
    """Everything the audit says about a classification dataset.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        config: thresholds.
        tokens: tokens of the dataset, for the reasons.
    """
    described, judged, suspects, pruned = suspect_labels(workspace)
    index, quality = judged.index, judged.quality
    annotated = review_annotators(workspace, judged)
    ladder = ClassifyLadder(workspace, described, suspects, pruned)
    ladder_run, piloted = ladder.run(), None
    if config.pilot:
        # of balanced accuracy no curve is told
        all_rows = not leads(workspace.label_numbers)
        piloted = pilot_of_labels(ladder, ladder_run, config, all_rows=all_rows)
        ladder_run = replace(ladder_run, rungs=piloted.rungs)
    rungs = replace(ladder_run.rungs, classes=workspace.label_numbers[ladder_run.rungs.index])
    outcomes = rungs.outcomes
    known, defined = _in_bits(workspace, ladder_run)
    more_data = _more_data(workspace, described)
    learned = outcomes["learned"]
    forecast = more_data.rung(rungs.figure("learned"), learned.base_weight)
    rungs = replace(rungs, special={**rungs.special, "more_data": forecast})
    target = edge_target(
        rungs.figure("without_data"), rungs.figure("chance"), config.delta, config.target
    )
    differ = twins(workspace)
    found = _limits(workspace, rungs, more_data, quality.noise, differ)
    even = replace(rungs, unit=BALANCED)
    headline, beside, delta = rungs, even, config.delta
    if leads(workspace.label_numbers):
        headline, beside, delta = even, rungs, config.delta_balanced
        found = limits.of_proportions(even, limits.in_other_unit(found, BALANCED))
    edge_basis = piloted.edge_basis if piloted else "estimated"
    evidence = evidence_of(workspace, headline, found, delta=delta, edge_basis=edge_basis)
    other = beside.difference("with_data", "without_data")
    evidence = replace(evidence, beside=foretold(workspace, beside, other, edge_basis, "edge"))
    edge, tuning, verdict = evidence.edge, evidence.tuning_gain, decide(evidence)
    columns = _columns(workspace, ladder_run, quality, index, suspects)
    views = label_views(columns, positions(index[quality.suspect]))
    agreement: dict[str, Figure] = {}
    if annotated is not None:
        columns |= annotated.columns
        views["disputed"] = annotated.disputed
        agreement["annotator_agreement"] = annotated.agreement
    leak, shift = _leak(workspace, index), _shift(workspace)
    return TaskResult(
        ladder=headline.ladder_beside(beside),
        edge=edge,
        tuning_gain=tuning,
        parts={beside.unit: evidence.beside} if evidence.beside else {},
        outcomes=outcome_table(headline, [i.id for i in workspace.dataset.items]),
        verdict=verdict,
        reasons=four_reasons(
            workspace,
            config,
            verdict,
            edge=edge,
            tuning=tuning,
            curve=prompt_curve(workspace, headline, ladder.on),
            request=request(workspace, headline.best_prompt),
            trials=ladder_run.trials,
            tokens=tokens,
        ),
        measures={
            "known_share": known,
            "surprisal_bits_per_byte": input_surprisal(workspace),
            "label_noise": quality.noise,
            "label_conflicts": quality.conflicts,
            "label_leak": leak,
            "label_shift": shift,
            **agreement,
            "definedness": defined,
            "disagreement": differ,
            **more_data.measures(target),
            **_pieces(workspace, rungs),
        },
        columns=columns,
        views=views,
        notes=tuple(filter(None, (label_leak.sentence(leak), label_shift.sentence(shift)))),
        edge_basis=edge_basis,
        tuning_basis=rungs.tuning_basis,
    )


def leads(labels: NDArray[np.int64]) -> bool:
    """Whether one label has more than 80 % of the rows that have any (numbers from 0; −1 for none).

    Example:
        >>> leads(np.array([0] * 81 + [1] * 19)), leads(np.array([0] * 80 + [1] * 20 + [-1] * 50))
        (True, False)
    """
    given = labels[labels >= 0]
    return len(given) > 0 and float(np.bincount(given).max()) > LEADING * len(given)


def _in_bits(workspace: Workspace, ladder_run: ClassifyRun) -> tuple[Figure, Figure]:
    """(what the base model knows of the labels, what the input says about them)."""
    rungs, seed = ladder_run.rungs, workspace.seed
    outcomes = rungs.outcomes
    chance, without = outcomes["chance"], outcomes["without_data"]
    if rungs.no_bits:
        return Figure.missing(rungs.no_bits, "share"), Figure.missing(rungs.no_bits, "bits/item")
    defined = definedness.of_labels(
        chance.bits,
        outcomes["with_data"].bits,
        ladder_run.shuffled,
        chance.gain,
        rungs.clusters,
        seed=seed,
        bits_shuffled=ladder_run.shuffled_bits,
    )
    known = novelty.known_labels(chance.bits, without.bits, without.gain, rungs.clusters, seed=seed)
    return known, defined


def _more_data(workspace: Workspace, described: item_features.Description) -> MoreData:
    """The learning curve of the train side, and what it foretells."""
    train = workspace.splits.train
    side: dict[str, Any] = {
        "y": workspace.label_numbers[train],
        "n_classes": len(workspace.dataset.labels),
        "clusters": workspace.clusters[train],
        "seed": workspace.seed,
    }

    def compute(done: Callable[[int], None]) -> MoreData:
        return measure_more_data([b[train] for b in described.blocks], **side, done=done)

    return workspace.engine.once(
        LEARNING_CURVE, {**described.inputs, "train": train, **side}, compute
    )


def _pieces(workspace: Workspace, rungs: Rungs) -> dict[str, Figure]:
    """The edge where both texts are new, of items that have two."""
    items = workspace.dataset.items
    if any(len(item.texts) != 2 for item in items):
        return {}
    gains = rungs.outcomes["with_data"].gain - rungs.outcomes["without_data"].gain
    asked, learned = (
        [items[i].texts for i in side] for side in (rungs.index, workspace.splits.train)
    )
    return {"edge_unseen_pieces": edge_of_unseen_pieces(gains, asked, learned, unit=rungs.unit)}


def _leak(workspace: Workspace, index: Positions) -> label_leak.Leak:
    """Whether labelled texts say their own label; examples are named by the items' identity."""
    items = workspace.dataset.items
    inputs: dict[str, Any] = {
        "texts": [items[i].text for i in index],
        "y": workspace.label_numbers[index],
        "labels": workspace.dataset.labels,
        "clusters": workspace.clusters[index],
        "seed": workspace.seed,
    }
    found = workspace.engine.once(LABEL_LEAK, inputs, lambda _: label_leak.label_leak(**inputs))
    named = [items[index[at]].id for at in found.examples]
    return replace(found, detail={**found.detail, "items": named})


def _shift(workspace: Workspace) -> Reported:
    """Whether labels are as frequent among held-out items as on the train side."""
    if workspace.splits.source == "made" and not any(i.time for i in workspace.dataset.items):
        why = "the split was made here, with as much of each label on every side as can be"
        return Reported.missing(why, "share")
    y, sides = workspace.label_numbers, workspace.splits
    train, held = (
        positions(side[y[side] >= 0])
        for side in (sides.train, np.concatenate([sides.development, sides.evaluation]))
    )
    inputs: dict[str, Any] = {
        "train": y[train],
        "held_out": y[held],
        "train_clusters": workspace.clusters[train],
        "held_out_clusters": workspace.clusters[held],
        "labels": workspace.dataset.labels,
        "seed": workspace.seed,
    }
    return workspace.engine.once(LABEL_SHIFT, inputs, lambda _: label_shift.label_shift(**inputs))


def _limits(
    workspace: Workspace, rungs: Rungs, more_data: MoreData, noise: Figure, twins: Figure
) -> dict[Limit, Figure]:
    """Recoverable gains in accuracy."""
    items = [item for item in workspace.dataset.items if not item.label_missing]
    defined = limits.definedness(
        limits.error_of_disagreement(disagreement.of_annotators([i.annotations for i in items])),
        limits.error_of_disagreement(twins),
        limits.error_at_the_end(more_data.law),
        noise,
    )
    return limits.of_proportions(
        rungs,
        {
            "volume": more_data.next_doubling,
            "label_quality": limits.label_quality(rungs.special["repaired"]),
            "definedness": defined,
        },
    )


def _columns(
    workspace: Workspace,
    ladder_run: ClassifyRun,
    quality: label_noise.LabelQuality,
    index: Positions,
    suspects: NDArray[np.bool_],
) -> dict[str, Any]:
    n, rungs = len(workspace.dataset.items), ladder_run.rungs
    known = np.nan if rungs.no_bits else 1.0
    without = per_item(n, rungs.index, known * 2.0 ** -rungs.outcomes["without_data"].bits)
    with_ = per_item(n, rungs.index, known * 2.0 ** -rungs.outcomes["with_data"].bits)
    names = workspace.dataset.labels
    proposed: list[str | None] = [None] * n
    reasons: list[str | None] = [None] * n
    for i, label, reason in zip(index, quality.proposed, quality.reason, strict=True):
        if suspects[i]:
            proposed[i], reasons[i] = names[label], reason or None
    return {
        "p_without": without,
        "p_with": with_,
        "edge_bits": np.log2(with_) - np.log2(without),
        "p_given": per_item(n, index, quality.p_given.astype(np.float64)),
        "label_score": per_item(n, index, quality.score.astype(np.float64)),
        "suspect": suspects.tolist(),
        "proposed": proposed,
        "reason": reasons,
    }
