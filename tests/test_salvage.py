"""A damaged store: a sentence, what can be read is kept, and the same command ends with the same report."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

import dataedge
from dataedge import api, salvage
from dataedge.errors import AuditError, DamagedError
from dataedge.report.model import without_timings
from dataedge.salvage import DAMAGED, WORKPLACE, mended
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


def harm_block(path: Path, table: str) -> None:
    """One bit of a block that holds values of a table."""
    block = block_of(path, table)
    data = bytearray(path.read_bytes())
    data[HEADER + block * BLOCK + 1000] ^= 1
    path.write_bytes(bytes(data))


def test_what_can_be_read_is_kept_and_the_rest_is_asked_again(
    small_audit: Any, small_dataset: Path, tiny_model: str, copied: Path
) -> None:
    with Store(copied, read_only=True, run=small_audit.report.run) as store:
        ((asked,),) = store.con.execute("select count(*) from stage_choices").fetchall()
        ((told,),) = store.con.execute("select count(*) from results").fetchall()
    harm_block(copied / FILE, "stage_choices")

    audit, said = go_on(small_dataset, tiny_model, copied)
    assert len(said) == 1
    assert "was damaged: " in said[0].message
    assert said[0].code == 3
    assert "it goes on" in said[0].hint
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
    harm_block(copied / FILE, f"run_{small_audit.report.run}.items")

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


def with_a_log(place: Path, notes: int = 300) -> Path:
    """A store whose notes but the first are in its log, as where the process was killed."""
    with Store(place / "a") as store:
        store.put_note("first", 1)
    with Store(place / "a") as store:
        for i in range(notes):
            store.put_note(f"later {i}", "x" * 100)
        shutil.copytree(place / "a", place / "b")
    return place / "b"


def notes_of(out: Path) -> int:
    with Store(out) as store:
        return len(store.con.execute("select name from meta").fetchall())


@pytest.mark.parametrize("how", ["a bit near its end", "its last page cleared", "its middle"])
def test_a_log_that_is_damaged_costs_what_follows(how: str, tmp_path: Path) -> None:
    out = with_a_log(tmp_path)
    log = out / f"{FILE}.wal"
    data = bytearray(log.read_bytes())
    if how == "a bit near its end":
        data[-500] ^= 1
    elif how == "its last page cleared":
        data[-4096:] = bytes(4096)
    else:
        data[len(data) // 2] ^= 1
    log.write_bytes(bytes(data))

    with pytest.raises(AuditError) as caught, mended(out / FILE), Store(out):
        pass
    assert caught.value.code == 3
    assert "was damaged" in caught.value.message
    assert "the end of its log not among them" in caught.value.message
    assert notes_of(out) >= {"its middle": 140}.get(how, 250)
    assert (out / f"{FILE}{DAMAGED}.wal").read_bytes() == bytes(data)
    assert not (out / WORKPLACE).exists()


@pytest.mark.parametrize("after", ["_copied", "_taken_over"])
def test_a_salvage_that_is_interrupted_loses_nothing(
    after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = with_a_log(tmp_path)
    data = bytearray((out / f"{FILE}.wal").read_bytes())
    data[-500] ^= 1
    (out / f"{FILE}.wal").write_bytes(bytes(data))
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    real = getattr(salvage, after)

    def interrupted(*arguments: Any) -> None:
        real(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(salvage, after, interrupted)
        with pytest.raises(KeyboardInterrupt), mended(out / FILE), Store(out):
            pass
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    with pytest.raises(AuditError, match="was damaged"), mended(out / FILE), Store(out):
        pass
    assert notes_of(out) > 250


def test_a_disk_that_fills_up_in_a_salvage_leaves_the_damaged_store(
    small_audit: Any, copied: Path
) -> None:
    """No file may grow past what the new store needs, as where the disk ends there."""
    harm_block(copied / FILE, "stage_choices")
    before = (copied / FILE).read_bytes()
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from dataedge.salvage import mended; from dataedge.store import FILE, Store\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); out = Path(sys.argv[1]); most = int(sys.argv[2])\n"
        "with mended(out / FILE), Store(out) as store:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))\n"
        "    store.con.execute('select * from stage_choices').fetchall()\n"
    )
    for most in (len(before) // 3, len(before) - 300_000):
        done = subprocess.run(
            [sys.executable, "-c", code, str(copied), str(most)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "rows can be read" not in done.stderr
        assert (copied / FILE).read_bytes() == before
        assert not list(copied.glob(f"*{DAMAGED}*"))


def test_a_store_that_another_process_writes_is_left_alone(tmp_path: Path) -> None:
    out = with_a_log(tmp_path)
    before = (out / FILE).read_bytes()
    code = (
        "import fcntl, sys, time\nfile = open(sys.argv[1], 'r+b')\n"
        "fcntl.lockf(file, fcntl.LOCK_EX)\nprint('held', flush=True)\ntime.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(out / FILE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(AuditError, match="another process is using it"), mended(out / FILE):
            raise DamagedError(out / FILE, out)
        other.kill()
    assert (out / FILE).read_bytes() == before
    assert (out / f"{FILE}.wal").exists()


def test_a_second_damaged_store_does_not_replace_the_first(copied: Path) -> None:
    for n, table in {"": "stage_choices", ".2": "stage_tokens"}.items():
        harm_block(copied / FILE, table)
        damaged = (copied / FILE).stat().st_size
        with pytest.raises(AuditError, match="was damaged"), mended(copied / FILE):
            raise DamagedError(copied / FILE, copied)
        assert (copied / f"{FILE}{DAMAGED}{n}").stat().st_size == damaged


def test_a_copy_that_the_user_made_is_left_when_starting_over(
    small_dataset: Path, tiny_model: str, copied: Path
) -> None:
    (copied / f"{FILE}.bak").write_text("mine")
    (copied / f"{FILE}{DAMAGED}").write_text("old")
    (copied / WORKPLACE).mkdir()
    api._forget(copied)
    assert [p.name for p in copied.iterdir()] == [f"{FILE}.bak"]


def test_other_troubles_are_no_damage(tmp_path: Path) -> None:
    assert not is_damage(ValueError("checksum"))
    assert not is_damage(duckdb.CatalogException("no table corrupt_rows"))
    assert not is_damage(duckdb.IOException("No space left on device: corrupt"))
    (tmp_path / "corrupt").mkdir()
    (tmp_path / "corrupt" / FILE).write_text("no store")
    with pytest.raises(AuditError, match="not a readable audit file"):
        Store(tmp_path / "corrupt")
