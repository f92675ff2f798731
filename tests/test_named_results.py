"""Functions that return three things or more return them by name."""

from __future__ import annotations

import ast
from pathlib import Path

SRC = Path(__file__).parents[1] / "src" / "dataedge"
STILL = {"ladder/classify.py prompting", "learning_curve/scaling_laws.py _grid"}
"""Those that have yet to change."""


def bare(source: str) -> list[str]:
    """Names of functions whose annotation is a tuple of three parts or more."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Subscript):
            parts = node.returns.slice
            named = ast.unparse(node.returns.value) != "tuple"
            if not named and isinstance(parts, ast.Tuple) and len(parts.elts) > 2:
                found.append(node.name)
    return found


def test_no_function_returns_a_bare_tuple_of_three() -> None:
    found = {
        f"{path.relative_to(SRC)} {name}"
        for path in SRC.rglob("*.py")
        for name in bare(path.read_text(encoding="utf-8"))
    }
    assert found <= STILL, found - STILL


def test_one_would_be_seen() -> None:
    assert bare("def f() -> tuple[int, int, str]: ...") == ["f"]
    assert bare("def f() -> tuple[int, ...]: ...\ndef g() -> tuple[int, str]: ...") == []
