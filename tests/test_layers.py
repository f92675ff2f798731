"""Imports run downward only, in the order that data flows; a measure knows no other measure."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "dataedge"
LEVEL = {
    "errors": 0, "items": 0, "figures": 0, "progress": 0, "runs": 0,
    "config": 1, "store": 1, "engine": 1, "load": 1, "models": 1,
    "prepare": 2, "prompt": 3, "learner": 4, "ladder": 5, "learning_curve": 5,
    "measure": 6, "exposure": 6, "verdict": 7, "tasks": 8, "report": 9,
    "pipeline": 10, "api": 11, "cli": 12, "__init__": 13,
}  # fmt: skip
FAMILIES = {
    "same_meaning": "redundancy",
    "noise_model": "label_noise",
}


def modules() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dataedge"):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name for a in node.names if a.name.startswith("dataedge.")}
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(SRC)))
def test_imports_run_downward(path: Path) -> None:
    own = path.relative_to(SRC).parts[0].removesuffix(".py")
    for name in imported(path):
        other = name.split(".")[1]
        assert LEVEL[other] <= LEVEL[own], f"{own} imports {name}"


@pytest.mark.parametrize("path", sorted((SRC / "measure").rglob("*.py")), ids=lambda p: p.stem)
def test_a_measure_imports_no_other_measure(path: Path) -> None:
    own = path.relative_to(SRC / "measure").parts[0].removesuffix(".py")
    for name in imported(path):
        parts = name.split(".")
        if parts[1] == "measure":
            assert FAMILIES.get(parts[2], parts[2]) == FAMILIES.get(own, own), (
                f"{own} imports {name}"
            )


def test_every_module_has_a_level() -> None:
    tops = {p.relative_to(SRC).parts[0].removesuffix(".py") for p in modules()}
    assert tops <= set(LEVEL), tops - set(LEVEL)
