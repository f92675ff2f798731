"""What an audit found: everything that a report shows, before it is given its form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dataedge.ladder.outcome_table import OUTCOME_SCHEMA
from dataedge.positions import Positions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from dataedge.figures import Figure
    from dataedge.ladder.rungs import Basis
    from dataedge.models.lazy import ModelAbilities
    from dataedge.prepare.prepared import PreparedData
    from dataedge.verdict.decision import Verdict
    from dataedge.verdict.grounds import Reason
    from dataedge.verdict.terms import Term

VIEW_SIZE = 50

RESPONSE_SCHEMA = pa.schema(
    [
        ("item", pa.string()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("score", pa.float64()),
    ]
)
"""Columns of the table `response_findings`: one row per item and kind. No text of an item."""


@dataclass(frozen=True)
class TaskResult:
    """What was found by asking and learning, in the way of the dataset's task.

    Attributes:
        ladder: rung → figure, in order.
        edge: with_data − without_data; its task part where that is what counts.
        tuning_gain: learned − the best prompting, retrieval included.
        verdict: the conclusion.
        reasons: the four reasons to fine-tune.
        measures: name → figure, those of this task alone.
        columns: per item (n,) figures for the table `findings`; NaN or None where not measured.
        parts: total, task, style and n-grams for text; the edge in the other unit for classify.
        views: name → item positions, most telling first.
        outcomes: the table `outcomes`: what each rung reached on each held-out item.
        responses: the table `response_findings`, empty for a task without responses.
        notes: sentences on the dataset that a reader must see first.
        edge_basis: whether the edge rests on a proxy learner or on a pilot.
        tuning_basis: the same of the tuning gain.
    """

    ladder: Mapping[str, Figure]
    edge: Figure
    tuning_gain: Figure
    verdict: Verdict
    reasons: Sequence[Reason]
    measures: Mapping[str, Figure]
    columns: Mapping[str, Sequence[Any]]
    parts: Mapping[str, Figure] = field(default_factory=dict)
    views: Mapping[str, Positions] = field(default_factory=dict)
    outcomes: pa.Table = field(default_factory=OUTCOME_SCHEMA.empty_table)
    responses: pa.Table = field(default_factory=RESPONSE_SCHEMA.empty_table)
    notes: tuple[str, ...] = ()
    edge_basis: Basis = "estimated"
    tuning_basis: Basis = "estimated"


@dataclass(frozen=True)
class AuditResult:
    """An audit, whole: what the report shows and what the store keeps of it.

    Attributes:
        data: the dataset as it was prepared.
        abilities: what the base model was shown to do.
        task: what was found by asking and learning.
        measures: every measure by name, those of all tasks among them.
        terms: the four terms of the claim, answered.
        exposure: test → figure; empty where it was not asked for.
    """

    data: PreparedData
    abilities: ModelAbilities
    task: TaskResult
    measures: Mapping[str, Figure]
    terms: tuple[Term, ...]
    exposure: Mapping[str, Figure]

    def finding_table(self) -> pa.Table:
        """The table `findings`: one row per item, for SQL and for views."""
        table: dict[str, Any] = {"item": [i.id for i in self.data.dataset.items]}
        for name, values in self.task.columns.items():
            column = np.asarray(values)
            if column.dtype.kind == "f":
                table[name] = pa.array(column, from_pandas=True)
            else:
                table[name] = pa.array(list(values))
        return pa.table(table)


def highest(column: NDArray[np.float64], *, above: float = -np.inf) -> Positions:
    """Positions of the highest values, at most a view's size, those not above a floor left out."""
    order = np.argsort(-np.nan_to_num(column, nan=-np.inf), kind="stable")
    kept = [i for i in order[:VIEW_SIZE] if np.isfinite(column[i]) and column[i] > above]
    return Positions(np.asarray(kept, np.int64))
