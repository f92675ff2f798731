"""A whole audit of data with planted leaks: the report tells of each at its top."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dataedge

KINDS = ["apple", "river", "engine"]


def frame(*, leak: bool) -> pd.DataFrame:
    """240 texts of random words with a split; a tenth with their label, ten test rows copied."""
    rng = np.random.default_rng(0)
    words = np.array([f"{a}{b}" for a in ("ta", "mo", "ri", "pe", "lu") for b in "bdfgklmnprst"])
    y = np.arange(240) % 3
    texts = [" ".join(rng.choice(words, 14)) for _ in y]
    splits = ["train"] * 160 + ["test"] * 80
    if leak:
        for i in rng.choice(240, 24, replace=False):
            texts[i] += f" {KINDS[y[i]]}"
        for k in range(5):
            texts[163 + 3 * k], texts[163 + 3 * k + 1] = texts[3 * k + 1], f"{texts[3 * k + 2]}!"
    return pd.DataFrame({"text": texts, "label": [KINDS[c] for c in y], "split": splits})


def audited(data: pd.DataFrame, model: str, out: Path) -> dataedge.Audit:
    return dataedge.audit(data, out=out, model=model, probe_items=60, label_column="label")


def test_planted_leaks_are_told_at_the_top(tiny_model: str, tmp_path: Path) -> None:
    found = audited(frame(leak=True), tiny_model, tmp_path / "leaks").report
    measure = found.measures["label_leak"]
    assert measure.detail["reported"]
    assert measure.detail["count"] >= 20
    assert len(measure.detail["items"]) == 5
    assert "say their own label" in found.dataset.notes[0]
    assert any("near duplicate in train" in note for note in found.dataset.notes)
    assert any("copies in several splits: 5 items" in note for note in found.dataset.notes)
    assert found.dataset.splits["leaked"] == 5
    assert len(found.views["leaked"]) == 5


@pytest.mark.long
def test_nothing_is_told_where_nothing_was_planted(tiny_model: str, tmp_path: Path) -> None:
    found = audited(frame(leak=False), tiny_model, tmp_path / "clean").report
    assert not found.measures["label_leak"].detail["reported"]
    assert found.measures["definedness"].detail["control"]["low"] <= 0.0
    assert found.dataset.splits["leaked"] == 0
    assert not any("label" in n or "duplicate" in n or "copies" in n for n in found.dataset.notes)


def test_picked_train_rows_are_told_and_mislead_no_prompt(tiny_model: str, tmp_path: Path) -> None:
    """As many train rows of each label, 85 % of the test rows of one: the prior stayed with the train side."""
    rng = np.random.default_rng(3)
    data = frame(leak=False)
    test = (data["split"] == "test").to_numpy()
    data.loc[test, "label"] = rng.choice(KINDS, test.sum(), p=[0.85, 0.1, 0.05])
    found = audited(data, tiny_model, tmp_path / "picked").report
    assert found.measures["label_shift"].detail["reported"]
    assert "not as frequent on both sides" in found.dataset.notes[0]
    reached = {figure.rung: figure.value for figure in found.ladder}
    chance, without = reached["chance"], reached["without_data"]
    assert chance is not None
    assert without is not None
    assert chance > 0.7
    assert without > chance - 0.02
