"""Criteria over a report, for a pipeline: `edge.low > 0.02`. What was not measured never passes."""

from __future__ import annotations

import difflib
import math
import operator
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from dataedge.errors import AuditError, ExitCode
from dataedge.ladder.rungs import RUNGS
from dataedge.measure.registry import BY_NAME
from dataedge.report import model as m
from dataedge.verdict.decision import LACKS
from dataedge.verdict.terms import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dataedge.report.model import EdgeModel, FigureModel, Report

Outcome = Literal["passed", "failed", "unknown"]
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_CRITERION = re.compile(r"\s*([\w.]+)\s*(>=|<=|==|!=|>|<)\s*(.+?)\s*")
_ENDS = ("value", "low", "high")
MARKS: Mapping[Outcome, str] = {"passed": "✓", "failed": "✗", "unknown": "?"}


@dataclass(frozen=True)
class Checked:
    """A criterion and what came of it.

    Attributes:
        criterion: as it was given.
        found: what the report has there, None where it was not measured.
        outcome: passed, failed, or unknown where there is nothing to compare.
        reason: why it is unknown.
    """

    criterion: str
    found: float | str | None
    outcome: Outcome
    reason: str = ""

    @property
    def line(self) -> str:
        """For a terminal."""
        found = "not measured" if self.found is None else f"{self.found}"
        why = f" ({self.reason})" if self.reason else ""
        return f"{MARKS[self.outcome]} {self.criterion}   found: {found}{why}"


def check(report: Report, criteria: Sequence[str]) -> list[Checked]:
    """Hold a report against criteria.

    Args:
        report: of a finished audit.
        criteria: each a field of the report, a comparison, and a number or a word.

    Raises:
        AuditError: a criterion cannot be read, or names what no report has.
    """
    known, reasons = fields_of(report)
    return [_check(text, known, reasons) for text in criteria]


def exit_code(checked: Sequence[Checked]) -> ExitCode:
    """0 where all passed, 1 where one failed, 3 where one was not measured and none failed."""
    outcomes = {c.outcome for c in checked}
    if "failed" in outcomes:
        return ExitCode.GATE_FAILED
    return ExitCode.NO_CONCLUSION if "unknown" in outcomes else ExitCode.OK


def fields_of(report: Report) -> tuple[dict[str, float | str | None], dict[str, str]]:
    """What criteria can name, and why a figure of that name is missing.

    `edge`, `tuning_gain`, the parts of the edge, every rung and every measure have `value`, `low` and
    `high`; the name alone is the value. `verdict`, `advice`, `limited_by`, the four terms and the four
    reasons are words.
    """
    figures = {"edge": report.edge, "tuning_gain": report.tuning_gain}
    known: dict[str, float | str | None] = {f"term.{t}": None for t in NAMES}
    reasons: dict[str, str] = {}
    for name in (*RUNGS, *BY_NAME):  # what this audit did not come to has a name all the same
        known |= dict.fromkeys([name, *(f"{name}.{end}" for end in _ENDS)])
    parts = {f"edge.{re.sub('[ -]', '_', name)}": part for name, part in report.edge.parts.items()}
    rungs = {rung.rung: rung for rung in report.ladder}
    shown: dict[str, FigureModel | EdgeModel] = {**rungs, **report.measures, **parts, **figures}
    for name, figure in shown.items():
        status = getattr(figure, "status", "ok")
        sound = status == "ok"
        known[name] = figure.value if sound else None
        known |= {f"{name}.{end}": getattr(figure, end) if sound else None for end in _ENDS}
        reasons[name] = " ".join(
            filter(None, ("" if sound else status, getattr(figure, "reason", "")))
        )
    known |= {
        "verdict": report.verdict.label,
        "advice": report.verdict.advice,
        "limited_by": report.verdict.limited_by or "nothing",
        "rows": report.dataset.rows,
        "distinct": report.dataset.unique,
    }
    known |= {f"term.{term.id}": term.answer for term in report.terms}
    known |= {f"reason.{reason.id}": reason.answer for reason in report.reasons}
    return known, reasons


