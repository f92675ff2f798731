"""One file → one table. DuckDB and Arrow read; nothing in a dataset is ever executed."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from dataedge.errors import AuditError
from dataedge.load.delimited import read_csv
from dataedge.load.duck import (
    MIB,
    Read,
    connect,
    first_line,
    literal,
    require_few_columns,
    unpacked,
)
from dataedge.load.json_rows import read_json, read_jsonl
from dataedge.load.passages import passages
from dataedge.load.table import Table, class_names, listing, single, with_class_names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ANOTHER = "Name a file with data in it: `dataedge audit FILE`"


def read_file(path: Path, name: str, split: str | None = None) -> Table:
    """Reads one data file.

    Args:
        path: of the file.
        name: as messages and notes shall call it.
        split: the split that the file's name speaks of.

    Raises:
        AuditError: for an unknown format, an empty file, a broken one, or one that is not UTF-8.
    """
    found = BY_SUFFIX.get(path.suffix.lower())
    if found is None:
        raise AuditError(
            f"{name}: files that end in '{path.suffix}' cannot be read"
            if path.suffix
            else f"{name}: the file name has no extension (such as .csv), so its format is unknown",
            f"Convert it to one of {', '.join(sorted(BY_SUFFIX))}, then run `dataedge audit FILE`",
        )
    try:
        if path.stat().st_size == 0:
            raise AuditError(f"{name} is empty", ANOTHER)
        if found.is_text:
            _check_utf8(path, name)
        data, notes = found.read(path, name)
    except OSError as error:
        raise AuditError(
            f"{name} cannot be read: {error.strerror or error}",
            f"Check the file and its permissions with `ls -l {path}`",
        ) from error
    if data.num_rows == 0:
        why = f" that can be read ({notes[0]})" if notes else ""
        raise AuditError(
            f"{name} is empty: it has no rows{why}",
            ANOTHER,
        )
    twice = [column for column, n in Counter(data.column_names).items() if n > 1]
    if twice:
        raise AuditError(
            f"{name}: {listing(twice)}: several columns have this name",
            "Rename all but one in the file, then run `dataedge audit FILE`",
        )
    table = single(data, name, split=split, prose=found.is_prose, notes=notes)
    return with_class_names(table, _class_names(data.schema))


def _check_utf8(path: Path, name: str) -> None:
    """Read in pieces: a line may be as long as the file."""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    line = 1
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise AuditError(
                f"{name}, line 1: the file is UTF-16, not UTF-8",
                f"Convert it: `iconv -f utf-16 -t utf-8 {name} > converted{path.suffix}`",
            )
        file.seek(0)
        while True:
            piece = file.read(MIB)
            try:
                decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                line += error.object[: error.start].count(b"\n")
                byte = error.object[error.start]
                raise AuditError(
                    f"{name}, line {line}: byte 0x{byte:02x} is not valid UTF-8",
                    f"Convert it: `iconv -f latin1 -t utf-8 {name} > converted{path.suffix}`",
                ) from error
            if not piece:
                return
            line += piece.count(b"\n")


def _read_parquet(path: Path, name: str) -> Read:
    import duckdb

    pairs_query = "SELECT key, value FROM parquet_kv_metadata(?)"
    pattern = literal(file := path.resolve())
    quoted = "'" + pattern.replace("'", "''") + "'"
    with connect(file) as db:
        try:
            # a query with parameters is read whole before its first batch
            query = f"SELECT * FROM read_parquet({quoted}, hive_partitioning=false)"
            reader = db.sql(query).to_arrow_reader(10_000)
            require_few_columns(len(reader.schema), name)
            data = unpacked(reader, reader.schema, path.stat().st_size, name)
            pairs = db.execute(pairs_query, [pattern]).fetchall()
        except duckdb.Error as error:
            raise _broken(name, "parquet", error) from error
    return data.replace_schema_metadata(dict(pairs)), []


def _read_arrow(path: Path, name: str) -> Read:
    """Reads either layout: a file with a footer, or a stream."""
    opener = pa.ipc.open_stream
    with path.open("rb") as file:
        if file.read(6) == b"ARROW1":
            opener = pa.ipc.open_file
    try:
        with pa.memory_map(str(path)) as source:
            data = opener(source).read_all()
        data.validate(full=True)  # offsets and UTF-8 too: what is wrong there could crash later
    except (pa.ArrowException, OSError) as error:
        raise _broken(name, "arrow", error) from error
    return data, []


def _read_text(path: Path, name: str) -> Read:
    """One row per passage."""
    found = passages(path.read_text(encoding="utf-8-sig"))
    if not found:
        raise AuditError(f"{name} is empty", ANOTHER)
    return pa.table({"text": found}), []


def _broken(name: str, kind: str, error: Exception) -> AuditError:
    return AuditError(
        f"{name} cannot be read as {kind}: {first_line(error)}",
        f"It may be cut off: copy or export it again, and check it with `dataedge plan {name}`",
    )


def _class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Class names that the datasets library left in a file's schema."""
    try:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        return class_names(told.get("info", {}).get("features", {}))
    except (ValueError, RecursionError, AttributeError):  # or it is not as the library writes it
        return {}


class Format(NamedTuple):
    """One input format.

    Attributes:
        name: as messages call it.
        suffixes: of its files.
        read: a file's path and name → its columns.
        is_text: its files must be UTF-8.
        is_prose: a row is a passage of running text.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, str], Read]
    is_text: bool = True
    is_prose: bool = False


FORMATS = (
    Format("parquet", (".parquet",), _read_parquet, is_text=False),
    Format("arrow", (".arrow", ".feather"), _read_arrow, is_text=False),
    Format("jsonl", (".jsonl", ".ndjson"), read_jsonl),
    Format("csv", (".csv", ".tsv"), read_csv),
    Format("json", (".json",), read_json),
    Format("text", (".txt", ".md"), _read_text, is_prose=True),
)
"""Every format; where a folder holds several, the first one of these is the dataset."""
BY_SUFFIX: Mapping[str, Format] = {suffix: f for f in FORMATS for suffix in f.suffixes}
"""File suffix, in lower case, → format."""
