"""What a report says in sentences, with the units that a person uses: for every rendering."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataedge.report.model import (
        EdgeModel,
        ExposureModel,
        FigureModel,
        ReasonModel,
        Report,
        RungModel,
        TermModel,
    )

RUNG_NAMES = {
    "chance": "guessing",
    "zero_shot": "one prompt, nothing shown",
    "few_shot": "one prompt, examples shown",
    "without_data": "prompting",
    "retrieved": "one prompt, the nearest rows shown",
    "prompted": "prompting with rows of the data",
    "learned": "learning from the data",
    "tuned": "fine-tuned, measured",
    "tuned_all": "fine-tuned on all rows, forecast",
    "with_data": "learning and prompting together",
    "repaired": "learning, suspects left out",
    "more_data": "learning from twice the rows, forecast",
}
"""Rungs as a person calls them."""
WRITTEN = {"fine_tune": "--recipe trl", "fix_labels": "--review csv"}
"""Advice → what `dataedge export` writes for it."""
REASON_NAMES = {
    "prompting_ceiling": "prompting at its limit",
    "prompting_impractical": "prompt too long",
    "data_edge": "the data's edge",
    "latency_and_cost": "lower costs",
}


def rung_name(rung: RungModel) -> str:
    """A rung as a person calls it; of a fine-tune also how much it was tuned on."""
    if rung.rung == "chance" and rung.unit == "accuracy":
        return "always the commonest answer"
    rows = rung.detail.get("train_items") if rung.rung in ("tuned", "tuned_all") else None
    forecast = ", forecast" if rung.rung == "tuned_all" else ""
    return f"fine-tuned on {rows:,} rows{forecast}" if rows else RUNG_NAMES[rung.rung]


TUNED_DOES = {"bits/byte": "take {} bits per byte", "R²": "explain {} of the variance"}
LEVELS = ("accuracy", "balanced accuracy", "exact match", "share", "R²")
"""Units that are read as percentages."""
NO_FLAG = ("concurrency", "timeout")
"""Options that the command line has no flag for."""


def reached(report: Report) -> Iterator[str]:
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
    measured = figure.basis == "measured"
    tuned = any(r.rung == "tuned" and r.value is not None for r in report.ladder)
    predicted = "predicted" if tuned else "predicted, not tuned"
    basis = "measured by a fine-tune" if measured else predicted
    size = f"{what} {points(figure.value, figure.unit)} {unit_name(figure.unit)}"
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


def tuning(report: Report) -> Iterator[str]:
    """What a fine-tune reaches, and gains over prompting that shows the data."""
    found = report.tuning_gain
    if found.value is None or found.low is None or found.high is None:
        return
    low, high = points(found.low, found.unit), points(found.high, found.unit)
    measured = found.basis == "measured"
    rungs = {r.rung: r for r in report.ladder}
    part, whole = rungs.get("tuned"), rungs.get("tuned_all")
    if part and whole and part.value is not None and whole.value is not None:
        yield _on_all_rows(part, whole, found)
        return
    reached = rungs.get("tuned" if measured else "learned")
    if reached is None or reached.value is None:
        return
    does = TUNED_DOES.get(reached.unit, "answer {} right").format(
        level(reached.value, reached.unit)
    )
    which = "Measured: a fine-tune does" if measured else "A fine-tune should"
    yield (
        f"{which} {does}: {points(found.value, found.unit)} {unit_name(found.unit)} "
        f"({low} to {high}) over prompting with rows of the data."
    )


def _on_all_rows(part: RungModel, whole: RungModel, found: EdgeModel) -> str:
    """What a pilot on a part of the rows reached, what all rows would, and what that gains."""
    says = {"bits/byte": "takes {} bits per byte"}.get(part.unit, "answers {} right")
    should = TUNED_DOES.get(part.unit, "answer {} right")
    rows, all_rows = (r.detail["train_items"] for r in (part, whole))
    reached = (level(r.value or 0.0, r.unit) for r in (part, whole))
    now, then = (form.format(value) for form, value in zip((says, should), reached, strict=True))
    low, high = points(found.low or 0.0, found.unit), points(found.high or 0.0, found.unit)
    weighed = "" if found.basis == "measured" else ", what learning predicts weighed in"
    return (
        f"Fine-tuned on {rows:,} rows it {now}, on {all_rows:,} it should {then}: "
        f"{points(found.value or 0.0, found.unit)} {unit_name(found.unit)} ({low} to {high}) over prompting "
        f"with rows of the data{weighed}."
    )


def least(report: Report, unit: str) -> str:
    """The smallest gain worth having, in words."""
    delta = smallest(report, unit)
    return (
        f"{100 * delta:g} {unit_name(unit)}" if unit in LEVELS else f"{delta:g} {unit_name(unit)}"
    )


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


def unit_name(unit: str) -> str:
    """The unit of a difference, in words."""
    return {"bits/byte": "bits per byte", "R²": "points of variance"}.get(unit, "points")


def said(term: TermModel) -> str:
    """A term's figure in words, or its sentence where there is none."""
    found = term.figure
    if found.value is None or found.low is None or found.high is None:
        return unadorned(term.sentence)
    change = term.id == "enough"
    show = points if change else share
    value = show(found.value, found.unit)
    low, high = (show(v, found.unit) for v in (found.low, found.high))
    size = f"{value} ({low.removesuffix(' %')} to {high.removesuffix(' %')})"
    if term.id == "new" and found.unit == "share" and found.low >= 1.0:
        return "beyond guessing, the model knows all that the data would teach"
    if term.id == "new" and found.unit == "share":
        return f"beyond guessing, the model knows {size}"
    if change:
        return f"twice the rows should add {size} {unit_name(found.unit)}"
    if term.id == "clean":
        what = term.of.removeprefix("share ")
        wrong = what.replace(" that are ", " are ").replace(" with ", " have ")
        return "; ".join(filter(None, (f"about {size} {wrong}", term.beside)))
    return unadorned(term.sentence)


