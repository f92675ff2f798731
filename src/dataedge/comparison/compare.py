"""Two audits → a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dataedge.comparison.differences import (
    FEWEST,
    Shared,
    beside_items,
    independent,
    paired,
    turned,
)
from dataedge.comparison.model import Comparison, DifferenceModel, SideModel
from dataedge.errors import AuditError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.figures import Figure
    from dataedge.finished_audit import Audit
    from dataedge.report.model import EdgeModel, FigureModel

ON_ITEMS: Final = (
    "chance", "zero_shot", "few_shot", "without_data", "retrieved", "prompted", "learned", "tuned",
    "with_data",
)  # fmt: skip
"""Rungs that are compared."""
EDGE: Final = ("with_data", "without_data")
TUNING: Final = ("learned", "prompted")


def compare(first: Audit, second: Audit) -> Comparison:
    """What the second audit has more than the first.

    Args:
        first: before, or the smaller base model.
        second: after, or the larger one.

    Raises:
        AuditError: the two have tasks that are not judged alike.
    """
    a, b = first.report, second.report
    if a.edge.unit != b.edge.unit:
        raise AuditError(
            f"{first.directory} is judged in {a.edge.unit}, {second.directory} in {b.edge.unit}: no "
            "difference of the two says anything",
            hint="Compare audits of one task; `dataedge audit --task` sets it",
        )
    shared = shared_items(first, second)
    usable = shared if shared is not None and shared.items >= FEWEST else None
    rungs = ({r.rung: r for r in a.ladder}, {r.rung: r for r in b.ladder})
    ladder = [
        _rung(name, rungs[0][name], rungs[1][name], usable)
        for name in ON_ITEMS
        if name in rungs[0] and name in rungs[1]
    ]
    edge = [
        _gain("edge", a.edge, b.edge, EDGE, usable),
        _gain("tuning gain", a.tuning_gain, b.tuning_gain, TUNING, usable),
    ]
    measures = [
        _difference(
            name,
            independent(a.measures[name], b.measures[name]),
            a.measures[name],
            b.measures[name],
        )
        for name in a.measures
        if name in b.measures and _told(a.measures[name]) and _told(b.measures[name])
    ]
    across = []
    if a.model.id != b.model.id and usable is not None:
        pairs = ((0, "learned", 1, "prompted"), (1, "learned", 0, "prompted"))
        across = [found for pair in pairs if (found := _across(pair, rungs, usable, a.edge.unit))]
    return Comparison(
        first=_side(first),
        second=_side(second),
        shared=0 if shared is None else shared.items,
        notes=_notes(first, second, shared),
        edge=edge,
        ladder=ladder,
        measures=measures,
        across=across,
    )


def shared_items(first: Audit, second: Audit) -> Shared | None:
    """What both audits reached on the items that both held out; None where a store does not tell."""
    tables = []
    for audit in (first, second):
        known = audit.sql(
            "select count(*) from duckdb_tables() where table_name = 'outcomes'"
        ).fetchall()
        if not known[0][0]:
            return None
        query = "select item, part, rung, gain, weight, label, cluster from outcomes join items using (item)"
        tables.append(audit.sql(query).fetchall())
    found: list[dict[tuple[str, int], dict[str, float]]] = [{}, {}]
    beside: dict[tuple[str, int], tuple[float, int, int]] = {}
    for side, rows in enumerate(tables):
        for item, part, rung, gain, weight, label, cluster in rows:
            found[side].setdefault((item, part), {})[rung] = gain
            if not side:
                beside[item, part] = (weight, label, cluster)
    keys = sorted(found[0].keys() & found[1].keys())
    gains: list[dict[str, NDArray[np.float64]]] = []
    for reached in found:
        named = set.intersection(*(set(reached[k]) for k in keys)) if keys else set()
        gains.append({rung: np.array([reached[k][rung] for k in keys]) for rung in sorted(named)})
    columns: Any = np.array([beside[k] for k in keys]).reshape(len(keys), 3)
    return Shared(
        (gains[0], gains[1]),
        columns[:, 0].astype(np.float64),
        columns[:, 1].astype(np.int64),
        columns[:, 2].astype(np.int64),
        len({item for item, _ in keys}),
    )


def _told(figure: FigureModel) -> bool:
    return figure.value is not None and figure.status != "skipped"


def _rung(name: str, a: FigureModel, b: FigureModel, shared: Shared | None) -> DifferenceModel:
    """One rung of both."""
    if shared is not None and name in shared.gains[0] and name in shared.gains[1]:
        per_item = shared.gains[1][name] - shared.gains[0][name]
        more = beside_items(a) + beside_items(b)
        return _difference(name, paired(per_item, shared, a.unit, more), a, b)
    return _difference(name, turned(independent(a, b)), a, b)


def _gain(
    name: str, a: EdgeModel, b: EdgeModel, rungs: tuple[str, str], shared: Shared | None
) -> DifferenceModel:
    """A difference of two rungs in both; independent where it counts only a part of that difference."""
    upper, lower = rungs
    whole = name != "edge" or not any("task" in e.parts for e in (a, b))
    there = shared is not None and all(r in side for side in shared.gains for r in rungs)
    if whole and there and shared is not None and a.basis == b.basis == "estimated":
        gains = [side[upper] - side[lower] for side in shared.gains]
        more = beside_items(a) + beside_items(b)
        return _difference(name, paired(gains[1] - gains[0], shared, a.unit, more), a, b)
    return _difference(name, independent(a, b), a, b)


def _across(
    pair: tuple[int, str, int, str],
    rungs: tuple[dict[str, Any], dict[str, Any]],
    shared: Shared,
    unit: str,
) -> DifferenceModel | None:
    """What one model learns against what the other is prompted to."""
    one, upper, other, lower = pair
    if upper not in shared.gains[one] or lower not in shared.gains[other]:
        return None
    per_item = shared.gains[one][upper] - shared.gains[other][lower]
    a, b = rungs[other][lower], rungs[one][upper]
    found = paired(per_item, shared, unit, beside_items(a) + beside_items(b))
    names = ("first", "second")
    return _difference(f"{names[one]} learned − {names[other]} prompted", found, a, b)


def _difference(name: str, found: Figure, a: Any, b: Any) -> DifferenceModel:
    basis: Any = "none" if found.value is None else "paired" if found.n else "independent"
    return DifferenceModel(
        name=name,
        unit=found.unit,
        first=a.value,
        second=b.value,
        value=found.value,
        low=found.low,
        high=found.high,
        n=found.n,
        basis=basis,
        reason=found.reason,
    )


def _side(audit: Audit) -> SideModel:
    report = audit.report
    return SideModel(
        audit=str(audit.directory),
        dataset=report.dataset.path,
        rows=report.dataset.rows,
        base_model=report.model.id,
        verdict=report.verdict.label,
        advice=report.verdict.advice,
        items=report.edge.n,
    )


def _notes(first: Audit, second: Audit, shared: Shared | None) -> list[str]:
    a, b = first.report, second.report
    notes = []
    if shared is None:
        notes.append(
            "An audit of an earlier version does not tell what was reached on which item, so figures are "
            "compared as those of two independent audits; `dataedge audit` again, and they are paired."
        )
    elif shared.items < FEWEST:
        notes.append(
            f"The two held out {shared.items} items in common, fewer than {FEWEST}: figures are compared as "
            "those of two independent audits, and their difference is also that of how hard their items are."
        )
    else:
        notes.append(
            f"Rungs are compared on the {shared.items} items that both held out; each audit's own figures, "
            "in the columns beside, are of all of its items."
        )
    if a.dataset.fingerprint != b.dataset.fingerprint and a.model.id != b.model.id:
        notes.append("Both the data and the base model differ: a difference may come from either.")
    if a.dataset.fingerprint == b.dataset.fingerprint and a.model.id == b.model.id:
        notes.append(
            "The same data and the same base model: what differs is options, versions or luck."
        )
    return notes
