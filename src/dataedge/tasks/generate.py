"""From prompts and responses, or passages, to findings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure
from dataedge.items import Task
from dataedge.ladder.generate import GenerateClimb, GenerateLadder
from dataedge.measure import definedness, novelty
from dataedge.measure.responses import Losses
from dataedge.measure.verbatim_recall import recall
from dataedge.tasks.closed_book import Spoken, both_losses, spoken
from dataedge.verdict.decision import Evidence, Limit, decide
from dataedge.verdict.reasons import four_reasons
from dataedge.verdict.result import Findings, highest, scatter

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.prompt.templates import Strategy
    from dataedge.prompt.workspace import Setting
    from dataedge.verdict.decision import Verdict


def find(setting: Setting, config: AuditConfig, tokens: Figure) -> Findings:
    """Everything the audit says about a dataset of responses or passages.

    Args:
        setting: the audit's materials.
        config: thresholds, and whether style counts.
        tokens: tokens of the dataset, for the reasons.
    """
    climbed = GenerateLadder(setting).climb()
    climb, seed = climbed.climb, setting.seed
    outcomes = climb.outcomes
    total = climb.difference("with_data", "without_data")
    parts = split_gain(climbed)
    counted = parts["task"] if parts and config.count == "task" else total
    tuning = climb.difference("learned", climb.best_prompting, over=climb.best_prompting)
    reason = "passages have no prompt that could determine them"
    defined = known = Figure.missing(reason, "share")
    if climbed.without_other is not None and climbed.with_other is not None:
        with_bits = outcomes["with_data"].bits
        defined = definedness.of_responses(
            with_bits,
            climbed.with_other,
            climb.weight,
            climb.clusters,
            seed=seed,
            with_third=climbed.with_third,
        )
        known = novelty.known_responses(
            outcomes["without_data"].bits,
            climbed.without_other,
            with_bits,
            climbed.with_other,
            climb.clusters,
            seed=seed,
        )
    else:
        known = known_passages(climbed, seed=seed)
    verdict = decide(
        Evidence(
            counted,
            tuning,
            climb.difference("with_data", "chance"),
            defined.detail.get("share"),
            _limits(climbed),
            config.delta,
            "bits/byte",
            parts,
            counts_task=counted is not total,
        )
    )
    # where the task itself gains nothing, what tuning gains is style, and no reason to tune
    gain = tuning if verdict.label == "edge" or counted is total else counted
    columns = _columns(setting, climbed)
    said, losses = Spoken({}), None
    if setting.dataset.task is Task.GENERATE:
        columns |= both_losses(setting, climbed)
        losses = Losses(columns["loss_given"], columns["loss_alone"])
        said = spoken(setting, climbed.chosen)
        columns["knowledge"] = said.column(len(setting.dataset.items))
    no_labels = Figure.missing("the task has no labels", "share")
    return Findings(
        ladder=said.beside(climb.ladder()),
        edge=counted,
        tuning_gain=tuning,
        parts={"total": total, **parts} if parts else {},
        verdict=warned(verdict, said.figures.get("knowledge")),
        reasons=four_reasons(
            setting,
            config,
            climb,
            verdict,
            edge=counted,
            tuning=tuning,
            trials=climbed.trials,
            tokens=tokens,
            task_gain=gain,
        ),
        measures={
            "known_share": known,
            "surprisal_bits_per_byte": novelty.surprisal(
                outcomes["zero_shot"].bits,
                climb.weight,
                climb.clusters,
                seed=seed,
                what="responses given their prompts"
                if parts
                else "passages given their first words",
            ),
            "verbatim_recall": _recall(setting),
            **said.figures,
            "label_noise": no_labels,
            "label_conflicts": no_labels,
            "definedness": defined,
        },
        columns=columns,
        views={
            "edge": highest(columns["edge_bits"], above=0.0),
            "known": highest(-columns["bits_per_byte_without"]),
            "hard": highest(columns["bits_per_byte_with"]),
            "overwritten": highest(-columns["edge_bits"], above=0.0),
        },
        losses=losses,
    )


def warned(verdict: Verdict, known: Figure | None) -> Verdict:
    """The verdict, with the warning of `knowledge` where the advice is to fine-tune."""
    if verdict.advice != "fine_tune" or known is None or known.value is None or not known.reason:
        return verdict
    return replace(verdict, why=(*verdict.why, f"Take care: {known.reason}."))


def _recall(setting: Setting) -> Figure:
    items, rows = setting.dataset.items, setting.evaluation

    def write(strategy: Strategy, i: int) -> str:
        return setting.prompter.prompt(strategy, items[rows[i]].texts)

    return recall(
        setting.engine,
        setting.handle,
        setting.probes["recall"],
        write,
        [items[i].target for i in rows],
        setting.clusters[rows],
        seed=setting.seed,
    )


def split_gain(climbed: GenerateClimb) -> dict[str, Figure]:
    """The gain in parts: task, what the prompt now tells; style, what is gained even without it."""
    if climbed.without_other is None or climbed.with_other is None:
        return {}
    climb = climbed.climb
    total = climb.outcomes["with_data"].gain - climb.outcomes["without_data"].gain
    style = climbed.without_other - climbed.with_other
    return {"task": climb.paired(total - style), "style": climb.paired(style)}


def known_passages(climbed: GenerateClimb, *, seed: int) -> Figure:
    """Share of a passage's bits that the base model saves over byte frequencies."""
    outcomes = climbed.climb.outcomes
    chance, zero = outcomes["chance"].bits, outcomes["zero_shot"].bits
    hits = np.full(len(zero), np.nan_to_num((zero < chance).mean()))
    return novelty.known_labels(chance, zero, hits, climbed.climb.clusters, seed=seed)


def _limits(climbed: GenerateClimb) -> dict[Limit, float]:
    """What each lack costs, in bits per byte: told already by the prompt, or not yet learned."""
    curve = [bits for _, bits in climbed.curve]
    volume = max(0.0, curve[-2] - curve[-1]) if len(curve) > 1 else 0.0
    limits: dict[Limit, float] = {"volume": volume}
    if climbed.without_other is not None:
        climb = climbed.climb
        known = (
            climbed.without_other - climb.outcomes["without_data"].bits
        ).sum() / climb.weight.sum()
        limits["novelty"] = max(0.0, float(known))
    return limits


def _columns(setting: Setting, climbed: GenerateClimb) -> dict[str, Any]:
    n, climb = len(setting.dataset.items), climbed.climb
    without, with_ = climb.outcomes["without_data"].bits, climb.outcomes["with_data"].bits
    return {
        "bits_per_byte_without": scatter(n, climb.index, without / climb.weight),
        "bits_per_byte_with": scatter(n, climb.index, with_ / climb.weight),
        "edge_bits": scatter(n, climb.index, without - with_),
    }
