"""`docs/architecture.md` names every module there is, none that is not, and the order of imports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_layers import LISTING

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "dataedge"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def listed(page: str) -> dict[str, str]:
    """Path below src/dataedge of each file or folder in the page's listing → its line."""
    block = page.split("```\nsrc/dataedge/\n")[1].split("```", maxsplit=1)[0]
    found: dict[str, str] = {}
    folders: list[str] = []
    for line in filter(str.strip, block.splitlines()):
        name, _, what = line.strip().partition(" ")
        depth = (len(line) - len(line.lstrip())) // 2 - 1
        folders = folders[:depth]
        path = "/".join([*folders, name.rstrip("/")])
        assert path not in found, f"{path} is listed twice"
        found[path] = what.strip()
        if name.endswith("/"):
            folders.append(name.rstrip("/"))
    return found


def there() -> set[str]:
    """The same of the package: a folder stands for its `__init__.py`."""
    paths = {p.relative_to(SRC) for p in SRC.rglob("*.py")}
    return {
        str(p.parent if p.name == "__init__.py" and p.parent != Path() else p) for p in paths
    } - {"."}


def test_every_module_is_listed_and_every_listed_one_exists() -> None:
    names = set(listed(PAGE))
    assert there() - names == set(), "add a line to docs/architecture.md"
    assert names - there() == set(), "docs/architecture.md lists what is not there"


def test_a_missing_line_would_be_seen() -> None:
    short = "\n".join(line for line in PAGE.splitlines() if "permutation.py" not in line)
    assert there() - set(listed(short)) == {"exposure/permutation.py"}


def test_every_line_says_something() -> None:
    assert all(len(what) > 3 for what in listed(PAGE).values())


def test_the_rule_for_imports_is_the_tested_one() -> None:
    rule = PAGE.split("From bottom to top: ")[1].split(". ")[0]
    order = [name for names in LISTING for name in names if name != "__init__"]
    assert re.findall(r"`(\w+)`", rule) == order


@pytest.mark.parametrize(
    "room", sorted(p.name for p in SRC.iterdir() if (p / "__init__.py").exists())
)
def test_every_room_has_tests(room: str) -> None:
    assert list((ROOT / "tests" / room).rglob("test_*.py")), f"tests/{room}/ has no test"


@pytest.mark.parametrize(
    "file",
    [
        "CONTRIBUTING.md",
        "README.md",
        *(f"docs/{p.name}" for p in sorted((ROOT / "docs").glob("*.md"))),
    ],
)
def test_links_and_paths_lead_somewhere(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    missing = [x for x in links if not ((ROOT / file).parent / x).exists()]
    assert not missing, missing
    named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+(?:\.py|\.md|\.toml|/))", text)
    places = (ROOT, SRC, *SRC.glob("*/"), ROOT / "tests")
    unknown = [n for n in named if not any((place / n).exists() for place in places)]
    assert not [n for n in unknown if n not in MADE], unknown


MADE = ("audits/", "dataedge.toml", "my_probes/")
"""What an audit makes, or what a user has beside the data."""
