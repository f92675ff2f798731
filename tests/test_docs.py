"""Pages made from code are as the code has them; commands and options in the docs exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from dataedge.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "SKILL.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMAND = re.compile(r"(?:`|\$ ?|(?<=```\n)|(?<=\n))dataedge ((?:[a-z]+ ?)+)([^\n`#]*)")
"""In code: behind a backquote or a prompt, or at the beginning of a line."""


def commands() -> dict[str, set[str]]:
    """Command → its options."""
    found: dict[str, set[str]] = {}

    def walk(prefix: str, command: Any) -> None:
        inside = getattr(command, "commands", {})
        for name, c in inside.items():
            walk(f"{prefix} {name}".strip(), c)
        if not inside:
            found[prefix] = {o for p in command.params for o in p.opts if o.startswith("--")} | {
                "--help"
            }

    walk("", typer.main.get_command(app))
    return found


def wrong(text: str, known: dict[str, set[str]]) -> list[str]:
    """Commands and options in a text that do not exist."""
    out = []
    for words, rest in COMMAND.findall(text):
        named = words.split()
        name = next((n for k in (2, 1) if (n := " ".join(named[:k])) in known), None)
        if name is None:
            if named[0] not in {k.split()[0] for k in known}:
                out.append(f"dataedge {named[0]}")
            continue
        out += [
            f"dataedge {name} {o}"
            for o in re.findall(r"(?<!\S)--[a-z0-9-]+", rest)
            if o not in known[name]
        ]
    return out


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_in_the_docs_exist(page: Path) -> None:
    assert wrong(page.read_text(encoding="utf-8"), commands()) == []


def test_a_wrong_one_would_be_seen() -> None:
    text = "run `dataedge audits x` or\ndataedge audit x --pilots 3\n`dataedge probes ls`"
    assert wrong(text, commands()) == ["dataedge audits", "dataedge audit --pilots"]


def test_pages_made_from_code_are_up_to_date() -> None:
    found = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "make_reference.py"), "--check"],
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr


def test_every_page_is_in_the_list() -> None:
    import yaml

    class Loader(yaml.SafeLoader):
        """Tags of mkdocs are not needed here."""

    nav = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)["nav"]
    listed = {page for entry in nav for page in entry.values()}
    assert listed == {p.name for p in (ROOT / "docs").glob("*.*") if p.suffix in (".md", ".ipynb")}