def _check(
    text: str, known: Mapping[str, float | str | None], reasons: Mapping[str, str]
) -> Checked:
    parsed = _CRITERION.fullmatch(text)
    if parsed is None:
        raise AuditError(
            f"gate: cannot read the criterion {text!r}",
            hint="Write it like 'edge.low > 0.02' or 'verdict == edge': `dataedge gate --help`",
        )
    name, sign, bound = parsed.groups()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        meant = " or ".join(near or ["edge.low"])
        raise AuditError(
            f"gate: no report has {name!r}", hint=f"Did you mean {meant}? See `dataedge measures`"
        )
    found = known[name]
    if found is None:
        stem = name if name in reasons else name.rpartition(".")[0]
        return Checked(text, None, "unknown", reasons.get(stem, ""))
    if isinstance(found, str):
        return Checked(text, found, _of_words(text, name, found, sign, bound))
    limit = _number(bound)
    if limit is None:
        raise AuditError(
            f"gate: {name} is a number, and {bound!r} in {text!r} is none",
            hint="Compare it with a number: `dataedge gate AUDIT 'edge.low > 0.02'`",
        )
    return Checked(text, found, "passed" if OPERATORS[sign](found, limit) else "failed")


def _number(text: str) -> float | None:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _of_words(text: str, name: str, found: str, sign: str, bound: str) -> Outcome:
    if sign not in ("==", "!="):
        raise AuditError(
            f"gate: {text!r} compares words, which are only equal or not",
            hint="Use == or !=: `dataedge gate AUDIT 'verdict == edge'`",
        )
    word, possible = bound.strip("'\""), _words_of(name)
    if word not in possible:
        raise AuditError(
            f"gate: {name} is never {word!r}",
            hint=f"Use one of {', '.join(possible)}: `dataedge gate AUDIT '{name} == {possible[0]}'`",
        )
    return "passed" if (found == word) == (sign == "==") else "failed"


def _words_of(name: str) -> tuple[str, ...]:
    """What a field of words can say."""
    kind, _, _ = name.partition(".")
    if kind == "limited_by":
        return (*LACKS, "unexplained", "nothing")
    field = {
        "verdict": m.VerdictModel.model_fields["label"],
        "advice": m.VerdictModel.model_fields["advice"],
        "term": m.TermModel.model_fields["answer"],
        "reason": m.ReasonModel.model_fields["answer"],
    }[kind]
    return get_args(field.annotation)


def junit(checked: Sequence[Checked], name: str) -> str:
    """The criteria as a JUnit file, which most pipelines show: one test each.

    Args:
        checked: the criteria.
        name: of the dataset.
    """
    count = {o: sum(c.outcome == o for c in checked) for o in ("failed", "unknown")}
    suite = ET.Element(
        "testsuite",
        name=f"dataedge gate {_clean(name)}",
        tests=str(len(checked)),
        failures=str(count["failed"]),
        errors=str(count["unknown"]),
    )
    for one in checked:
        case = ET.SubElement(
            suite, "testcase", classname="dataedge.gate", name=_clean(one.criterion)
        )
        if one.outcome != "passed":
            tag = "failure" if one.outcome == "failed" else "error"
            ET.SubElement(case, tag, message=_clean(one.line))
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def markdown(checked: Sequence[Checked], report: Report) -> str:
    """The criteria as a table in Markdown, for the summary of a step."""
    rows = [
        f"| {MARKS[c.outcome]} | `{_cell(c.criterion)}` | "
        f"{'not measured' if c.found is None else _cell(str(c.found))} |"
        for c in checked
    ]
    head = f"### dataedge: {_cell(report.dataset.path)} — {report.verdict.label.replace('_', ' ')}"
    return "\n".join([head, "", "| | criterion | found |", "|---|---|---|", *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'").replace("\n", " ").replace("<", "&lt;")


def _clean(text: str) -> str:
    """Text without what XML cannot hold."""
    return "".join(c if c.isprintable() else " " for c in text)
