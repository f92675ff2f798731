"""DuckDB as the reader of a file: in memory, no extensions, no other file, nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    Read = tuple[pa.Table, list[str]]
else:
    Read = tuple

MIB = 1 << 20


def connect(path: Path) -> Any:
    """A connection to nothing on disk that can read one file and reach nothing else.

    Args:
        path: the file, its links followed.
    """
    import duckdb

    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
    }
    db = duckdb.connect(":memory:", config=config)
    db.execute("set allowed_paths = ?", [[str(path), literal(path)]])
    db.execute("set enable_external_access = false")
    db.execute("set lock_configuration = true")
    return db


def literal(path: Path) -> str:
    """The path with glob characters taken literally.

    Example:
        >>> from pathlib import PurePosixPath
        >>> literal(PurePosixPath("a[1].csv"))
        'a[[]1].csv'
    """
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))


def first_line(error: Exception) -> str:
    """What a library's error says, without its kind and its stack."""
    line = str(error).split("\n", maxsplit=1)[0]
    return line.split("Error: ", 1)[-1].strip().rstrip(".")


def left_out(n: int) -> str:
    """End of a note on rows that could not be read."""
    return "1 such row left out" if n == 1 else f"{n:,} such rows left out"
