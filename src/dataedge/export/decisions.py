"""What people decided on suspects, read back from the sheet that `--review csv` writes."""

from __future__ import annotations

import csv
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa

from dataedge.errors import AuditError
from dataedge.load.table import JSON_CELLS

if TYPE_CHECKING:
    from dataedge.finished_audit import Audit
    from dataedge.load.table import Table

KEEP: Final = "keep"
"""The row stays as it is."""
DROP: Final = "drop"
"""The row is left out."""
COLUMNS: Final = ("item", "decision")
LONGEST: Final = 100_000_000
"""Characters of a cell: a sheet has whole texts."""
TEXT: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
"""Endings of files that are written from what was read of them."""


class Decisions(NamedTuple):
    """Items that somebody decided on.

    Attributes:
        keep: ids of those that stay as they are.
        drop: of those that are left out.
        labels: id → the label that is right.
    """

    keep: frozenset[str] = frozenset()
    drop: frozenset[str] = frozenset()
    labels: dict[str, str] = {}  # noqa: RUF012

    @property
    def settled(self) -> frozenset[str]:
        """Items that are no longer suspect."""
        return self.keep | self.labels.keys()


def read_decisions(path: str | Path, audit: Audit) -> Decisions:
    """Read a sheet with the columns `item` and `decision`; a row without a decision says nothing.

    A decision is `keep`, `drop`, or the label that is right. A label of the data called like one of the
    two words is that label.

    Args:
        path: of a CSV file, as `dataedge export AUDIT --review csv` writes it.
        audit: whose items were decided on.

    Raises:
        AuditError: the file cannot be read, names other items, or a decision is none.
    """
    sheet = _rows(Path(path))
    known = dict(audit.sql("select item, target from items").fetchall())
    labels = set(known.values()) - {None} if audit.report.dataset.task == "classify" else set()
    found: dict[str, str] = {}
    for line, item, said in sheet:
        if not said:
            continue
        if item not in known:
            raise AuditError(
                f"--decisions {path}, line {line}: no item of {audit.directory} is called {item!r:.40}",
                hint=f"Use the sheet of this audit: `dataedge export {audit.directory} --review csv`",
            )
        bare = said.removeprefix("'")  # as a spreadsheet is given what it would take for a formula
        said = bare if said not in labels and bare in labels else said
        if said not in labels and said.casefold() not in (KEEP, DROP):
            raise AuditError(
                f"--decisions {path}, line {line}: {said!r:.60} is no decision",
                hint=f"In the sheet of --decisions write {KEEP}, {DROP}"
                + (f" or a label: {', '.join(sorted(map(str, labels))[:12])}" if labels else ""),
            )
        found[item] = said
    if not found:
        raise AuditError(
            f"--decisions {path}: nothing is decided",
            hint=f"Write {KEEP}, {DROP} or the right label into its column `decision`",
        )
    as_given = {i for i, said in found.items() if said == known[i]}
    new = {i: said for i, said in found.items() if said in labels and i not in as_given}
    words = {i: said.casefold() for i, said in found.items() if said not in labels}
    return Decisions(
        frozenset(as_given | {i for i, word in words.items() if word == KEEP}),
        frozenset(i for i, word in words.items() if word == DROP),
        new,
    )


def _rows(path: Path) -> list[tuple[int, str, str]]:
    """Last line, item and decision of each record."""
    hint = "Name a sheet that `dataedge export AUDIT --review csv` wrote: --decisions review.csv"
    try:
        csv.field_size_limit(LONGEST)
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(",;\t", key=first.count)  # spreadsheets write what their country uses
            reader = csv.DictReader(file, delimiter=delimiter)
            if missing := [c for c in COLUMNS if c not in (reader.fieldnames or ())]:
                raise AuditError(f"--decisions {path}: has no column '{missing[0]}'", hint=hint)
            return [
                (reader.line_num, (row["item"] or "").strip(), (row["decision"] or "").strip())
                for row in reader
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise AuditError(f"--decisions {path}: cannot be read ({reason})", hint=hint) from error


def relabelled(table: Table, new: dict[int, str], column: str, source: Path) -> Table:
    """A table in which some rows have another label.

    Args:
        table: as it was read.
        new: 0-based row → label.
        column: of the label.
        source: of the table, for messages.

    Raises:
        AuditError: its files cannot be written with other values, or the label is in no column of its own.
    """
    places = {Path(table.place(at)[0]).suffix.lower() for at in new}
    if column not in table.names or not places <= set(TEXT):
        raise AuditError(
            f"{source}: new labels cannot be written into such data",
            hint=f"Convert it to one of {', '.join(TEXT)} with a column for the label, then run "
            "`dataedge audit FILE`; or decide only keep and drop",
        )
    at = table.names.index(column)
    field = table.data.schema.field(at)
    cells = table.data.column(at).to_pylist()
    for row, label in new.items():
        cells[row] = _json(cells[row], label) if field.metadata == JSON_CELLS else label
    data = table.data.set_column(at, field, pa.array(cells, field.type))
    return replace(table, data=data, _cache={})


def _json(before: str, label: str) -> str:
    """A label as JSON, a number where the one before it was no text."""
    if not before.startswith('"'):
        with suppress(ValueError):
            json.loads(label)
            return label
    return json.dumps(label, ensure_ascii=False)
