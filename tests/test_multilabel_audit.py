"""A whole audit of texts with several labels each: yes or no to every label, pooled, and a shuffled control."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dataedge
from dataedge.report.model import Report
from tests.words import PLACES, THINGS

NORTH, MONEY = set(PLACES[:4]), set(THINGS[:3])


def frame(n: int = 150, *, shuffled: bool = False) -> pd.DataFrame:
    """Parcels with the labels that follow from place and thing; from nothing if shuffled."""
    rng = np.random.default_rng(0)
    place, thing = rng.integers(0, 10, n), rng.integers(0, len(THINGS), n)
    labels = [
        [
            *(["north"] if PLACES[p] in NORTH else []),
            *(["money"] if THINGS[t] in MONEY else []),
        ]
        for p, t in zip(place, thing, strict=True)
    ]
    if shuffled:
        labels = [labels[i] for i in rng.permutation(n)]
    texts = [
        f"the {THINGS[t]} number {i} from {PLACES[p]} came in on day {i % 29}"
        for i, (p, t) in enumerate(zip(place, thing, strict=True))
    ]
    return pd.DataFrame({"text": texts, "tags": labels})


@pytest.fixture(scope="module")
def audited(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> dataedge.Audit:
    out = tmp_path_factory.mktemp("audits") / "parcels"
    return dataedge.audit(frame(), out=out, model=tiny_model, probe_items=60)


def test_the_headline_is_the_mean_over_labels_and_both_answers(audited: dataedge.Audit) -> None:
    report = audited.report
    assert report.dataset.task == "multilabel"
    assert report.edge.unit == "balanced accuracy"
    rungs = {r.rung: r for r in report.ladder}
    assert rungs["chance"].value == pytest.approx(0.5, abs=0.01)  # no to all, or yes to all
    assert 0.6 < rungs["chance"].detail["accuracy"]["value"] < 0.9
    assert rungs["with_data"].value > 0.75
    assert rungs["with_data"].detail["how"].startswith("for each of 2 labels")
    assert report.edge.n == 45  # items, not answers
    by_label = rungs["with_data"].detail["labels"]
    assert set(by_label) == {"money", "north"}
    assert 0.2 < by_label["north"]["frequency"] < 0.6
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_learnable_labels_are_an_edge(audited: dataedge.Audit) -> None:
    report = audited.report
    assert report.verdict.label == "edge"
    assert report.edge.low > 0.02
    assert report.edge.parts["accuracy"].value > 0.02
    assert report.edge.carries is not None  # the train side and the prompts as well
    assert report.measures["definedness"].value > 0


def test_every_item_has_its_labels_and_what_was_answered(audited: dataedge.Audit) -> None:
    found = audited.sql(
        "select labels, target, p_with, edge_bits from items join findings using (item) "
        "where side = 'evaluation'"
    ).df()
    assert len(found) == 45
    assert found[["p_with", "edge_bits"]].notna().all().all()
    assert found["p_with"].between(0, 1).all()
    assert {"; ".join(labels) or "(none)" for labels in found["labels"]} == set(found["target"])


@pytest.mark.long
def test_shuffled_labels_are_no_edge(tiny_model: str, tmp_path: Path) -> None:
    found = dataedge.audit(
        frame(100, shuffled=True), out=tmp_path / "a", model=tiny_model, probe_items=40
    ).report
    assert found.verdict.label != "edge"
    assert found.edge.low <= 0.02
