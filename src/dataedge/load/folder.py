"""A path → its data: which files of a folder are the dataset, and which are left out."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from dataedge.errors import AuditError
from dataedge.load.formats import BY_SUFFIX, FORMATS, read_file
from dataedge.load.saved import read_saved
from dataedge.load.split_names import SPLIT_ORDER, file_split
from dataedge.load.table import concat

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dataedge.load.table import Table

_NO_DATA = ("readme", "license", "licence", "source", "changelog", "manifest")


def read_path(path: Path, name: str) -> Table:
    """Reads a file, a folder of files, or a folder saved by the datasets library.

    Args:
        path: what exists there decides.
        name: the path as the user gave it.

    Raises:
        AuditError: for a missing path, a folder without data, files that do not go together.
    """
    if not path.exists():
        raise _missing(path, name)
    if not path.is_dir():
        return read_file(path, name)
    if (path / "dataset_dict.json").exists() or (path / "dataset_info.json").exists():
        return read_saved(path, name)
    return _read_folder(path, name)


def _read_folder(path: Path, name: str) -> Table:
    files = sorted(
        p
        for p in path.iterdir()
        if p.is_file()
        and p.suffix.lower() in BY_SUFFIX
        and not p.name.startswith(".")
        and not p.name.lower().startswith(_NO_DATA)
    )
    if not files:
        raise _no_data(path, name)
    chosen = _choose(files)
    tables = [
        read_file(p, f"{name.rstrip('/')}/{p.name}", split)
        for split, p in sorted(chosen, key=lambda pair: (_rank(pair[0]), pair[1].name))
    ]
    hint = f"Name one file instead of the folder: `dataedge audit {tables[0].name}`"
    table = concat(tables, name, hint)
    used = {p for _, p in chosen}
    if left := [p.name for p in files if p not in used]:
        read = ", ".join(sorted(p.name for p in used))
        table = replace(
            table, notes=(*table.notes, f"{name}: left out {', '.join(left)} (read: {read})")
        )
    return table


def _choose(files: Sequence[Path]) -> list[tuple[str | None, Path]]:
    """The files that are the dataset: those named by split, or else one format's."""
    named = [(split, p) for p in files if (split := file_split(p.stem))]
    pool = (
        named
        if len(named) == len(files) or any(s == "train" for s, _ in named)
        else [(None, p) for p in files]
    )
    anchor = [p for s, p in pool if s == "train"] or [p for _, p in pool]
    best = min((BY_SUFFIX[p.suffix.lower()] for p in anchor), key=FORMATS.index)
    return [(s, p) for s, p in pool if BY_SUFFIX[p.suffix.lower()] is best]


def _rank(split: str | None) -> int:
    return SPLIT_ORDER.index(split) if split in SPLIT_ORDER else -1


def _no_data(path: Path, name: str) -> AuditError:
    there = sorted(f"{p.name}/" if p.is_dir() else p.name for p in path.iterdir())
    listing = ", ".join(there[:10]) + (f" and {len(there) - 10} more" if len(there) > 10 else "")
    folders = [entry for entry in there if entry.endswith("/") and not entry.startswith(".")]
    hint = f"Name a data file with `dataedge audit FILE` ({', '.join(sorted(BY_SUFFIX))})"
    if folders:
        hint += f" or a folder with data, such as {name.rstrip('/')}/{folders[0]}"
    return AuditError(
        f"{name}: no data file in this folder (it holds {listing or 'nothing'})", hint
    )


def _missing(path: Path, name: str) -> AuditError:
    parent = path.parent
    while not parent.exists() and parent != parent.parent:
        path, parent = parent, parent.parent
    names = [p.name for p in parent.iterdir()] if parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    hint = (
        f"Did you mean `dataedge audit {parent / near[0]}`?"
        if near
        else f"Check the path with `ls {parent.resolve()}`: it holds no '{path.name}'"
    )
    return AuditError(f"{name}: no such file or folder", hint)
