"""The table that ships with the package: how far fine-tunes fell from what was foretold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from random_effects import predictive

import dataedge
from record import provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

TABLE = Path(dataedge.__file__).parent / "verdict" / "fine_tunes.json"
WHAT = {"classify": ("residual",), "generate": ("residual", "residual_edge")}


def entry(rows: Sequence[dict[str, Any]], column: str, level: float = 0.95) -> dict[str, Any]:
    """One line of the table, from arms of one task."""
    rows = [r for r in rows if r[column] is not None]
    residual = np.array([r[column] for r in rows])
    # what an edge moves by has no error of its own: all of its spread counts
    known = [r["residual_error"] if column == "residual" else 0.0 for r in rows]
    found = predictive(residual, np.square(known), [r["source"] for r in rows], level)
    return {
        "mean": round(found.mean, 6),
        "low": round(found.low, 6),
        "high": round(found.high, 6),
        "between": round(found.between, 6),
        "within": round(found.within, 6),
        "arms": found.arms,
        "sources": found.sources,
        "unit": rows[0]["unit"].removeprefix("balanced "),
        "rows": [min(r["train_items"] for r in rows), max(r["train_items"] for r in rows)],
    }


def fitted(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The whole table."""
    out: dict[str, Any] = {}
    for task, columns in WHAT.items():
        some = [r for r in rows if r["task"] == task]
        if len({r["source"] for r in some}) > 2:
            names = {"residual": "tuning_gain", "residual_edge": "edge"}
            out[task] = {names[column]: entry(some, column) for column in columns}
    return {
        "what": "tuned - foretold, for an arm of a dataset that is not among these: mean and 95 % interval",
        "models": sorted({r["model"] for r in rows}),
        "date": provenance()["date"],
        "tasks": out,
    }
