"""`dataedge.audit` names every field of the configuration, so that a type checker knows them."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import dataedge
from dataedge.config import AuditConfig, make_config
from dataedge.errors import AuditError

ROOT = Path(__file__).parents[1]
RIGHT = """\
from pathlib import Path
import dataedge
audit: dataedge.Audit = dataedge.audit("data", out=Path("here"), model="embedded", delta=0.05, dtype="float32")
"""
WRONG = (
    ('dataedge.audit("data", modle="embedded")', 'Unexpected keyword argument "modle"'),
    ('dataedge.audit("data", delta="much")', "incompatible type"),
    ('dataedge.audit("data", dtype="float16")', "incompatible type"),
    ('dataedge.audit("data", "out")', "Too many positional arguments"),
)


def test_every_field_of_the_configuration_is_an_argument() -> None:
    given = set(inspect.signature(dataedge.audit).parameters)
    assert given - {"source", "fresh", "quiet"} == set(AuditConfig.model_fields)


def test_the_docstring_describes_each_argument_with_its_default() -> None:
    text = inspect.getdoc(dataedge.audit) or ""
    described = text.split("Args:")[1].split("Raises:")[0]
    for name, parameter in inspect.signature(dataedge.audit).parameters.items():
        assert f"\n    {name}: " in described, name
        assert parameter.kind is parameter.KEYWORD_ONLY or name == "source"
    for name, field in AuditConfig.model_fields.items():
        if field.default not in (None, False):
            line = described.split(f"\n    {name}: ")[1].split(":\n")[0]
            assert str(field.default).removesuffix(".0") in line, name


def test_a_type_checker_catches_a_misspelt_argument(tmp_path: Path) -> None:
    file = tmp_path / "use.py"
    file.write_text(RIGHT + "\n".join(line for line, _ in WRONG) + "\n")
    done = subprocess.run(  # the cache is that of the check of all files
        [sys.executable, "-m", "mypy", "src", str(file)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    errors = [line for line in done.stdout.splitlines() if "use.py" in line and "error:" in line]
    first = RIGHT.count("\n") + 1
    for number, (line, wanted) in enumerate(WRONG, first):
        found = [e for e in errors if f"use.py:{number}:" in e]
        assert any(wanted in e for e in found), (line, done.stdout, done.stderr)
    assert len(errors) == len(WRONG), done.stdout


def test_paths_may_be_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config, passed = make_config({"out": tmp_path / "a", "probes": Path("mine")})
    assert (config.out, config.probes) == (str(tmp_path / "a"), "mine")
    assert passed["out"] == str(tmp_path / "a")


def test_a_misspelt_argument_is_refused_when_it_runs() -> None:
    with pytest.raises(TypeError, match="modle"):
        dataedge.audit("data", modle="embedded")  # type: ignore[call-arg]
    with pytest.raises(AuditError, match="--seed"):
        dataedge.audit("data", seed=-1)


def test_the_command_offers_the_same_fields() -> None:
    from dataedge.cli.app import audit, plan
    from dataedge.cli.options import CONFIGURED

    assert set(AuditConfig.model_fields) - set(CONFIGURED) == {"concurrency", "timeout"}
    assert set(CONFIGURED) <= set(AuditConfig.model_fields)
    hints = get_type_hints(audit)
    assert all(name in hints for name in CONFIGURED)
    only_audit = {"delta", "delta_balanced", "delta_r2", "target", "count"}
    assert set(CONFIGURED) - set(inspect.signature(plan).parameters) == only_audit


def test_a_page_is_made_anew_only_where_the_report_says_something_else(
    small_audit: dataedge.Audit, small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    import shutil

    out = tmp_path / "audit"
    shutil.copytree(small_audit.directory, out)
    page = out / "report.html"
    given = {"out": str(out), "model": tiny_model, "probe_items": 40}
    dataedge.audit(small_dataset, **given)
    page.write_text("the page of the same report")
    dataedge.audit(small_dataset, **given)
    assert page.read_text() == "the page of the same report"
    dataedge.audit(small_dataset, **given, delta=0.05)
    assert page.read_text().startswith("<!doctype html>")
    page.unlink()
    dataedge.audit(small_dataset, **given, delta=0.05)
    assert page.is_file()


def test_an_audit_does_not_take_the_place_of_another_datasets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataedge.api import read, require_own

    monkeypatch.chdir(tmp_path)
    config, _ = make_config({}, None)
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
        rows = [f"text {folder} {i},{'ab'[i % 2]}" for i in range(30)]
        (tmp_path / folder / "tickets.csv").write_text("\n".join(["text,label", *rows]))
    before, after = (read(f"{folder}/tickets.csv", config) for folder in ("before", "after"))
    (tmp_path / "copy.csv").write_text((tmp_path / "before" / "tickets.csv").read_text())
    out = Path("audits") / "tickets"
    out.mkdir(parents=True)
    require_own(out, after)
    told = {"path": before.path, "fingerprint": before.fingerprint}
    (out / "report.json").write_text(json.dumps({"dataset": told}))
    require_own(out, before)
    require_own(out, read("copy.csv", config))
    with pytest.raises(AuditError, match="holds the audit of before") as error:
        require_own(out, after)
    assert error.value.hint.endswith("--out audits/tickets-2")
    with pytest.raises(AuditError, match="holds the audit of before"):
        dataedge.audit("after/tickets.csv")
    (tmp_path / "before" / "tickets.csv").write_text("text,label\nchanged,a\n")
    with pytest.raises(AuditError, match="holds the audit of before"):
        require_own(out, after)
    require_own(out, before)  # the same place, whatever it holds now
    (tmp_path / "before" / "tickets.csv").unlink()  # moved: the same audit goes on
    require_own(out, after)
