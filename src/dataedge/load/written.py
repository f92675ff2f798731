"""Some of a file's rows, in a file of the same format: what `formats` read, the other way.

Rows are written from what was read, not from the file, and the copy is read again: it holds the rows that
were to be kept, as the audit reads them, or there is no copy.
"""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from dataedge.errors import AuditError
from dataedge.load.delimited import DELIMITERS, dialect_of
from dataedge.load.formats import read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path


def write_rows(path: Path, data: pa.Table, keep: Sequence[int], out: Path) -> None:
    """Write some rows of a data file.

    Args:
        path: the file.
        data: its rows as they were read.
        keep: 0-based rows to keep, in order, at least one.
        out: the file to write, of the same ending.

    Raises:
        AuditError: rows of such a file cannot be taken apart, or what was written reads otherwise.
        OSError: it cannot be written.
    """
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise AuditError(
            f"{path}: a copy of a '{path.suffix}' file cannot leave out rows",
            hint=f"Convert it to one of {', '.join(sorted(_WRITERS))}, then run `dataedge audit FILE`",
        )
    kept = data.take(pa.array(keep, pa.int64()))
    writer(path, kept, keep, out)
    again = read_file(out, str(out)).data
    if list(_rows(again, data.column_names)) != list(_rows(kept, data.column_names)):
        raise AuditError(
            f"{path}: a copy of it would not read as the file itself does",
            hint="Convert it to jsonl or parquet, then run `dataedge audit FILE` and export again",
        )


def _rows(data: pa.Table, names: Sequence[str]) -> Iterable[tuple[object, ...]]:
    """Rows as the reader of items takes them: an empty cell is none, and so is a column without cells."""
    there = set(data.column_names)
    empty = [None] * data.num_rows
    columns = [data.column(n).to_pylist() if n in there else empty for n in names]
    return zip(*([_plain(v) for v in column] for column in columns), strict=True)


def _plain(value: Any) -> Any:
    if value in ("", "null") if isinstance(value, str) else value != value:
        return None
    return value


def _csv(path: Path, kept: pa.Table, _: Sequence[int], out: Path) -> None:
    delimiter = dialect_of(path)
    with path.open("rb") as file:
        ending = "\r\n" if file.readline().endswith(b"\r\n") else "\n"
    with out.open("w", encoding="utf-8", newline="") as target:
        # a name with a delimiter in it is quoted, or another delimiter would be guessed
        odd = any(c in name for name in kept.column_names for c in DELIMITERS)
        header = csv.writer(
            target,
            delimiter=delimiter,
            quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL,
            lineterminator=ending,
        )
        header.writerow(kept.column_names)
        rows = csv.writer(target, delimiter=delimiter, lineterminator=ending)
        rows.writerows(zip(*(c.to_pylist() for c in kept.columns), strict=True))


def _objects(kept: pa.Table) -> list[str]:
    """Each row as a JSON text; values as they were written."""
    columns = [
        (json.dumps(name, ensure_ascii=False), kept.column(name).to_pylist())
        for name in kept.column_names
    ]
    return [
        "{"
        + ", ".join(f"{key}: {cells[at]}" for key, cells in columns if cells[at] is not None)
        + "}"
        for at in range(kept.num_rows)
    ]


def _jsonl(_: Path, kept: pa.Table, __: Sequence[int], out: Path) -> None:
    lines = (" ".join(text.splitlines()) + "\n" for text in _objects(kept))
    out.write_text("".join(lines), encoding="utf-8")


def _json(path: Path, kept: pa.Table, _: Sequence[int], out: Path) -> None:
    rows = "[\n" + ",\n".join(_objects(kept)) + "\n]"
    whole = _around(path)
    if whole is None:
        out.write_text(rows + "\n", encoding="utf-8")
        return
    parts = [
        f"{json.dumps(key, ensure_ascii=False)}: "
        + (rows if held is _HERE else json.dumps(held, ensure_ascii=False))
        for key, held in whole.items()
    ]
    out.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


_HERE: Final = object()


def _around(path: Path) -> dict[str, Any] | None:
    """The object around the list of rows, the list itself marked; None where there is none."""
    try:
        whole = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError:
        return None
    if not isinstance(whole, dict):
        return None
    lists = [k for k, v in whole.items() if isinstance(v, list) and v and isinstance(v[0], dict)]
    return {**whole, lists[0]: _HERE} if len(lists) == 1 else None


def _parquet(path: Path, _: pa.Table, keep: Sequence[int], out: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(pq.read_table(path).take(pa.array(keep, pa.int64())), out)


def _arrow(path: Path, _: pa.Table, keep: Sequence[int], out: Path) -> None:
    with path.open("rb") as file:
        as_file = file.read(6) == b"ARROW1"
    opened, made = (
        (pa.ipc.open_file, pa.ipc.new_file) if as_file else (pa.ipc.open_stream, pa.ipc.new_stream)
    )
    with pa.memory_map(str(path)) as source:
        table = opened(source).read_all()
        with made(str(out), table.schema) as writer:
            writer.write_table(table.take(pa.array(keep, pa.int64())))


_WRITERS: dict[str, Callable[[Path, pa.Table, Sequence[int], Path], None]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
}
