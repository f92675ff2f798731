"""The report in a terminal: the verdict first, then what it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from dataedge.report.model import EdgeModel, FigureModel, Report

COLOURS = {"edge": "green", "no_edge": "yellow", "inconclusive": "cyan"}
ANSWERS = {"supported": "yes", "not_supported": "no", "unknown": "?"}
BAR = 24


def show(
    report: Report, worst: Sequence[dict[str, Any]], where: Sequence[str], stream: TextIO
) -> None:
    """Print a report.

    Args:
        report: what to print.
        worst: items worth a look: id, text, given, proposed, reason.
        where: files that were written.
        stream: stdout, as a rule.
    """
    console = Console(file=stream, highlight=False, soft_wrap=False)
    console.print(render(report, worst, where))


def render(report: Report, worst: Sequence[dict[str, Any]], where: Sequence[str]) -> Group:
    """The report as something rich can print."""
    parts: list[Any] = [
        _headline(report),
        _about(report),
        "",
        _ladder(report),
        "",
        _measures(report),
        "",
        _reasons(report),
    ]
    if worst:
        parts += ["", _worst(worst)]
    parts += ["", _next(report, where)]
    return Group(*parts)


def _headline(report: Report) -> Text:
    verdict = report.verdict
    label = verdict.label.upper().replace("_", " ")
    line = Text(label, style=f"bold {COLOURS[verdict.label]}")
    return line.append("  " + verdict.why[0], style="bold")


def _about(report: Report) -> Text:
    data, splits = report.dataset, report.dataset.splits
    text = (
        f"{data.path}: {data.rows:,} rows, {data.unique:,} distinct, task {data.task}; "
        f"{splits['train']:,} train, {splits['development']} development, "
        f"{splits['evaluation']} evaluation items\n"
        f"base model {report.model.id}; embedder {report.embedder.id}"
    )
    for note in [*data.notes, *report.model.capabilities.get("notes", [])]:
        text += f"\nnote: {note}"
    return Text(text, style="dim")


def figure(value: FigureModel | EdgeModel) -> str:
    """A value with its interval, in few characters."""
    if value.value is None:
        return "–"
    digits = 0 if value.unit in ("items", "tokens", "clusters") else 3
    text = f"{value.value:,.{digits}f}"
    if value.low is not None and value.high is not None:
        text += f" [{value.low:,.{digits}f}, {value.high:,.{digits}f}]"
    return text


def _ladder(report: Report) -> Table:
    unit = report.ladder[0].unit
    better = "higher is better" if unit == "accuracy" else "lower is better"
    table = Table(
        title=f"Ladder ({unit}, {better})", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    table.add_column("rung")
    table.add_column(unit, justify="right")
    table.add_column("")
    table.add_column("how", overflow="fold", style="dim")
    top = max((r.value for r in report.ladder if r.value is not None), default=1.0) or 1.0
    for rung in report.ladder:
        bar = "" if rung.value is None else "█" * max(0, round(BAR * rung.value / top))
        how = rung.reason or str(rung.detail.get("is") or rung.detail.get("how", ""))
        style = "bold" if rung.rung in ("without_data", "with_data") else ""
        table.add_row(
            Text(rung.rung, style=style),
            Text(figure(rung), style=style),
            Text(bar, style="blue"),
            escape(how),
        )
    return table


def _measures(report: Report) -> Table:
    table = Table(title="Measures", title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_column("unit", style="dim")
    table.add_column("", overflow="fold", style="dim")
    for name, value in report.measures.items():
        table.add_row(name, figure(value), value.unit, escape(value.reason))
    return table


def _reasons(report: Report) -> Table:
    table = Table(
        title="Reasons to fine-tune", title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    table.add_column("reason")
    table.add_column("")
    table.add_column("why", overflow="fold", style="dim")
    for reason in report.reasons:
        table.add_row(reason.id, ANSWERS[reason.answer], escape(reason.why))
    return table


def _worst(items: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="Items worth a look", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in ("item", "given", "proposed", "why", "text"):
        table.add_column(
            column,
            overflow="ellipsis",
            no_wrap=column != "why",
            max_width=60 if column == "text" else 24,
        )
    for item in items:
        table.add_row(
            *(
                escape(str(item.get(c) or ""))
                for c in ("item", "given", "proposed", "reason", "text")
            )
        )
    return table


def _next(report: Report, where: Sequence[str]) -> Padding:
    lines = list(report.verdict.why[1:])
    lines += [f"written: {path}" for path in where]
    return Padding(Text("\n".join(lines)), 0)
