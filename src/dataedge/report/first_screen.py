"""What a person reads first: the verdict, how sure it is, the claim, and what to do, on one screen.

Nothing here needs a word that is explained elsewhere; figures have the unit that a person uses. Everything
else stands in `terminal.py`, under `--details`.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from typing import TYPE_CHECKING

from rich.text import Text

from dataedge.report.printable import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataedge.report.model import (
        EdgeModel,
        ExposureModel,
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
REASON_NAMES = {
    "prompting_ceiling": "prompting at its limit",
    "prompting_impractical": "prompt too long",
    "data_edge": "data edge",
    "latency_and_cost": "cheaper",
}
REASON_ANSWERS = {
    "supported": ("yes", "green"),
    "not_supported": ("no", "yellow"),
    "unknown": ("unknown", "dim"),
}
TUNED_DOES = {"bits/byte": "take {} bits per byte", "R²": "explain {} of the variance"}
LEVELS = ("accuracy", "balanced accuracy", "exact match", "share", "R²")
"""Units that are read as percentages."""
BAR = 20
NO_FLAG = ("concurrency", "timeout")
"""Options that the command line has no flag for."""
NOTES = 2
"""Notes that are shown; the others stand under `--details`."""


def first_screen(report: Report, where: Sequence[str], width: int) -> Iterator[Text]:
    """The lines of the first screen.

    Args:
        report: printable.
        where: files that were written.
        width: of the terminal.
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
    yield from _next(report, where, width)


def _about(report: Report, width: int) -> str:
    data = report.dataset
    base = re.sub(r"\.[IQF]\w*$", "", report.model.id.rpartition("/")[2])
    parts = [
        f"{data.rows:,} rows",
        {"number": "numbers", "corpus": "passages", "generate": "responses"}.get(
            data.task, "labels"
        ),
        shortened(base, 30),
        f"in {_minutes(report.seconds)}",
    ]
    room = max(8, width - sum(map(len, parts)) - 3 * len(parts) - 1)
    return " · ".join([shortened(data.path, room), *parts])


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _verdict(report: Report, width: int) -> Iterator[Text]:
    label = report.verdict.label.upper().replace("_", " ")
    indent = len(label) + 5
    sentences = [*_reached(report), gain(report.edge, report), *_tuning(report)]
    lines = [line for s in sentences for line in textwrap.wrap(s, width - indent)]
    first = Text("  ").append(label, style=f"bold {COLOURS[report.verdict.label]}")
    yield first.append("   ").append(lines[0], style="bold")
    for line in lines[1:]:
        yield Text(" " * indent + line)


def _reached(report: Report) -> Iterator[str]:
    """What is reached with the data, and without it."""
    rungs = {r.rung: r for r in report.ladder}
    with_, without = rungs.get("with_data"), rungs.get("without_data")
    if with_ is None or without is None or with_.value is None or without.value is None:
        return
    pair = level(with_.value, with_.unit), level(without.value, without.unit)
    yield {
        "bits/byte": "With this data a text should take {} bits per byte, fewer being better; with the "
        "best prompting without it {}.",
        "R²": "Learning from this data should explain {} of the variance; the best prompting without "
        "it {}.",
        "balanced accuracy": "Learning from this data should answer {} right, every label counting "
        "alike; the best prompting without it {}.",
    }.get(
        with_.unit,
        "Learning from this data should answer {} right; the best prompting without it {}.",
    ).format(*pair)


