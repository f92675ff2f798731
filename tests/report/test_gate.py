"""`dataedge gate`: what passes, what fails, what was not measured, and what is a mistake."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dataedge.config import gate_criteria, make_config
from dataedge.errors import AuditError, ExitCode
from dataedge.figures import Figure
from dataedge.report.gate import check, exit_code, fields_of, junit, markdown
from tests.report.made import report, task_result

if TYPE_CHECKING:
    from pathlib import Path

    import dataedge


@pytest.mark.parametrize(
    ("criterion", "outcome"),
    [
        ("edge.low > 0.02", "passed"),
        ("edge > 0.2", "failed"),
        ("edge.value >= 0.12", "passed"),
        ("tuning_gain.low > 0", "failed"),
        ("with_data.low>=0.65", "passed"),
        ("label_noise.high < 0.10", "passed"),
        ("label_noise.high<.01", "failed"),
        ("verdict == edge", "passed"),
        ("verdict != 'edge'", "failed"),
        ("advice == fine_tune", "passed"),
        ("term.new == partly", "passed"),
        ("reason.data_edge == supported", "passed"),
        ("rows >= 127", "passed"),
        ("definedness.low > 0", "unknown"),
        ("few_shot > 0.5", "unknown"),
        ("tuned.low > 0.5", "unknown"),
        ("known_share < 0.5", "unknown"),
        ("term.clean != no", "unknown"),
    ],
)
def test_a_criterion_over_any_field(criterion: str, outcome: str) -> None:
    (found,) = check(report(), [criterion])
    assert found.outcome == outcome


def test_what_was_not_measured_says_why_and_never_passes() -> None:
    for criterion in ("definedness < 1", "definedness > 0", "definedness != 5"):
        (found,) = check(report(), [criterion])
        assert found.outcome == "unknown"
        assert "the server tells no probabilities" in found.line


@pytest.mark.parametrize(
    ("criteria", "code"),
    [
        (["edge.low > 0.02"], ExitCode.OK),
        (["edge.low > 0.02", "edge.low > 0.9"], ExitCode.GATE_FAILED),
        (["edge.low > 0.02", "definedness > 0"], ExitCode.NO_CONCLUSION),
        (["definedness > 0", "edge.low > 0.9"], ExitCode.GATE_FAILED),
    ],
)
def test_the_exit_code_of_all_together(criteria: list[str], code: ExitCode) -> None:
    assert exit_code(check(report(), criteria)) == code


@pytest.mark.parametrize(
    ("criterion", "named"),
    [
        ("edge.lwo > 0.02", "edge.low"),
        ("labelnoise < 1", "label_noise"),
        ("edge.low", "edge.low > 0.02"),
        ("edge.low > much", "a number"),
        ("verdict > edge", "=="),
        ("verdict != noedge", "no_edge"),
        ("advice == finetune", "fine_tune"),
        ("edge > nan", "a number"),
        ("", "edge.low > 0.02"),
    ],
)
def test_a_mistake_is_named_with_a_way_out(criterion: str, named: str) -> None:
    with pytest.raises(AuditError) as caught:
        check(report(), [criterion])
    assert caught.value.code == ExitCode.USAGE
    assert named in caught.value.hint


def test_what_was_measured_on_too_little_is_not_measured() -> None:
    few = report()
    few.measures["label_noise"] = few.measures["label_noise"].model_copy(
        update={"status": "underpowered", "reason": "10 items"}
    )
    (found,) = check(few, ["label_noise < 0.05"])
    assert found.outcome == "unknown"
    assert "underpowered 10 items" in found.line


def test_parts_have_names_that_can_be_written() -> None:
    part = Figure(0.1, 0.0, 0.2, 60, "bits/byte")
    made = report(replace(task_result(), parts={"n-grams": part, "absolute error": part}))
    assert [
        c.outcome for c in check(made, ["edge.n_grams > 0", "edge.absolute_error.low > 0"])
    ] == [
        "passed",
        "failed",
    ]


def test_every_figure_has_a_name_of_its_own() -> None:
    known, _ = fields_of(report())
    for name in ("edge.low", "tuning_gain.high", "with_data", "tokens", "limited_by", "distinct"):
        assert name in known


def test_junit_tells_failures_and_errors_apart_and_is_xml_whatever_stands_in_it() -> None:
    criteria = ["edge.low > 0.02", "edge > 1", "definedness > 0", "verdict == 'no_edge'"]
    suite = ET.fromstring(junit(check(report(), criteria), "a\x00b<c>"))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("4", "2", "1")
    assert [len(case) for case in suite] == [0, 1, 1, 1]
    assert suite[3].get("name") == criteria[3]


def test_the_summary_is_a_table() -> None:
    lines = markdown(check(report(), ["edge.low > 0.02", "definedness > 0"]), report()).splitlines()
    assert lines[0] == "### dataedge: some.csv — edge"
    assert lines[4:] == [
        "| ✓ | `edge.low > 0.02` | 0.05 |",
        "| ? | `definedness > 0` | not measured |",
    ]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dataedge", "gate", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
    )


def test_the_command_prints_each_and_exits_with_what_came_of_all(
    small_audit: dataedge.Audit, tmp_path: Path
) -> None:
    where, summary = str(small_audit.directory), tmp_path / "summary.md"
    xml = tmp_path / "gate.xml"
    done = run(where, "rows > 1", "limited_by != novelty", "--junit", str(xml))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("✓") == 2
    assert ET.parse(xml).getroot().get("failures") == "0"
    failed = run(where, "rows > 1e9", "--github", GITHUB_STEP_SUMMARY=str(summary))
    assert failed.returncode == 1
    assert "✗ rows > 1e9" in failed.stdout
    assert "| ✗ |" in summary.read_text()
    none = run(where)
    assert none.returncode == 2
    assert "hint: " in none.stderr


def test_criteria_stand_in_a_file_beside_the_data(tmp_path: Path) -> None:
    (tmp_path / "dataedge.toml").write_text('[gate]\ncriteria = ["edge.low > 0.02"]\n')
    assert gate_criteria(tmp_path) == ["edge.low > 0.02"]
    config, _ = make_config({}, tmp_path)  # and an audit of it is not disturbed
    assert config.delta == 0.02
    (tmp_path / "dataedge.toml").write_text('[gate]\ncriterion = ["edge.low > 0.02"]\n')
    with pytest.raises(AuditError, match="criterion"):
        gate_criteria(tmp_path)
    (tmp_path / "dataedge.toml").write_text("gate = 3\n")
    with pytest.raises(AuditError, match="not a table"):
        gate_criteria(tmp_path)
    (tmp_path / "dataedge.toml").write_text("[gate]\ncriteria = 3\n")
    with pytest.raises(AuditError, match="list"):
        gate_criteria(tmp_path)
