"""A whole audit of numeric labels: R², absolute error beside it, and a control with shuffled numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dataedge
from dataedge.report.model import Report
from tests.words import PLACES, THINGS


def frame(n: int = 240, *, shuffled: bool = False) -> pd.DataFrame:
    """Parcels whose price follows from place and thing; no price follows from anything if shuffled."""
    rng = np.random.default_rng(0)
    place, thing = rng.integers(0, 10, n), rng.integers(0, 10, n)
    price = np.round(20 + 3 * place + 2 * thing + rng.normal(0, 2, n), 1)
    if shuffled:
        price = rng.permutation(price)
    texts = [
        f"the {THINGS[t]} number {i} from {PLACES[p]} came in on day {i % 29}"
        for i, (p, t) in enumerate(zip(place, thing, strict=True))
    ]
    return pd.DataFrame({"text": texts, "price": price})


@pytest.fixture(scope="module")
def audited(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> dataedge.Audit:
    out = tmp_path_factory.mktemp("audits") / "prices"
    return dataedge.audit(frame(), out=out, model=tiny_model, probe_items=96, label_column="price")


def test_the_ladder_is_in_r2_with_absolute_error_beside_it(audited: dataedge.Audit) -> None:
    report = audited.report
    assert report.dataset.task == "number"
    assert [r.rung for r in report.ladder] == [
        "chance", "zero_shot", "few_shot", "without_data", "retrieved", "prompted", "learned", "with_data", "repaired",
    ]  # fmt: skip
    rungs = {r.rung: r for r in report.ladder}
    assert {r.unit for r in report.ladder} == {"R²"}
    assert rungs["chance"].value == 0.0
    assert rungs["with_data"].value > 0.6
    errors = {
        name: rungs[name].detail["absolute_error"]["value"] for name in ("chance", "with_data")
    }
    assert errors["with_data"] < 0.6 * errors["chance"]
    assert 5 < errors["chance"] < 12  # in the unit of the price
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_learnable_numbers_are_an_edge(audited: dataedge.Audit) -> None:
    report = audited.report
    assert report.verdict.label == "edge"
    assert report.edge.unit == "R²"
    assert report.edge.low > 0.05
    assert report.edge.parts["absolute error"].value > 2
    assert "of R²" in report.verdict.why[0]
    assert "(δ 0.05)" in report.verdict.why[0]
    assert any("mean absolute error lower by" in sentence for sentence in report.verdict.why)
    assert report.measures["definedness"].detail["share"] > 0.6
    assert report.measures["definedness"].detail["control"]["low"] <= 0.0


def test_every_item_has_what_was_answered(audited: dataedge.Audit) -> None:
    found = audited.sql(
        "select number, number_without, number_with, error_with from items join findings using (item) "
        "where side = 'evaluation'"
    ).df()
    assert found.notna().all().all()
    assert np.allclose(found["error_with"], (found["number"] - found["number_with"]).abs())
    spread = np.square(found["number"] - frame()["price"].mean()).sum()
    left = np.square(found["number"] - found["number_with"]).sum()
    assert 1 - left / spread == pytest.approx(audited.ladder.loc["with_data", "value"], abs=0.03)


@pytest.mark.long
def test_shuffled_numbers_are_no_edge(tiny_model: str, tmp_path: Path) -> None:
    found = dataedge.audit(
        frame(shuffled=True),
        out=tmp_path / "a",
        model=tiny_model,
        probe_items=96,
        label_column="price",
    ).report
    assert found.verdict.label != "edge"
    assert found.edge.low <= 0.0
    assert found.edge.value < 0.05
    assert abs(next(r.value for r in found.ladder if r.rung == "without_data")) < 0.1


def test_a_planted_wrong_number_is_a_suspect(tiny_model: str, tmp_path: Path) -> None:
    data = frame()
    data.loc[[5, 50], "price"] = 900.0
    found = dataedge.audit(
        data, out=tmp_path / "a", model=tiny_model, probe_items=60, label_column="price"
    )
    suspects = found.items("suspects")
    assert {6, 51} <= set(suspects["row"].head(4))
    assert suspects["proposed"].iloc[0] is not None
