"""Definedness: there where it is planted, absent where it is not, and its control at 0 in both."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

import dataedge
from dataedge.ladder.prompt_information import CodeLengths, OtherPrompts, prompt_information
from dataedge.ladder.task_style import Spread
from dataedge.measure.definedness import of_labels, of_responses
from tests.test_text_audits import audit_of, pairs

if TYPE_CHECKING:
    from pathlib import Path

    from dataedge.figures import Figure
    from dataedge.report.model import FigureModel

CLUSTERS = np.arange(300)


def at_zero(figure: FigureModel | Figure) -> bool:
    control = figure.detail["control"]
    return bool(control["low"] <= 0 <= control["high"])


def test_labels_that_follow_from_the_text(small_audit: dataedge.Audit) -> None:
    found = small_audit.measures["definedness"]
    assert found.low > 0
    assert found.detail["share"] > 0.3
    assert at_zero(found)


def test_labels_that_follow_from_nothing(
    small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    head, *rows = small_dataset.read_text().splitlines()
    labels = [row.rpartition(",")[2] for row in rows]
    random.Random(3).shuffle(labels)
    dealt = [f"{r.rpartition(',')[0]},{y}" for r, y in zip(rows, labels, strict=True)]
    (tmp_path / "dealt.csv").write_text("\n".join([head, *dealt]))
    audit = dataedge.audit(
        tmp_path / "dealt.csv", out=str(tmp_path / "out"), model=tiny_model, probe_items=40
    )
    found = audit.measures["definedness"]
    assert found.low <= 0.05
    assert found.detail["share"] < 0.2
    assert at_zero(found)


@pytest.mark.parametrize("defined", [True, False])
@pytest.mark.long
def test_the_control_of_responses_is_at_zero(
    defined: bool, tiny_model: str, tmp_path: Path
) -> None:
    """Less than the smallest gain worth having: an interval of one audit leaves 0 out now and then."""
    found = audit_of(pairs(defined=defined), tmp_path, tiny_model).measures["definedness"]
    assert abs(found.detail["control"]["value"]) < 0.02
    assert defined or found.low < 0.02  # a model of 30,000 weights cannot find what is planted


def test_responses_planted_and_not() -> None:
    """Code lengths behind the own prompt and eight others: 40 bits, less where the prompt tells 8."""
    covers = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        base = rng.normal(40, 10, 300)
        own = base + rng.normal(0, 1, 300)
        behind = base[:, None] + rng.normal(0, 1, (300, 8))
        informed = np.stack([behind, behind + rng.normal(0, 0.3, (300, 8))], axis=1)
        size, others = np.full(300, 40.0), OtherPrompts(CLUSTERS, behind, informed)
        given = (prompt_information(base, bits, others).with_ for bits in (own - 8, own))
        planted, nothing = (
            of_responses(told, informed, size, CLUSTERS, seed=seed) for told in given
        )
        assert planted.low > 0.15
        assert planted.value == pytest.approx(0.2, abs=0.03)
        assert nothing.low < 0.005
        assert nothing.value == pytest.approx(0.0, abs=0.005)
        covers.append(at_zero(planted))
    assert np.mean(covers) >= 0.85


def test_the_control_is_a_figure_of_its_own() -> None:
    rng = np.random.default_rng(0)
    one = np.ones(300)
    noise = of_labels(one, one / 2, one, one, CLUSTERS, seed=0, bits_shuffled=one)
    assert noise.detail["control"] | {"what": ""} == {
        "what": "", "value": 0.0, "low": 0.0, "high": 0.0, "n": 300,
    }  # fmt: skip
    leaking = of_labels(one, one / 2, one, one, CLUSTERS, seed=0, bits_shuffled=one - 0.1)
    assert leaking.detail["control"]["low"] > 0.09
    behind = 40 + rng.normal(size=(300, 2, 8))
    given = CodeLengths(np.full(300, 40.0), np.full(300, 30.0))
    errors = (Spread(0.1**2, 7), Spread(0.0, 0))
    told = of_responses(given, behind, np.full(300, 10.0), CLUSTERS, seed=0, errors=errors)
    assert told.value == pytest.approx(1.0)
    drawn = 0.1 * 2.365  # Student's quantile for 8 questions
    assert told.low == pytest.approx(1 - drawn, abs=1e-3), "which prompts were drawn counts too"
    assert told.detail["control"]["n"] == 300
    assert told.detail["control"]["low"] < 0 < told.detail["control"]["high"]
    assert "control" not in of_labels(one, one, one, one, CLUSTERS, seed=0).detail
