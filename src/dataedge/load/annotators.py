"""Several annotators' labels: finding their columns, and the label most of them gave."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

from dataedge.load.table import as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.load.profile import Profile
    from dataedge.load.table import Table


def majority(labels: Sequence[str | None]) -> str:
    """The label given most often; of several, the first in column order; "" if all are empty.

    Example:
        >>> majority(["no", "yes", "yes"]), majority(["no", "yes", None]), majority([None])
        ('yes', 'no', '')
    """
    votes = Counter(label for label in labels if label is not None)
    return max(votes, key=votes.__getitem__) if votes else ""


def share_values(table: Table, labels: Sequence[Profile]) -> tuple[str, ...]:
    """Columns that look like one question answered several times.

    They have the same few words as values and agree more often than their frequencies alone
    would make them (Cohen's kappa of each pair above 0.1). Columns of numbers or truth values
    are left alone: any two flags share those.

    Args:
        table: the data.
        labels: profiles of the columns that could be labels.

    Returns:
        The largest such group in column order, or nothing.
    """
    groups: dict[frozenset[str], list[str]] = {}
    for column in labels:
        if not column.integral and not column.number:
            groups.setdefault(column.values, []).append(column.name)
    best = max(groups.values(), key=len, default=[])
    if len(best) < 2:
        return ()
    cells = {n: [as_text(v) if v is not None else None for v in table.column(n)] for n in best}
    agree = all(_kappa(cells[a], cells[b]) > 0.1 for a, b in combinations(best, 2))
    return tuple(best) if agree else ()


def _kappa(left: Sequence[str | None], right: Sequence[str | None]) -> float:
    """Cohen (1960): agreement above what the two columns' frequencies give by chance."""
    pairs = [(a, b) for a, b in zip(left, right, strict=True) if a and b]
    n = len(pairs)
    if not n:
        return 0.0
    seen = sum(a == b for a, b in pairs) / n
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(first[v] * second[v] for v in first) / n**2
    return (seen - chance) / (1 - chance) if chance < 1 else 0.0
