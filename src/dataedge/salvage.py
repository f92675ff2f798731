"""A damaged store: what can still be read of it goes into a new one, and the audit goes on from there.

DuckDB keeps a checksum with every block of its file and every entry of its log. What was changed or cut
off is refused when it is read, so that what can be read is what was written. All work is on copies; the
new store takes the damaged one's place once it is whole, and the damaged one stays beside it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from dataedge import runs
from dataedge.errors import AuditError, DamagedError, ExitCode
from dataedge.store import FILE, LOCKED, Store, is_damage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAMAGED = ".damaged"
"""Ending of what is kept of a damaged file."""
WORKPLACE = ".salvaging"
"""Folder in the audit's directory; what a salvage that was killed left there may go."""
LOG = ".wal"
"""Ending of DuckDB's write-ahead log."""
ROWS = 2048
"""Rows that are read at once: DuckDB's vector, so that where one cannot be read, its neighbours cannot."""


class Saved(NamedTuple):
    """Rows of a store that were taken over, those that were not, and whether all of its log was read."""

    kept: int
    lost: int
    whole_log: bool


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
    workplace = path.parent / WORKPLACE
    shutil.rmtree(workplace, ignore_errors=True)
    try:
        copied = _copied(path, workplace)
        saved = _taken_over(copied, workplace / "new")
        aside = _swapped(path, workplace / "new" / FILE)
    except duckdb.Error as error:
        if not is_damage(error):
            raise
        return AuditError(
            f"{path} is damaged, and nothing in it can be read",
            hint="Restore it from a copy, or start over with --fresh",
            code=ExitCode.NO_CONCLUSION,
        )
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    log = "" if saved.whole_log else ", the end of its log not among them"
    return AuditError(
        f"{path} was damaged: {saved.kept:,} of {saved.kept + saved.lost:,} stored rows can be read and are "
        f"kept{log}; the damaged file is beside it as {aside.name}",
        hint="Give the same `dataedge` command again: it goes on, and asks only for what was lost",
        code=ExitCode.NO_CONCLUSION,
    )


def _copied(path: Path, workplace: Path) -> Path:
    """The store and its log, copied."""
    workplace.mkdir()
    copied = workplace / FILE
    shutil.copyfile(path, copied)
    with suppress(FileNotFoundError):
        shutil.copyfile(path.with_name(path.name + LOG), copied.with_name(copied.name + LOG))
    return copied


def _taken_over(old: Path, place: Path) -> Saved:
    """Every row that can be read, in a new store that is written to its end; of a run all tables or none."""
    tables = "select schema_name, table_name, sql from duckdb_tables() where not temporary"
    whole_log = _opens(old)
    if not whole_log:
        _cut_log(old)
    found: dict[tuple[str, str], tuple[int, int]] = {}
    with _reading(old) as source, Store(place) as new:
        for schema, table, sql in source.execute(tables).fetchall():
            new.con.execute(f'create schema if not exists "{schema}"')
            new.con.execute(sql.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))
            insert = "insert or ignore" if "PRIMARY KEY" in sql else "insert"
            name = f'"{schema}"."{table}"'
            found[schema, table] = _copy_table(source, new.con, name, insert)
        broken = {s for (s, table), (_, lost) in found.items() if lost and table in runs.TABLES}
        for (schema, table), rows in found.items():
            if schema in broken and table in runs.TABLES:
                new.con.execute(f'drop table "{schema}"."{table}"')
                found[schema, table] = (0, sum(rows))
        new.con.execute("checkpoint")
    kept, lost = (sum(rows) for rows in zip(*found.values(), strict=True))
    return Saved(kept, lost, whole_log)


def _swapped(path: Path, new: Path) -> Path:
    """Put a new store in a damaged one's place; where that is now."""
    if new.with_name(new.name + LOG).exists():  # not all of it could be written
        raise OSError(f"{new}: there is no space left on the device for a whole copy")
    endings = ("" if n == 1 else f".{n}" for n in count(1))
    aside = next(a for e in endings if not (a := path.with_name(path.name + DAMAGED + e)).exists())
    with _locked(path):
        try:
            os.link(path, aside)
        except OSError:  # a file system without links
            shutil.copyfile(path, aside)
        log = path.with_name(path.name + LOG)
        with suppress(FileNotFoundError):  # a new store must not find the old one's log
            log.replace(aside.with_name(aside.name + LOG))
        new.replace(path)
    return aside


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock that DuckDB holds on a file that it writes.

    Raises:
        AuditError: another process has it.
    """
    with path.open("r+b") as file:
        try:
            import fcntl

            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except ImportError:  # a system whose open files cannot be replaced anyway
            pass
        except OSError as error:
            raise AuditError(
                f"{path} is damaged, and another process is using it",
                hint="Wait until it has ended, then give the same `dataedge` command again",
                code=ExitCode.NO_CONCLUSION,
            ) from error
        yield


def _reading(path: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(path), read_only=True, config=dict(LOCKED))


def _opens(path: Path) -> bool:
    try:
        _reading(path).close()
    except duckdb.Error as error:
        if not is_damage(error):
            raise
        return False
    return True


def _cut_log(path: Path) -> None:
    """Shorten a copy's log to the longest beginning with which the copy opens."""
    log = path.with_name(path.name + LOG)
    content = log.read_bytes() if log.is_file() else b""
    opens, fails = 0, len(content)
    while fails - opens > 1:
        middle = (opens + fails) // 2
        log.write_bytes(content[:middle])
        if _opens(path):
            opens = middle
        else:
            fails = middle
    if opens:
        log.write_bytes(content[:opens])
    else:
        log.unlink(missing_ok=True)


def _copy_table(
    old: duckdb.DuckDBPyConnection, new: duckdb.DuckDBPyConnection, name: str, insert: str
) -> tuple[int, int]:
    """(rows that were taken over, rows that could not be read)."""
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
    return kept, rows - kept
