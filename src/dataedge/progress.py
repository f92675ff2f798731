"""Progress on stderr: bars in a terminal, plain lines elsewhere, silence when asked."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE_SECONDS = 2.0
LINE_EVERY_SECONDS = 15.0


class Progress:
    """Tells how far a long stage is and how long it will take.

    Args:
        quiet: say nothing.
        stream: where to; stderr by default.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.quiet = quiet
        self.stream = stream or sys.stderr

    def say(self, sentence: str) -> None:
        """One line, such as the name of the step that begins."""
        if not self.quiet:
            print(sentence, file=self.stream, flush=True)

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Follow `total` units of work; the value is to be called as units are done."""
        if self.quiet:
            yield lambda _: None
        elif self.stream.isatty():
            with self._bar(name, total) as advance:
                yield advance
        else:
            yield self._lines(name, total)

    @contextmanager
    def _bar(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description:>12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Bars(*columns, console=Console(file=self.stream), transient=True) as bars:
            task = bars.add_task(name, total=total)
            yield lambda k: bars.update(task, advance=k)

    def _lines(self, name: str, total: int) -> Callable[[int], None]:
        started = last = time.monotonic()
        done = 0

        def advance(k: int) -> None:
            nonlocal done, last
            done += k
            now = time.monotonic()
            if now - started < PATIENCE_SECONDS or done == 0:
                return
            if done >= total or now - last >= LINE_EVERY_SECONDS or last == started:
                last = now
                left = (now - started) * (total - done) / done
                tail = f", {left:.0f} s left" if done < total else f" in {now - started:.0f} s"
                print(f"  {name}: {done} of {total}{tail}", file=self.stream, flush=True)

        return advance
