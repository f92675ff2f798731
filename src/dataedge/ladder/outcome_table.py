"""What every rung reached on every held-out item, as a table: two audits are compared on items they share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from dataedge.ladder.units import BALANCED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.ladder.rungs import Rungs

OUTCOME_SCHEMA: Final = pa.schema(
    [
        ("item", pa.string()),
        ("part", pa.string()),
        ("rung", pa.string()),
        ("gain", pa.float64()),
        ("weight", pa.float64()),
        ("label", pa.int32()),
    ]
)
"""Columns of the table `outcomes`: item, which of its labels (empty where it has one), rung, gain (more is
better: hits, −bits, variance explained), what gains are a share of (ones, bytes, variance), and the code
of the answer (0 where answers do not count alike)."""


def outcome_table(rungs: Rungs, ids: Sequence[str], parts: Sequence[str] | None = None) -> pa.Table:
    """The table of a ladder.

    Args:
        rungs: that were run.
        ids: of all items of the dataset.
        parts: shape (n,), the label of each row of the ladder, where items have several.
    """
    n = len(rungs.index)
    part = [""] * n if parts is None else list(parts)
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
