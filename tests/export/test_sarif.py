"""`dataedge gate --sarif`: suspects at the lines where they stand."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

import dataedge
from dataedge.cli.gate import hold
from dataedge.errors import AuditError
from dataedge.export.sarif import _lines, sarif

if TYPE_CHECKING:
    from typing import Any

COLD, WARM = ("ice", "snow", "frost", "winter", "sleet"), ("sun", "heat", "summer", "beach", "fire")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files, texts of one or two lines, every fifteenth label wrong, one row three times."""
    rng, made = random.Random(0), tmp_path_factory.mktemp("work") / "my data"
    made.mkdir()
    rows = []
    for i in range(150):
        words, label = (COLD, "cold") if i % 2 else (WARM, "warm")
        text = (
            f"parcel {i} with {rng.choice(words)}\nand {rng.choice(words)} for {rng.choice(words)}"
        )
        if i % 3:
            text = text.replace("\n", " ")
        wrong = {"cold": "warm", "warm": "cold"}[label]
        rows.append((text, wrong if i % 15 == 0 else label))
    rows += [rows[0]] * 2
    for name, some in (("a.csv", rows[:76]), ("b.csv", rows[76:])):
        with (made / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *some])
    return made


@pytest.fixture(scope="module")
def audit(
    folder: Path, tiny_model: str, tmp_path_factory: pytest.TempPathFactory
) -> dataedge.Audit:
    out = tmp_path_factory.mktemp("audits") / "sarif"
    return dataedge.audit(folder, out=str(out), model=tiny_model, probe_items=40)


def line_of(location: dict[str, Any], base: Path) -> str:
    """The text that stands where a finding points to."""
    place = location["physicalLocation"]
    file = base / unquote(place["artifactLocation"]["uri"])
    return file.read_text(encoding="utf-8").splitlines()[place["region"]["startLine"] - 1]


def test_a_finding_stands_at_the_line_of_its_row(
    audit: dataedge.Audit, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    run = json.loads(sarif(audit))["runs"][0]
    texts = {row["item"]: row["texts"][0] for row in audit.view("suspects").rows}
    found = {r["partialFingerprints"]["item/v1"]: r for r in run["results"]}
    assert texts
    assert {i for i, r in found.items() if r["ruleId"] == "label-suspect"} == set(texts)
    assert {r["ruleId"] for r in found.values()} <= {
        rule["id"] for rule in run["tool"]["driver"]["rules"]
    }
    files = set()
    for item, text in texts.items():
        for location in found[item]["locations"]:
            assert text.split("\n")[0] in line_of(location, folder.parent)
            files.add(location["physicalLocation"]["artifactLocation"]["uri"])
    assert files == {"my%20data/a.csv", "my%20data/b.csv"}
    assert max(len(r["locations"]) for r in found.values()) == 3
    assert all("parcel" not in r["message"]["text"] for r in found.values())


def test_the_command_writes_it_without_a_criterion(
    audit: dataedge.Audit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.sarif"
    assert hold(audit, [], junit=None, github=False, sarif=str(file)) == 0
    log = json.loads(file.read_text())
    assert log["version"] == "2.1.0"
    assert f"{len(log['runs'][0]['results'])} rows to review" in capsys.readouterr().out
    with pytest.raises(AuditError, match="no criterion"):
        hold(audit, [], junit=None, github=False, sarif=None)


def test_data_that_has_changed_is_not_pointed_into(audit: dataedge.Audit, folder: Path) -> None:
    file = folder / "b.csv"
    before = file.read_text()
    try:
        file.write_text(before + "one more,warm\n")
        with pytest.raises(AuditError, match="other rows"):
            sarif(audit)
    finally:
        file.write_text(before)


@pytest.mark.parametrize(
    ("name", "content", "rows", "lines"),
    [
        ("a.csv", 'text,label\n"two\nlines",x\nb,y\n', 2, [2, 4]),
        ("a.csv", "text,label\n\na,x\n\nb,y", 2, [3, 5]),
        ("a.csv", "text;label\na;x\nb;y\n", 2, [2, 3]),
        ("a.csv", "text,label\na,x\nb,y\nc,z\n", 2, None),
        ("a.tsv", "text\tlabel\na\tx\n", 1, [2]),
        ("a.jsonl", '{"a": 1}\n\n{"a": 2}\n', 2, [1, 3]),
        ("a.jsonl", '{"a":\n 1}\n', 1, None),
        ("a.parquet", "PAR1", 1, None),
        ("a.json", "[{}]", 1, None),
    ],
)
def test_a_line_is_told_only_where_it_is_known(
    tmp_path: Path, name: str, content: str, rows: int, lines: list[int] | None
) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert _lines(path, rows) == lines