def gain(figure: EdgeModel, report: Report) -> str:
    """What the data gains and how sure that is."""
    if figure.value is None:
        return "What the data gains could not be measured."
    what = "Gain"
    if "task" in figure.parts and figure.value == figure.parts["task"].value:
        what = "Gain in what the text says, its style apart:"
    basis = "measured by a fine-tune" if figure.basis == "measured" else "predicted"
    size = f"{what} {points(figure.value, figure.unit)} {_unit(figure.unit)}"
    if figure.low is None or figure.high is None:
        return f"{size}; {basis}."
    low, high = points(figure.low, figure.unit), points(figure.high, figure.unit)
    sure = f"95 % sure of {low} to {high}"
    if report.verdict.label == "inconclusive":
        delta, edge = (
            smallest(report, figure.unit),
            f"An edge begins at {least(report, figure.unit)}",
        )
        if figure.high < delta:
            edge += ", so this looks like none, but too few independent items were asked to be sure"
        elif figure.low > delta:
            edge += ". This looks like one, but: " + " ".join(_doubts(report)).rstrip(".")
        return f"{size}, but anything from {low} to {high} is possible; {basis}. {edge}."
    return f"{size}, {sure}; {basis}."


def _doubts(report: Report) -> list[str]:
    """Why a gain that is surely worth having is no edge: as the verdict's sentences have it."""
    known = ("As a whole", "It is not certain")
    return [w for w in report.verdict.why if w.startswith(known)] or ["the details say why"]


def _tuning(report: Report) -> Iterator[str]:
    found = report.tuning_gain
    if found.value is None or found.low is None or found.high is None:
        return
    low, high = points(found.low, found.unit), points(found.high, found.unit)
    measured = found.basis == "measured"
    reached = {r.rung: r for r in report.ladder}.get("tuned" if measured else "learned")
    if reached is None or reached.value is None:
        return
    does = TUNED_DOES.get(reached.unit, "answer {} right").format(
        level(reached.value, reached.unit)
    )
    which = "Measured: a fine-tune does" if measured else "A fine-tune should"
    yield (
        f"{which} {does}, {points(found.value, found.unit)} {_unit(found.unit)} "
        f"({low} to {high}) over prompting that shows the data."
    )


def least(report: Report, unit: str) -> str:
    """The smallest gain worth having, in words."""
    delta = smallest(report, unit)
    return f"{100 * delta:g} {_unit(unit)}" if unit in LEVELS else f"{delta:g} {_unit(unit)}"


def smallest(report: Report, unit: str) -> float:
    """The smallest gain worth having, δ."""
    options = report.config.effective
    name = {"balanced accuracy": "delta_balanced", "R²": "delta_r2"}.get(unit, "delta")
    return float(options.get(name, options.get("delta", 0.0)))


def level(value: float, unit: str) -> str:
    """A rung as a person reads it.

    Example:
        >>> level(0.734, "accuracy"), level(1.2345, "bits/byte"), level(12.3, "absolute error")
        ('73 %', '1.23', '12.3')
    """
    if unit in LEVELS:
        return f"{100 * value:.0f} %"
    return f"{value:.2f}" if unit == "bits/byte" else f"{value:.4g}"


def points(value: float, unit: str) -> str:
    """A difference as a person reads it.

    Example:
        >>> points(0.1634, "accuracy"), points(-0.012, "bits/byte")
        ('+16', '−0.012')
    """
    shown = f"{100 * value:+.0f}" if unit in LEVELS else f"{value:+.3f}"
    shown = "0" if shown in ("+0", "-0") else shown
    return shown.replace("-", "−")


def _unit(unit: str) -> str:
    return {"bits/byte": "bits per byte", "R²": "points of variance"}.get(unit, "points")


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


def said(term: TermModel) -> str:
    """A term's figure in words, or its sentence where there is none."""
    found = term.figure
    if found.value is None or found.low is None or found.high is None:
        return term.sentence
    change = term.id == "enough"
    show = points if change else share
    value = show(found.value, found.unit)
    low, high = (show(v, found.unit) for v in (found.low, found.high))
    size = f"{value} ({low.removesuffix(' %')} to {high.removesuffix(' %')})"
    if term.id == "new" and found.unit == "share":
        return f"{size} is known to the model already"
    if change:
        return f"twice the rows: {size} {_unit(found.unit)}"
    if term.id == "clean":
        what = term.of.removeprefix("share ")
        return f"{size} {what.replace(' that are ', ' are ').replace(' with ', ' have ')}"
    return term.sentence


