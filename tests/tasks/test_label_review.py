"""Of many rows the train side is judged by the learner of all, which has not seen the others' labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import dataedge

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.long
@pytest.mark.models
def test_many_rows_are_judged_as_few_are(
    tiny_model: str, small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *rows = small_dataset.read_text().splitlines()
    turned = {"cold": "warm", "warm": "cold"}
    for i in np.random.default_rng(0).permutation(len(rows))[:12]:
        text, label = rows[i].rsplit(",", 1)
        rows[i] = f"{text},{turned[label]}"
    path = tmp_path / "wrong.csv"
    path.write_text("\n".join([first, *rows]) + "\n")
    found = []
    for limit in (40_000, 50):
        monkeypatch.setattr("dataedge.tasks.label_review.EXACT_ROWS", limit)
        out = tmp_path / str(limit)
        found.append(
            dataedge.audit(path, out=str(out), model=tiny_model, probe_items=40, quiet=True).report
        )
    few, many = found
    assert few.measures["label_noise"].value == many.measures["label_noise"].value
    assert few.views["suspects"] == many.views["suspects"]
    repaired = [next(r for r in report.ladder if r.rung == "repaired") for report in found]
    assert repaired[0].status == repaired[1].status == "ok"
    assert abs(repaired[0].value - repaired[1].value) < 0.06
