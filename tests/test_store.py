from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

from dataedge.errors import AuditError, ExitCode
from dataedge.store import FILE, Store

if TYPE_CHECKING:
    from pathlib import Path


def batch(units: list[str], values: list[float]) -> pa.Table:
    return pa.table({"unit": units, "value": values, "error": pa.nulls(len(units), pa.string())})


def test_rows_are_kept_under_their_key(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        assert len(store.get_rows("s", "k")) == 0
        store.put_rows("s", "k", batch(["a"], [1.0]))
        assert len(store.get_rows("s", "other")) == 0
    with Store(tmp_path) as store:
        found = store.get_rows("s", "k")
        assert found["unit"].to_pylist() == ["a"]
        assert found["value"].to_pylist() == [1.0]


def test_the_row_of_a_failed_unit_is_replaced(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.put_rows("s", "k", pa.table({"unit": ["a"], "error": ["it broke"]}))
        store.put_rows("s", "k", batch(["a"], [2.0]))
        found = store.get_rows("s", "k")
        assert found["unit"].to_pylist() == ["a"]
        assert found["value"].to_pylist() == [2.0]
        assert found["error"].to_pylist() == [None]


def test_second_writer_and_reader_get_a_sentence(tmp_path: Path) -> None:
    with Store(tmp_path):
        for read_only in (False, True):
            code = (
                "from dataedge.store import Store; from dataedge.errors import AuditError\n"
                f"try: Store({str(tmp_path)!r}, read_only={read_only})\n"
                "except AuditError as e: print(int(e.code), e.message, '|', e.hint)"
            )
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            assert done.stdout.startswith("3 "), done.stderr
            assert "is writing an audit here" in done.stdout
            assert "--out" in done.stdout


def test_reader_cannot_write_or_reach_other_files(tmp_path: Path) -> None:
    other = tmp_path / "secret.csv"
    other.write_text("a\n1\n")
    with Store(tmp_path) as store:
        store.put_note("name", {"x": 1})
    with Store(tmp_path, read_only=True) as store:
        assert store.get_note("name") == {"x": 1}
        with pytest.raises(duckdb.Error):
            store.con.execute("create table t (a int)")
        with pytest.raises(duckdb.Error):
            store.con.execute(f"select * from read_csv('{other}')").fetchall()


def test_no_audit_and_broken_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="no audit here"):
        Store(tmp_path / "none", read_only=True)
    (tmp_path / FILE).write_bytes(b"this is not a database" * 500)
    with pytest.raises(AuditError, match=FILE) as caught:
        Store(tmp_path)
    assert "--fresh" in caught.value.hint
    assert caught.value.code == ExitCode.USAGE


def test_unwritable_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditError, match="cannot write here"):
        Store(tmp_path / "file" / "below")
    if sys.platform == "linux":
        with pytest.raises(AuditError, match="cannot write here"):
            Store("/proc/dataedge")
