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
PREDICTED = {"residual": "predicted", "residual_edge": "edge"}
FEWEST_ARMS, FEWEST_SOURCES = 10, 4
"""From which a line is made: of fewer, the prior would say how far fine-tunes lie, and not the arms."""


def entry(rows: Sequence[dict[str, Any]], column: str, level: float = 0.95) -> dict[str, Any]:
    """One line of the table, from arms of one task."""
    residual = np.array([r[column] for r in rows])
    known = [luck(r, column) for r in rows]
    found = predictive(residual, np.square(known), [r["source"] for r in rows], level)
    return {
        "mean": round(found.mean, 6),
        "low": round(found.low, 6),
        "high": round(found.high, 6),
        "between": round(found.between, 6),
        "within": round(found.within, 6),
        "arms": found.arms,
        "sources": found.sources,
        "largest": round(max(r[PREDICTED[column]] for r in rows), 6),
        "unit": rows[0]["unit"].removeprefix("balanced "),
        "rows": [min(r["train_items"] for r in rows), max(r["train_items"] for r in rows)],
    }


def luck(row: dict[str, Any], column: str) -> float:
    """Standard error of a residual by luck with the held-out items.

    Where hits are counted it is that of one item of each direction at least: that none differs among 150
    says little of the next one. What the task part of text moves by has no error of its own: all of its
    spread counts.
    """
    if row["task"] == "generate" and column == "residual_edge":
        return 0.0
    least = np.sqrt(2.0) / row["evaluation_items"] if row["task"] == "classify" else 0.0
    return float(max(row[f"{column}_error"], least))


def lines(rows: Sequence[dict[str, Any]], column: str) -> dict[str, list[dict[str, Any]]]:
    """Arms in which the proxy learned something, and those in which it left prompting as it is.

    Which it is does not hang on the held-out items: the weights are of development items.
    """
    told = [r for r in rows if r[column] is not None]
    return {
        "learned": [r for r in told if not r["nothing_learned"]],
        "nothing": [r for r in told if r["nothing_learned"]],
    }


def enough(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether a line can be made of arms."""
    return len(rows) >= FEWEST_ARMS and len({r["source"] for r in rows}) >= FEWEST_SOURCES


def fitted(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The whole table."""
    out: dict[str, Any] = {}
    for task in ("classify", "generate"):
        some = [r for r in rows if r["task"] == task]
        for column, gain in NAMES.items():
            for situation, part in lines(some, column).items():
                if enough(part):
                    out.setdefault(task, {}).setdefault(gain, {})[situation] = entry(part, column)
    return {
        "what": "tuned - foretold, for an arm of a dataset that is not among these: mean and 95 % interval",
        "models": sorted({r["model"] for r in rows}),
        "date": provenance()["date"],
        "tasks": out,
    }
