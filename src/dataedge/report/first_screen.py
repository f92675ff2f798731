"""What a person reads first: the verdict, how sure it is, the claim, and what to do, on one screen.

Nothing here needs a word that is explained elsewhere; figures have the unit that a person uses. Everything
else stands in `terminal.py`, under `--details`.
"""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from dataedge.report.printable import shortened
from dataedge.report.sentences import (
    LEVELS,
    REASON_NAMES,
    advice,
    command,
    gain,
    least,
    level,
    minutes,
    reached,
    rung_name,
    said,
    seen,
    tuning,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataedge.report.model import (
        ReasonModel,
        Report,
        RungModel,
        TermModel,
    )

WIDTH = 96
"""Columns at most, however wide the terminal is."""
COLOURS = {"edge": "green", "no_edge": "yellow", "inconclusive": "cyan"}
ANSWER_COLOURS = {"yes": "green", "partly": "cyan", "no": "yellow", "unknown": "dim"}
MARKS = {"yes": "●", "partly": "◐", "no": "○", "unknown": "?"}
REASON_ANSWERS = {
    "supported": ("yes", "green"),
    "not_supported": ("no", "yellow"),
    "unknown": ("open", "dim"),
}
BAR = 20
BARS = ("chance", "without_data", "prompted", "learned", "tuned", "tuned_all", "with_data")
"""Rungs that have a bar."""
NOTES = 2
"""Notes that are shown; the others stand under `--details`."""


def first_screen(
    report: Report, where: Sequence[str], width: int, folder: str = ""
) -> Iterator[Text]:
    """The lines of the first screen.

    Args:
        report: printable.
        where: files that were written.
        width: of the terminal.
        folder: where the audit lies, for the command that comes next.
    """
    width = min(width, WIDTH)
    yield Text(_about(report, width), style="dim")
    yield Text()
    yield from _verdict(report, width)
    yield Text()
    if report.terms:
        yield Text("  Is the data")
        yield from _terms(report, width)
        yield Text()
    yield from _bars(report, width)
    yield from _reasons(report.reasons, width)
    yield from _next(report, where, width, folder)


def _about(report: Report, width: int) -> str:
    data = report.dataset
    base = re.sub(r"\.[IQF]\w*$", "", report.model.id.rpartition("/")[2])
    parts = [
        f"{data.rows:,} rows",
        {"number": "numbers", "corpus": "passages", "generate": "responses"}.get(
            data.task, "labels"
        ),
        shortened(base, 30),
        f"in {minutes(report.seconds)}",
    ]
    room = max(8, width - sum(map(len, parts)) - 3 * len(parts) - 1)
    return " · ".join([shortened(data.path, room), *parts])


def _verdict(report: Report, width: int) -> Iterator[Text]:
    label = report.verdict.label.upper().replace("_", " ")
    indent = len(label) + 5
    sentences = [*reached(report), gain(report.edge, report), *tuning(report)]
    lines = [line for s in sentences for line in textwrap.wrap(s, width - indent)]
    first = Text("  ").append(label, style=f"bold {COLOURS[report.verdict.label]}")
    yield first.append("   ").append(lines[0], style="bold")
    for line in lines[1:]:
        yield Text(" " * indent + line)


def _terms(report: Report, width: int) -> Iterator[Text]:
    for term in report.terms:
        yield from _term(term, least(report, report.edge.unit), width)


def _term(term: TermModel, smallest_gain: str, width: int) -> Iterator[Text]:
    answer = Text("   ").append(MARKS[term.answer], style=ANSWER_COLOURS[term.answer])
    answer.append(f" {term.name:<18}").append(
        f"{term.answer:<9}", style=f"bold {ANSWER_COLOURS[term.answer]}"
    )
    indent = len(answer.plain)
    lines = textwrap.wrap(said(term).replace("δ", smallest_gain), max(20, width - indent))
    yield answer.append(lines[0])
    for line in lines[1:]:
        yield Text(" " * indent + line)


def _bars(report: Report, width: int) -> Iterator[Text]:
    shown = [
        r
        for r in report.ladder
        if r.rung in BARS and r.value is not None and r.detail.get("is") != "learned"
    ]
    measured = [r for r in shown if r.rung != "tuned_all"]
    if len(measured) > 1 and measured[-1].rung == "with_data" and _same(*measured[-2:]):
        shown.remove(measured[-1])
    if not shown:
        return
    unit = shown[0].unit
    top = max((abs(r.value or 0.0) for r in shown), default=1.0) or 1.0
    top = 1.0 if unit in LEVELS else top
    title = {
        "bits/byte": "  Bits per byte: shorter is better",
        "R²": "  Variance explained: longer is better",
    }
    yield Text(title.get(unit, "  Right answers: longer is better"))
    room = min(BAR, max(4, width - 50))
    for rung in shown:
        yield _bar(rung_name(rung), rung, max(0.0, (rung.value or 0.0) / top), room)
    yield Text()


def _same(one: RungModel, other: RungModel) -> bool:
    """Whether two rungs look alike to a person."""
    return level(one.value or 0.0, one.unit) == level(other.value or 0.0, other.unit)


def _bar(name: str, rung: RungModel, share: float, room: int) -> Text:
    bold = "bold" if rung.rung in ("without_data", "with_data") else ""
    line = Text("   ").append(f"{name:<33}{level(rung.value or 0.0, rung.unit):>6}  ", style=bold)
    return line.append("█" * round(room * share), style="blue")


def _reasons(reasons: Sequence[ReasonModel], width: int) -> Iterator[Text]:
    """The reasons to fine-tune by their answer, those that hold first; as much on a line as fits."""
    line = Text("  Why tune")
    for answer, (word, colour) in REASON_ANSWERS.items():
        names = [REASON_NAMES.get(r.id, r.id) for r in reasons if r.answer == answer]
        for at, name in enumerate(names):
            lead, end = "" if at else f"{word}: ", "," if at < len(names) - 1 else ""
            gap = " " if at else "  "
            if len(line.plain) + len(gap + lead + name + end) > width:
                yield line
                line, gap = Text(" " * 10), "    " if at else "  "
            line.append(gap).append(lead, style=colour).append(name + end)
    if reasons:
        yield line


def _next(report: Report, where: Sequence[str], width: int, folder: str) -> Iterator[Text]:
    said_first = advice(report)
    notes = [*report.dataset.notes, *report.model.notes, *report.embedder.notes]
    said_first = said_first.replace("δ", least(report, report.edge.unit))
    lines = [("Next", said_first[:1].upper() + said_first[1:])] if said_first else []
    if report.exposure:
        lines.append(("Seen", seen(report.exposure)))
    lines += [("Note", note) for note in notes[:NOTES]]
    if len(notes) > NOTES:
        lines.append(("", f"… and {len(notes) - NOTES} more with --details"))
    lines += [("Report" if not at else "", path) for at, path in enumerate(where)]
    for name, text in lines:
        for at, line in enumerate(textwrap.wrap(text, width - 10, break_on_hyphens=False)):
            yield Text(f"  {name if not at else '':<8}").append(line)
        if name == "Next" and (again := command(report, folder)):
            yield Text(f"          {again}", no_wrap=True, overflow="ignore")
