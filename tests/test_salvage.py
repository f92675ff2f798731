"""A damaged store: a sentence, what can be read is kept, and the same command ends with the same report."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import dataedge
from dataedge.errors import AuditError, DamagedError
from dataedge.report.model import without_timings
from dataedge.salvage import DAMAGED
from dataedge.store import FILE, Store, is_damage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HEADER = 3 * 4096
"""Bytes of DuckDB's main header and its two database headers."""
BLOCK = 256 * 1024


def flip_one(data: bytearray, rng: random.Random) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def flip_many(data: bytearray, rng: random.Random) -> None:
    for _ in range(50):
        flip_one(data, rng)


def clear_a_page(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) // 4096) * 4096
    data[at : at + 4096] = bytes(4096)


def cut_short(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


@pytest.fixture
def copied(small_audit: Any, tmp_path: Path) -> Path:
    out = tmp_path / "copy"
    shutil.copytree(small_audit.directory, out)
    return out


def harm(out: Path, how: Callable[[bytearray, random.Random], None], seed: int) -> None:
    data = bytearray((out / FILE).read_bytes())
    how(data, random.Random(seed))
    (out / FILE).write_bytes(bytes(data))


def same(report: Any, other: Any) -> bool:
    """Timings aside, and what the model was asked anew."""
    told = [without_timings(r.model_dump(mode="json")) for r in (report, other)]
    for one in told:
        for options in one["config"].values():
            options.pop("out", None)
    assert told[0] == told[1]
    return True


def go_on(dataset: Path, model: str, out: Path) -> tuple[Any, list[AuditError]]:
    """The same command until it ends well, and what it said before."""
    said: list[AuditError] = []
    for _ in range(3):
        try:
            return dataedge.audit(dataset, out=str(out), model=model, probe_items=40), said
        except AuditError as error:
            said.append(error)
    return None, said


def block_of(path: Path, table: str) -> int:
    with duckdb.connect(str(path), read_only=True) as con:
        query = f"select max(block_id) from pragma_storage_info('{table}') where block_id > 0"
        ((block,),) = con.execute(query).fetchall()
    return int(block)


def test_what_can_be_read_is_kept_and_the_rest_is_asked_again(
    small_audit: Any, small_dataset: Path, tiny_model: str, copied: Path
) -> None:
    with Store(copied, read_only=True, run=small_audit.report.run) as store:
        ((asked,),) = store.con.execute("select count(*) from stage_choices").fetchall()
        ((told,),) = store.con.execute("select count(*) from results").fetchall()
    block = block_of(copied / FILE, "stage_choices")
    data = bytearray((copied / FILE).read_bytes())
    data[HEADER + block * BLOCK + 1000] ^= 1
    (copied / FILE).write_bytes(bytes(data))

    audit, said = go_on(small_dataset, tiny_model, copied)
    assert len(said) == 1
    assert "was damaged: " in said[0].message
    assert said[0].code == 3
    assert "Give the same command again" in said[0].hint
    assert (copied / (FILE + DAMAGED)).is_file()
    assert same(audit.report, small_audit.report)
    with Store(copied, read_only=True, run=audit.report.run) as store:
        assert store.con.execute("select count(*) from stage_choices").fetchall() == [(asked,)]
        assert store.con.execute("select count(*) from results").fetchall() == [(told,)]
    seconds = {s.name: s for s in audit.report.stages}
    assert seconds["choices"].seconds > 0  # these were asked anew
    assert seconds["embed"].seconds == 0  # and these were not


def test_the_tables_of_a_run_are_kept_whole_or_not_at_all(
    small_audit: Any, small_dataset: Path, tiny_model: str, copied: Path
) -> None:
    table = f"run_{small_audit.report.run}.items"
    block = block_of(copied / FILE, table)
    data = bytearray((copied / FILE).read_bytes())
    data[HEADER + block * BLOCK + 1000] ^= 1
    (copied / FILE).write_bytes(bytes(data))

    with pytest.raises(DamagedError, match="is damaged") as caught:
        dataedge.open(copied).items("hard")
    assert caught.value.code == 3
    assert f"--out {copied}" in caught.value.hint
    audit, said = go_on(small_dataset, tiny_model, copied)
    assert len(said) <= 1
    assert same(audit.report, small_audit.report)
    assert len(audit.items("hard")) == len(small_audit.items("hard"))


@pytest.mark.long
@pytest.mark.parametrize("how", [flip_one, flip_many, clear_a_page, cut_short])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_was_damaged_ends_with_the_same_report(
    how: Callable[[bytearray, random.Random], None],
    seed: int,
    small_audit: Any,
    small_dataset: Path,
    tiny_model: str,
    copied: Path,
) -> None:
    harm(copied, how, seed)
    audit, said = go_on(small_dataset, tiny_model, copied)
    for error in said:
        assert error.code in (2, 3)
        assert "damaged" in error.message or "not a readable audit file" in error.message
        assert error.hint
    if audit is None:  # its directory of blocks is gone, or its header: said so, and left as it was
        assert "--fresh" in said[-1].hint
        audit = dataedge.audit(
            small_dataset, out=str(copied), model=tiny_model, probe_items=40, fresh=True
        )
        assert sorted(p.name for p in copied.iterdir()) == [FILE, "report.html", "report.json"]
    assert same(audit.report, small_audit.report)


def test_a_log_that_cannot_be_read_costs_what_was_in_it(tmp_path: Path) -> None:
    """What was written after the last checkpoint is lost, nothing else."""
    with Store(tmp_path / "a") as store:
        store.put_note("first", 1)
    with Store(tmp_path / "a") as store:
        for i in range(50):
            store.put_note(f"later {i}", "x" * 1000)
        log = tmp_path / "a" / f"{FILE}.wal"
        data = bytearray(log.read_bytes())
        kept = {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()}
    out = tmp_path / "b"
    out.mkdir()
    for name, content in kept.items():
        (out / name).write_bytes(content)
    for i in range(len(data) // 3, len(data) // 2):
        data[i] ^= 1
    (out / log.name).write_bytes(bytes(data))

    from dataedge.salvage import mended

    with (
        pytest.raises(AuditError, match="was damaged") as caught,
        mended(out / FILE),
        Store(out) as store,
    ):
        pass
    assert caught.value.code == 3
    with Store(out) as store:
        assert store.get_note("first") == 1
    assert (out / f"{log.name}{DAMAGED}").exists()


def test_other_troubles_are_no_damage() -> None:
    assert not is_damage(ValueError("checksum"))
    assert not is_damage(duckdb.CatalogException("no table corrupt_rows"))
