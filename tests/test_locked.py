"""A store may come from anywhere, and so may a data file: neither reaches beyond itself."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import dataedge
from dataedge import runs
from dataedge.errors import AuditError
from dataedge.load import load
from dataedge.load.duck import connect
from dataedge.load.formats import read_file
from dataedge.store import FILE, Store

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "the launch code is: not for sale"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "secret.csv"
    path.parent.mkdir()
    path.write_text(f"a\n{SECRET}\n")
    return path


REACHING = [
    "select * from read_csv('{secret}')",
    "select * from read_text('{secret}')",
    "select * from read_blob('{secret}')",
    "select * from read_json_objects('{secret}')",
    "select * from '{secret}'",
    "select * from glob('{folder}/*')",
    "copy (select 1) to '{folder}/out.csv'",
    "copy items to '{folder}/out.parquet'",
    "export database '{folder}/out'",
    "attach '{folder}/other.duckdb'",
    "attach '{folder}/other.duckdb' as other (read_only)",
    "install httpfs",
    "load httpfs",
    "load '{folder}/evil.duckdb_extension'",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "set allowed_directories = ['/']",
    "set autoload_known_extensions = true",
    "set allow_community_extensions = true",
    "set temp_directory = '{folder}'",
    "pragma profile_output = '{folder}/out.json'",
    "create persistent secret s (type http, bearer_token 'x')",
    "select * from secret_frame",
    "drop table items",
    "create table main.mine as select 1",
]


@pytest.mark.parametrize("query", REACHING)
def test_a_query_reaches_nothing_beyond_the_store(
    query: str, small_audit: dataedge.Audit, secret: Path
) -> None:
    import pandas as pd

    secret_frame = pd.DataFrame({"a": [SECRET]})
    other = secret.parent / "other.duckdb"
    duckdb.connect(str(other)).close()
    before = sorted(secret.parent.iterdir())
    with pytest.raises(AuditError) as caught:
        small_audit.sql(query.format(secret=secret, folder=secret.parent))
    assert "items" in caught.value.hint
    assert SECRET not in caught.value.message
    assert sorted(secret.parent.iterdir()) == before
    assert len(secret_frame) == 1


def test_what_is_read_when_rows_are_fetched_fails_then(
    small_audit: dataedge.Audit, secret: Path
) -> None:
    relation = small_audit.sql(f"select * from sniff_csv('{secret}')")
    with pytest.raises(duckdb.PermissionException):
        relation.fetchall()


def test_its_own_tables_are_read_as_ever(small_audit: dataedge.Audit) -> None:
    n = small_audit.report.dataset.unique
    assert small_audit.sql("select count(*) from items").fetchall() == [(n,)]
    assert small_audit.sql("from findings semi join items using (item)").fetchall()
    assert small_audit.sql("select count(*) > 0 from stage_embed").fetchall() == [(True,)]
    assert small_audit.sql("select json_extract(options, '$.seed') from runs").fetchall() == [
        ("0",)
    ]


HOSTILE = {
    "a view for items": (
        "drop table {run}.items; create view {run}.items as select * from read_text('{secret}')"
    ),
    "a view for findings": (
        "drop table {run}.findings; "
        "create view {run}.findings as select filename as item, content from read_text('{secret}')"
    ),
    "a view of rows and a file": (
        "alter table {run}.items rename to kept; create view {run}.items as "
        "select * replace ((select content from read_text('{secret}')) as target) from {run}.kept"
    ),
    "a macro for what is called": (
        "create macro {run}.list_position(a, b) as (select len(content) from read_text('{secret}'))"
    ),
    "a table macro": (
        "create macro {run}.unnest(a) as table select content from read_text('{secret}')"
    ),
}


@pytest.mark.parametrize("where", ["run", "before runs"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_store_reads_no_file(
    kind: str, where: str, small_audit: dataedge.Audit, secret: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hostile"
    shutil.copytree(small_audit.directory, out)
    report = small_audit.report
    schema = runs.schema(report.run)
    with duckdb.connect(str(out / FILE)) as con:
        if where == "before runs":
            for table in runs.TABLES:
                con.execute(f"create table main.{table} as from {schema}.{table}")
            schema, report = "main", report.model_copy(update={"run": ""})
        con.execute(HOSTILE[kind].format(run=schema, secret=secret))
    audit = dataedge.Audit(out, report)
    printed = ""
    for read in (
        lambda: audit.items("known").to_csv(),
        lambda: audit.view("known").csv(),
        lambda: str(audit.sql("select * from items").fetchall()),
        lambda: str(audit.sql("select * from findings").fetchall()),
        lambda: str(audit.sql("from unnest(['a'])").fetchall()),
        lambda: str(audit.sql("select list_position(['a'], 'a') from items").fetchall()),
    ):
        try:
            printed += read()
        except (AuditError, duckdb.PermissionException) as error:
            printed += str(error)
    assert SECRET not in printed
    assert "not for sale" not in printed
    assert "disabled by configuration" in printed or "not in this store" in printed


def test_stored_views_and_generated_columns_compute_from_the_store_alone(
    secret: Path, tmp_path: Path
) -> None:
    with duckdb.connect(str(tmp_path / FILE)) as con:
        con.execute(f"create view v as select * from read_csv('{secret}')")
        con.execute(f"create macro m() as table select * from read_text('{secret}')")
        con.execute(f"create macro s() as (select content from read_text('{secret}'))")
        con.execute("create table g (a int, b int generated always as (a + 1))")
        con.execute("insert into g values (1)")
    with Store(tmp_path, read_only=True) as store:
        for query in ("from v", "from m()", "select s()"):
            with pytest.raises(duckdb.PermissionException, match="disabled by configuration"):
                store.con.execute(query).fetchall()
        assert store.con.execute("from g").fetchall() == [(1, 2)]


def test_the_writer_is_locked_as_well(secret: Path, tmp_path: Path) -> None:
    """An audit goes on in a directory that may have come from elsewhere."""
    with duckdb.connect(str(tmp_path / FILE)) as con:
        con.execute(
            "create view stage_embed as select 'k' as key, 'u' as unit, null::varchar as error, "
            f"content from read_text('{secret}')"
        )
    with Store(tmp_path) as store:
        with pytest.raises(duckdb.PermissionException):
            store.con.execute("from stage_embed").fetchall()
        with pytest.raises(duckdb.Error, match="locked"):
            store.con.execute("set enable_external_access = true")
        with pytest.raises(duckdb.Error):
            store.con.execute(f"copy (select 1) to '{secret.parent}/out.csv'")


def test_a_store_in_use_by_this_process_is_told_from_a_broken_one(
    small_audit: dataedge.Audit, tmp_path: Path
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(small_audit.directory, out)
    held = dataedge.open(out).sql("select item from items")
    with pytest.raises(AuditError, match="this process has it open") as caught:
        Store(out)
    assert "Audit.sql" in caught.value.hint
    assert held.fetchall()


DATA = {
    "csv": "text,label\na text,x\nmore text,y\n",
    "tsv": "text\tlabel\na text\tx\nmore text\ty\n",
    "json": '[{"text": "a text", "label": "x"}, {"text": "more text", "label": "y"}]',
    "jsonl": '{"text": "a text", "label": "x"}\n{"text": "more text", "label": "y"}\n',
}


def write(path: Path, kind: str) -> None:
    if kind == "parquet":
        duckdb.sql(
            "select * from (values ('a text', 'x'), ('more text', 'y')) t(text, label)"
        ).write_parquet(str(path))
    else:
        path.write_text(DATA[kind])


@pytest.mark.parametrize("kind", [*DATA, "parquet"])
@pytest.mark.parametrize("name", ["plain", "a[1] b*", "it's", "über ﬁle", "-"])
def test_every_format_is_read_under_the_lock(
    kind: str, name: str, tmp_path: Path, monkeypatch: Any
) -> None:
    """By an absolute path, a relative one, one with dots, and one that is a link."""
    folder = tmp_path / "some [where]"
    folder.mkdir()
    path = folder / f"{name}.{kind}"
    write(path, kind)
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / f"link.{kind}"
    link.symlink_to(path)
    monkeypatch.chdir(tmp_path)
    dotted = tmp_path / "links" / ".." / folder.name / path.name
    for where in (path, path.relative_to(tmp_path), dotted, link):
        table = read_file(where, str(where))
        assert table.column("text") == ["a text", "more text"], where


OF_A_STORE = ("items", "secret_frame", "main.mine")


@pytest.mark.parametrize("query", [q for q in REACHING if not any(t in q for t in OF_A_STORE)])
def test_the_reader_of_a_file_reaches_no_other(query: str, secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "data" / "mine.csv"
    path.parent.mkdir()
    path.write_text("a\n1\n")
    (path.parent / "beside.csv").write_text(f"a\n{SECRET}\n")
    duckdb.connect(str(secret.parent / "other.duckdb")).close()
    before = sorted(secret.parent.iterdir())
    with connect(path.resolve()) as db:
        assert db.execute(f"from read_csv('{path}')").fetchall() == [(1,)]
        with pytest.raises(duckdb.Error):
            db.execute(query.format(secret=secret, folder=secret.parent)).fetchall()
        for other in (
            "beside.csv",
            "*.csv",
            "../elsewhere/secret.csv",
            "mine.csv/../../elsewhere/secret.csv",
        ):
            with pytest.raises(duckdb.Error):
                db.execute(f"from read_csv('{path.parent}/{other}')").fetchall()
    assert sorted(secret.parent.iterdir()) == before


def test_data_whose_cells_look_like_sql_is_data(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    rows = "".join(f"text number {i} of read_csv('/etc/passwd'),{'ab'[i % 2]}\n" for i in range(40))
    path.write_text("text,label\n" + rows)
    assert len(load(path).items) == 40
