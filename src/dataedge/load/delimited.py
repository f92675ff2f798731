"""csv and tsv → columns of text, through DuckDB."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

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
from dataedge.load.naming import KNOWN
from dataedge.load.table import Unread

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

DELIMITERS = ",;\t|"
"""Those that are known, the likeliest first."""


def read_csv(path: Path, name: str) -> Read:
    """Reads a csv or tsv file; every column is text, so that a label '007' stays what it is.

    Args:
        path: of a file that is valid UTF-8.
        name: for messages.

    Raises:
        AuditError: for a file without a header, or one that DuckDB cannot read.
    """
    import duckdb

    delimiter, header = header_of(path, name)
    longest = max(2 * MIB, min(path.stat().st_size + 1024, 256 * MIB))
    query = _query(len(header), longest, "ignore_errors=true, store_rejects=true")
    rejects = """
        SELECT line, min(error_message), max(len(string_split(coalesce(csv_line, ''), chr(10))))
        FROM reject_errors GROUP BY line ORDER BY line"""
    file = path.resolve()
    with connect(file) as db:
        try:
            data = db.sql(query, params=[literal(file), delimiter]).to_arrow_table()
            bad = db.execute(rejects).fetchall()
        except duckdb.Error as error:
            raise AuditError(
                f"{name} cannot be read as csv: {first_line(error)}",
                f"Export it again with quoted fields; `dataedge plan {name}` checks it",
            ) from error
    data = data.rename_columns(header)
    if not bad:
        _require_names(data, name)
        return data, []
    line, why, _ = bad[0]
    problem = f"{name}, line {line}: {why.rstrip('.')}"
    if (lost := sum(lines for *_, lines in bad)) > data.num_rows:
        raise AuditError(
            f"{problem}; in all {lost:,} lines cannot be read, and only {data.num_rows:,} can",
            f"Close the quote there, or export again with quoted fields; `dataedge plan {name}` checks it",
        )
    return data, [Unread(f"{problem}; {left_out(len(bad))}")]


def read_alike(paths: Sequence[Path], delimiter: str, header: Sequence[str]) -> list[pa.Table]:
    """Small files with the same header at once, each as `read_csv` reads it.

    Args:
        paths: of files that are valid UTF-8.
        delimiter: of all.
        header: names of columns, one of which is known for what it holds.

    Returns:
        A table per file; none at all where a line of any of them cannot be read.
    """
    import duckdb

    files = [path.resolve() for path in paths]
    names = {str(file): number for number, file in enumerate(files)}
    if not {column.strip().lower() for column in header} & KNOWN or len(names) < len(files):
        return []
    with connect(*files) as db:
        try:
            query = _query(len(header), 2 * MIB, "filename=true")
            data = db.sql(query, params=[[literal(f) for f in files], delimiter]).to_arrow_table()
        except duckdb.Error:
            return []
    own = [names.get(name, -1) for name in data.column("filename").to_pylist()]
    rows = Counter(own)
    if own != sorted(own) or len(rows) < len(files) or -1 in rows:
        return []
    data = data.drop_columns(["filename"]).rename_columns(list(header)).combine_chunks()
    starts = accumulate((rows[number] for number in range(len(files))), initial=0)
    return [data.slice(start, rows[i]) for i, start in zip(range(len(files)), starts, strict=False)]


def _query(columns: int, longest: int, more: str) -> str:
    """Reads a file, or a list of them, whose dialect is known."""
    typed = ", ".join(f"c{i}: 'VARCHAR'" for i in range(columns))
    return f"""
        SELECT * FROM read_csv(?, auto_detect=false, header=true, columns={{{typed}}},
            delim=?, quote='"', escape='"', max_line_size={longest}, hive_partitioning=false, {more})"""


def dialect_of(path: Path) -> str:
    """The delimiter of a csv or tsv file, as it is read."""
    return header_of(path, path.name)[0]


def _require_names(data: pa.Table, name: str) -> None:
    """Raises where the first line is a row: no name is known, and one stands among its values."""
    if {column.strip().lower() for column in data.column_names} & KNOWN:
        return
    for column in data.column_names:
        if column in data.column(column).to_pylist():
            raise AuditError(
                f"{name}, line 1: reads like a row, not like column names: '{column}' is also a "
                "value of its column",
                f"Put the columns' names into the first line; `dataedge plan {name}` shows how they are read",
            )


def header_of(path: Path, name: str) -> tuple[str, list[str]]:
    """Delimiter and unique column names, from the first record."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        unquoted = "".join(file.readline().split('"')[::2])
        delimiter = max(DELIMITERS, key=unquoted.count)
        if path.suffix.lower() == ".tsv":
            delimiter = "\t"
        if not unquoted.count(delimiter):
            delimiter = "\x1f"  # one column: whatever stands in a line belongs to it
        file.seek(0)
        try:
            record = next(csv.reader(file, delimiter=delimiter), [])
        except csv.Error:
            record = []
    require_few_columns(len(record), name)
    header: list[str] = []
    for i, raw in enumerate(record, 1):
        column = raw.strip() or f"column_{i}"
        header.append(column if column not in header else f"{column}_{i}")
    if not header:
        raise AuditError(
            f"{name}, line 1: no header with column names",
            f"Put the columns' names into the first line; `dataedge plan {name}` shows how they are read",
        )
    return delimiter, header