def unadorned(sentence: str) -> str:
    """One sentence without its capital and its full stop; several as they are.

    Example:
        >>> unadorned("Hardly any labels are wrong."), unadorned("Some are. Look at them.")
        ('hardly any labels are wrong', 'Some are. Look at them.')
    """
    shown = sentence.replace("%", " %")
    if ". " in shown:
        return shown
    return f"{shown[:1].lower()}{shown[1:]}".removesuffix(".")


def share(value: float, unit: str) -> str:
    """A share, which an estimate can miss by so much that it leaves 0 to 1."""
    return level(min(max(value, 0.0), 1.0), unit)


def advice(report: Report) -> str:
    """What to do next, as the verdict has it; empty where it has nothing."""
    found = next((w for w in report.verdict.why if w.startswith("Advice: ")), "")
    return found.removeprefix("Advice: ")


def command(report: Report, folder: str = "") -> str:
    """What the advice asks for, as one line to paste; empty where there is none.

    Args:
        report: whose advice it is: a flag with which to audit again, or what is written from the audit.
        folder: where the audit lies.
    """
    flag, source = report.verdict.flag, report.dataset.path
    if folder and not flag and report.verdict.advice in WRITTEN:
        return f"dataedge export {shlex.quote(folder)} {WRITTEN[report.verdict.advice]}"
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


def seen(tests: Sequence[ExposureModel]) -> str:
    """Whether the model has seen the dataset, test by test."""
    told = [
        f"{t.test.replace('_', ' ')} test "
        + (t.status if t.value is None else f"p = {t.value:.2g}")
        for t in tests
    ]
    return f"was this very dataset in the model's training? {'; '.join(told)}"


def minutes(seconds: float) -> str:
    """A time as a person tells it."""
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def figure(value: FigureModel | EdgeModel) -> str:
    """A value with its interval, in few characters."""
    if value.value is None:
        return "–"
    digits = 0 if value.unit in ("items", "tokens", "clusters", "bits") else 3
    text = f"{value.value:,.{digits}f}"
    if value.low is not None and value.high is not None:
        text += f" [{value.low:,.{digits}f}, {value.high:,.{digits}f}]"
    return text


def evidence(term: TermModel) -> str:
    """The figure that a term's answer rests on; empty where there is none."""
    return "" if term.figure.value is None else f"{term.of}: {figure(term.figure)}"


def timed(reason: ReasonModel) -> str:
    """What the clock said of requests; empty for reasons that it has no say in."""
    seconds = reason.evidence.get("seconds")
    if not seconds:
        return ""
    best, tuned = (seconds[name]["median"] for name in ("best_prompt", "tuned"))
    return f"Measured: {best:.2f} s against {tuned:.2f} s to {seconds['to']}."
