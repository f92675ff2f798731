from __future__ import annotations

import io

import pytest

from dataedge import progress
from dataedge.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_plain_lines_with_the_time_left_where_there_is_no_terminal(clock: list[float]) -> None:
    stream = io.StringIO()
    with Progress(stream=stream).task("embed", 100) as advance:
        for _ in range(10):
            clock[0] += 10.0
            advance(10)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "  embed: 10 of 100, 90 s left"
    assert lines[-1] == "  embed: 100 of 100 in 100 s"
    assert len(lines) < 10  # one line every fifteen seconds, not one a batch


def test_what_is_quick_says_nothing(clock: list[float]) -> None:
    stream = io.StringIO()
    with Progress(stream=stream).task("tokens", 3) as advance:
        clock[0] += 1.0
        advance(3)
    assert stream.getvalue() == ""


def test_quiet_is_quiet(clock: list[float]) -> None:
    stream = io.StringIO()
    quiet = Progress(quiet=True, stream=stream)
    quiet.say("hello")
    with quiet.task("embed", 10) as advance:
        clock[0] += 60.0
        advance(5)
    assert stream.getvalue() == ""


def test_a_bar_in_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    with Progress(stream=stream).task("embed", 10) as advance:
        advance(10)
    assert "embed" in stream.getvalue()
