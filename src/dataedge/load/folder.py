"""A path → its data: which files of a folder are the dataset, and which are left out."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING

from dataedge.errors import AuditError
from dataedge.load.dataset_info import describe_file, describe_folder, write_info
from dataedge.load.folder_files import choose_files, data_files, inside
from dataedge.load.formats import BY_SUFFIX, read_file
from dataedge.load.hub_layout import describe_configs, describe_folders, write_card
from dataedge.load.saved import is_saved, read_saved
from dataedge.load.small_files import Named, read_small
from dataedge.load.table import concat, listing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dataedge.load.folder_files import Described
    from dataedge.load.table import Table


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
    described = describe(path, name)
    if described is not None:
        return _read_described(described, path, name)
    if not path.is_dir():
        return read_file(path, name)
    if is_saved(path):
        return read_saved(path, name)
    return _read_folder(path, name)


def describe(path: Path, name: str) -> Described | None:
    """What lies beside data and says which files it is, and what their columns are.

    Args:
        path: a file or folder that exists.
        name: the path as the user gave it.

    Returns:
        What `dataset_info.json` of LLaMA-Factory, README.md or the layout of folders says; None where
        the files of a folder, or the file, speak for themselves.

    Raises:
        AuditError: it cannot be read, or it names no data or several datasets.
    """
    if not path.is_dir():
        return describe_file(path, name)
    if is_saved(path):
        return None
    found = describe_folder(path, name) or describe_configs(path, name)
    return found or (None if data_files(path) else describe_folders(path, name))


def copy_description(source: Path, described: Described, out: Path) -> None:
    """Write what lay beside the data beside a copy of it, for the copy to be read alike.

    Args:
        source: the file or folder that was read.
        described: what was said of it.
        out: folder of the copy; its files have the places that they had in the folder.
    """
    if not described.own:
        return
    if source.is_dir() and "configs" in described.own and described.declared is None:
        write_card(source, described, out)
        return
    files = dict(zip(described.own, (path for _, path in described.files), strict=True))
    named = {
        key: path.relative_to(source).as_posix() if source.is_dir() else path.name
        for key, path in files.items()
    }
    write_info(described, out, named)


def _read_described(described: Described, path: Path, name: str) -> Table:
    if not path.is_dir():
        tables = [read_file(path, name)]
    else:
        files = [
            Named(p, f"{name.rstrip('/')}/{p.relative_to(path).as_posix()}", split)
            for split, named in described.files
            for p in _files(path, named, name)
        ]
        tables = _tables(files)
    hint = f"Name one file instead of the folder: `dataedge audit {tables[0].name}`"
    table = concat(tables, name, hint)
    return replace(
        table,
        notes=(*table.notes, *described.notes),
        declared=described.declared,
        _cache={},
    )


def _files(folder: Path, named: Path, name: str) -> list[Path]:
    """A file, or the files of a folder, that a description names."""
    if not named.is_dir():
        return [named]
    chosen = choose_files(data_files(named))
    if not chosen:
        raise _no_data(named, f"{name.rstrip('/')}/{named.relative_to(folder).as_posix()}")
    return [inside(folder, p.relative_to(folder).as_posix(), name) for _, p in chosen]


def _read_folder(path: Path, name: str) -> Table:
    files = data_files(path)
    if not files:
        raise _no_data(path, name)
    chosen = choose_files(files)
    tables = _tables([Named(p, f"{name.rstrip('/')}/{p.name}", split) for split, p in chosen])
    hint = f"Name one file instead of the folder: `dataedge audit {tables[0].name}`"
    table = concat(tables, name, hint)
    used = {p for _, p in chosen}
    if left := [p.name for p in files if p not in used]:
        read = ", ".join(sorted(p.name for p in used))
        table = replace(
            table, notes=(*table.notes, f"{name}: left out {', '.join(left)} (read: {read})")
        )
    return table


def _tables(files: Sequence[Named]) -> list[Table]:
    """Each file read; many small ones together."""
    together = read_small(files)
    return [together[f.path] if f.path in together else read_file(*f) for f in files]


def _no_data(path: Path, name: str) -> AuditError:
    there = sorted(f"{p.name}/" if p.is_dir() else p.name for p in path.iterdir())
    folders = [entry for entry in there if entry.endswith("/") and not entry.startswith(".")]
    hint = f"Name a data file with `dataedge audit FILE` ({', '.join(sorted(BY_SUFFIX))})"
    if folders:
        hint += f" or a folder with data, such as {name.rstrip('/')}/{folders[0]}"
    return AuditError(
        f"{name}: no data file in this folder (it holds {listing(there) or 'nothing'})", hint
    )


def _missing(path: Path, name: str) -> AuditError:
    parent = path.parent
    while not parent.exists() and parent != parent.parent:
        path, parent = parent, parent.parent
    names = [p.name for p in parent.iterdir()] if parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
    hint = (
        f"Did you mean `dataedge audit {parent / near[0]}`?"
        if near
        else f"Check the path with `ls {parent.resolve()}`: it holds no '{path.name}'"
    )
    return AuditError(f"{name}: no such file or folder", hint)
