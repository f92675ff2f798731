"""Two audits → a comparison."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from dataedge.comparison.differences import (
    FEWEST,
    RANGES,
    Shared,
    beside_items,
    independent,
    level,
    of_measurement,
    paired,
    turned,
)
from dataedge.comparison.model import Comparison, DifferenceModel, SideModel
from dataedge.errors import AuditError
from dataedge.figures import Figure
from dataedge.ladder.units import LOWER
from dataedge.runs import schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.finished_audit import Audit
    from dataedge.report.model import EdgeModel, FigureModel, Report

ON_ITEMS: Final = (
    "chance", "zero_shot", "few_shot", "without_data", "retrieved", "prompted", "learned", "tuned",
    "tuned_all", "with_data",
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
    usable = shared if shared is not None and _clusters(shared) >= FEWEST else None
    rungs = ({r.rung: r for r in a.ladder}, {r.rung: r for r in b.ladder})
    ladder = [
        _rung(name, rungs[0][name], rungs[1][name], usable)
        for name in ON_ITEMS
        if name in rungs[0] and name in rungs[1]
    ]
    forecast = any(
        r.rung == "tuned_all" and r.value is not None for side in (a, b) for r in side.ladder
    )
    told = _comparable(a, b, a.tuning_gain, b.tuning_gain)
    edge = [
        _gain("edge", *_comparable(a, b, a.edge, b.edge), EDGE, usable),
        # a forecast has no items of its own
        _gain("tuning gain", *told, TUNING, None if forecast else usable),
    ]
    measures = [
        _measure(name, a.measures[name], b.measures[name])
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
    found: list[dict[tuple[str, str], dict[str, _Row]]] = []
    for audit in (first, second):
        rows = _outcomes(audit)
        if rows is None:
            return None
        found.append(rows)
    keys = sorted(found[0].keys() & found[1].keys())
    gains: list[dict[str, NDArray[np.float64]]] = []
    for reached in found:
        named = set.intersection(*(set(reached[k]) for k in keys)) if keys else set()
        gains.append({r: np.array([reached[k][r].gain for k in keys]) for r in sorted(named)})
    one = [[next(iter(reached[k].values())) for k in keys] for reached in found]
    weights = [np.array([row.weight for row in rows], np.float64) for rows in one]
    return Shared(
        (gains[0], gains[1]),
        (weights[0], weights[1]),
        np.array([row.label for row in one[0]], np.int64),
        joined(*([row.cluster for row in rows] for rows in one)),
        len({item for item, _ in keys}),
    )


class _Row(NamedTuple):
    gain: float
    weight: float
    label: int
    cluster: int


def _outcomes(audit: Audit) -> dict[tuple[str, str], dict[str, _Row]] | None:
    """Item and label → rung → what was reached; None where the run does not tell."""
    query = (
        "select count(*) from duckdb_tables() where table_name = 'outcomes' and "
        f"schema_name = '{schema(audit.report.run)}'"
    )
    if not audit.sql(query).fetchall()[0][0]:
        return None
    found: dict[tuple[str, str], dict[str, _Row]] = {}
    rows = audit.sql(
        "select item, part, rung, gain, weight, label, cluster from outcomes join items using (item)"
    ).fetchall()
    for item, part, rung, *rest in rows:
        found.setdefault((item, part), {})[rung] = _Row(*rest)
    return found


def joined(first: list[int], second: list[int]) -> NDArray[np.int64]:
    """Clusters that hold together what either audit holds together.

    Example:
        >>> joined([0, 0, 1, 2], [5, 6, 6, 7]).tolist()
        [0, 0, 0, 1]
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    if not first:
        return np.zeros(0, np.int64)
    a, b = (np.unique(side, return_inverse=True)[1] for side in (first, second))
    size = int(a.max()) + int(b.max()) + 2
    edges = coo_matrix((np.ones(len(a)), (a, b + int(a.max()) + 1)), shape=(size, size))
    _, of = connected_components(edges, directed=False)
    return np.unique(of[a], return_inverse=True)[1].astype(np.int64)


def _clusters(shared: Shared) -> int:
    return len(np.unique(shared.clusters))


def _measure(name: str, a: FigureModel, b: FigureModel) -> DifferenceModel:
    """A measure of both; a range over thresholds is no interval."""
    found = independent(a, b)
    if name in RANGES:
        found = replace(found, low=None, high=None)
    return _difference(name, found, a, b)


def _told(figure: FigureModel) -> bool:
    return figure.value is not None and figure.status != "skipped"


