"""Work in a process of its own: what it says comes back, and how it ends is told."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataedge.apart import GIB, Limits, apart
from dataedge.errors import AuditError, ExitCode


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
        (stumble, "m: reading it ended with RuntimeError: no sentence"),
    ],
)
def test_what_ends_it_is_a_sentence(work, said: str) -> None:
    with pytest.raises(AuditError) as caught:
        run(work)
    assert caught.value.message == said
    assert caught.value.hint == "Name another one"


def test_it_is_ended_in_time(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="took over 6 s and was ended"):
        run(sleep, str(tmp_path / "pid"), seconds=6.0)
    assert gone(int((tmp_path / "pid").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_it_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    code = f"from tests.test_apart import run, sleep; run(sleep, {str(file)!r})"
    root = str(Path(__file__).parents[1])
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": root}, cwd=root
    )
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
