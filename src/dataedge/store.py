"""One DuckDB file per audit: items, every answer of a model, every figure.

Results are addressed by what produced them: a *key* (stage, version, model revision, parameters)
and a *unit* (hash of what was asked). What is stored under both is never computed again, so a
run that was killed goes on where it stopped, and a changed threshold recomputes nothing.
There is one writer at a time; readers open the file once the writer is done.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb

from dataedge import runs
from dataedge.errors import AuditError, DamagedError, ExitCode, machine_trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    import pyarrow as pa

    from dataedge.engine.values import Packed

FILE = "audit.duckdb"
LOCKED: Mapping[str, bool] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "allow_persistent_secrets": False,
    "python_enable_replacements": False,
    "lock_configuration": True,
}
"""A store may come from elsewhere, and what is asked of it too: neither reaches beyond the file."""


_DAMAGE = ("corrupt", "checksum", "could not read enough bytes", "failed to deserialize")
"""How DuckDB says that a file is not as it was written, in lower case."""


def is_damage(error: BaseException) -> bool:
    """Whether DuckDB refused to read what does not fit its checksum, or is not there.

    Example:
        >>> is_damage(duckdb.IOException("Could not read enough bytes from file"))
        True
        >>> is_damage(duckdb.IOException('Cannot open file "/corrupt/audit.duckdb"'))
        False
    """
    if not isinstance(error, duckdb.Error) or machine_trouble(error) is not None:
        return False
    if isinstance(error, duckdb.DataError | duckdb.ProgrammingError):
        return False
    told = re.sub(r'"[^"]*"', "", str(error)).lower()  # without the file's name
    return any(text in told for text in _DAMAGE)


def _m001_initial(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("create table meta (name varchar primary key, value json)")
    con.execute(
        "create table stages (stage varchar, key varchar, params json, primary key (stage, key))"
    )


def _m002_results(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        "create table results (stage varchar, key varchar, created timestamp default current_timestamp, "
        "tree varchar, arrays blob, checksum varchar, primary key (stage, key))"
    )


def _m003_runs(con: duckdb.DuckDBPyConnection) -> None:
    runs.create_table(con)


MIGRATIONS: tuple[Callable[[duckdb.DuckDBPyConnection], None], ...] = (
    _m001_initial,
    _m002_results,
    _m003_runs,
)


class Store:
    """The results of an audit on disk.

    Args:
        directory: the audit's directory; created when writable.
        read_only: open for reading; the file must exist.
        run: the run whose tables are read.

    Raises:
        AuditError: the directory cannot be written, the file is no audit or does not hold the run,
            or another process is writing to it.
    """

    def __init__(
        self, directory: str | Path, *, read_only: bool = False, run: str = runs.BEFORE
    ) -> None:
        self.path = Path(directory) / FILE
        self.read_only = read_only
        self.run = run
        if read_only and not self.path.is_file():
            raise AuditError(
                f"{directory}: no audit here ({FILE} is missing)",
                hint="Run `dataedge audit DATA --out DIR` first, or name the directory it wrote to",
            )
        self._make_directory()
        self.con = self._connect()
        try:
            self._see() if read_only else self._migrate()
            tables = "select table_name from duckdb_tables() where schema_name = 'main'"
            self._tables = set(self._column(tables))
        except BaseException:
            self.close()
            raise

    def _see(self) -> None:
        try:
            runs.see(self.con, self.run)
        except AuditError as error:
            raise AuditError(f"{self.path}: {error.message}", error.hint, error.code) from None

    def _make_directory(self) -> None:
        if self.read_only:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            probe = self.path.parent / ".write-test"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise AuditError(
                f"{self.path.parent}: cannot write here ({error.strerror})",
                hint="Choose another directory with --out DIR",
            ) from error

    def _connect(self) -> duckdb.DuckDBPyConnection:
        try:
            return duckdb.connect(str(self.path), read_only=self.read_only, config=dict(LOCKED))
        except duckdb.Error as error:
            text = str(error)
            if "Conflicting lock" in text or "Could not set lock" in text:
                holder = text.partition("(PID ")[2].partition(")")[0]
                who = f" ({holder})" if holder else ""
                doing = "reading" if self.read_only else "a second audit"
                raise AuditError(
                    f"{self.path}: another process{who} is writing an audit here; "
                    f"{doing} has to wait",
                    hint="Wait until it is done, stop it (nothing is lost), or use another --out DIR",
                    code=ExitCode.NO_CONCLUSION,
                ) from error
            if "different configuration" in text:
                raise AuditError(
                    f"{self.path}: this process has it open for something else",
                    hint="Let go of what `Audit.sql` returned (`del relation`), or end the audit first",
                    code=ExitCode.NO_CONCLUSION,
                ) from error
            if is_damage(error):
                raise DamagedError(self.path, self.path.parent) from error
            raise AuditError(
                f"{self.path}: not a readable audit file ({text.splitlines()[0]})",
                hint="Move it away, or start over with --fresh",
            ) from error

    def _migrate(self) -> None:
        self.con.execute("create table if not exists migrations (name varchar primary key)")
        done = set(self._column("select name from migrations"))
        for migration in MIGRATIONS:
            if migration.__name__ not in done:
                self.con.execute("begin")
                migration(self.con)
                self.con.execute("insert into migrations values (?)", [migration.__name__])
                self.con.execute("commit")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Flush and release the file."""
        self.con.close()

    # -- results of stages -------------------------------------------------------------------

    def put_rows(self, stage: str, key: str, batch: pa.RecordBatch | pa.Table) -> None:
        """Store one batch in one transaction: columns unit, error and the stage's own."""
        import pyarrow as pa

        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        table = table.add_column(0, "key", pa.array([key] * len(table)))
        name = _table(stage)
        self.con.register("incoming", table)
        try:
            if name not in self._tables:
                self.con.execute(f"create table {name} as select * from incoming limit 0")
                self._tables.add(name)
            self._add_columns(name)
            self.con.execute("begin")
            units = "select unit from incoming"
            self.con.execute(
                f"delete from {name} where key = ? and error is not null and unit in ({units})",
                [key],
            )
            self.con.execute(f"insert into {name} by name select * from incoming")
            self.con.execute("commit")
        finally:
            self.con.unregister("incoming")

    def _add_columns(self, name: str) -> None:
        """A first batch that failed has no output columns; the next one brings them."""
        have = set(self._column(f"select column_name from (describe {name})"))
        for column, kind in self.con.execute(
            "select column_name, column_type from (describe select * from incoming)"
        ).fetchall():
            if column not in have:
                self.con.execute(f'alter table {name} add column "{column}" {kind}')

    def get_rows(self, stage: str, key: str) -> pa.Table:
        """Everything stored under a key: columns unit, error and the stage's own."""
        import pyarrow as pa

        if _table(stage) not in self._tables:
            return pa.table({"unit": pa.array([], pa.string()), "error": pa.array([], pa.string())})
        query = f"select * exclude (key) from {_table(stage)} where key = $key"
        return self.con.sql(query, params={"key": key}).to_arrow_table()

    def note_stage(self, stage: str, key: str, params: Mapping[str, Any]) -> None:
        """Remember in plain words what a key stands for."""
        self.con.execute(
            "insert or ignore into stages values (?, ?, ?)", [stage, key, json.dumps(params)]
        )

    # -- results of steps over the whole dataset -------------------------------------------------

    def put_result(self, stage: str, key: str, result: Packed) -> None:
        """Store the result of a step under its key, in place of one that is there."""
        self.con.execute(
            "insert or replace into results (stage, key, tree, arrays, checksum) values (?, ?, ?, ?, ?)",
            [stage, key, result.tree, result.arrays, result.checksum],
        )

    def get_result(self, stage: str, key: str) -> Packed | None:
        """What is stored under a key; None where there is nothing, or not what was stored."""
        from dataedge.engine.values import Packed

        query = "select tree, arrays, checksum from results where stage = ? and key = ?"
        for tree, arrays, checksum in self.con.execute(query, [stage, key]).fetchall():
            if None not in (tree, arrays) and Packed(tree, arrays).checksum == checksum:
                return Packed(tree, arrays)
        return None

    # -- tables that are made anew by each run -----------------------------------------------

    def begin_run(self, tool: str, options: Mapping[str, Any], shown: str | None) -> None:
        """Start a run; what is written by `replace` from now on is seen once a report names it.

        Args:
            tool: version of this program.
            options: the configuration in force.
            shown: the run that the report beside this store names, None where there is no report;
                all others are dropped.
        """
        runs.keep_only(self.con, shown)
        self.run = runs.begin(self.con, tool, options)

    def finish_run(self) -> None:
        """Note that all of this run's tables are written."""
        runs.finish(self.con, self.run)

    def drop_other_runs(self) -> None:
        """Forget the runs before this one; its report is in place."""
        runs.keep_only(self.con, self.run)

    def replace(self, table: str, rows: pa.Table) -> None:
        """Write a table of the current run, such as items."""
        where = f"{runs.schema(self.run)}.{table}"
        self.con.register("incoming", rows)
        try:
            self.con.execute(f"create or replace table {where} as select * from incoming")
        finally:
            self.con.unregister("incoming")

    @property
    def tables(self) -> list[str]:
        """Names of all tables that a query can name, sorted."""
        return sorted({*self._tables, *runs.TABLES})

    # -- small facts -------------------------------------------------------------------------

    def put_note(self, name: str, value: object) -> None:
        """Keep one JSON value under a name."""
        self.con.execute("insert or replace into meta values (?, ?)", [name, json.dumps(value)])

    def get_note(self, name: str) -> Any:
        """The JSON value under a name, or None."""
        found = self._column("select value from meta where name = ?", [name])
        return json.loads(found[0]) if found else None

    def _column(self, query: str, params: Sequence[object] = ()) -> list[str]:
        return [row[0] for row in self.con.execute(query, list(params)).fetchall()]


def _table(stage: str) -> str:
    return f"stage_{stage}"
