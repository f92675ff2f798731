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
NAMES = {"residual": "tuning_gain", "residual_edge": "edge"}
"""Columns of the arms, and the gain that each is of."""


def entry(rows: Sequence[dict[str, Any]], column: str, level: float = 0.95) -> dict[str, Any]:
    """One line of the table, from arms of one task."""
    rows = [r for r in rows if r[column] is not None]
    residual = np.array([r[column] for r in rows])
    # what the task part of text moves by has no error of its own: all of its spread counts
    known = [
        0.0 if r["task"] == "generate" and column == "residual_edge" else r[f"{column}_error"]
        for r in rows
    ]
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
    for task in ("classify", "generate"):
        some = [r for r in rows if r["task"] == task]
        if len({r["source"] for r in some}) > 2:
            out[task] = {gain: entry(some, column) for column, gain in NAMES.items()}
    return {
        "what": "tuned - foretold, for an arm of a dataset that is not among these: mean and 95 % interval",
        "models": sorted({r["model"] for r in rows}),
        "date": provenance()["date"],
        "tasks": out,
    }
