from __future__ import annotations

import io
from typing import Any

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


def test_stages_that_are_followed_together_tell_of_the_whole(clock: list[float]) -> None:
    stream = io.StringIO()
    shown = Progress(stream=stream)
    shown.expect(1_000, ("choices",))
    shown.found("choices", 500)  # of an earlier run
    shown.found("embed", 70)
    for name in ("choices", "embed"):
        with shown.task(name, 100) as advance:
            clock[0] += 10.0
            advance(100)
    assert stream.getvalue().splitlines() == [
        "  choices: 100 of 100 in 10 s; 600 of about 1,000 in all",
        "  embed: 100 of 100 in 10 s",
    ]
    with shown.task("choices", 500) as advance:  # more than were expected: no word of it
        clock[0] += 10.0
        advance(500)
    assert stream.getvalue().splitlines()[-1] == "  choices: 500 of 500 in 10 s"


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


def test_a_notebook_has_a_bar_in_its_cell() -> None:
    """In a kernel of Jupyter: what it displays while the cell runs, and what is left at its end."""
    from jupyter_client.manager import start_new_kernel

    code = """
import time
from dataedge.progress import Progress
shown = Progress()
for name, total in (("embed <b>", 4), ("choices", 2)):
    with shown.task(name, total) as advance:
        for _ in range(total):
            time.sleep(0.25)
            advance(1)
"""
    manager, client = start_new_kernel(kernel_name="python3")
    drawn: list[str] = []
    places = set()

    def hear(message: dict[str, Any]) -> None:
        if message["msg_type"] in ("display_data", "update_display_data"):
            drawn.append(message["content"]["data"]["text/html"])
            places.add(message["content"]["transient"]["display_id"])

    try:
        reply = client.execute_interactive(code, timeout=60, output_hook=hear)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert reply["content"]["status"] == "ok"
    assert 'embed &lt;b&gt; <progress value="4" max="4"></progress> 4 of 4' in drawn
    assert any(d.startswith("choices <progress") for d in drawn)
    assert drawn[-1] == ""
    assert len(places) == 1