def share(value: float, unit: str) -> str:
    """A share, which an estimate can miss by so much that it leaves 0 to 1."""
    return level(min(max(value, 0.0), 1.0), unit)


def _bars(report: Report, width: int) -> Iterator[Text]:
    names = {
        "chance": "guessing",
        "without_data": "prompting",
        "prompted": "prompting with the data shown",
        "learned": "learning from the data",
        "tuned": "fine-tuned, measured",
        "with_data": "learning and prompting together",
    }
    shown = [
        r
        for r in report.ladder
        if r.rung in names and r.value is not None and r.detail.get("is") != "learned"
    ]
    if len(shown) > 1 and shown[-1].rung == "with_data" and _same(*shown[-2:]):
        shown.pop()
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
        yield _bar(names[rung.rung], rung, max(0.0, (rung.value or 0.0) / top), room)
    yield Text()


def _same(one: RungModel, other: RungModel) -> bool:
    """Whether two rungs look alike to a person."""
    return level(one.value or 0.0, one.unit) == level(other.value or 0.0, other.unit)


def _bar(name: str, rung: RungModel, share: float, room: int) -> Text:
    bold = "bold" if rung.rung in ("without_data", "with_data") else ""
    line = Text("   ").append(f"{name:<33}{level(rung.value or 0.0, rung.unit):>6}  ", style=bold)
    return line.append("█" * round(room * share), style="blue")


def _reasons(reasons: Sequence[ReasonModel], width: int) -> Iterator[Text]:
    """The four reasons to fine-tune, with their marks, as many on a line as fit."""
    line = Text("  Why tune")
    for reason in reasons:
        answer, colour = REASON_ANSWERS[reason.answer]
        name = REASON_NAMES.get(reason.id, reason.id)
        if len(line.plain) + len(name) + len(answer) + 5 > width:
            yield line
            line = Text("          ")
        line.append(f"  {name}: ").append(answer, style=colour)
    if reasons:
        yield line


def command(report: Report) -> str:
    """The audit again, with the flag that the advice names: one line to paste; empty where there is none."""
    flag, source = report.verdict.flag, report.dataset.path
    if not flag or source.startswith("<"):
        return ""
    effective = report.config.effective
    flags = []
    for name in report.config.passed:
        option, value = f"--{name.replace('_', '-')}", effective.get(name)
        if option in flag or name in NO_FLAG or value is None or value is False:
            continue
        flags.append(option if value is True else f"{option} {shlex.quote(str(value))}")
    return " ".join(["dataedge audit", shlex.quote(source), *flags, flag])


def _seen(tests: Sequence[ExposureModel]) -> str:
    """Whether the model has seen the dataset, test by test."""
    told = [
        f"{t.test.replace('_', ' ')} test "
        + (t.status if t.value is None else f"p = {t.value:.2g}")
        for t in tests
    ]
    return f"was this very dataset in the model's training? {'; '.join(told)}"


def _next(report: Report, where: Sequence[str], width: int) -> Iterator[Text]:
    advice = next((w for w in report.verdict.why if w.startswith("Advice: ")), "")
    said_first = advice.removeprefix("Advice: ")
    notes = [*report.model.notes, *report.dataset.notes, *report.embedder.notes]
    said_first = said_first.replace("δ", least(report, report.edge.unit))
    lines = [("Next", said_first[:1].upper() + said_first[1:])] if said_first else []
    if report.exposure:
        lines.append(("Seen", _seen(report.exposure)))
    lines += [("Note", note) for note in notes[:NOTES]]
    if len(notes) > NOTES:
        lines.append(("", f"… and {len(notes) - NOTES} more with --details"))
    lines += [("Report" if not at else "", path) for at, path in enumerate(where)]
    for name, text in lines:
        for at, line in enumerate(textwrap.wrap(text, width - 10, break_on_hyphens=False)):
            yield Text(f"  {name if not at else '':<8}").append(line)
        if name == "Next" and (again := command(report)):
            yield Text(f"          {again}", no_wrap=True, overflow="ignore")
