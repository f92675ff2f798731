"""The held-out evaluation items of an audit as questions, and what its rungs reached on them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dataedge.config import name_of
from dataedge.errors import AuditError, ExitCode
from dataedge.items import Dataset, Item, Task
from dataedge.ladder.exact_match import EXACT_MATCH
from dataedge.ladder.units import BALANCED, BITS, LOWER
from dataedge.models.lazy import ModelAbilities
from dataedge.prompt.library import load_probes, searched_probe
from dataedge.prompt.templates import Prompter, Strategy, bare_strategy

if TYPE_CHECKING:
    from dataedge.finished_audit import Audit
    from dataedge.prompt.probe import Probe, Template
    from dataedge.report.model import RungModel

BAR: Final = "without_data"
"""The rung that a model must be above for the data to have helped."""
BESIDE: Final = ("prompted", "learned", "tuned")
"""Rungs that stand beside it, as far as the audit has them."""
METRICS: Final = {
    "accuracy": "acc",
    BALANCED: "balanced_acc",
    EXACT_MATCH: "exact_match",
    BITS: "bits_per_byte",
}
"""Unit of a ladder → name of its metric in a suite."""
NOTE: Final = (
    "The audit asks several prompts as one and calibrates what they say; a suite asks one prompt, once. "
    "The base model therefore falls short of the bar in most suites: run it as well, and compare both."
)
_NOBODY: Final = ModelAbilities(
    token_logprobs=False, full_vocabulary=False, generation=False, chat=False, context=0
)
"""No model is asked here, and a suite's own program puts the chat frame around a prompt."""


@dataclass(frozen=True)
class Question:
    """An evaluation item as a model is asked about it.

    Attributes:
        item: its id.
        row: of the dataset, 1-based.
        prompt: the bare prompt of the audit, nothing shown.
        target: the label, or the response as far as it is judged.
        answer: how the target continues the prompt.
    """

    item: str
    row: int
    prompt: str
    target: str
    answer: str


@dataclass(frozen=True)
class HeldOut:
    """What an evaluation suite is made of.

    Attributes:
        name: of the suite: letters, digits and underscores.
        unit: of the ladder: accuracy, balanced accuracy, exact match or bits/byte.
        questions: at least one, in the order of their rows.
        labels: the closed label set; empty for texts.
        choices: how each label continues a prompt.
        instruction: names all labels; empty for texts. For models that only write.
        between: what an answer ends at.
        bar: content of bar.json.
    """

    name: str
    unit: str
    questions: tuple[Question, ...]
    labels: tuple[str, ...]
    choices: tuple[str, ...]
    instruction: str
    between: str
    bar: dict[str, Any]

    @property
    def metric(self) -> str:
        """Name of the metric in a suite: acc, balanced_acc, exact_match or bits_per_byte."""
        return METRICS[self.unit]

    @property
    def bar_lines(self) -> list[str]:
        """What was reached, a line for each rung, and what a suite cannot repeat of it."""
        better = "Lower" if self.unit in LOWER else "Higher"
        lines = [
            f"The bar: {BAR}, what the base model reaches without the data. {better} is better."
        ]
        for rung, figure in self.bar["rungs"].items():
            value, low, high = figure["value"], figure["low"], figure["high"]
            interval = "" if low is None else f" [{low:.4f}, {high:.4f}]"
            said = figure["reason"] if value is None else f"{value:.4f}{interval} {self.unit}"
            lines.append(f"  {rung}: {said} (n = {figure['n']:,})")
        return [*lines, NOTE]


