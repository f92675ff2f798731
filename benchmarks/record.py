"""What stands beside every committed result: the command, the versions and the date."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ALWAYS = ("dataedge", "numpy", "torch", "transformers")


def write_whole(content: dict[str, Any], out: Path) -> None:
    """A result of a long run, written after each of its parts: the file is the whole one before or after."""
    new = out.with_suffix(".new")
    new.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    new.replace(out)


def arguments(doc: str) -> argparse.ArgumentParser:
    """What a benchmark that goes on from day to day is given: `--quick`, `--out` and `--keep`.

    Args:
        doc: of the benchmark's module; its first line is the description.
    """
    found = argparse.ArgumentParser(description=doc.split("\n", maxsplit=1)[0])
    found.add_argument("--quick", action="store_true")
    found.add_argument("--out", type=Path)
    found.add_argument("--keep", type=Path)
    return found


def provenance(*packages: str) -> dict[str, Any]:
    """Command, date, Python and the versions of what was run.

    Args:
        packages: peers and whatever else the result depends on.
    """
    found = {}
    for name in (*ALWAYS, *packages):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    here, script = Path(__file__).resolve().parent, Path(sys.argv[0]).resolve()
    name = script.relative_to(here) if script.is_relative_to(here) else script.name
    given = sys.argv[1:]
    if "--keep" in given:  # a folder of this machine
        at = given.index("--keep")
        given = [*given[:at], *given[at + 2 :]]
    return {
        "command": " ".join(["python", f"benchmarks/{name}", *given]),
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "versions": found,
    }
