"""A whole audit of two texts with groups and times: what the columns say reaches the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dataedge


@pytest.mark.long
def test_groups_times_and_shared_pieces_reach_the_report(tiny_model: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = ["red", "green", "blue", "tall", "short", "round"]
    rows = 120
    frame = pd.DataFrame(
        {
            "premise": [f"{words[i % 6]} thing {rng.integers(10**6)}" for i in range(rows)],
            "hypothesis": [
                f"is it {words[rng.integers(6)]} {rng.integers(10**6)}" for _ in range(rows)
            ],
            "label": ["yes", "no"] * (rows // 2),
            "owner": [f"o{i // 4}" for i in range(rows)],
            "day": pd.date_range("2026-01-01", periods=rows),
        }
    )
    found = dataedge.audit(
        frame,
        out=tmp_path / "audit",
        model=tiny_model,
        probe_items=40,
        text_column="premise,hypothesis",
        label_column="label",
        group_column="owner",
        time_column="day",
    ).report
    assert found.dataset.columns["group"] == "owner"
    assert found.dataset.columns["time"] == "day"
    assert any("held out by time" in note for note in found.dataset.notes)
    assert found.dataset.splits["train"] == 80
    pieces = found.measures["edge_unseen_pieces"]
    assert pieces.n > 0
    assert set(pieces.detail) >= {"all"}
