"""A damaged store: what can still be read of it goes into a new one, and the audit goes on from there.

DuckDB keeps a checksum with every block of its file. A block whose bytes were changed, or that was
cut off, is refused when it is read, so that what can be read is what was written.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from dataedge.errors import AuditError, DamagedError, ExitCode
from dataedge.store import FILE, LOCKED, Store, is_damage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAMAGED = ".damaged"
"""Ending of what is kept of a damaged file."""
ROWS = 2048
"""Rows that are read at once: DuckDB's vector, so that where one cannot be read, its neighbours cannot."""


class Saved(NamedTuple):
    """Rows of a store that were taken over, and those that could not be read."""

    kept: int
    lost: int


@contextmanager
def mended(path: Path) -> Iterator[None]:
    """Work on a store; where it turns out to be damaged, a new one takes its place before the error is told.

    Args:
        path: of the store, which is closed when this ends.

    Raises:
        AuditError: the store was damaged.
    """
    try:
        yield
    except (DamagedError, duckdb.Error) as error:
        if not isinstance(error, DamagedError) and not is_damage(error):
            raise
        raise _salvaged(path) from error


def _salvaged(path: Path) -> AuditError:
    """Make a new store of what can be read of a damaged one, and say what came of it.

    Args:
        path: of the store, which is closed.

    Returns:
        What to tell: the same command goes on with the new store. The damaged one stays beside it.
    """
    beside = path.parent / ".salvaging"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        saved = _copy(path, beside)
        _keep_aside(path)
        (beside / FILE).replace(path)
    except duckdb.Error as error:
        if not is_damage(error):
            raise
        return AuditError(
            f"{path} is damaged, and nothing in it can be read",
            hint="Restore it from a copy, or start over with --fresh",
            code=ExitCode.NO_CONCLUSION,
        )
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    total = saved.kept + saved.lost
    return AuditError(
        f"{path} was damaged: {saved.kept:,} of {total:,} stored rows can be read and are kept; the "
        f"damaged file is beside it as {path.name}{DAMAGED}",
        hint="Give the same `dataedge` command again: it goes on, and asks only for what was lost",
        code=ExitCode.NO_CONCLUSION,
    )


def _keep_aside(path: Path) -> None:
    """The damaged file under a second name, so that there is a store at every moment."""
    log = path.with_name(f"{path.name}.wal")
    if log.is_file():
        log.replace(log.with_name(log.name + DAMAGED))
    aside = path.with_name(path.name + DAMAGED)
    aside.unlink(missing_ok=True)
    try:
        os.link(path, aside)
    except OSError:  # a file system without links
        shutil.copyfile(path, aside)


def _copy(path: Path, beside: Path) -> Saved:
    """Every row that can be read, into a new store; of a run all tables or none."""
    tables = "select schema_name, table_name, sql from duckdb_tables() where not temporary"
    kept, lost = 0, 0
    broken: set[str] = set()
    with _reading(path) as old, Store(beside) as new:
        for schema, table, sql in old.execute(tables).fetchall():
            new.con.execute(f'create schema if not exists "{schema}"')
            new.con.execute(sql.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))
            insert = "insert or ignore" if "PRIMARY KEY" in sql else "insert"
            saved = _copy_table(old, new.con, f'"{schema}"."{table}"', insert)
            kept, lost = kept + saved.kept, lost + saved.lost
            if saved.lost and schema != "main":
                broken.add(schema)
        for schema in broken:
            new.con.execute(f'drop schema "{schema}" cascade')
    return Saved(kept, lost)


def _reading(path: Path) -> duckdb.DuckDBPyConnection:
    """A damaged store, opened; without its log where that is what cannot be read."""
    log = path.with_name(f"{path.name}.wal")
    for last in (False, True):
        try:
            return duckdb.connect(str(path), read_only=True, config=dict(LOCKED))
        except duckdb.Error:
            if last or not log.is_file():
                raise
            log.replace(log.with_name(log.name + DAMAGED))
    raise AssertionError


def _copy_table(
    old: duckdb.DuckDBPyConnection, new: duckdb.DuckDBPyConnection, name: str, insert: str
) -> Saved:
    counts = f"select count(*), coalesce(max(rowid), -1) from {name}"
    ((rows, last),) = old.execute(counts).fetchall()
    kept = 0
    for start in range(0, last + 1, ROWS):
        try:
            part = old.sql(
                f"select * from {name} where rowid between {start} and {start + ROWS - 1}"
            ).to_arrow_table()
        except duckdb.Error as error:
            if not is_damage(error):
                raise
            continue
        new.register("incoming", part)
        new.execute(f"{insert} into {name} by name select * from incoming")
        new.unregister("incoming")
        kept += len(part)
    return Saved(kept, rows - kept)
