"""A copy of the dataset without what the audit found wrong, in the dataset's own format."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from shutil import copy2
from typing import TYPE_CHECKING, Any, Final

from dataedge.errors import AuditError, ExitCode
from dataedge.files import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.finished_audit import Audit
    from dataedge.load.table import Table

MANIFEST: Final = "manifest.json"
OWN_FILES: Final = ("dataedge.toml",)
"""Beside the data, for the copy to be read as the original is."""
FOUND: Final = {
    "suspects": "suspect",
    "defects": "defects is not null and defects != ''",
    "near-duplicates": 'item not in (select arg_min(item, "row") from items group by cluster)',
}
"""Reason → which items it leaves out, as a condition on items and findings."""
REASONS: Final = ("duplicates", *FOUND)
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
    """

    out: Path
    rows: int
    left_out: dict[str, int]
    rows_left_out: int

    @property
    def sentence(self) -> str:
        """What was written, and what was left out."""
        parts = ", ".join(f"{n:,} {reason}" for reason, n in self.left_out.items() if n)
        kept = self.rows - self.rows_left_out
        return (
            f"{kept:,} of {self.rows:,} rows written to {self.out}; left out {parts or 'nothing'}. "
            f"Which and why: {self.out / MANIFEST}"
        )


def clean(audit: Audit, out: str | Path, without: Sequence[str] = DEFAULT) -> Cleaned:
    """Write a copy of the data that was audited without some of its rows, in its own format.

    The original is not touched. `manifest.json` beside the copy says which rows are missing, and why.

    Args:
        audit: finished, of files that are still as they were.
        out: folder for the copy; new or empty.
        without: what to leave out: duplicates, suspects, defects, near-duplicates.

    Raises:
        AuditError: there is no such reason; the data was no file, or has changed; the folder is in use.
    """
    out, unknown = Path(out), [r for r in without if r not in REASONS]
    if unknown or not without:
        raise AuditError(
            f"--without {', '.join(unknown) or 'nothing'}: no reason to leave out rows",
            hint=f"Choose of --without {','.join(REASONS)}",
        )
    source = _source(audit)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise AuditError(
            f"--out {out}: is in use, and nothing is overwritten",
            hint="Name a folder that is new or empty: --out DIR",
        )
    from dataedge.load import items_of_rows

    table, ids = items_of_rows(str(source), audit.report.config.effective)
    why = _why(audit, without)
    _require_same(audit, source, ids)
    lost = _lost(ids, why, "duplicates" in without)
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write(source, table, lost, out)
        for name in OWN_FILES:
            beside = (source if source.is_dir() else source.parent) / name
            if beside.is_file():
                copy2(beside, out / name)
        found = Cleaned(
            out, len(table), dict(Counter(r for all_ in lost.values() for r in all_)), len(lost)
        )
        write_whole(
            out / MANIFEST, json.dumps(_manifest(audit, found, table, ids, lost), indent=1) + "\n"
        )
    except OSError as error:
        raise AuditError(
            f"{out}: {error.strerror or error}", hint="Name a folder that can be written: --out DIR"
        ) from error
    return found


def _source(audit: Audit) -> Path:
    source = Path(audit.report.dataset.path).expanduser()
    if not source.exists():
        raise AuditError(
            f"{audit.report.dataset.path}: the data that was audited is not here",
            hint="Run `dataedge export` where `dataedge audit` was run; of a DataFrame, leave out the rows "
            "of `audit.items('suspects')` yourself",
        )
    return source


def _why(audit: Audit, reasons: Sequence[str]) -> dict[str, list[str]]:
    """Item → reasons to leave out all of its rows."""
    held = {name for (name,) in audit.sql("select column_name from (describe findings)").fetchall()}
    why: dict[str, list[str]] = {}
    for reason, condition in FOUND.items():
        column = {"suspects": "suspect", "defects": "defects"}.get(reason)
        if reason not in reasons or (column and column not in held):
            continue
        query = (
            f'select item from items join findings using (item) where {condition} order by "row"'
        )
        for (item,) in audit.sql(query).fetchall():
            why.setdefault(item, []).append(reason)
    return why


def _require_same(audit: Audit, source: Path, ids: list[list[str]]) -> None:
    """Raises where the files hold other rows than those that were audited."""
    there = {item for row in ids for item in row}
    known = {item for (item,) in audit.sql("select item from items").fetchall()}
    if known <= there:
        return
    raise AuditError(
        f"{source}: {len(known - there):,} of the items that were audited are no longer in it",
        hint=f"Run `dataedge audit {source}` again: answers of the model are reused",
        code=ExitCode.NO_CONCLUSION,
    )


def _lost(
    ids: list[list[str]], why: dict[str, list[str]], duplicates: bool
) -> dict[int, list[str]]:
    """0-based row → reasons to leave it out. A row of several passages goes when all of them go."""
    lost: dict[int, list[str]] = {}
    seen: set[tuple[str, ...]] = set()
    for at, items in enumerate(ids):
        if not items:
            continue
        found = list(dict.fromkeys(r for item in items for r in why.get(item, [])))
        reasons = found if all(item in why for item in items) else []
        if duplicates and tuple(items) in seen:
            reasons = ["duplicates", *reasons]
        seen.add(tuple(items))
        if reasons:
            lost[at] = reasons
    return lost


def _write(source: Path, table: Table, lost: dict[int, list[str]], out: Path) -> None:
    saved = [
        name for name in ("dataset_dict.json", "dataset_info.json") if (source / name).exists()
    ]
    if saved:
        _write_saved(source, table, lost, out)
        return
    from dataedge.load.written import write_rows

    start = 0
    for part in table.parts:
        path = source / Path(part.name).name if source.is_dir() else source
        keep = [at for at in range(part.rows) if start + at not in lost]
        write_rows(path, keep, part.rows, out / path.name)
        start += part.rows


def _write_saved(source: Path, table: Table, lost: dict[int, list[str]], out: Path) -> None:
    """A folder that the datasets library saved, saved again."""
    import datasets

    found: Any = datasets.load_from_disk(str(source))
    several = isinstance(found, datasets.DatasetDict)
    kept, start = {}, 0
    for part in table.parts:
        name = part.name.rpartition("[")[2].rstrip("]") if several else ""
        one = found[name] if several else found
        kept[name] = one.select([at for at in range(part.rows) if start + at not in lost])
        start += part.rows
    whole = datasets.DatasetDict(kept) if several else kept[""]
    whole.save_to_disk(str(out))


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
        "note": "Suspects are left out on both sides of the split: the items that are left are easier, so "
        "compare the two audits on the items that both have.",
        "each": [
            {"file": places[at][0], "row": places[at][1], "items": ids[at], "reasons": reasons}
            for at, reasons in lost.items()
        ],
    }
