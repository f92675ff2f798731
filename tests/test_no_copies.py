"""What stands twice stands once: no two places in the package share six or more lines."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

SRC = Path(__file__).parents[1] / "src" / "dataedge"
LINES = 6


def telling(text: str) -> list[tuple[int, str]]:
    """Numbered lines that say something: no blanks, brackets, comments, imports, and no headers of
    functions, which a protocol and what implements it have in common."""
    found, skipping = [], ""
    for number, line in enumerate(text.splitlines(), 1):
        code = line.strip()
        if skipping:
            skipping = "" if code.startswith(skipping) else skipping
            continue
        if re.match(r"(from|import|def) ", code):
            skipping = ")" if code.endswith("(") else ""
        elif re.search(r"\w", code) and not code.startswith("#") and code != "else:":
            found.append((number, code))
    return found


def copies(texts: dict[str, str]) -> list[str]:
    """Pairs of places that have the same six telling lines in a row."""
    places: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for name, text in texts.items():
        lines = telling(text)
        for start in range(len(lines) - LINES + 1):
            window = tuple(code for _, code in lines[start : start + LINES])
            places[window].append((name, lines[start][0]))
    return [
        " = ".join(f"{name}:{line}" for name, line in where) + f"   {window[0]}"
        for window, where in places.items()
        if len(where) > 1
    ]


def test_no_two_places_share_six_lines() -> None:
    texts = {
        str(path.relative_to(SRC)): path.read_text(encoding="utf-8") for path in SRC.rglob("*.py")
    }
    assert not (found := copies(texts)), "\n".join(found)


def test_a_copy_would_be_seen() -> None:
    text = "\n\n".join(f"a_{i} = f({i})  # {i}" for i in range(LINES))
    assert copies({"one.py": f"x = 1\n{text}\ny = 2", "two.py": f"z = 3\n{text}"})
    assert copies({"one.py": f"{text}\nb = 1\n{text}"})
    assert not copies({"one.py": f"{text}", "two.py": text.replace("a_3", "c_3")})
    header = "def f(\n" + ",\n".join("bcdefghi") + "\n) -> int:\n"
    assert not copies({"one.py": header + "x = 1", "two.py": header + "y = 1"})
    imports = "from a import (\n" + ",\n".join("bcdefghi") + "\n)\n"
    assert not copies({"one.py": imports + "x = 1", "two.py": imports + "x = 1"})
