"""From a classification dataset to findings: labels judged, ladder climbed, verdict drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.engine import Step
from dataedge.figures import Figure
from dataedge.ladder.classify import ClassifyClimb, ClassifyLadder
from dataedge.learner import item_features
from dataedge.learning_curve.checks import Points
from dataedge.learning_curve.curve import Curve
from dataedge.learning_curve.forecast import Forecast
from dataedge.learning_curve.more_data import Growth, measure_growth
from dataedge.learning_curve.scaling_laws import Fit
from dataedge.measure import definedness, novelty
from dataedge.prompt.scores import Likelihood, ask_likelihood
from dataedge.tasks.label_review import judge_annotators, judge_labels
from dataedge.verdict.decision import Evidence, Limit, decide
from dataedge.verdict.reasons import four_reasons
from dataedge.verdict.result import Findings, highest, scatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dataedge.config import AuditConfig
    from dataedge.measure import label_noise
    from dataedge.prompt.workspace import Setting

FEATURE_CHOICE = Step("feature_choice", 1)
LEARNING_CURVE = Step("learning_curve", 1, (Growth, Curve, Forecast, Points, Fit), parts=2)
WELL_DEFINED = 0.5
"""Share of the label's information from which the input is said to determine it."""


def find(setting: Setting, config: AuditConfig, tokens: Figure) -> Findings:
    """Everything the audit says about a classification dataset.

    Args:
        setting: the audit's materials.
        config: thresholds.
        tokens: tokens of the dataset, for the reasons.
    """
    described = describe(setting)
    index = np.flatnonzero(setting.label_numbers >= 0)
    judged = judge_labels(setting, described, index)
    quality = judged.quality
    # what is pruned from the train side must not have looked at evaluation labels
    train = setting.splits.train
    pruned = train[judge_labels(setting, described, train).quality.suspect]
    annotated = judge_annotators(setting, judged)
    suspects = np.zeros(len(setting.dataset.items), bool)
    suspects[index[quality.suspect]] = True
    climbed = ClassifyLadder(setting, described, suspects, pruned).climb()
    climb = climbed.climb
    outcomes = climb.outcomes
    edge = climb.difference("with_data", "without_data")
    tuning = climb.difference("learned", climb.best_prompting, over=climb.best_prompting)
    over_chance = climb.difference("with_data", "chance")
    known, defined = _in_bits(setting, climbed)
    growth = _growth(setting, described)
    learned_weight = float(outcomes["learned"].detail.get("base_weight", 0.0))
    climb.special["more_data"] = growth.rung(climb.figure("learned"), learned_weight)
    target = float(outcomes["without_data"].gain.mean()) + config.delta
    verdict = decide(
        Evidence(
            edge,
            tuning,
            over_chance,
            defined.detail.get("share"),
            _limits(climbed, growth.last_doubling, quality.noise, defined),
            config.delta,
            "accuracy",
            {},
        )
    )
    columns = _columns(setting, climbed, quality, index, suspects)
    views = _views(columns, quality, index)
    agreement: dict[str, Figure] = {}
    if annotated is not None:
        columns |= annotated.columns
        views["disputed"] = annotated.disputed
        agreement["annotator_agreement"] = annotated.agreement
    return Findings(
        ladder=climb.ladder(),
        edge=edge,
        tuning_gain=tuning,
        parts={},
        verdict=verdict,
        reasons=four_reasons(
            setting,
            config,
            climb,
            verdict,
            edge=edge,
            tuning=tuning,
            trials=climbed.trials,
            tokens=tokens,
        ),
        measures={
            "known_share": known,
            "surprisal_bits_per_byte": _surprisal(setting),
            "label_noise": quality.noise,
            "label_conflicts": quality.conflicts,
            **agreement,
            "definedness": defined,
            **growth.measures(min(config.target or target, 1.0)),
        },
        columns=columns,
        views=views,
    )


def _in_bits(setting: Setting, climbed: ClassifyClimb) -> tuple[Figure, Figure]:
    """(what the base model knows of the labels, what the input says about them)."""
    climb, seed = climbed.climb, setting.seed
    outcomes = climb.outcomes
    chance, without = outcomes["chance"], outcomes["without_data"]
    if climb.no_bits:
        return Figure.missing(climb.no_bits, "share"), Figure.missing(climb.no_bits, "bits/item")
    defined = definedness.of_labels(
        chance.bits,
        outcomes["with_data"].bits,
        climbed.shuffled,
        chance.gain,
        climb.clusters,
        seed=seed,
        bits_shuffled=climbed.shuffled_bits,
    )
    known = novelty.known_labels(chance.bits, without.bits, without.gain, climb.clusters, seed=seed)
    return known, defined


