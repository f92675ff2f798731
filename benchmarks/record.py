"""What stands beside every committed result: the command, the versions and the date."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ALWAYS = ("dataedge", "numpy", "torch", "transformers")


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
