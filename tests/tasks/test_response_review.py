"""Defective responses end to end: table, view and measure; personal values stay out of sight."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import dataedge
from dataedge.measure.responses import Finding, redact
from dataedge.tasks.response_review import ranked
from tests.measure.test_responses import PERSONAL, corpus, plant
from tests.test_audit import run

if TYPE_CHECKING:
    pass

KINDS = ("truncated", "refusal", "copied", "language", "personal_data")
SECRETS = ("jane.doe@", "4111111111111111", "555-0182", "2345678")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> tuple:
    """An audit of 250 prose answers with ten rows of each kind, and which."""
    prompts, responses = corpus(250)
    rows: dict[str, set[int]] = {}
    free = np.random.default_rng(2).permutation(250)
    for turn, kind in enumerate(KINDS):
        mine = free[turn * 10 : turn * 10 + 10]
        _, changed, at = plant(
            kind, [prompts[i] for i in mine], [responses[i] for i in mine], 10, turn
        )
        for place, i in enumerate(mine):
            responses[i] = changed[place]
        rows[kind] = {int(mine[place]) for place in at}
    folder = tmp_path_factory.mktemp("defects")
    lines = [
        json.dumps({"prompt": p, "completion": r}) for p, r in zip(prompts, responses, strict=True)
    ]
    (folder / "rows.jsonl").write_text("\n".join(lines))
    audit = dataedge.audit(
        folder / "rows.jsonl", out=str(folder / "out"), model=tiny_model, probe_items=40
    )
    return audit, rows


@pytest.mark.long
def test_planted_kinds_stand_in_the_table(planted: tuple) -> None:
    audit, rows = planted
    found = audit.sql(
        'select kind, "row" - 1 as at, score, reason from response_findings join items using (item)'
    ).df()
    for kind, wanted in rows.items():
        flagged = set(found.loc[found["kind"] == kind, "at"])
        assert len(flagged & wanted) >= 0.95 * len(wanted), kind
        assert len(flagged - wanted) <= 0.02 * 250, kind
    assert found["score"].between(0, 1).all()
    assert found["reason"].str.len().min() > 0


@pytest.mark.long
def test_the_measure_counts_items_by_kind(planted: tuple) -> None:
    audit, rows = planted
    figure = audit.measures["response_defects"]
    assert figure.low < figure.value < figure.high
    assert figure.value == pytest.approx(sum(map(len, rows.values())) / 250, abs=0.02)
    assert figure.detail["kinds"]["refusal"] == 10
    assert set(figure.detail["kinds"]) | set(figure.detail["skipped"]) >= {"ifd", "unrelated"}


@pytest.mark.long
def test_the_view_shows_every_kind_and_no_personal_value(planted: tuple) -> None:
    audit, _ = planted
    frame = audit.items("responses")
    assert list(frame["item"]) == audit.report.views["responses"]
    shown = ", ".join(frame["defects"])
    assert all(kind in shown for kind in KINDS)
    done = run("items", str(audit.directory), "--view", "responses", "--worst", "50")
    assert done.returncode == 0, done.stderr
    printed = done.stdout + run("report", str(audit.directory)).stdout
    printed += (audit.directory / "report.json").read_text()
    printed += audit.sql("select * from response_findings").df().to_csv()
    assert not any(secret in printed for secret in SECRETS)
    assert "[e-mail address]" in printed


def test_other_tasks_have_an_empty_table_and_no_measure(small_audit: dataedge.Audit) -> None:
    assert small_audit.sql("select * from response_findings").df().empty
    assert "response_defects" not in small_audit.measures


@pytest.mark.parametrize("text", PERSONAL)
def test_redacted_text_has_nothing_left_to_find(text: str) -> None:
    assert not any(c.isdigit() for c in redact(text))
    assert "@" not in redact(text)


def test_each_kind_has_its_turn_in_the_view() -> None:
    by_item = {i: [Finding(i, "boilerplate", "shared", 0.9)] for i in range(60)}
    by_item[70] = [Finding(70, "refusal", "declines", 1.0)]
    by_item[71] = [Finding(71, "ifd", "hard", 0.6), Finding(71, "refusal", "declines", 0.7)]
    view = ranked(by_item).tolist()
    assert len(view) == len(set(view)) == 50
    assert set(view[:3]) == {70, 0, 71}
