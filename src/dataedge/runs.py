"""Runs: everything a report shows is written under one id and seen by itself.

A run writes its tables into a schema of its own. The report names its run, so the rename that puts
a report in place switches from one run to the next: killed before it, the old run is whole, killed
after it, the new one is. Runs that no report names are dropped when the next one begins or ends.
"""

from __future__ import annotations

import json
import secrets
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import duckdb

ALWAYS = ("items", "findings", "response_findings")
TABLES = (*ALWAYS, "outcomes")
"""What each run writes anew; stages' results and facts about models are shared by all runs. Runs of
earlier versions have the first three."""
BEFORE = ""
"""The run of a store that was written before there were ids: its tables stand in `main`."""


def schema(run: str) -> str:
    """The schema with a run's tables.

    Example:
        >>> schema("20260102_030405_a1b2c3"), schema(BEFORE)
        ('run_20260102_030405_a1b2c3', 'main')
    """
    return f"run_{run}" if run else "main"


def create_table(con: duckdb.DuckDBPyConnection) -> None:
    """The table of runs: id, when (UTC), what was asked for, by which version."""
    con.execute(
        "create table runs (run varchar primary key, started timestamp, finished timestamp, "
        "tool varchar, options json)"
    )


def begin(con: duckdb.DuckDBPyConnection, tool: str, options: Mapping[str, Any]) -> str:
    """Start a run.

    Args:
        con: a store that is open for writing.
        tool: version of this program.
        options: the configuration in force.

    Returns:
        Its id: when it started, and six digits that no other run has.
    """
    now = _now()
    run = f"{now:%Y%m%d_%H%M%S}_{secrets.token_hex(3)}"
    with _transaction(con):
        con.execute(
            "insert into runs values (?, ?, null, ?, ?)", [run, now, tool, json.dumps(options)]
        )
        con.execute(f"create schema {schema(run)}")
    return run


def finish(con: duckdb.DuckDBPyConnection, run: str) -> None:
    """Note that all of a run's tables are written."""
    con.execute("update runs set finished = ? where run = ?", [_now(), run])


def keep_only(con: duckdb.DuckDBPyConnection, run: str | None) -> None:
    """Drop the tables of every run but one.

    Args:
        con: a store that is open for writing.
        run: the one that the report names; None where there is no report.
    """
    kept = None if run is None else schema(run)
    query = (
        "select distinct schema_name from duckdb_schemas() where starts_with(schema_name, 'run_')"
    )
    with _transaction(con):
        for (name,) in con.execute(query).fetchall():
            if name != kept:
                con.execute(f'drop schema "{name}" cascade')
        con.execute("delete from runs where run is distinct from ?", [run])
        if run != BEFORE:
            for table in _tables(con, schema(BEFORE)):
                con.execute(f"drop table main.{table}")


def see(con: duckdb.DuckDBPyConnection, run: str) -> None:
    """Let bare names such as `items` mean the tables of this run.

    Raises:
        AuditError: the store does not hold the run, or not all of it.
    """
    if run != BEFORE and not set(ALWAYS) <= set(_tables(con, schema(run))):
        raise AuditError(
            f"run {run} is not in this store: the report and the store belong to different runs",
            hint="Open it again with `dataedge report` if it was repeated meanwhile; else run "
            "`dataedge audit` again (answers of the model are reused)",
            code=ExitCode.NO_CONCLUSION,
        )
    con.execute(f"set search_path = '{schema(run)},main'")


def _now() -> datetime:
    """UTC, as the store has it: without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def _tables(con: duckdb.DuckDBPyConnection, within: str) -> list[str]:
    query = (
        "select table_name from duckdb_tables() "
        "where schema_name = ? and table_name in (select unnest(?))"
    )
    return [name for (name,) in con.execute(query, [within, list(TABLES)]).fetchall()]


@contextmanager
def _transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.execute("begin")
    try:
        yield
    except BaseException:
        con.execute("rollback")
        raise
    con.execute("commit")
