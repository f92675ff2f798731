"""Files of a folder: which may be data, and which a description may name."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any, NamedTuple

from dataedge.errors import AuditError
from dataedge.load.formats import BY_SUFFIX, FORMATS
from dataedge.load.split_names import SPLIT_ORDER, file_split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dataedge.load.column_roles import Declared

_NO_DATA = ("readme", "license", "licence", "source", "changelog", "manifest")


class Described(NamedTuple):
    """What a description says of a folder's data.

    Attributes:
        files: split and file, or folder of files, in the order in which rows are counted.
        declared: what it says of the columns.
        notes: sentences about what was left out.
        own: the part of the description that speaks of these files.
    """

    files: list[tuple[str | None, Path]]
    declared: Declared | None
    notes: tuple[str, ...]
    own: Mapping[str, Any]


def is_data_file(path: Path) -> bool:
    """Whether a file of a folder may be data: one of a known format, neither hidden nor a README."""
    return (
        path.is_file()
        and path.suffix.lower() in BY_SUFFIX
        and not path.name.startswith(".")
        and not path.name.lower().startswith(_NO_DATA)
    )


def data_files(folder: Path) -> list[Path]:
    """The files of a folder that may be data, by name."""
    return sorted(p for p in folder.iterdir() if is_data_file(p))


def by_name(path: Path) -> str | None:
    """The split that a file is named by."""
    return file_split(path.stem)


def by_folder(path: Path) -> str | None:
    """The split that a file's folder is named by, as in `train/0000.parquet`."""
    return file_split(path.parent.name)


def choose_files(
    files: Sequence[Path], split_of: Callable[[Path], str | None] = by_name
) -> list[tuple[str | None, Path]]:
    """The files that are the dataset, train first: those named by split, or else one format's.

    Args:
        files: that may be data.
        split_of: what names the split of one.

    Returns:
        Split and file.
    """
    if not files:
        return []
    named = [(split, p) for p in files if (split := split_of(p))]
    pool = (
        named
        if len(named) == len(files) or any(s == "train" for s, _ in named)
        else [(None, p) for p in files]
    )
    anchor = [p for s, p in pool if s == "train"] or [p for _, p in pool]
    best = min((BY_SUFFIX[p.suffix.lower()] for p in anchor), key=FORMATS.index)
    chosen = [(s, p) for s, p in pool if BY_SUFFIX[p.suffix.lower()] is best]
    return sorted(chosen, key=lambda pair: (_rank(pair[0]), pair[1].name))


def _rank(split: str | None) -> int:
    return SPLIT_ORDER.index(split) if split in SPLIT_ORDER else -1


def inside(folder: Path, named: str, where: str) -> Path:
    """The path of a folder that a description names; it need not exist.

    Args:
        folder: that the description lies in.
        named: the path as written there.
        where: the description, for messages.

    Raises:
        AuditError: it is a URL, or leads out of the folder by itself or through a link.
    """
    if "://" in named:
        raise AuditError(
            f"{where}: '{named[:200]}' is a URL, and nothing is downloaded",
            "Download the file and name it: `dataedge audit FILE`",
        )
    windows = PureWindowsPath(named)
    absolute = PurePosixPath(named).is_absolute() or windows.drive or windows.root
    path = folder / named
    if absolute or ".." in windows.parts or "\0" in named or not _stays(folder, path):
        raise AuditError(
            f"{where}: {named[:200]!r} leads out of the folder, and only files in it are read",
            "Copy the file into the folder, or name it: `dataedge audit FILE`",
        )
    return path


def _stays(folder: Path, path: Path) -> bool:
    """Whether a path ends in the folder, links followed; a snapshot of the hub's cache links to its blobs."""
    try:
        target, home = path.resolve(), folder.resolve()
    except (OSError, RuntimeError):  # links in a circle
        return False
    blobs = home.parent.parent / "blobs" if home.parent.name == "snapshots" else home
    return target.is_relative_to(home) or target.is_relative_to(blobs)


def exists(path: Path) -> bool:
    """Whether something is there; no name is too long to ask."""
    try:
        return path.exists()
    except OSError:
        return False
