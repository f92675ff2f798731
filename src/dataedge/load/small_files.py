"""Many small files, read together: opening a reader for each would take minutes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from dataedge.errors import AuditError
from dataedge.load.delimited import header_of, read_alike
from dataedge.load.json_rows import cells_of
from dataedge.load.table import Table, single

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

MANY = 50
"""Files from which they are read together."""
SMALL = 1 << 16
"""Bytes of such a file at most."""
_SUFFIXES = (".json", ".csv", ".tsv")


class Named(NamedTuple):
    """A file of a folder.

    Attributes:
        path: of the file.
        name: as messages shall call it.
        split: that its name speaks of.
    """

    path: Path
    name: str
    split: str | None


class _Read(NamedTuple):
    """A file and what was seen in it.

    Attributes:
        file: which.
        text: its content.
        columns: keys of its one object, or the header.
        delimiter: of its columns; empty for an object.
    """

    file: Named
    text: str
    columns: tuple[str, ...]
    delimiter: str


def read_small(files: Sequence[Named]) -> dict[Path, Table]:
    """The small files among these that hold one plain object each, or rows under one header.

    They are read as `read_file` reads them one by one. Whatever is else, too large, broken or wrapped
    around a list of rows, is left to `read_file`, which has the sentences for it.
    """
    small = [f for f in files if f.path.suffix.lower() in _SUFFIXES and _is_small(f.path)]
    if len(small) < MANY:
        return {}
    groups: dict[tuple[str, ...], list[_Read]] = {}
    for file in small:
        if (read := _looked_into(file)) is not None:
            groups.setdefault((read.delimiter, *read.columns), []).append(read)
    out: dict[Path, Table] = {}
    for (delimiter, *columns), group in groups.items():
        if len(group) < MANY:
            continue
        if delimiter:
            parts = read_alike([one.file.path for one in group], delimiter, columns)
        else:
            parts = _objects([one.text for one in group], columns)
        for one, part in zip(group, parts, strict=False):
            out[one.file.path] = single(part, one.file.name, split=one.file.split)
    return out


def _objects(texts: Sequence[str], keys: Sequence[str]) -> list[pa.Table]:
    """A row per object; none at all where one of them is no JSON to DuckDB, which `read_file` then names."""
    import duckdb

    try:
        data = cells_of(texts, keys)
    except duckdb.Error:
        return []
    return [data.slice(row, 1) for row in range(len(texts))]


def _is_small(path: Path) -> bool:
    try:
        return 0 < path.stat().st_size <= SMALL
    except OSError:
        return False


def _looked_into(file: Named) -> _Read | None:
    try:
        text = file.path.read_text(encoding="utf-8")
        if file.path.suffix.lower() != ".json":
            delimiter, header = header_of(file.path, file.name)
            return _Read(file, text, tuple(header), delimiter)
        pairs = json.loads(text, object_pairs_hook=_Pairs, parse_constant=_refuse)
    except (OSError, ValueError, RecursionError, AuditError):
        return None
    if not isinstance(pairs, _Pairs):
        return None
    keys = tuple(key for key, _ in pairs)
    rows_inside = any(isinstance(v, list) and v and isinstance(v[0], _Pairs) for _, v in pairs)
    if not keys or rows_inside or len(set(keys)) < len(keys):
        return None
    return _Read(file, text, keys, "")


class _Pairs(list[Any]):
    """Keys and values of an object, as they stand there: keys may be there twice."""


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
