"""Every hint in the source starts with a capital and names a flag or a command."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "dataedge"
NAMES = re.compile(r"--[a-z{]|`[^`]+`| with {…}|Did you mean {…}|Known keys: {…}")
"""A flag, a command or call in backticks, flags that are filled in, or the keys of a configuration."""
HANDED_ON = ("error.hint", "wrong[0].hint", "hint")
"""Hints of another error, and what a caller passed."""


def literal(node: ast.expr) -> str:
    """A string expression with {…} for what it fills in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(v) if isinstance(v, ast.Constant) else "{…}" for v in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return literal(node.left) + literal(node.right)
    return "{…}"


def spelt(node: ast.expr, tree: ast.Module, seen: frozenset[str] = frozenset()) -> list[str]:
    """Every text that a hint's expression may become, constants and functions of the file followed."""
    if isinstance(node, ast.IfExp):
        return spelt(node.body, tree, seen) + spelt(node.orelse, tree, seen)
    if isinstance(node, ast.BinOp) and isinstance(node.left, ast.Name):
        return spelt(node.left, tree, seen)
    if isinstance(node, ast.Name | ast.Call):
        name = node.id if isinstance(node, ast.Name) else ast.unparse(node.func)
        if name in seen:
            return []
        found: list[str] = []
        for other in ast.walk(tree):
            if isinstance(other, ast.FunctionDef) and other.name == name:
                returned = [r.value for r in ast.walk(other) if isinstance(r, ast.Return)]
                found += [t for v in returned if v for t in spelt(v, tree, seen | {name})]
            for target, value in assigned(other):
                if target == name:
                    found += spelt(value, tree, seen | {name})
        return found
    if isinstance(node, ast.Attribute):  # a constant of another module
        module, _, name = ast.unparse(node).rpartition(".")
        files = list(SRC.rglob(f"{module}.py")) if module.isidentifier() else []
        return [t for p in files for t in spelt(ast.Name(name), parsed(p), seen)]
    return [literal(node)]


def assigned(node: ast.AST) -> list[tuple[str, ast.expr]]:
    """(name, value) of an assignment, of each part where several are made at once."""
    if isinstance(node, ast.AugAssign) or not isinstance(node, ast.Assign):
        return []
    target, value = node.targets[0], node.value
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=True)
        return [(ast.unparse(t), v) for t, v in pairs]
    return [(ast.unparse(target), value)]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def hints(tree: ast.Module) -> list[tuple[int, list[str]]]:
    """Line and possible texts of every hint in a file."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = next((k.value for k in node.keywords if k.arg == "hint"), None)
        if given is None and name in ("AuditError", "StatusError", "concat", "hub.commit"):
            at = 2 if name in ("concat", "hub.commit") else 1
            given = node.args[at] if len(node.args) > at else None
        if given is not None:
            texts = spelt(given, tree)
            if texts or ast.unparse(given) not in HANDED_ON:
                found.append((node.lineno, texts))
    return found


def wrong(text: str) -> str:
    """What is wrong with a hint; empty where nothing is."""
    if text.startswith("{…}"):
        return "begins with what it fills in"
    if not text[:1].isupper():
        return "does not start with a capital"
    return "" if NAMES.search(text) else "names no flag and no command"


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda p: str(p.relative_to(SRC)))
def test_hints_start_with_a_capital_and_name_a_flag_or_command(path: Path) -> None:
    for line, texts in hints(parsed(path)):
        assert texts, f"{path.name}:{line}: the hint is made in a way that this test cannot read"
        for text in texts:
            assert not wrong(text), f"{path.name}:{line}: {text!r} {wrong(text)}"


def test_bad_hints_would_be_seen() -> None:
    source = (
        "H = 'also wrong'\n"
        "def make():\n    return 'No flag'\n"
        "def f(x):\n"
        "    AuditError('m', 'no capital --flag')\n"
        "    AuditError('m', hint=H if x else 'Use --out')\n"
        "    AuditError('m', hint=make())\n"
        "    AuditError('m', hint=f'{x} --out')\n"
        "    AuditError('m', hint='Use --out DIR')\n"
    )
    found = [[wrong(t) for t in texts] for _, texts in hints(ast.parse(source))]
    assert [any(reasons) for reasons in found] == [True, True, True, True, False]


def test_there_are_hints_to_read() -> None:
    assert sum(len(hints(parsed(p))) for p in SRC.rglob("*.py")) > 90
