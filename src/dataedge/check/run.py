"""A dataset → what a fine-tune on it would trip over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dataedge.check.conversations import check_conversations
from dataedge.check.found import Checked, Collected, unread
from dataedge.check.labels import check_labels, check_numbers
from dataedge.check.texts import check_responses, check_texts
from dataedge.load import read_table
from dataedge.load.rows import items_or_problem
from dataedge.prepare.splits import FEWEST as FEWEST_OF_AUDIT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dataedge.check.found import Level
    from dataedge.items import Item
    from dataedge.load import Found
    from dataedge.load.table import Table

FEWEST: Final = 10
"""Rows that differ which a fine-tune needs; services refuse fewer."""
MOST_TOKENS: Final = 4096
"""What many services and recipes take of a row."""


def check(source: Any, reading: Mapping[str, Any], most_tokens: int | None = None) -> Checked:
    """Check a dataset.

    Args:
        source: a file, folder, hub id, DataFrame or `datasets` object.
        reading: options that say how columns are read; what is missing is inferred.
        most_tokens: what a row may be long, MOST_TOKENS if None; tokens are estimated from bytes.

    Raises:
        AuditError: the data cannot be read, or its columns fit no task.
    """
    found = read_table(source, reading)
    table, roles = found.table, found.roles
    into = Collected()
    counted: dict[str, int] = {}
    if roles.kind == "chat":
        name = roles.texts[0]
        counted |= check_conversations(name, table.column(name), into)
    items: list[Item | None] = []
    usable_ids: set[str] = set()
    for row, made in enumerate(items_or_problem(table, roles)):
        items.append(None if isinstance(made, str) or not made else made[0])
        if not isinstance(made, str):
            usable_ids |= {item.id for item in made if not item.label_missing}
        # a conversation's faults are named one by one
        if isinstance(made, str) and roles.kind != "chat":
            into.add("unusable_row", "error", row, made)
    splits = found.raw_splits
    usable = [None if item is None or item.label_missing else item for item in items]
    inputs = [None if item is None else item.text for item in items]
    targets = [None if item is None else item.target for item in usable]
    counted |= check_texts(inputs, targets, splits, most_tokens or MOST_TOKENS, into)
    if roles.kind == "labelled":
        for row, item in enumerate(items):
            if item is not None and item.label_missing:
                into.add("missing_label", "warning", row, f"'{roles.target}' is empty")
        counted |= check_labels(inputs, targets, splits, into)
    elif roles.kind == "number":
        numbers = [None if i is None or i.number is None else f"{i.number!r}" for i in usable]
        check_numbers(numbers, into)
    elif roles.kind in ("pair", "chat", "preference"):
        check_responses(targets, into)
    _boolean_label(table, found, into)
    _too_few(len(usable_ids), [row for row, item in enumerate(usable) if item], into)
    every = [*unread(table), *into.found()]
    return Checked(found.path, table, roles.task.value, every, counted, table.notes)


def _too_few(items: int, rows: Sequence[int], into: Collected) -> None:
    """Items that differ and have their label, of which a fine-tune needs some and an audit more."""
    if items < FEWEST_OF_AUDIT:
        level: Level = "error" if items < FEWEST else "warning"
        what = f"{items} usable rows that differ; a fine-tune takes {FEWEST}, an audit {FEWEST_OF_AUDIT}"
        for row in rows or [0]:
            into.add("too_few_rows", level, row, what)


def _boolean_label(table: Table, found: Found, into: Collected) -> None:
    """KTO data says by a label whether a completion is wanted; read as pairs, both kinds are learned."""
    name, roles = found.roles.feedback or "label", found.roles
    if not roles.feedback and (roles.kind != "pair" or name in roles.columns):
        return
    if name not in table.names:
        return
    unwanted = [
        row for row, value in enumerate(table.column(name)) if value in (False, "false", "False")
    ]
    values = {str(v).lower() for v in table.column(name) if v is not None}
    if values <= {"true", "false"} and unwanted:
        for row in unwanted:
            what = (
                f"'{name}' is false: the response is one that is not wanted, and would be learned"
            )
            into.add("unwanted_response", "error", row, what)
