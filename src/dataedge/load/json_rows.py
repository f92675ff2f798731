"""json and jsonl → columns of JSON texts, through DuckDB; values of mixed types survive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dataedge.errors import AuditError
from dataedge.load.duck import (
    MIB,
    Read,
    connect,
    first_line,
    left_out,
    literal,
    require_few_columns,
)
from dataedge.load.table import JSON_CELLS, Unread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_OBJECTS = "FROM rows WHERE json_type(json) = 'OBJECT'"


def read_jsonl(path: Path, name: str) -> Read:
    """Reads newline-delimited objects; a line that is none is left out and noted."""
    with path.open("rb") as file:
        marked = file.read(3) == b"\xef\xbb\xbf"  # DuckDB takes a mark for a broken first line
    return _read(path, name, "unstructured" if marked else "newline_delimited")


def read_json(path: Path, name: str) -> Read:
    """Reads a list of objects, objects one after the other, or one object around a list.

    Raises:
        AuditError: for malformed JSON (with the place), or an object with several lists.
    """
    return _read(path, name, "array" if _starts_with_list(path) else "unstructured")


def _read(path: Path, name: str, layout: str) -> Read:
    import duckdb

    lines = layout == "newline_delimited"
    largest = max(16 * MIB, min(path.stat().st_size + 1024, (1 << 32) - 1))
    query = f"""
        CREATE TABLE rows AS SELECT json, row_number() OVER () AS i
        FROM read_json_objects(?, format='{layout}', maximum_object_size={largest},
            ignore_errors={str(lines).lower()})"""
    file = path.resolve()
    with connect(file) as db:
        try:
            db.execute(query, [literal(file)])
            if path.suffix.lower() == ".json":
                _unwrap(db, name)
            notes = _not_objects(db, name)
            return _columns(db, name), notes
        except duckdb.Error as error:
            raise AuditError(
                f"{name} cannot be read as JSON: {first_line(error)}",
                f"Fix the file at that position, or export it again; `dataedge plan {name}` checks it",
            ) from error


def _starts_with_list(path: Path) -> bool:
    head = ""
    with path.open(encoding="utf-8-sig") as file:
        while not head.strip() and (head := file.read(4096)):
            pass
    return head.lstrip().startswith("[")


def _pointer(key: str) -> str:
    """RFC 6901 pointer to a key."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _unwrap(db: Any, name: str) -> None:
    """An object whose one list-of-objects value is the data: that list becomes the rows."""
    if db.execute("SELECT count(*) FROM rows").fetchone()[0] != 1:
        return
    (keys,) = db.execute("SELECT json_keys(json) FROM rows").fetchone()
    kind = "SELECT json_type(json, ?) = 'ARRAY' AND json_type(json, ?) = 'OBJECT' FROM rows"
    lists = [
        key
        for key in keys or []
        if db.execute(kind, [_pointer(key), f"{_pointer(key)}/0"]).fetchone()[0]
    ]
    if len(lists) > 1:
        raise AuditError(
            f"{name}: an object with {len(lists)} lists of rows ({', '.join(lists)})",
            "Save each list to a file of its own and name one: `dataedge audit FILE`",
        )
    if lists:
        rows = "SELECT unnest(from_json(json->?, '[\"JSON\"]')) AS json FROM rows"
        db.execute(f"CREATE TABLE inner_rows AS {rows}", [_pointer(lists[0])])
        numbered = "SELECT json, row_number() OVER () AS i FROM inner_rows"
        db.execute(f"CREATE OR REPLACE TABLE rows AS {numbered}")


def _not_objects(db: Any, name: str) -> list[str]:
    count, first = db.execute(
        "SELECT count(*), min(i) FROM rows WHERE coalesce(json_type(json), '') <> 'OBJECT'"
    ).fetchone()
    return [Unread(f"{name}, row {first}: no JSON object; {left_out(count)}")] if count else []


def _columns(db: Any, name: str) -> pa.Table:
    """One column per key, in order of first appearance."""
    groups = db.execute(
        f"SELECT json_keys(json), min(i) AS first {_OBJECTS} GROUP BY 1 ORDER BY first"
    ).fetchall()
    keys = list(dict.fromkeys(key for group, _ in groups for key in group))
    if not keys:
        return pa.table({})
    require_few_columns(len(keys), name)
    return _cells(db, keys, f"{_OBJECTS} ORDER BY i")


def cells_of(objects: Sequence[str], keys: Sequence[str]) -> pa.Table:
    """Objects that are known to be some → one column per key, as their files would be read one by one.

    Args:
        objects: shape (n,), JSON texts.
        keys: of each of them.
    """
    import duckdb

    with duckdb.connect(":memory:") as db:
        db.register("texts", pa.table({"json": list(objects), "i": range(len(objects))}))
        db.execute("CREATE TABLE rows AS SELECT json::JSON AS json, i FROM texts")
        return _cells(db, keys, "FROM rows ORDER BY i")


def _cells(db: Any, keys: Sequence[str], rows: str) -> pa.Table:
    cells = ", ".join(f"(json->?)::VARCHAR AS c{i}" for i in range(len(keys)))
    data = db.sql(f"SELECT {cells} {rows}", params=[_pointer(key) for key in keys]).to_arrow_table()
    schema = pa.schema([pa.field(key, pa.string(), metadata=JSON_CELLS) for key in keys])
    return pa.Table.from_arrays([c.cast(pa.string()) for c in data.columns], schema=schema)
