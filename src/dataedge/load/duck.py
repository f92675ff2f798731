"""DuckDB as the reader of a file: in memory, no extensions, no other file, nothing written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pyarrow as pa

    Read = tuple[pa.Table, list[str]]
else:
    Read = tuple

MIB = 1 << 20
MOST_COLUMNS = 10_000
"""What a table may have; where each row has keys of its own, they are values, not columns."""
LONGEST = 200
"""Characters of an error that are shown."""
UNPACKED, TIMES_ITS_SIZE = 512 * MIB, 100
"""A file that unpacks to more than both, in bytes and in multiples of its size, is one that was made to."""


def connect(*paths: Path) -> Any:
    """A connection to nothing on disk that can read these files and reach nothing else.

    Args:
        paths: of files, their links followed.
    """
    import duckdb

    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "python_enable_replacements": False,
    }
    db = duckdb.connect(":memory:", config=config)
    allowed = [text for path in paths for text in (str(path), literal(path))]
    db.execute("set allowed_paths = ?", [allowed])
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


def require_few_columns(n: int, name: str) -> None:
    """Refuse a table that is too wide to be rows of a dataset.

    Args:
        n: its columns.
        name: of the file.
    """
    if n > MOST_COLUMNS:
        raise AuditError(
            f"{name} has {n:,} columns, and at most {MOST_COLUMNS:,} are read",
            "If keys are values, write them as rows; or keep the columns that count: `dataedge audit FILE`",
        )


def unpacked(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, size: int, name: str
) -> pa.Table:
    """A table from its batches, as long as they are in proportion to the file.

    Args:
        batches: of a few thousand rows each.
        schema: of all.
        size: of the file, bytes.
        name: of the file.

    Raises:
        AuditError: a small file unpacks to a table that fills the memory.
    """
    import pyarrow as pa

    kept, total = [], 0
    for batch in batches:
        kept.append(batch)
        total += batch.nbytes
        if total > max(UNPACKED, TIMES_ITS_SIZE * size):
            raise AuditError(
                f"{name} has {size:,} bytes and unpacks to over {total // MIB:,} MiB",
                "Its rows must repeat: write each once, and name that file: `dataedge audit FILE`",
            )
    return pa.Table.from_batches(kept, schema)


def first_line(error: Exception) -> str:
    """What a library's error says, without its kind and its stack; of a long one the start alone.

    Example:
        >>> first_line(ValueError("Binder Error: no such column."))
        'no such column'
        >>> len(first_line(ValueError("wrong value: " + 70_000 * "a")))
        201
    """
    line = str(error).split("\n", maxsplit=1)[0]
    line = line.split("Error: ", 1)[-1].strip().rstrip(".")
    return line if len(line) <= LONGEST else line[:LONGEST] + "…"


def left_out(n: int) -> str:
    """End of a note on rows that could not be read."""
    return "1 such row left out" if n == 1 else f"{n:,} such rows left out"
