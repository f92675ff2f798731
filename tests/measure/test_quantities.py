"""Wrong numbers are found, by regression and by twins; annotators and numbers end to end."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

import dataedge
from dataedge.learner.regression import left_out
from dataedge.measure.quantities import LEARNER, TWIN, judge_quantities

if TYPE_CHECKING:
    from pathlib import Path


def sample(n: int = 600, d: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X @ rng.normal(size=d) + 0.5 * rng.normal(size=n)


@pytest.mark.parametrize("n", [40, 600])
def test_planted_outliers_are_found_and_hardly_anything_else(n: int) -> None:
    X, y = sample(n)
    wrong = np.random.default_rng(1).choice(n, n // 20, replace=False)
    y[wrong] += 12 * np.where(np.arange(len(wrong)) % 2, 1, -1)
    found = judge_quantities(y, left_out([X], y, np.arange(n)), np.arange(n))
    assert found.suspect[wrong].mean() >= 0.95
    assert np.delete(found.suspect, wrong).mean() <= 0.02
    assert {found.reason[i] for i in wrong if found.suspect[i]} == {LEARNER}
    assert found.share.low <= 0.05 <= found.share.high + 0.01


def test_twins_that_disagree_are_both_suspect() -> None:
    rng = np.random.default_rng(2)
    values, clusters = rng.normal(size=300), np.arange(300)
    clusters[7] = 3
    values[3], values[7] = 1.0, 30.0
    found = judge_quantities(values, np.zeros(300), clusters)
    assert found.reason[3] == found.reason[7] == TWIN
    assert found.conflicts.value == pytest.approx(2 / 300)
    same = judge_quantities(np.ones(20), np.ones(20), np.arange(20))
    assert not same.suspect.any()
    assert judge_quantities(np.zeros(0), np.zeros(0), np.zeros(0, int)).share.value is None


PLACES = ["Leeds", "York", "Hull", "Ripon", "Selby", "Skipton", "Thirsk", "Malton"]


def priced(rng: random.Random) -> tuple[pd.DataFrame, set[int]]:
    """Prices that follow from the place, six of them off by a factor of ten."""
    rows = []
    for i in range(160):
        place = rng.choice(PLACES)
        base = 100 + 80 * PLACES.index(place)
        rows.append((f"a house in {place} with number {i} and a garden", base + rng.gauss(0, 3)))
    frame = pd.DataFrame(rows, columns=["text", "label"])
    wrong = set(rng.sample(range(160), 6))
    for i in wrong:
        frame.loc[i, "label"] *= 10
    return frame, wrong


def test_an_audit_of_numbers(tiny_model: str, tmp_path: Path) -> None:
    frame, wrong = priced(random.Random(0))
    audit = dataedge.audit(frame, out=str(tmp_path / "n"), model=tiny_model, probe_items=40)
    shown = audit.items("suspects")
    assert len(set(shown["row"] - 1) & wrong) >= 5
    assert set(shown["row"].head(4) - 1) <= wrong
    assert shown["number"].max() > 900
    noise = audit.measures["label_noise"]
    assert "numbers" in noise.reason
    assert noise.value < 0.2


def test_an_audit_with_annotators(tiny_model: str, tmp_path: Path) -> None:
    rng = random.Random(1)
    rows = []
    for i in range(140):
        place = rng.choice(PLACES)
        true = "south" if PLACES.index(place) < 4 else "north"
        other = {"south": "north", "north": "south"}[true]
        votes = [true if rng.random() < p else other for p in (0.95, 0.95, 0.6)]
        rows.append((f"a letter to {place} with number {i} was posted", *votes))
    columns = ["text", "annotator_1", "annotator_2", "annotator_3"]
    audit = dataedge.audit(
        pd.DataFrame(rows, columns=columns),
        out=str(tmp_path / "a"),
        model=tiny_model,
        probe_items=40,
    )
    agreement = audit.measures["annotator_agreement"]
    assert 0 < agreement.low < agreement.value < agreement.high < 1
    quality = agreement.detail["annotator_quality"]
    assert min(quality, key=quality.get) == "annotator_3"
    frame = audit.items("disputed")
    assert frame["consensus_quality"].is_monotonic_increasing
    assert set(frame["consensus"]) <= {"south", "north"}
    assert all(len(set(said)) == 2 for said in frame["annotations"])