def held_out(audit: Audit) -> HeldOut:
    """The evaluation items of an audit as questions, with its bar.

    Args:
        audit: finished; of labels, responses or passages.

    Raises:
        AuditError: rows have numbers or several labels, the bar was not measured, or a probe of the
            user's that was asked is not there any more.
    """
    report = audit.report
    task = Task(report.dataset.task)
    rungs = {rung.rung: rung for rung in report.ladder}
    bar = rungs.get(BAR)
    if task in (Task.NUMBER, Task.MULTILABEL) or (bar and bar.unit not in METRICS):
        what = "numbers" if task is Task.NUMBER else "several labels per row"
        raise AuditError(
            f"{audit.directory}: an evaluation suite of {what} is not written: none of the three "
            "programs has a metric that could be held against the audit's",
            hint="Use --recipe trl: its data/test.jsonl holds the held-out items",
        )
    if bar is None or bar.value is None:
        raise AuditError(
            f"{audit.directory}: {BAR} was not measured, so that a suite would have no bar"
            + (f" ({bar.reason})" if bar and bar.reason else ""),
            hint=f"Run `dataedge audit {report.dataset.path}` again, with more --probe-items or another "
            "--model",
            code=ExitCode.NO_CONCLUSION,
        )
    probe = searched_probe(task.value, load_probes(report.config.effective.get("probes")))
    dataset, asked = _items(audit, task)
    prompter = Prompter(dataset, _NOBODY)
    strategy = _without_frame(bare_strategy(probe.templates).template)
    questions = tuple(
        Question(
            name,
            item.row,
            prompter.prompt(strategy, item.texts),
            item.target,
            prompter.answer(strategy, item.target),
        )
        for name, item in asked.items()
    )
    labels = dataset.labels
    return HeldOut(
        "dataedge_" + re.sub(r"\W+", "_", name_of(report.dataset.path), flags=re.ASCII).strip("_"),
        bar.unit,
        questions,
        labels,
        prompter.choices(strategy) if labels else (),
        _instruction(probe, prompter) if labels else "",
        strategy.template.between or "\n\n",
        _bar(audit, bar, rungs, len(questions)),
    )


def _without_frame(template: Template, **other: str) -> Strategy:
    """A template outside of a model's chat frame, nothing shown."""
    return Strategy(template.model_copy(update={"chat": False, **other}))


def _items(audit: Audit, task: Task) -> tuple[Dataset, dict[str, Item]]:
    """The dataset as far as its prompts depend on it, and the evaluation items by their ids."""
    query = "select item, texts, target, row, side from items order by row, item"
    items, asked = [], {}
    for name, texts, target, row, side in audit.sql(query).fetchall():
        missing = task is Task.CLASSIFY and not target
        item = Item(tuple(texts), target or "", row, label_missing=missing)
        items.append(item)
        if side == "evaluation":
            asked[name] = item
    said = audit.report.dataset
    columns = {r: c if isinstance(c, str) else tuple(c) for r, c in said.columns.items() if c}
    return Dataset(said.path, task, tuple(items), said.rows, columns), asked


def _instruction(probe: Probe, prompter: Prompter) -> str:
    """What names all labels, in the words of the audit's own prompts; those of a chat come first."""
    naming = [t for t in probe.templates if "{labels}" in t.instruction]
    if not naming:
        return f"Answer with one of: {', '.join(prompter.labels)}.\n\n"
    first = min(naming, key=lambda t: not t.chat)
    return prompter.prompt(_without_frame(first, question=""), ("",))


def _bar(audit: Audit, bar: RungModel, rungs: dict[str, RungModel], items: int) -> dict[str, Any]:
    """Content of bar.json."""
    shown = ("value", "low", "high", "n", "unit", "status", "reason")
    report = audit.report
    return {
        "made_by": f"dataedge {report.tool.version}",
        "dataset": report.dataset.path,
        "fingerprint": report.dataset.fingerprint,
        "run": report.run,
        "base_model": report.model.id,
        "items": items,
        "bar": BAR,
        "unit": bar.unit,
        "metric": METRICS[bar.unit],
        "better": "lower" if bar.unit in LOWER else "higher",
        "interval": "95 %",
        "rungs": {
            name: rungs[name].model_dump(include=set(shown))
            for name in (BAR, *BESIDE)
            if name in rungs and (name == BAR or rungs[name].value is not None)
        },
        "note": NOTE,
    }
