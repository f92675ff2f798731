"""The report in a terminal: the first screen, and under `--details` all that it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from dataedge.report.first_screen import ANSWER_COLOURS, COLOURS, first_screen
from dataedge.report.printable import all_printable, shortened
from dataedge.report.sentences import evidence, figure, timed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from dataedge.report.model import Report

ANSWERS = {"supported": "yes", "not_supported": "no", "unknown": "?"}
BAR = 12
SHOWN = 110


def show(report: Report, where: Sequence[str], stream: TextIO, folder: str = "") -> None:
    """Print the first screen of a report.

    Args:
        report: what to print.
        where: files that were written.
        stream: stdout, as a rule.
        folder: where the audit lies, for the command that comes next.
    """
    console, (folder,) = _console(stream), all_printable([folder])
    for line in first_screen(_printable(report), all_printable(where), console.width, folder):
        console.print(line, soft_wrap=bool(line.no_wrap))


def show_details(report: Report, worst: Sequence[dict[str, Any]], stream: TextIO) -> None:
    """Print everything that the first screen rests on.

    Args:
        report: what to print.
        worst: items worth a look: id, text, given, proposed, reason.
        stream: stdout, as a rule.
    """
    _console(stream).print(render(_printable(report), all_printable(worst)))


def _console(stream: TextIO) -> Console:
    return Console(file=stream, highlight=False, soft_wrap=False, markup=False, emoji=False)


def _printable(report: Report) -> Report:
    return type(report).model_validate(all_printable(report.model_dump()))


def render(report: Report, worst: Sequence[dict[str, Any]]) -> Group:
    """The details as something rich can print."""
    parts: list[Any] = [
        "",
        _headline(report),
        *([_terms(report)] if report.terms else []),
        "",
        _about(report),
        "",
        _ladder(report),
        "",
        _measures(report),
        "",
        _reasons(report),
    ]
    if report.exposure:
        parts += ["", _exposure(report)]
    if worst:
        parts += ["", _worst(worst)]
    parts += ["", _next(report)]
    return Group(*parts)


def _headline(report: Report) -> Text:
    verdict = report.verdict
    label = verdict.label.upper().replace("_", " ")
    line = Text(label, style=f"bold {COLOURS[verdict.label]}")
    return line.append("  " + verdict.why[0].partition(": ")[2], style="bold")


def _about(report: Report) -> Text:
    data, splits = report.dataset, report.dataset.splits
    precision = f" in {report.model.precision}" if report.model.precision else ""
    text = (
        f"{data.path}: {data.rows:,} rows, {data.unique:,} distinct, task {data.task}; "
        f"{splits['train']:,} train, {splits['development']} development, "
        f"{splits['evaluation']} evaluation items\n"
        f"base model {report.model.id}{precision}; embedder {report.embedder.id}"
    )
    asked = report.model.usage
    if asked is not None:
        cost = "" if asked.cost is None else f"; {asked.cost:,.2f} at the prices given"
        text += (
            f"\nasked: {asked.requests:,} requests, {asked.prompt_tokens:,} tokens in, "
            f"{asked.completion_tokens:,} out{cost}"
        )
    proven = report.model.capabilities.get("notes", [])
    for note in [*data.notes, *proven, *report.model.notes, *report.embedder.notes]:
        text += f"\nnote: {note}"
    return Text(text, style="dim")


def _ladder(report: Report) -> Table:
    unit = report.ladder[0].unit
    better = "lower is better" if unit == "bits/byte" else "higher is better"
    table = _table(f"Ladder ({unit}, {better})")
    table.add_column("rung", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    errors = any("absolute_error" in rung.detail for rung in report.ladder)
    if errors:
        table.add_column("abs. error", justify="right", no_wrap=True)
    table.add_column("how", style="dim")
    top = max((r.value for r in report.ladder if r.value is not None), default=1.0) or 1.0
    for rung in report.ladder:
        bar = "" if rung.value is None else "█" * max(0, round(BAR * rung.value / top))
        how = rung.reason or str(rung.detail.get("is") or rung.detail.get("how", ""))
        style = "bold" if rung.rung in ("without_data", "with_data") else ""
        name, value = Text(rung.rung, style=style), Text(figure(rung), style=style)
        beside = rung.detail.get("absolute_error", {}).get("value")
        error = ["–" if beside is None else f"{beside:.4g}"] if errors else []
        table.add_row(name, value, Text(bar, style="blue"), *error, how)
    return table


def _terms(report: Report) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(style="dim")
    for term in report.terms:
        answer = Text(term.answer, style=f"bold {ANSWER_COLOURS[term.answer]}")
        table.add_row(term.name, answer, term.sentence, evidence(term))
    return table


def _measures(report: Report) -> Table:
    table = _table("Measures")
    table.add_column("measure", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("unit", style="dim", no_wrap=True)
    table.add_column("", style="dim")
    for name, value in report.measures.items():
        table.add_row(name, figure(value), value.unit, value.reason)
    return table


def _reasons(report: Report) -> Table:
    table = _table("Reasons to fine-tune")
    table.add_column("reason", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("why", style="dim")
    for reason in report.reasons:
        table.add_row(
            reason.id, ANSWERS[reason.answer], " ".join(filter(None, (reason.why, timed(reason))))
        )
    return table


def _exposure(report: Report) -> Table:
    table = _table("Seen before? (the dataset as a whole)")
    table.add_column("test", no_wrap=True)
    table.add_column("p", justify="right", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("power", justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("", style="dim")
    for e in report.exposure:
        p = "–" if e.value is None else f"{e.value:.2g}"
        power = "–" if e.power is None else f"{e.power:.2f}"
        table.add_row(e.test, p, f"{e.n:,}", power, e.status, e.reason)
    return table


def _worst(items: Sequence[dict[str, Any]]) -> Table:
    table = _table("Items worth a look")
    table.add_column("item", no_wrap=True)
    table.add_column("what", style="dim")
    for item in items:
        change = f"{item['given']} → {item['proposed']}, " if item.get("proposed") else ""
        text = shortened(str(item["text"]), SHOWN)
        table.add_row(item["item"], f"{change}{item['reason']}: {text}")
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))


def _next(report: Report) -> Text:
    return Text("\n".join(report.verdict.why[1:]))
