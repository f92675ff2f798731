"""The files of a dataset written again without some of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from pathlib import Path

    from dataedge.load.table import Table


def write_copy(source: Path, table: Table, lost: Container[int], out: Path) -> None:
    """Write the files of a dataset without some of their rows, as the dataset itself is laid out.

    Args:
        source: file or folder that was read.
        table: its rows, with the values that are to be written.
        lost: 0-based rows to leave out.
        out: folder to write into.

    Raises:
        AuditError: rows of such data cannot be left out, or the copy would not read as the data does.
    """
    from dataedge.load.folder import copy_description, describe
    from dataedge.load.saved import is_saved

    if source.is_dir() and is_saved(source):
        _write_saved(source, table, lost, out)
        return
    from dataedge.load.written import write_rows

    described = describe(source, str(source))
    places = [
        part.name.removeprefix(f"{source}/") if source.is_dir() else source.name
        for part in table.parts
    ]
    if len(set(places)) < len(places):
        raise AuditError(
            f"{source}: a file belongs to two splits, and a copy cannot leave out rows of one of them",
            hint="Name the file: `dataedge audit FILE`, then export again",
        )
    start = 0
    for part, place in zip(table.parts, places, strict=True):
        path = source / place if source.is_dir() else source
        copy = out / place
        keep = [at for at in range(part.rows) if start + at not in lost]
        if keep:
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_rows(path, table.data.slice(start, part.rows), keep, copy)
        start += part.rows
    if described is not None:
        copy_description(source, described, out)
        _require_described(
            source, out, sum(at not in lost for at in range(len(table))), table.names
        )


def _require_described(source: Path, out: Path, rows: int, names: Sequence[str]) -> None:
    """Raises where a copy with its description does not hold the rows that were to be kept."""
    from dataedge.load.folder import read_path

    copy = out if source.is_dir() else out / source.name
    try:
        found = read_path(copy, str(copy))
        same = len(found) == rows and set(found.names) <= set(names)
        reason = f"it holds {len(found):,} rows, not {rows:,}"
    except AuditError as error:
        same, reason = False, error.message.removeprefix(f"{out}/")
    if not same:
        raise AuditError(
            f"{source}: a copy would not read as the data itself does: {reason}",
            hint="Name one file of it: `dataedge audit FILE`, then export again; or choose fewer reasons "
            "of --without",
        )


def _write_saved(source: Path, table: Table, lost: Container[int], out: Path) -> None:
    """A folder that the datasets library saved, saved again."""
    import datasets

    found: Any = datasets.load_from_disk(str(source))
    several = isinstance(found, datasets.DatasetDict)
    kept, start = {}, 0
    for part in table.parts:
        name = part.name.rpartition("[")[2].rstrip("]") if several else ""
        keep = [at for at in range(part.rows) if start + at not in lost]
        if keep:
            kept[name] = (found[name] if several else found).select(keep)
        start += part.rows
    whole = datasets.DatasetDict(kept) if several else kept[""]
    whole.save_to_disk(str(out))
