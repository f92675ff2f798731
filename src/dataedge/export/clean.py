"""A copy of the dataset without what the audit found wrong, in the dataset's own format."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dataedge.errors import AuditError, ExitCode
from dataedge.export.copied import write_copy
from dataedge.export.decisions import Decisions, read_decisions, relabelled
from dataedge.files import require_unused, whole_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.finished_audit import Audit
    from dataedge.load.table import Table

MANIFEST: Final = "manifest.json"
SETTINGS: Final = "dataedge.toml"
"""Beside the data, for the copy to be read as the original is."""
FOUND: Final = {"suspects": "suspect", "defects": "defects"}
"""Reason → column of the table `findings` that says so."""
REASONS: Final = ("duplicates", *FOUND, "near-duplicates")
DECIDED: Final = "decided"
"""Reason of what people said is to go."""
DEFAULT: Final = ("duplicates", "suspects", "defects")
"""Near duplicates are kept unless asked for: often they differ in what counts."""


@dataclass(frozen=True)
class Cleaned:
    """What a cleaned copy left out.

    Attributes:
        out: its folder.
        rows: that there were.
        left_out: reason → rows; a row can have several reasons.
        rows_left_out: how many rows that is.
        not_audited: rows that are kept and that the audit did not look at (`--limit`, unusable ones).
        empty: files of which no row is left; they are not written.
        relabelled: rows that have another label than before, as somebody decided.
    """

    out: Path
    rows: int
    left_out: dict[str, int]
    rows_left_out: int
    not_audited: int
    empty: tuple[str, ...] = ()
    relabelled: int = 0

    @property
    def sentence(self) -> str:
        """What was written, and what was left out."""
        parts = ", ".join(f"{n:,} {reason}" for reason, n in self.left_out.items() if n)
        kept = self.rows - self.rows_left_out
        rest = (
            f" {self.not_audited:,} rows were not audited, and are kept."
            if self.not_audited
            else ""
        )
        rows = "1 row has" if self.relabelled == 1 else f"{self.relabelled:,} rows have"
        new = f" {rows} a new label." if self.relabelled else ""
        gone = f" Nothing is left of {', '.join(self.empty)}." if self.empty else ""
        return (
            f"{kept:,} of {self.rows:,} rows written to {self.out}; left out {parts or 'nothing'}."
            f"{new}{rest}{gone} Which and why: {self.out / MANIFEST}"
        )


def clean(
    audit: Audit,
    out: str | Path,
    without: Sequence[str] = DEFAULT,
    decisions: str | Path | None = None,
) -> Cleaned:
    """Write a copy of the data that was audited without some of its rows, in its own format.

    The original is not touched. `manifest.json` beside the copy says which rows are missing, and why.

    Args:
        audit: finished, of files that are still as they were.
        out: folder for the copy; new or empty.
        without: what to leave out: duplicates, suspects, defects, near-duplicates.
        decisions: a sheet that `dataedge export AUDIT --review csv` wrote and people decided on. What they
            keep stays, what they drop is left out, and what has a new label gets it; the rest is as `without`
            has it.

    Raises:
        AuditError: there is no such reason; a decision is none; the data was no file, or has changed; the
            folder is in use.
    """
    out, unknown = Path(out), [r for r in without if r not in REASONS]
    if unknown or not without:
        raise AuditError(
            f"--without {', '.join(unknown) or 'nothing'}: no reason to leave out rows",
            hint=f"Choose of --without {','.join(REASONS)}",
        )
    source = source_of(audit)
    require_unused(out)
    from dataedge.load import items_of_rows

    table, ids = items_of_rows(str(source), audit.report.config.effective)
    require_same(audit, source)
    decided = Decisions() if decisions is None else read_decisions(decisions, audit)
    why = _why(audit, without)
    why = {item: reasons for item, reasons in why.items() if item not in decided.settled}
    why |= {item: [DECIDED] for item in decided.drop}
    near = {i: group for i, group in _near(audit, without).items() if i not in decided.settled}
    lost = _lost(ids, why, near, "duplicates" in without)
    if len(lost) == len(table):
        raise AuditError(
            f"{source}: no row would be left", hint=f"Choose fewer of --without {','.join(REASONS)}"
        )
    new = {
        at: decided.labels[items[0]]
        for at, items in enumerate(ids)
        if at not in lost and len(items) == 1 and items[0] in decided.labels
    }
    if new:
        table = relabelled(table, new, str(audit.report.dataset.columns.get("label")), source)
    known = {item for (item,) in audit.sql("select item from items").fetchall()}
    found = Cleaned(
        out,
        len(table),
        dict(Counter(r for all_ in lost.values() for r in all_)),
        len(lost),
        sum(not known.intersection(row) for row in ids),
        _empty(table, lost),
        len(new),
    )
    with whole_folder(out) as folder:
        write_copy(source, table, lost, folder)
        if (folder / MANIFEST).exists():
            raise AuditError(
                f"{source}: a data file is called {MANIFEST}, as what a copy says of itself",
                hint="Give the file another name, then run `dataedge audit` again",
            )
        settings = (source if source.is_dir() else source.parent) / SETTINGS
        if settings.is_file():
            (folder / SETTINGS).write_text(_settings(settings), encoding="utf-8")
        told = _manifest(audit, found, table, ids, lost) | {"new_labels": _given(table, ids, new)}
        manifest = json.dumps(told, indent=1)
        (folder / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
    return found


def _settings(path: Path) -> str:
    """The settings without the place of the first audit, which an audit of the copy would replace."""
    return re.sub(r"(?m)^\s*out\s*=.*\n?", "", path.read_text(encoding="utf-8"))


def source_of(audit: Audit) -> Path:
    """The files that were audited.

    Raises:
        AuditError: they are not here, or the data was no file.
    """
    source = Path(audit.report.dataset.path).expanduser()
    if not source.exists():
        raise AuditError(
            f"{audit.report.dataset.path}: the data that was audited is not here",
            hint="Go to where `dataedge audit` was run; of a DataFrame, leave out the rows "
            "of `audit.items('suspects')` yourself",
        )
    return source


def _why(audit: Audit, reasons: Sequence[str]) -> dict[str, list[str]]:
    """Item → reasons to leave out all of its rows."""
    held = {name for (name,) in audit.sql("select column_name from (describe findings)").fetchall()}
    why: dict[str, list[str]] = {}
    for reason, column in FOUND.items():
        if reason in reasons and column in held:
            query = f"select item from findings where {column}::varchar not in ('', 'false')"
            for (item,) in audit.sql(query).fetchall():
                why.setdefault(item, []).append(reason)
    return why


def _near(audit: Audit, reasons: Sequence[str]) -> dict[str, int]:
    """Item → its cluster of near duplicates; empty where they are kept."""
    if "near-duplicates" not in reasons:
        return {}
    held = {name for (name,) in audit.sql("select column_name from (describe items)").fetchall()}
    if "near_duplicates" not in held:
        raise AuditError(
            f"{audit.directory}: an audit of an earlier version does not tell near duplicates",
            hint=f"Run `dataedge audit {audit.report.dataset.path}` again: answers of the model are reused",
        )
    return dict(audit.sql("select item, near_duplicates from items").fetchall())


def require_same(audit: Audit, source: Path) -> None:
    """Raise AuditError where the files hold other rows than those that were audited."""
    from dataedge.load import READING, load

    effective = audit.report.config.effective
    reading = {name: effective.get(name) for name in (*READING, "limit")}
    if (
        load(str(source), seed=int(effective["seed"]), **reading).fingerprint
        != audit.report.dataset.fingerprint
    ):
        raise AuditError(
            f"{source}: holds other rows than those that were audited",
            hint=f"Run `dataedge audit {source}` again: answers of the model are reused",
            code=ExitCode.NO_CONCLUSION,
        )


def _lost(
    ids: list[list[str]], why: dict[str, list[str]], near: dict[str, int], duplicates: bool
) -> dict[int, list[str]]:
    """0-based row → reasons to leave it out. A row of several passages goes when all of them go.

    Of near duplicates the first row stays that has no other reason to go.
    """
    lost: dict[int, list[str]] = {}
    seen: set[tuple[str, ...]] = set()
    kept: dict[int, str] = {}
    for at, items in enumerate(ids):
        if not items:
            continue
        reasons = list(dict.fromkeys(r for item in items for r in why.get(item, [])))
        if not all(item in why for item in items):
            reasons = []
        if duplicates and tuple(items) in seen:
            reasons = ["duplicates", *reasons]
        seen.add(tuple(items))
        groups = [near[item] for item in items if item in near]
        if not reasons and len(groups) == len(items):
            if all(kept.get(g, item) != item for g, item in zip(groups, items, strict=True)):
                reasons = ["near-duplicates"]
            else:
                for g, item in zip(groups, items, strict=True):
                    kept.setdefault(g, item)
        if reasons:
            lost[at] = reasons
    return lost


def _empty(table: Table, lost: dict[int, list[str]]) -> tuple[str, ...]:
    """Files or splits of which nothing is left."""
    names, start = [], 0
    for part in table.parts:
        if all(at in lost for at in range(start, start + part.rows)):
            names.append(part.name)
        start += part.rows
    return tuple(names)


def _given(table: Table, ids: list[list[str]], new: dict[int, str]) -> list[dict[str, Any]]:
    places = {at: table.place(at) for at in new}
    return [
        {"file": places[at][0], "row": places[at][1], "item": ids[at][0], "label": label}
        for at, label in new.items()
    ]


def _manifest(
    audit: Audit, found: Cleaned, table: Table, ids: list[list[str]], lost: dict[int, list[str]]
) -> dict[str, Any]:
    places = {at: table.place(at) for at in lost}
    return {
        "made_by": f"dataedge {audit.report.tool.version}",
        "source": audit.report.dataset.path,
        "fingerprint": audit.report.dataset.fingerprint,
        "run": audit.report.run,
        "rows": found.rows,
        "rows_left_out": found.rows_left_out,
        "left_out": found.left_out,
        "not_audited": found.not_audited,
        "note": "Suspects are left out on both sides of the split: the items that are left are easier, so "
        "compare the two audits on the items that both have."
        if "suspects" in found.left_out
        else "",
        "each": [
            {"file": places[at][0], "row": places[at][1], "items": ids[at], "reasons": reasons}
            for at, reasons in lost.items()
        ],
    }
