"""What every rung reached on every held-out item, as a table: two audits are compared on items they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from dataedge.ladder.rungs import BALANCED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.ladder.rungs import Rungs

OUTCOME_SCHEMA: Final = pa.schema(
    [
        ("item", pa.string()),
        ("part", pa.int32()),
        ("rung", pa.string()),
        ("gain", pa.float64()),
        ("weight", pa.float64()),
        ("label", pa.int32()),
    ]
)
"""Columns of the table `outcomes`: item, which of its labels (0 where it has one), rung, gain (more is
better: hits, −bits, variance explained), what gains are a share of (ones, bytes, variance), and the
label's code (0 where labels do not count alike)."""


def outcome_table(rungs: Rungs, ids: Sequence[str]) -> pa.Table:
    """The table of a ladder.

    Args:
        rungs: that were run.
        ids: of all items of the dataset.
    """
    n = len(rungs.index)
    seen: dict[int, int] = {}
    part = np.zeros(n, np.int32)
    for row, item in enumerate(rungs.index):
        part[row] = seen.get(int(item), 0)
        seen[int(item)] = int(part[row]) + 1
    proportion = rungs.unit not in ("bits/byte", "R²", "absolute error")
    weight = np.ones(n) if proportion else rungs.weight
    alike = rungs.unit == BALANCED and rungs.classes is not None
    label = np.asarray(rungs.classes if alike else np.zeros(n), np.int32)
    items = [ids[i] for i in rungs.index]
    tables = [
        pa.table(
            {
                "item": items,
                "part": part,
                "rung": [name] * n,
                "gain": rungs.counted(outcome),
                "weight": weight,
                "label": label,
            },
            schema=OUTCOME_SCHEMA,
        )
        for name, outcome in rungs.outcomes.items()
    ]
    return pa.concat_tables(tables) if tables else OUTCOME_SCHEMA.empty_table()