def _rung(name: str, a: FigureModel, b: FigureModel, shared: Shared | None) -> DifferenceModel:
    """One rung of both."""
    if shared is not None and name in shared.gains[0] and name in shared.gains[1]:
        return _paired(name, [side[name] for side in shared.gains], shared, a, b)
    return _difference(name, turned(independent(a, b)), a, b)


def _comparable(
    first: Report, second: Report, a: EdgeModel, b: EdgeModel
) -> tuple[EdgeModel, EdgeModel]:
    """Two gains of the same model by their measurement alone, where both are predicted."""
    alike = first.model.id == second.model.id and a.basis == b.basis == "estimated"
    return (of_measurement(a), of_measurement(b)) if alike else (a, b)


def _gain(
    name: str, a: EdgeModel, b: EdgeModel, rungs: tuple[str, str], shared: Shared | None
) -> DifferenceModel:
    """A difference of two rungs in both; independent where it counts only a part of that difference."""
    upper, lower = rungs
    if a.value is None or b.value is None:
        return _difference(name, Figure.missing("not measured in both", a.unit), a, b)
    counts = {"task" in e.parts and e.value == e.parts["task"].value for e in (a, b)}
    if name == "edge" and len(counts) > 1:
        why = "one counts what is not style alone, the other all"
        return _difference(name, Figure.missing(why, a.unit), a, b)
    whole = name != "edge" or counts == {False}
    there = shared is not None and all(r in side for side in shared.gains for r in rungs)
    if whole and there and shared is not None and a.basis == b.basis == "estimated":
        gains = [side[upper] - side[lower] for side in shared.gains]
        return _paired(name, gains, shared, a, b)
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
    more = beside_items(rungs[one][upper]) + beside_items(rungs[other][lower])
    sides = shared._replace(weights=(shared.weights[other], shared.weights[one]))
    found = paired(shared.gains[other][lower], shared.gains[one][upper], sides, unit, more)
    names = {one: upper, other: lower}
    named = [rungs[i][names[i]] for i in (0, 1)]
    levels = _levels([shared.gains[i][names[i]] for i in (0, 1)], shared, named[0])
    sides_said = ("first", "second")
    what = f"{sides_said[one]} learned − {sides_said[other]} prompted"
    return _difference(what, found, named[0], named[1], levels)


def _paired(
    name: str, gains: list[NDArray[np.float64]], shared: Shared, a: Any, b: Any
) -> DifferenceModel:
    """Two figures, the first audit's first, and their difference on the items that both held out.

    Args:
        name: of the figure.
        gains: shape (n,) each, as gains.
        shared: the items.
        a: the first audit's own figure.
        b: the second's.
    """
    more = beside_items(a) + beside_items(b)
    found = paired(gains[0], gains[1], shared, a.unit, more)
    return _difference(name, found, a, b, _levels(gains, shared, a))


def _levels(
    gains: list[NDArray[np.float64]], shared: Shared, figure: Any
) -> tuple[float | None, ...]:
    """What each reached on the shared items, in the unit of its figure."""
    sign = -1.0 if figure.unit in LOWER and hasattr(figure, "rung") else 1.0
    both = zip(gains, shared.weights, strict=True)
    return tuple(sign * level(of, weights, shared, figure.unit) for of, weights in both)


def _difference(
    name: str,
    found: Figure,
    a: Any,
    b: Any,
    on_shared: tuple[float | None, ...] = (None, None),
) -> DifferenceModel:
    basis: Any = "none" if found.value is None else "paired" if found.n else "independent"
    return DifferenceModel(
        name=name,
        unit=found.unit,
        first=a.value,
        second=b.value,
        first_shared=on_shared[0],
        second_shared=on_shared[1],
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
    elif _clusters(shared) < FEWEST:
        notes.append(
            f"The two held out {_clusters(shared)} independent items in common, fewer than {FEWEST}: figures "
            "are compared as those of two independent audits, which makes their intervals wide. More "
            "--probe-items in both give more; with the same --seed a larger audit judges the items of a "
            "smaller one too."
        )
    else:
        notes.append(
            f"What rests on shared items is of the {shared.items} that both held out, in all columns; each "
            "audit's own figures are of all of its items."
        )
    if a.dataset.fingerprint != b.dataset.fingerprint and a.model.id != b.model.id:
        notes.append("Both the data and the base model differ: a difference may come from either.")
    if a.dataset.fingerprint == b.dataset.fingerprint and a.model.id == b.model.id:
        notes.append(
            "The same data and the same base model: what differs is options, versions or luck."
        )
    return notes
