"""Reading in a process of its own: the table is the one that is read here, and what ends it is a sentence."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pytest

from dataedge.apart import wanted
from dataedge.errors import AuditError
from dataedge.load import load, reading_process
from dataedge.load.folder import read_path
from dataedge.load.reading_process import read_apart, receive, send
from dataedge.load.table import Table, Unread
from tests.load import malformed
from tests.load.test_dataset_info import TAGS, TALKS, folder
from tests.test_apart import gone


@pytest.fixture(autouse=True)
def really_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATAEDGE_APART")


def same(one: Table, other: Table) -> None:
    assert one == other
    assert one.data.schema.equals(other.data.schema, check_metadata=True)
    assert [type(n) for n in one.notes] == [type(n) for n in other.notes]


def labelled(path: Path, rows: int = 40, more: str = "") -> Path:
    lines = [f"what is said of thing {i} of many,{'ab'[i % 2]}" for i in range(rows)]
    path.write_text("\n".join(["text,label", *lines]) + f"\n{more}")
    return path


def large(path: Path) -> Path:
    path.write_text(json.dumps([{"text": f"{i} {'of many ' * 50}"} for i in range(300_000)]))
    return path


def test_notes_and_rows_that_could_not_be_read_come_too(tmp_path: Path) -> None:
    file = labelled(tmp_path / "d.csv", more="one,two,three\n")
    found = read_apart(file, "d.csv")
    same(found, read_path(file, "d.csv"))
    assert [type(n) for n in found.notes] == [Unread]


@pytest.mark.parametrize("kind", ["alpaca", "tags"])
def test_what_a_description_says_comes_too(tmp_path: Path, kind: str) -> None:
    entry = {"file_name": "turns.json", "formatting": "sharegpt", "tags": TAGS}
    entry["columns"] = {"messages": "turns", "system": "rules"}
    rows = TALKS
    if kind == "alpaca":
        entry = {"file_name": "turns.json", "columns": {"prompt": "turns", "response": "rules"}}
        rows = [{"turns": f"What of hat {i}?", "rules": f"It is warm, {i}."} for i in range(4)]
    path = folder(tmp_path / "f", {"hats": entry}, {"turns.json": rows})
    found = read_apart(path, "f")
    assert found.declared is not None
    same(found, read_path(path, "f"))
    assert found.column("turns") == read_path(path, "f").column("turns")


@pytest.mark.parametrize("number", range(40))
def test_odd_tables_are_handed_over_as_they_are(tmp_path: Path, number: int) -> None:
    path = malformed.make(tmp_path, number)
    pipe = BytesIO()
    try:
        here = read_path(path, path.name)
    except AuditError as error:
        with pytest.raises(AuditError, match=re.escape(error.message)):
            send(pipe, str(path), path.name)
        return
    send(pipe, str(path), path.name)
    pipe.seek(0)
    same(receive(pipe), here)


@pytest.mark.parametrize("number", range(100, 108))
def test_what_is_refused_there_is_refused_with_the_same_sentence(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = malformed.make(tmp_path, number)
    apart = malformed.outcome(path)
    monkeypatch.setenv("DATAEDGE_APART", "0")
    assert apart == malformed.outcome(path)


def test_the_items_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = labelled(tmp_path / "d.csv")
    apart = load(file)
    monkeypatch.setenv("DATAEDGE_APART", "0")
    here = load(file)
    assert (apart.fingerprint, apart.items, apart.notes) == (
        here.fingerprint,
        here.items,
        here.notes,
    )


def test_a_file_that_fills_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(tmp_path / "d.json")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    monkeypatch.setattr(reading_process, "MEMORY", 400 << 20)
    monkeypatch.setattr(reading_process, "PER_CORE", 0)
    monkeypatch.setattr(reading_process, "TIMES_ITS_SIZE", 0)
    with pytest.raises(AuditError) as caught:
        read_apart(tmp_path / "d.json", "d.json")
    assert caught.value.message == "d.json: reading it takes more than 0.4 GiB of memory"
    assert "dataedge plan FILE" in caught.value.hint
    same(read_apart(labelled(tmp_path / "d.csv"), "d"), read_path(tmp_path / "d.csv", "d"))


def test_a_file_that_takes_too_long_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_process, "SECONDS", 0.01)
    with pytest.raises(AuditError, match=r"^d: reading it took over 0 s and was ended$"):
        read_apart(labelled(tmp_path / "d.csv"), "d")


def test_a_limit_that_was_set_before_is_named_as_what_it_is(tmp_path: Path) -> None:
    file = large(tmp_path / "d.json")
    code = f"""if True:
        import resource
        from pathlib import Path
        from dataedge.load.reading_process import read_apart
        resource.setrlimit(resource.RLIMIT_DATA, (400 << 20, 400 << 20))
        read_apart(Path({str(file)!r}), "d.json")"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert "dataedge.errors.AuditError: the memory ran out\n" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_both(tmp_path: Path, sent: signal.Signals, code: int) -> None:
    file = labelled(tmp_path / "d.csv", rows=1_000_000)
    command = [sys.executable, "-m", "dataedge", "plan", str(file)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(sent, signal.SIG_DFL),  # noqa: PLW1509  a shell's "&" ignores it
    ) as parent:  # fmt: skip
        try:
            child = reading(parent.pid)
            parent.send_signal(sent)
            _, said = parent.communicate(timeout=60)
        finally:
            parent.kill()
    assert parent.returncode == code
    assert b"Traceback" not in said
    assert gone(child)