def describe(setting: Setting) -> item_features.Description:
    """What the learner is to see of the items, settled on the train side."""
    candidates = item_features.Candidates(setting.by_text, [i.text for i in setting.dataset.items])
    side: dict[str, Any] = {
        "train": setting.splits.train,
        "y": setting.label_numbers,
        "n_classes": len(setting.dataset.labels),
        "clusters": setting.clusters,
        "seed": setting.seed,
    }
    name = setting.engine.once(
        FEATURE_CHOICE,
        {**candidates.inputs, **side},
        lambda _: item_features.choose(candidates.blocks, **side),
    )
    return item_features.Description(name, candidates)


def _growth(setting: Setting, described: item_features.Description) -> Growth:
    """The learning curve of the train side, and what it foretells."""
    train = setting.splits.train
    side: dict[str, Any] = {
        "y": setting.label_numbers[train],
        "n_classes": len(setting.dataset.labels),
        "clusters": setting.clusters[train],
        "seed": setting.seed,
    }

    def compute(done: Callable[[int], None]) -> Growth:
        return measure_growth([b[train] for b in described.blocks], **side, done=done)

    return setting.engine.once(
        LEARNING_CURVE, {**described.inputs, "train": train, **side}, compute
    )


def _limits(
    climbed: ClassifyClimb, volume: float, noise: Figure, defined: Figure
) -> dict[Limit, float]:
    """What each lack costs, in accuracy: known already, unlearned, mislabelled, undetermined.

    What is left to a perfect score counts as undetermined only where the input was shown to tell
    less than half of the label; elsewhere it may as well be the learner's own weakness.
    """
    climb = climbed.climb
    reached = float(climb.outcomes["with_data"].gain.mean())
    without = float(climb.outcomes["without_data"].gain.mean())
    chance = float(climb.outcomes["chance"].gain.mean())
    repaired = climb.special["repaired"].detail.get("gain_over_learned") or 0.0
    quality = max(float(repaired), 0.0) + (noise.value or 0.0)
    limits: dict[Limit, float] = {
        "novelty": max(0.0, without - chance),
        "volume": volume,
        "label_quality": quality,
    }
    if defined.detail.get("share", 1.0) < WELL_DEFINED:
        limits["definedness"] = max(0.0, 1.0 - reached - quality - volume)
    return limits


def _surprisal(setting: Setting) -> Figure:
    if setting.facts.no_bits:
        return Figure.missing(setting.facts.no_bits, "bits/byte")
    texts = [setting.dataset.items[i].text for i in setting.evaluation]
    answers = ask_likelihood(setting.engine, Likelihood(setting.handle), [""] * len(texts), texts)
    bits = np.array([np.nan if a is None else a.bits for a in answers])
    size = np.array([len(t.encode("utf-8", "replace")) for t in texts], float)
    return novelty.surprisal(
        bits, size, setting.clusters[setting.evaluation], seed=setting.seed, what="input texts"
    )


def _columns(
    setting: Setting,
    climbed: ClassifyClimb,
    quality: label_noise.LabelQuality,
    index: NDArray[np.int64],
    suspects: NDArray[np.bool_],
) -> dict[str, Any]:
    n, climb = len(setting.dataset.items), climbed.climb
    told = np.nan if climb.no_bits else 1.0
    without = scatter(n, climb.index, told * 2.0 ** -climb.outcomes["without_data"].bits)
    with_ = scatter(n, climb.index, told * 2.0 ** -climb.outcomes["with_data"].bits)
    names = setting.dataset.labels
    proposed: list[str | None] = [None] * n
    reasons: list[str | None] = [None] * n
    for i, label, reason in zip(index, quality.proposed, quality.reason, strict=True):
        if suspects[i]:
            proposed[i], reasons[i] = names[label], reason or None
    return {
        "p_without": without,
        "p_with": with_,
        "edge_bits": np.log2(with_) - np.log2(without),
        "p_given": scatter(n, index, quality.p_given.astype(np.float64)),
        "label_score": scatter(n, index, quality.score.astype(np.float64)),
        "suspect": suspects.tolist(),
        "proposed": proposed,
        "reason": reasons,
    }


def _views(
    columns: dict[str, Any], quality: label_noise.LabelQuality, index: NDArray[np.int64]
) -> dict[str, NDArray[np.int64]]:
    flagged = index[quality.suspect]
    order = flagged[np.argsort(columns["label_score"][flagged], kind="stable")]
    return {
        "suspects": order[:50],
        "edge": highest(columns["edge_bits"], above=0.0),
        "known": highest(columns["p_without"], above=0.5),
        "hard": highest(-np.maximum(columns["p_without"], columns["p_with"]), above=-0.5),
        "overwritten": highest(-columns["edge_bits"], above=0.0),
    }
