"""`dataedge export --review`: suspects in the forms that annotation tools read."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dataedge.errors import AuditError
from dataedge.export.review import COLUMNS, ENDINGS, written
from dataedge.report.item_view import ItemView

if TYPE_CHECKING:
    from pathlib import Path

    import dataedge

ROWS = [
    {
        "item": "a1",
        "row": 3,
        "texts": ["=HYPERLINK(1)", "second"],
        "target": "yes",
        "proposed": "no",
        "label_score": 0.03125,
        "reason": "neighbours disagree",
    },
    {
        "item": "b2",
        "row": 9,
        "texts": ["two\nlines"],
        "target": "-1",
        "proposed": None,
        "label_score": None,
    },
]
VIEW = ItemView("suspects", tuple(ROWS[0]), ROWS)


def test_a_spreadsheet_gets_no_formula_and_room_for_a_decision() -> None:
    first, second = csv.DictReader(io.StringIO(written(VIEW, "csv")))
    assert tuple(first) == COLUMNS
    assert first["text"] == "'=HYPERLINK(1)\nsecond"
    assert (first["given"], first["proposed"], first["p_wrong"]) == ("yes", "no", "0.9688")
    assert (second["given"], second["p_wrong"], second["decision"]) == ("'-1", "", "")


def test_label_studio_gets_a_prediction_where_there_is_a_proposal() -> None:
    first, second = json.loads(written(VIEW, "label-studio"))
    assert first["data"]["given"] == "yes"
    (prediction,) = first["predictions"]
    assert prediction["score"] == 0.9688
    assert prediction["result"][0]["value"] == {"choices": ["no"]}
    assert prediction["result"][0]["to_name"] in first["data"]
    assert "predictions" not in second


def test_argilla_gets_a_suggestion_where_there_is_a_proposal() -> None:
    first, second = map(json.loads, written(VIEW, "argilla").splitlines())
    assert first["fields"] == {"text": "=HYPERLINK(1)\nsecond"}
    assert first["suggestions"] == [
        {"question_name": "label", "value": "no", "agent": "dataedge", "score": 0.9688}
    ]
    assert (second["id"], second["suggestions"]) == ("b2", [])


def test_another_form_is_named_with_those_there_are() -> None:
    with pytest.raises(AuditError, match="xlsx") as caught:
        written(VIEW, "xlsx")
    assert all(form in caught.value.hint for form in ENDINGS)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dataedge", "export", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env={**os.environ}, check=False
    )


def test_the_command_writes_a_file_or_prints(small_audit: dataedge.Audit, tmp_path: Path) -> None:
    where = str(small_audit.directory)
    count = len(small_audit.view("hard").rows)
    done = run(where, "--review", "label-studio", "--view", "hard", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{count} items written to review.json"
    assert len(json.loads((tmp_path / "review.json").read_text())) == count
    printed = run(where, "--review", "csv", "--view", "hard", "--out", "-", cwd=tmp_path)
    assert len(list(csv.DictReader(io.StringIO(printed.stdout)))) == count
    failed = run(where, "--review", "csv", "--out", str(tmp_path / "no" / "file.csv"), cwd=tmp_path)
    assert failed.returncode == 2
    assert "--out" in failed.stderr
