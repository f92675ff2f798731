"""Probes of one's own, from the command and in an audit; the example of the documentation runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dataedge
from dataedge.cli.app import app
from dataedge.cli.plan import plan
from dataedge.config import make_config
from dataedge.errors import AuditError

DOCS = Path(__file__).parents[1] / "docs" / "probes.md"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    examples = re.findall(r"```yaml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert len(examples) == 1
    folder = tmp_path / "my_probes"
    folder.mkdir()
    (folder / "desk.yaml").write_text(examples[0])
    return folder


def test_the_documented_probe_is_listed_and_fine(own: Path) -> None:
    listed = CliRunner().invoke(app, ["probes", "ls", "--probes", str(own)])
    assert listed.exit_code == 0
    assert "desk v1  classify, choices  templates sort, mail" in listed.output
    assert "surprisal" in listed.output
    for where in (own, own / "desk.yaml"):
        checked = CliRunner().invoke(app, ["probes", "check", str(where)])
        assert checked.exit_code == 0
        assert "fine (desk, 2 templates)" in checked.output


def test_check_names_every_file_that_is_wrong(own: Path) -> None:
    good = (own / "desk.yaml").read_text()
    (own / "a.yaml").write_text(good.replace("{labels}", "{lables}").replace("desk", "a"))
    (own / "b.yaml").write_text(good.replace("version: 1\n", "").replace("desk", "b"))
    done = CliRunner().invoke(app, ["probes", "check", str(own)])
    assert isinstance(done.exception, AuditError)
    assert "a.yaml:8: templates.0.instruction" in done.exception.message
    assert "b.yaml:1: version: missing" in done.exception.message
    assert "desk.yaml: fine" in done.output


def test_an_audit_tries_the_documented_probe(
    own: Path, small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    audit = dataedge.audit(
        small_dataset, out=str(tmp_path / "a"), model=tiny_model, probe_items=40, probes=str(own)
    )
    reason = next(r for r in audit.reasons if r.id == "prompting_ceiling")
    tried = {t["strategy"].split("/")[0] for t in reason.evidence["tried"]}
    assert tried == {"plain", "instruction", "desk.sort", "desk.mail", "fields", "input_output"}
    assert audit.report.config.passed["probes"] == str(own)


def test_a_model_that_cannot_chat_is_named(
    small_audit: dataedge.Audit, small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    shutil.copytree(small_audit.directory, tmp_path / "out")
    (tmp_path / "mine.yaml").write_text(
        "name: classify\nversion: 1\ntask: classify\nsummary: In a chat alone.\nscoring: choices\n"
        'templates:\n  - {name: only, chat: true, question: "{text}", answer: "{label}"}\n'
    )
    options = {"model": tiny_model, "probe_items": 40, "probes": str(tmp_path / "mine.yaml")}
    with pytest.raises(AuditError, match="has no chat template, and probe 'classify' asks in no"):
        dataedge.audit(small_dataset, out=str(tmp_path / "out"), **options)


def test_a_plan_counts_them_and_a_mistake_stops_it(own: Path, small_dataset: Path) -> None:
    bare, more = plan(small_dataset, {}), plan(small_dataset, {"probes": str(own)})
    assert more.passes > bare.passes
    (own / "desk.yaml").write_text("name: desk\n")
    with pytest.raises(AuditError, match=r"desk.yaml:1: "):
        plan(small_dataset, {"probes": str(own)})
    with pytest.raises(AuditError, match=r"desk.yaml:1: "):
        dataedge.audit(small_dataset, out=str(own / "out"), probes=str(own))


def test_the_directory_can_stand_in_the_environment(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAEDGE_PROBES", str(own))
    assert make_config({})[0].probes == str(own)
