"""Work in a process of its own: what it says comes back, and how it ends is told."""

from __future__ import annotations

import atexit
import ctypes
import errno
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

import pytest

from dataedge import apart as here
from dataedge.apart import GIB, Limits, WorkError, apart
from dataedge.errors import AuditError, ExitCode

ROOT = str(Path(__file__).parents[1])


def write(path: str, text: str) -> None:
    Path(path).write_text(text)


def refuse(what: str) -> None:
    raise AuditError(f"{what} is no model", "Name another one: --model", ExitCode.NO_CONCLUSION)


def fill() -> None:
    kept = []
    while True:
        kept.append(bytearray(64 << 20))


def crash() -> None:
    ctypes.string_at(0)


def sleep(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(600)


def stumble() -> None:
    raise RuntimeError("no sentence")


def out_of_room() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hand(out: IO[bytes], times: str) -> None:
    out.write(b"what is handed over\n" * int(times))


def hand_and_fall(out: IO[bytes]) -> None:
    """Libraries can crash at their end, when all is done."""
    out.write(b"all of it")
    atexit.register(crash)


def cut(out: IO[bytes]) -> None:
    out.write(b"a part")
    out.flush()
    crash()


def wait_with_parent(path: str) -> None:
    """As where the system does not end a process with its parent."""
    here.ctypes.CDLL = lambda *_: object()
    here._end_with_parent(os.getppid())
    sleep(path)


def run(work, *arguments: str, seconds: float = 60.0, memory: int = GIB) -> None:
    apart(
        work,
        *arguments,
        doing="m: reading it",
        hint="Name another one",
        limits=Limits(memory, seconds),
    )


def test_it_is_done_and_what_was_raised_comes_back(tmp_path: Path) -> None:
    run(write, str(tmp_path / "a"), "ü \n b")
    assert (tmp_path / "a").read_text() == "ü \n b"
    with pytest.raises(AuditError) as caught:
        run(refuse, "x")
    said = caught.value
    assert (said.message, said.hint, said.code) == ("x is no model", "Name another one: --model", 3)
    assert "in refuse" in said.__notes__[0]  # for --debug


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (fill, "m: reading it takes more than 1.0 GiB of memory"),
        (crash, "m: reading it ended with SIGSEGV"),
        (killed, "m: reading it was killed, as the system does where memory is short"),
    ],
)
def test_what_ends_it_is_a_sentence(work, said: str) -> None:
    with pytest.raises(AuditError) as caught:
        run(work)
    assert caught.value.message == said
    assert caught.value.hint == "Name another one"


def test_a_fault_of_ours_reads_as_one() -> None:
    with pytest.raises(WorkError) as caught:
        run(stumble)
    assert str(caught.value) == "m: reading it ended with RuntimeError: no sentence"
    assert "in stumble" in caught.value.__notes__[0]


def test_a_full_disk_is_told_as_it_is_here() -> None:
    with pytest.raises(AuditError, match="no room left on the disk") as caught:
        run(out_of_room)
    assert caught.value.code == ExitCode.NO_CONCLUSION


def taken(work, *arguments: str, take=lambda stream: stream.read()):
    return apart(
        work,
        *arguments,
        doing="m: reading it",
        hint="Name another one",
        limits=Limits(GIB, 60.0),
        take=take,
    )


def test_what_python_prints_at_its_start_does_not_come_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('good morning')")
    monkeypatch.syspath_prepend(tmp_path)
    assert taken(hand, "1") == b"what is handed over\n"


def test_a_crash_when_all_is_done_loses_nothing() -> None:
    assert taken(hand_and_fall) == b"all of it"


def test_what_was_cut_off_is_told_by_how_it_ended() -> None:
    with pytest.raises(AuditError, match=r"^m: reading it ended with SIGSEGV$"):
        taken(cut, take=lambda stream: struct.unpack("<Q", stream.read(100)))


@pytest.mark.parametrize("times", ["1", "1000000"])  # the second is more than a pipe holds
def test_what_this_side_cannot_take_is_its_own_error(times: str) -> None:
    def refuse_all(stream: IO[bytes]) -> None:
        raise ValueError(stream.read(4))

    with pytest.raises(ValueError, match="what"):
        taken(hand, times, take=refuse_all)


def test_it_works_where_nobody_is_told_of_ended_processes() -> None:
    code = """if True:
        import signal
        from tests import test_apart as t
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        print(t.taken(t.hand, "2"))
        try:
            t.taken(t.cut)
        except t.AuditError as error:
            print(error.message)"""
    with started(code, stdout=subprocess.PIPE) as other:
        out, _ = other.communicate(timeout=60)
    handed_over, cut_off = out.decode().splitlines()
    assert handed_over == repr(b"what is handed over\n" * 2)
    assert cut_off.startswith("m: reading it ended")


def test_it_works_where_no_standard_stream_is_open(tmp_path: Path) -> None:
    """As a daemon may start it: the numbers of these streams are free for pipes."""
    code = f"""if True:
        import os
        from pathlib import Path
        from tests import test_apart as t
        for number in range(3):
            os.close(number)
        Path({str(tmp_path / "handed")!r}).write_bytes(t.taken(t.hand, "2"))"""
    started(code).wait(60)
    assert (tmp_path / "handed").read_bytes() == b"what is handed over\n" * 2


def test_it_works_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere")
    monkeypatch.setenv("TMPDIR", "/nowhere")
    assert taken(hand, "1") == b"what is handed over\n"
    with pytest.raises(AuditError, match="x is no model"):
        run(refuse, "x")


def test_its_own_clock_ends_it_where_nobody_else_does(tmp_path: Path) -> None:
    hands, says = os.pipe()
    ours = [str(GIB), "6", str(os.getpid()), str(hands), str(says)]
    work = ["tests.test_apart:sleep", "", str(tmp_path / "pid")]
    child = started(here._START, *ours, *work, pass_fds=(hands, says))
    try:
        assert child.wait(60) == -signal.SIGALRM
    finally:
        child.kill()
        os.close(hands)
        os.close(says)
    assert (tmp_path / "pid").exists()


def test_it_ends_with_a_parent_where_the_system_does_not_see_to_that(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = f"""if True:
        import sys, time
        from pathlib import Path
        from tests.test_apart import started
        file = Path({str(file)!r})
        started(f"from tests.test_apart import wait_with_parent as w; w({str(file)!r})")
        while not (file.exists() and file.read_text()):
            time.sleep(.05)"""
    assert started(code).wait(60) == 0
    assert gone(int(file.read_text()))


def started(code: str, *arguments: str, **more) -> subprocess.Popen[bytes]:
    """Another Python that knows these tests."""
    env = os.environ | {"PYTHONPATH": ROOT}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, env=env, cwd=ROOT, **more)


def test_it_is_ended_in_time(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="took over 6 s and was ended"):
        run(sleep, str(tmp_path / "pid"), seconds=6.0)
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_it_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = f"from tests.test_apart import run, sleep; run(sleep, {str(file)!r})"
    parent = started(code)
    deadline = time.monotonic() + 60
    while not (file.exists() and file.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert gone(int(file.read_text()))


def gone(pid: int) -> bool:
    """Whether a process ends within ten seconds; one that nobody waited for counts as ended."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