def reading(parent: int) -> int:
    """The process that a command reads in, once it has begun to."""
    own = Path(f"/proc/{parent}/task/{parent}/children")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for child in own.read_text().split():
            if b"dataedge.apart" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        time.sleep(0.01)
    raise AssertionError("nothing was read")


def test_what_goes_wrong_there_is_told_with_its_trace(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_bytes(b"text,label\n\xff\xfe\xfd,a\n")
    with pytest.raises(AuditError, match="not valid UTF-8") as caught:
        read_apart(tmp_path / "d.csv", "d.csv")
    assert "_check_utf8" in caught.value.__notes__[0]


def test_a_path_that_is_not_there_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_process, "apart", None)
    for path in (tmp_path / "none.csv", Path("a\0b")):
        with pytest.raises(AuditError, match="no such file or folder"):
            read_apart(path, "x")
    monkeypatch.setenv("DATAEDGE_APART", "0")
    assert len(read_apart(labelled(tmp_path / "d.csv"), "d.csv")) == 40


def test_sizes_are_of_what_may_be_data(tmp_path: Path) -> None:
    place = tmp_path
    for depth in range(6):
        (place / "d.csv").write_text("x" * 10**depth)
        (place / "model.bin").write_text("x" * 3)
        place = place / "deeper"
        place.mkdir()
    (hidden := tmp_path / ".git").mkdir()
    (hidden / "d.csv").write_text("x" * 7)
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere")
    assert sum(reading_process._sizes(tmp_path)) == 111_111
    assert sum(reading_process._sizes(tmp_path / "model.bin")) == 3


def test_no_more_memory_is_allowed_than_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "d.csv").open("wb") as file:
        file.truncate(1 << 40)  # it takes no room on the disk
    allowed = []
    monkeypatch.setattr(reading_process, "apart", lambda *_, limits, **__: allowed.append(limits))
    read_apart(tmp_path / "d.csv", "d.csv")
    assert allowed[0].memory == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_places_of_modules_that_are_no_text_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATAEDGE_APART", "1")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, Path("/nowhere"), ""])
    assert len(read_apart(labelled(tmp_path / "d.csv"), "d.csv")) == 40


def test_a_frozen_program_does_not_start_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAEDGE_APART", "1")
    assert wanted()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert not wanted()


def test_a_folder_named_like_a_partition_adds_no_column(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    (folder := tmp_path / "run=3").mkdir()
    rows = {"text": [f"text {i} of all" for i in range(40)], "label": ["a", "b"] * 20}
    pq.write_table(pa.table(rows), folder / "d.parquet")
    labelled(folder / "d.csv")
    for name in ("d.csv", "d.parquet"):
        assert read_path(folder / name, name).data.column_names == ["text", "label"]
