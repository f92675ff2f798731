"""What an audit found: everything that a report shows, before it is given its form."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.figures import Figure
    from dataedge.items import Dataset
    from dataedge.measure.responses import Losses
    from dataedge.verdict.decision import Verdict
    from dataedge.verdict.reasons import Reason
    from dataedge.verdict.terms import Term

VIEW_SIZE = 50


@dataclass
class Findings:
    """The result of a ladder.

    Attributes:
        ladder: rung → figure, in order.
        edge: with_data − without_data; its task part where that is what counts.
        tuning_gain: learned − the best prompting, retrieval included.
        parts: total, task and style for generate.
        verdict: the conclusion.
        reasons: the four reasons to fine-tune.
        measures: name → figure.
        columns: per item (n,) figures for the table `findings`; NaN or None where not measured.
        views: name → item positions, most telling first.
        terms: the four terms of the claim, answered once all is measured.
        notes: sentences on the dataset that a reader must see first.
        losses: of each item's response (n,), NaN where not measured; None for other tasks.
    """

    ladder: dict[str, Figure]
    edge: Figure
    tuning_gain: Figure
    verdict: Verdict
    reasons: list[Reason]
    measures: dict[str, Figure]
    columns: dict[str, Sequence[Any]]
    parts: dict[str, Figure] = field(default_factory=dict)
    views: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=list)
    notes: tuple[str, ...] = ()
    losses: Losses | None = None

    def table(self, dataset: Dataset) -> pa.Table:
        """One row per item, for SQL and for views."""
        data: dict[str, Any] = {"item": [i.id for i in dataset.items]}
        for name, values in self.columns.items():
            column = np.asarray(values)
            if column.dtype.kind == "f":
                data[name] = pa.array(column, from_pandas=True)
            else:
                data[name] = pa.array(list(values))
        return pa.table(data)


def scatter(n: int, index: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of some items as a column over all n, NaN elsewhere.

    Example:
        >>> scatter(3, np.array([1]), np.array([0.5])).tolist()
        [nan, 0.5, nan]
    """
    column = np.full(n, np.nan)
    column[index] = values
    return column


def highest(column: NDArray[np.float64], *, above: float = -np.inf) -> NDArray[np.int64]:
    """Positions of the highest values, at most a view's size, those not above a floor left out."""
    order = np.argsort(-np.nan_to_num(column, nan=-np.inf), kind="stable")
    kept = [i for i in order[:VIEW_SIZE] if np.isfinite(column[i]) and column[i] > above]
    return np.asarray(kept, np.int64)
