"""DuckDB as the reader of files: in memory, no extensions fetched, nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    Read = tuple[pa.Table, list[str]]
else:
    Read = tuple

MIB = 1 << 20


def connect() -> Any:
    """A connection to nothing on disk."""
    import duckdb

    return duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})


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
