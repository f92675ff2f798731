"""Imports run downward only, in the order that data flows; a measure knows no other measure."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "dataedge"
LISTING = (
    ("errors",), ("apart",), ("files",), ("items",), ("positions",), ("figures",), ("intervals",), ("widened_intervals",), ("figure_arithmetic",), ("progress",), ("runs",), ("config",), ("load",),
    ("engine", "store"), ("salvage",), ("models",), ("prepare",), ("prompt",), ("learner",), ("learning_curve",),
    ("ladder",), ("measure",), ("check",), ("exposure",), ("work",), ("pilot",), ("verdict",), ("tasks",), ("report",), ("pipeline",),
    ("finished_audit",), ("export",), ("comparison",), ("api",), ("cli",), ("__main__",), ("__init__",),
)  # fmt: skip
"""From what everything uses up to what a user calls; a file's imports come from the left of it."""
LEVEL = {name: level for level, names in enumerate(LISTING) for name in names}
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
        # the package itself offers what api offers, and a page may name its version
        if other in LEVEL:
            assert LEVEL[other] <= LEVEL[own], f"{own} imports {name}"


def test_no_circle_of_imports_of_types_either() -> None:
    """Between modules, whether they are needed when the program runs or for its types alone."""
    known = {
        ".".join(p.with_suffix("").relative_to(SRC.parent).parts).removesuffix(".__init__"): p
        for p in modules()
    }
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        found = {n if n in known else n.rpartition(".")[0] for n in imported(path)}
        graph[name] = (found & set(known)) - {name}
    circle: list[str] = []
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = error.args[1]
    assert not circle, " → ".join(circle)


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
