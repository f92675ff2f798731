"""A path, a DataFrame, a `datasets` object or a hub id → the items that are audited."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from dataedge.errors import AuditError
from dataedge.items import LABELLED, Dataset, Task
from dataedge.load.column_roles import ColumnRoles, Flags
from dataedge.load.naming import SPLITS, Names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from dataedge.items import Item
    from dataedge.load.rows import Rows
    from dataedge.load.table import Table

__all__ = ["READING", "Found", "items_of_rows", "load", "read_table"]


def load(
    source: str | Path | Any,
    *,
    task: Task | str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    prompt_column: str | None = None,
    response_column: str | None = None,
    group_column: str | None = None,
    time_column: str | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Dataset:
    """Reads a dataset and decides what its columns ask of a model.

    Args:
        source: a file or folder, a hub id, a DataFrame of pandas or Polars, a `datasets.Dataset` or
            `DatasetDict`.
        task: classify, multilabel, number, generate or corpus; inferred if None.
        text_column: the text to classify or to read; two texts are separated by a comma.
        label_column: the label; several annotators' columns are separated by commas.
        prompt_column: the prompt, or the column of a chat's messages.
        response_column: the response.
        group_column: which rows belong together and are never split.
        time_column: when a row came about, a number or a date; the latest rows are held out.
        limit: at most this many distinct items, chosen by a hash of content and seed.
        seed: of that choice.

    Returns:
        The distinct items, what was read how, and notes on what was left out.

    Raises:
        AuditError: names the file, column or row, with a hint that mends it.
    """
    from dataedge.load.group_and_time import groups, times
    from dataedge.load.rows import read_rows

    if limit is not None and limit < 1:
        raise AuditError(
            f"--limit {limit} leaves no item", "Use a limit of at least 20: --limit 20"
        )
    flags = Flags(_task(task), text_column, label_column, prompt_column, response_column)
    path, table, roles, column, group, time = _read(source, flags, group_column, time_column)
    rows = read_rows(
        table,
        roles,
        _raw_splits(table, column),
        None if group is None else groups(table, group),
        None if time is None else times(table, time),
    )
    _check(table, roles, rows, settled=flags.task is not None)
    items, split_notes = _two_sides(rows.items, table)
    notes = [
        *table.notes,
        *rows.notes(table),
        *_column_notes(table, roles, column),
        *split_notes,
    ]
    if limit is not None and limit < len(items):
        notes.append(f"{limit:,} of {len(items):,} distinct items were taken (--limit)")
        items = _sample(items, limit, seed)
    named = dict(roles.by_role)
    if column:
        named["split"] = column
    named |= {role: c for role, c in (("group", group), ("time", time)) if c is not None}
    return Dataset(path, roles.task, tuple(items), rows.rows, named, tuple(notes))


READING = (
    "task",
    "text_column",
    "label_column",
    "prompt_column",
    "response_column",
    "group_column",
    "time_column",
)
"""Options that say how the columns are read."""


def items_of_rows(
    source: str | Path | Any, reading: Mapping[str, Any]
) -> tuple[Table, list[list[str]]]:
    """Which items the rows of a dataset are, read as `load` reads them.

    Args:
        source: as for `load`.
        reading: option of `READING` → its value; those that are missing are inferred.

    Returns:
        The table, and the ids of the items of each row: none where it was left out, several where a
        row of a corpus has several passages.

    Raises:
        AuditError: as `load`.
    """
    from dataedge.load.rows import items_by_row

    found = read_table(source, reading)
    rows = items_by_row(found.table, found.roles)
    return found.table, [[item.id for item in items] for items in rows]


class Found(NamedTuple):
    """The table of a source, and what its columns are: roles, and columns of split, group and time."""

    path: str
    table: Table
    roles: ColumnRoles
    split: str | None
    group: str | None
    time: str | None

    @property
    def raw_splits(self) -> list[str | None]:
        """Split of each row, as a column or its file names it."""
        return _raw_splits(self.table, self.split)


def read_table(source: Any, reading: Mapping[str, Any]) -> Found:
    """Reads a dataset's table and decides what its columns are, no more.

    Args:
        source: as for `load`.
        reading: option of `READING` → its value; those that are missing are inferred.

    Raises:
        AuditError: as `load`.
    """
    task, *columns, group, time = (reading.get(name) for name in READING)
    return _read(source, Flags(_task(task), *columns), group, time)


def _read(source: Any, flags: Flags, group_column: str | None, time_column: str | None) -> Found:
    from dataedge.load.columns import read_columns
    from dataedge.load.group_and_time import one_column
    from dataedge.load.sources import read_source

    path, table = read_source(source)
    group = one_column(table, "--group-column", group_column)
    time = one_column(table, "--time-column", time_column)
    column = _split_column(table, flags)
    roles = read_columns(table, flags, [c for c in (column, group, time) if c is not None])
    if twice := {roles.target, *roles.annotators} & set(roles.texts):
        flag = "--response-column" if roles.kind in ("pair", "chat") else "--label-column"
        raise AuditError(
            f"{table.name}: column '{min(map(str, twice))}' is what is asked and what is to be answered",
            f"Name another column with {flag}",
        )
    return Found(path, table, roles, column, group, time)


def _task(task: Task | str | None) -> Task | None:
    try:
        return None if task is None else Task(task)
    except ValueError as error:
        raise AuditError(
            f"--task {task}: no such task", f"Choose one of them: --task {', '.join(Task)}"
        ) from error


def _split_column(table: Table, flags: Flags) -> str | None:
    """A column whose every value is the name of a split."""
    from dataedge.load.split_names import split_word

    for name in Names.of(table.names).any(SPLITS):
        if name in (flags.text, flags.label, flags.prompt, flags.response) or table.nested(name):
            continue
        values = [v for v in table.column(name) if v is not None]
        if not all(isinstance(v, str) for v in values):
            continue
        words = {split_word(v) for v in set(values)}
        if values and None not in words:
            return name
    return None


def _raw_splits(table: Table, column: str | None) -> list[str | None]:
    from dataedge.load.split_names import split_word

    if column is None:
        return table.part_splits()
    named = {v: split_word(v) for v in set(table.column(column)) if v is not None}
    return [named.get(v) for v in table.column(column)]


def _two_sides(items: Sequence[Item], table: Table) -> tuple[list[Item], list[str]]:
    """Train, validation, test → train and test: without a labelled test, validation is the test."""
    sizes: dict[str, int] = {}
    for item in items:
        if item.split and not item.label_missing:
            sizes[item.split] = sizes.get(item.split, 0) + 1
    test = next((s for s in ("test", "validation") if sizes.get(s)), None)
    if test is None:
        return [_on(i, "train" if i.split else None) for i in items], []
    side = {"train": "train", "test": "test"}
    side["validation"] = "test" if test == "validation" else "train"
    notes = []
    if sizes.get("validation"):
        notes.append(f"{table.name}: validation rows count as {side['validation']}")
    return [_on(i, side[i.split] if i.split else None) for i in items], notes


def _on(item: Item, side: str | None) -> Item:
    return item if item.split == side else replace(item, split=side)


def _check(table: Table, roles: ColumnRoles, rows: Rows, *, settled: bool) -> None:
    """Raises where there is nothing to tell apart: one row, the same row, one class."""
    where, items = table.name, rows.items
    unit = "passage" if roles.kind == "corpus" else "row"
    if len(items) == 1 and items[0].count > 1:
        raise AuditError(
            f"{where}: all {items[0].count:,} usable {unit}s are identical",
            "An audit needs rows that differ: check the export with `dataedge plan DATA`",
        )
    if len(items) == 1:
        raise AuditError(
            f"{where}: only one usable {unit}",
            "An audit needs at least 20 rows that differ: `dataedge plan DATA` counts them",
        )
    if roles.task is Task.CORPUS and not settled:
        _check_empty_labels(table)
    if roles.task not in LABELLED:
        return
    named = f"column '{roles.target}'"
    label = named if roles.target else f"columns {', '.join(roles.annotators)}"
    classes = {item.target for item in items if not item.label_missing}
    if not classes:
        hint = "Name another column with --label-column"
        raise AuditError(f"{where}: {label}: no row has a label", hint)
    if roles.task is Task.MULTILABEL and not any(item.labels for item in items):
        from dataedge.load.label_lists import FEWEST

        raise AuditError(
            f"{where}: {label}: no label applies to {FEWEST} rows and does not apply to {FEWEST} others",
            "Add rows, or name another column with --label-column",
        )
    if len(classes) == 1 and roles.task is Task.NUMBER:
        hint = "Name a column of numbers that differ with --label-column"
        raise AuditError(f"{where}: {label}: only one number, {classes.pop()}", hint)
    if len(classes) == 1:
        raise AuditError(
            f"{where}: {label}: only one class, '{classes.pop()[:60]}'",
            "A classifier needs two classes: name another column with --label-column",
        )


def _check_empty_labels(table: Table) -> None:
    """Raises where the label column is there by name and nothing is in it."""
    from dataedge.load.naming import LABELS
    from dataedge.load.profile import profile

    known = {name for tier in LABELS for name in tier}
    for name in table.names:
        if name.strip().lower() in known and not profile(table, name).filled:
            raise AuditError(
                f"{table.name}: column '{name}': no row has a label",
                "Fill it, name another column with --label-column, or audit the text alone "
                "with --task corpus",
            )


def _column_notes(table: Table, roles: ColumnRoles, column: str | None) -> list[str]:
    used = {*roles.columns, column}
    extra = [n for n in table.names if n not in used]
    notes = [f"{table.name}: columns not used: {', '.join(extra)}"] if extra else []
    return [*roles.notes, *notes]


def _sample(items: Sequence[Item], limit: int, seed: int) -> list[Item]:
    """The items whose hashes are smallest, in their old order; the row order plays no part."""
    ranks = [hashlib.sha256(f"{seed}:{item.id}".encode()).digest() for item in items]
    chosen = set(sorted(range(len(items)), key=ranks.__getitem__)[:limit])
    return [item for i, item in enumerate(items) if i in chosen]
