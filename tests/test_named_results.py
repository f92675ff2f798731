"""Functions that return three things or more return them by name."""

from __future__ import annotations

import ast
from pathlib import Path

SRC = Path(__file__).parents[1] / "src" / "dataedge"


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
    assert not found


def test_one_would_be_seen() -> None:
    assert bare("def f() -> tuple[int, int, str]: ...") == ["f"]
    assert bare("def f() -> tuple[int, ...]: ...\ndef g() -> tuple[int, str]: ...") == []


def read_from_details(source: str) -> set[str]:
    """Keys that are read from a `detail`, by index or by get."""
    keys = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            of, key = node.value, node.slice
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("detail.get"):
            of, key = node.func.value, node.args[0]  # type: ignore[attr-defined]
        else:
            continue
        if ast.unparse(of).endswith("detail") and isinstance(key, ast.Constant):
            keys.add(str(key.value))
    return keys


CHARTED = {"curve", "at_4x", "train_items", "kinds", "near_duplicate_clusters"}
SHOWN = {"absolute_error", "cut_share", "shown_by", "power", "how", "is"}
"""Keys that are read in order to be shown. What decides something is a typed field."""


def test_nothing_that_decides_hides_in_a_detail() -> None:
    shown = sorted((SRC / "report").rglob("*.py"))
    rooms = [p for p in SRC.rglob("*.py") if p not in shown]
    read = {k for p in rooms for k in read_from_details(p.read_text(encoding="utf-8"))}
    assert read <= SHOWN - {"is"}, read
    read = {k for p in shown for k in read_from_details(p.read_text(encoding="utf-8"))}
    assert read <= SHOWN | CHARTED, read


def test_a_key_that_is_read_would_be_seen() -> None:
    source = "x = figure.detail['a']\ny = o['b'].detail.get('c', 0)\nz.detail['d'] = 1\n"
    assert read_from_details(source) == {"a", "c"}
