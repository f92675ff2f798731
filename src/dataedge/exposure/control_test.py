"""The control-set test: the data's rows against rows that the model cannot have seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataedge.exposure import blind_classifier, dataset_inference, power
from dataedge.exposure.rows import TextMoments, ask_moments, row_texts, sample
from dataedge.figures import Figure
from dataedge.models.base import Moments
from dataedge.prompt.scores import Likelihood, ask_likelihood

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.engine.local import Engine
    from dataedge.items import Dataset
    from dataedge.models.lazy import LazyModel, ModelAbilities

    Floats = NDArray[np.float64]

ARM_ROWS = 500
FEWEST_IN_ARM = 20
ROW_EFFECT = 0.60
"""Item AUROC that the test is asked to find."""


def control_test(
    engine: Engine,
    lazy_model: LazyModel,
    abilities: ModelAbilities,
    dataset: Dataset,
    control: Dataset | None,
    *,
    seed: int,
) -> Figure:
    """Are the rows more familiar than the control's? At most 500 rows of each are read."""
    if control is None:
        return Figure.missing("no control set was named: --control PATH", "p")
    own, theirs = (dict.fromkeys(t for t in row_texts(d) if t.strip()) for d in (dataset, control))
    shared = len(own.keys() & theirs.keys())
    arms = [[t for t in own if t not in theirs], [t for t in theirs if t not in own]]
    if min(map(len, arms)) < FEWEST_IN_ARM:
        reason = f"{min(map(len, arms))} rows in the smaller arm; {FEWEST_IN_ARM} are needed"
        return Figure.missing(reason, "p")
    size = min(ARM_ROWS, *map(len, arms))
    suspect, rest = ([arm[i] for i in sample(len(arm), size, seed)] for arm in arms)
    gate = blind_classifier.arms_gate(suspect, rest, seed=seed)
    if gate.low > 0.5:
        reason = (
            f"data and control can be told apart by their texts alone (AUROC {gate.value:.2f} "
            f"[{gate.low:.2f}, {gate.high:.2f}] without a model), so they are not of one kind"
        )
        detail = {"blind_auroc": list(gate)}
        return Figure(None, n=size, unit="p", status="refused", reason=reason, detail=detail)
    tables = [read_features(engine, lazy_model, abilities, arm) for arm in (suspect, rest)]
    tables = [t[np.isfinite(t).all(axis=1)] for t in tables]
    if min(map(len, tables)) < FEWEST_IN_ARM:
        return Figure.missing("the model failed on too many rows", "p", "failed")
    p, n, areas = dataset_inference.infer(tables[0], tables[1], seed=seed)
    return power.concluded(
        p,
        n,
        power.two_arms(n, ROW_EFFECT),
        at=ROW_EFFECT,
        found="the rows are more familiar to the model than the control's: it has met this data "
        "(if the control is of the same source)",
        auroc=areas,
        blind_auroc=list(gate),
        rows_per_arm_needed=2 * power.rows_per_arm(ROW_EFFECT),
        shared_with_control=shared,
    )


def read_features(
    engine: Engine, lazy_model: LazyModel, abilities: ModelAbilities, texts: Sequence[str]
) -> Floats:
    """Membership features of rows, shape (n, 4); without Min-K%++ where the vocabulary is hidden."""
    if abilities.full_vocabulary:
        return dataset_inference.feature_table(
            texts, ask_moments(engine, TextMoments(lazy_model), texts)
        )
    answers = ask_likelihood(engine, Likelihood(lazy_model), [""] * len(texts), texts)
    none = np.zeros(0)
    readings = [None if a is None else Moments(a.logprobs, none, none) for a in answers]
    return dataset_inference.feature_table(texts, readings)
