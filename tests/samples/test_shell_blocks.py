"""Every command of README and docs is run as it stands there, in order, with a small model and small data."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dataedge
from dataedge.models import open_model
from tests.servers.openai_form import Behaviour, serve

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "SKILL.md",
    "docs/index.md",
    "docs/ci.md",
    "docs/servers.md",
    "docs/probes.md",
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SERVER = "http://localhost:8000/v1"
MAY_FAIL = {"gate": {0, 1, 3}, "check": {0, 1}}
"""Command → exit codes that say something of the data, not that the command is wrong."""

pytestmark = pytest.mark.long


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and content of the code blocks of a page."""
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def commands(page: str) -> list[str]:
    """Lines of its blocks that call the tool, steps of a workflow among them."""
    lines = [line for _, text in blocks(page) for line in text.splitlines()]
    bare = (line.removeprefix("- run: ").removeprefix("$ ") for line in lines)
    return [line for line in bare if line.startswith("dataedge ")]


@pytest.fixture(scope="module")
def work(tiny_model: str, small_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what the pages speak of."""
    made = tmp_path_factory.mktemp("reader")
    text = small_dataset.read_text()
    for name in ("tickets.csv", "data.csv", "data/tickets/all.csv", "data/outfits/outfits.csv"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    lines = text.splitlines()[1:]
    rows = (
        {"prompt": line.split(",")[0], "response": f"{i % 7} boxes"} for i, line in enumerate(lines)
    )
    (settings,) = (t for language, t in blocks("docs/ci.md") if language == "toml")
    (made / "data/tickets/dataedge.toml").write_text(settings)  # where the page says it stands
    pairs = "".join(json.dumps(row) + "\n" for row in rows)
    (made / "data/library/inhouse").mkdir(parents=True)
    (made / "data/library/inhouse/pairs.jsonl").write_text(pairs)
    shutil.copytree(tiny_model.removeprefix("hf/"), made / "path/to/a/model")
    (made / "my_probes").mkdir()
    probes = [t for language, t in blocks("docs/probes.md") if language == "yaml"]
    (made / "my_probes/desk.yaml").write_text(next(t for t in probes if t.startswith("name:")))
    for name in ("before", "after"):
        dataedge.audit(
            made / "tickets.csv", out=str(made / "audits" / name), model=tiny_model, probe_items=40
        )
    return made


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run(page: str, work: Path, tiny_model: str) -> None:
    wanted = commands(page)
    assert wanted or page == "SKILL.md"
    environment = {
        **os.environ,
        "DATAEDGE_MODEL": tiny_model,
        "DATAEDGE_PROBE_ITEMS": "40",
        "GITHUB_STEP_SUMMARY": str(work / "summary.md"),
        "OPENAI_API_KEY": "none",
        "DATAEDGE_APART": "1",  # data is read as a user reads it
    }
    with serve(open_model(tiny_model), Behaviour()) as address:
        for line in wanted:
            words = shlex.split(line.replace(SERVER, address), comments=True)
            done = subprocess.run(
                [sys.executable, "-m", "dataedge", *words[1:]],
                capture_output=True,
                text=True,
                cwd=work,
                env=environment,
                check=False,
            )
            assert done.returncode in MAY_FAIL.get(words[1], {0}), f"{line}\n{done.stderr}"
            assert done.stdout.strip() or "--quiet" in words, line
    if "--github" in " ".join(wanted):
        (settings,) = (t for language, t in blocks(page) if language == "toml")
        asked = tomllib.loads(settings)["gate"]["criteria"]
        assert (work / "gate.xml").read_text().count("<testcase") == len(asked)
        assert (work / "summary.md").read_text().count("|") > 6
        assert (work / "gate.xml").is_file()
        assert (work / "suspects.sarif").is_file()
