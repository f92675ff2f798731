"""Some of a file's rows, in a file of the same format: what `formats` read, the other way."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    Keep = Collection[int]


def write_rows(path: Path, keep: Keep, rows: int, out: Path) -> None:
    """Write some rows of a data file.

    Values stay as they are; lines of a json lines file stay as they are to the byte.

    Args:
        path: the file.
        keep: 0-based rows to keep, counted as they are read.
        rows: how many were read.
        out: the file to write, of the same ending.

    Raises:
        AuditError: rows of such a file cannot be taken apart, or it has changed since.
    """
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise AuditError(
            f"{path}: a copy of a '{path.suffix}' file cannot leave out rows",
            hint=f"Convert it to one of {', '.join(sorted(_WRITERS))}, then run `dataedge audit FILE`",
        )
    found = writer(path, frozenset(keep), out)
    if found != rows:
        raise AuditError(
            f"{path}: {found:,} rows where {rows:,} were read; the copy would mix them up",
            hint="Fix the lines that `dataedge plan` says it left out, then run `dataedge audit` again",
        )


def _csv(path: Path, keep: frozenset[int], out: Path) -> int:
    from dataedge.load.delimited import dialect_of

    delimiter = dialect_of(path)
    csv.field_size_limit(2**31 - 1)
    with (
        path.open(encoding="utf-8-sig", newline="") as source,
        out.open("w", encoding="utf-8", newline="") as target,
    ):
        records, writer = (
            csv.reader(source, delimiter=delimiter),
            csv.writer(target, delimiter=delimiter),
        )
        writer.writerow(next(records))
        count = 0
        for record in records:
            if not record:
                continue
            if count in keep:
                writer.writerow(record)
            count += 1
    return count


def _jsonl(path: Path, keep: frozenset[int], out: Path) -> int:
    count = 0
    with path.open("rb") as source, out.open("wb") as target:
        for line in source:
            if not _is_object(line):
                continue
            if count in keep:
                target.write(line if line.endswith(b"\n") else line + b"\n")
            count += 1
    return count


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line.decode("utf-8-sig")), dict)
    except ValueError:
        return False


def _json(path: Path, keep: frozenset[int], out: Path) -> int:
    text = path.read_text(encoding="utf-8-sig")
    whole = _one_after_the_other(text)
    rows, place = whole, None
    if len(whole) == 1 and isinstance(whole[0], list):
        rows, place = whole[0], "list"
    elif len(whole) == 1:
        lists = [
            k for k, v in whole[0].items() if isinstance(v, list) and v and isinstance(v[0], dict)
        ]
        if lists:
            rows, place = whole[0][lists[0]], lists[0]
    objects = [row for row in rows if isinstance(row, dict)]
    kept = [row for at, row in enumerate(objects) if at in keep]
    if place == "list":
        shaped: Any = kept
    elif place is None:
        out.write_text("".join(_dumped(row) + "\n" for row in kept), encoding="utf-8")
        return len(objects)
    else:
        shaped = {**whole[0], place: kept}
    out.write_text(_dumped(shaped, indent=1) + "\n", encoding="utf-8")
    return len(objects)


def _dumped(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _one_after_the_other(text: str) -> list[Any]:
    """The values of a text that holds JSON values one after the other."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found


def _parquet(path: Path, keep: frozenset[int], out: Path) -> int:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    pq.write_table(table.take(sorted(keep)), out)
    return int(table.num_rows)


def _arrow(path: Path, keep: frozenset[int], out: Path) -> int:
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        try:
            reader, stream = pa.ipc.open_file(source), False
        except pa.ArrowInvalid:
            reader, stream = pa.ipc.open_stream(source), True
        table = reader.read_all()
        kept = table.take(sorted(keep))
        opened = pa.ipc.new_stream if stream else pa.ipc.new_file
        with opened(str(out), table.schema) as writer:
            writer.write_table(kept)
    return int(table.num_rows)


_WRITERS: dict[str, Callable[[Path, frozenset[int], Path], int]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".feather": _arrow,
}
