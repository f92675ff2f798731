"""Progress on stderr: bars in a terminal or a notebook, plain lines elsewhere, silence when asked."""

from __future__ import annotations

import html
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PATIENCE_SECONDS = 2.0
LINE_EVERY_SECONDS = 15.0
DRAWN_EVERY_SECONDS = 0.2


class Progress:
    """Tells how far a long stage is and how long it will take.

    Args:
        quiet: say nothing.
        stream: where to; stderr by default.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.quiet = quiet
        self.stream = stream or sys.stderr
        self._in_cell: Any = None
        self._whole = _Whole(0, frozenset())

    def expect(self, units: int, stages: Sequence[str]) -> None:
        """From here on, tell how far these stages are together.

        Args:
            units: that are expected of them, about.
            stages: their names.
        """
        self._whole = _Whole(units, frozenset(stages))

    @property
    def done(self) -> int:
        """Units of these stages until now."""
        return self._whole.done

    def found(self, name: str, units: int) -> None:
        """So many units of a stage were done before."""
        self._whole.count(name, units)

    def say(self, sentence: str) -> None:
        """One line, such as the name of the step that begins."""
        if not self.quiet:
            print(sentence, file=self.stream, flush=True)

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """Follow `total` units of work; the value is to be called as units are done."""
        with self._shown(name, total) as show:

            def advance(k: int) -> None:
                self._whole.count(name, k)
                show(k)

            yield advance

    @contextmanager
    def _shown(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        if self.quiet:
            yield lambda _: None
        elif self.stream.isatty():
            with self._bar(name, total) as advance:
                yield advance
        elif self.stream is sys.stderr and _in_notebook():
            with self._notebook_bar(name, total) as advance:
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
            TextColumn("{task.fields[whole]}"),
        )
        with Bars(*columns, console=Console(file=self.stream), transient=True) as bars:
            task = bars.add_task(name, total=total, whole=self._whole.told(name))
            yield lambda k: bars.update(task, advance=k, whole=self._whole.told(name))

    @contextmanager
    def _notebook_bar(self, name: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar in the cell that runs, the same place for every stage; gone once the stage is done."""
        from IPython.display import display

        started = last = time.monotonic()
        done = 0
        nothing = {"text/html": "", "text/plain": ""}

        def bar() -> dict[str, str]:
            left = (last - started) * (total - done) / max(done, 1)
            tail = f", {left:.0f} s left" if done and last - started > PATIENCE_SECONDS else ""
            whole = self._whole.told(name, "; ")
            count, name_ = f"{done:,} of {total:,}{tail}{whole}", html.escape(name)
            drawn = f'{name_} <progress value="{done}" max="{total}"></progress> {count}'
            return {"text/html": drawn, "text/plain": f"{name}: {count}"}

        def advance(k: int) -> None:
            nonlocal done, last
            done += k
            if time.monotonic() - last >= DRAWN_EVERY_SECONDS:
                last = time.monotonic()
                self._in_cell.update(bar(), raw=True)

        if self._in_cell is None:
            self._in_cell = display(nothing, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        self._in_cell.update(bar(), raw=True)
        try:
            yield advance
        finally:
            self._in_cell.update(nothing, raw=True)

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
                whole = self._whole.told(name, "; ")
                print(f"  {name}: {done:,} of {total:,}{tail}{whole}", file=self.stream, flush=True)

        return advance


class _Whole:
    """How far several stages are together.

    Attributes:
        expected: units of all of them, about; 0 where that is not known.
        stages: their names.
        done: units until now.
    """

    def __init__(self, expected: int, stages: frozenset[str]) -> None:
        self.expected, self.stages, self.done = expected, stages, 0

    def count(self, name: str, units: int) -> None:
        if name in self.stages:
            self.done += units

    def told(self, name: str, before: str = "") -> str:
        """In words, for one of the stages; empty where more was done than expected."""
        if name not in self.stages or self.done > self.expected:
            return ""
        return f"{before}{self.done:,} of about {self.expected:,} in all"


def _in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this, which draws what is displayed."""
    ipython = sys.modules.get("IPython")
    return hasattr(ipython.get_ipython(), "kernel") if ipython else False
