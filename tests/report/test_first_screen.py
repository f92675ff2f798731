"""The first screen: verdict, certainty, claim and next step, in words and units of a person."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from dataedge.figures import Figure
from dataedge.report.first_screen import command
from dataedge.report.model import Report
from dataedge.report.terminal import show
from dataedge.verdict.decision import Verdict
from tests.report.made import report, task_result


def text(made: Report, monkeypatch: Any, width: int = 80) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    show(made, [], out)
    return out.getvalue()


def flat(made: Report, monkeypatch: Any) -> str:
    return " ".join(text(made, monkeypatch).split())


def rungs(unit: str, without: float, with_: float) -> dict[str, Figure]:
    return {
        "chance": Figure(without, unit=unit),
        "without_data": Figure(without, unit=unit),
        "with_data": Figure(with_, unit=unit),
    }


@pytest.mark.parametrize(
    ("unit", "without", "with_", "said"),
    [
        ("accuracy", 0.53, 0.69, "should answer 69 % right; the best prompting without it 53 %"),
        ("balanced accuracy", 0.5, 0.6, "60 % right, every label counting alike"),
        ("bits/byte", 1.5, 1.284, "should take 1.28 bits per byte, fewer being better"),
        ("R²", 0.1, 0.62, "should explain 62 % of the variance"),
    ],
)
def test_what_is_reached_has_the_unit_of_a_person(
    unit: str, without: float, with_: float, said: str, monkeypatch: Any
) -> None:
    made = report(replace(task_result(), ladder=rungs(unit, without, with_)))
    assert said in flat(made, monkeypatch)


@pytest.mark.parametrize(
    ("label", "shown", "sure"),
    [
        ("edge", "EDGE Gain +12 points, 95 % sure of +5 to +19", True),
        ("no_edge", "NO EDGE Gain +12 points, 95 % sure of +5 to +19", True),
        ("inconclusive", "INCONCLUSIVE Gain +12 points, but anything from +5 to +19", False),
    ],
)
def test_an_open_question_is_not_said_to_be_sure(
    label: Any, shown: str, sure: bool, monkeypatch: Any
) -> None:
    verdict = Verdict(label, None, "stop", ("So: it is.", "Advice: stop, by δ."), {})
    said = flat(report(replace(task_result(), verdict=verdict)), monkeypatch)
    assert shown in said
    assert ("95 % sure" in said) is sure
    assert "Next Stop, by 2 points." in said
    assert "δ" not in said


def test_what_was_measured_is_not_called_predicted(monkeypatch: Any) -> None:
    ladder = {**task_result().ladder, "tuned": Figure(0.7, 0.6, 0.8, 60, "accuracy")}
    made = report(replace(task_result(), tuning_basis="measured", ladder=ladder))
    said = flat(made, monkeypatch)
    assert (
        "Measured: a fine-tune does answer 70 % right: +4 points (−1 to +9) over prompting" in said
    )
    assert "fine-tuned, measured 70 %" in said
    ladder = {**task_result().ladder, "learned": Figure(0.7, 0.6, 0.8, 60, "accuracy")}
    said = flat(report(replace(task_result(), ladder=ladder)), monkeypatch)
    assert "A fine-tune should answer 70 % right" in said


def test_of_text_the_part_that_counts_is_named(monkeypatch: Any) -> None:
    task = Figure(0.042, 0.028, 0.056, 60, "bits/byte")
    made = report(replace(task_result(), edge=task, parts={"task": task}))
    assert "Gain in what the text says, its style apart: +0.042 bits per byte" in flat(
        made, monkeypatch
    )


def test_terms_have_a_mark_an_answer_and_a_figure_that_is_possible(monkeypatch: Any) -> None:
    made = report()
    known = made.terms[0].figure.model_copy(update={"value": -0.09, "low": -0.2, "high": 1.3})
    made = made.model_copy(update={"terms": [made.terms[0].model_copy(update={"figure": known})]})
    assert "◐ new to the model partly beyond guessing, the model knows 0 % (0 to 100)" in flat(
        made, monkeypatch
    )


@pytest.mark.parametrize("width", [44, 60, 96])
def test_reasons_stand_by_their_answer(width: int, monkeypatch: Any) -> None:
    made = report()
    answers = {
        "prompting_ceiling": "not_supported",
        "prompting_impractical": "unknown",
        "data_edge": "supported",
        "latency_and_cost": "not_supported",
    }
    reasons = [
        made.reasons[0].model_copy(update={"id": i, "answer": a}) for i, a in answers.items()
    ]
    shown = text(made.model_copy(update={"reasons": reasons}), monkeypatch, width)
    assert (
        "Why tune yes: the data's edge no: prompting at its limit, lower costs open: prompt too long"
        in " ".join(shown.split())
    )
    assert max(map(len, shown.splitlines())) <= width


def test_the_next_step_is_a_command_that_can_be_pasted(monkeypatch: Any) -> None:
    verdict = Verdict(
        "inconclusive", None, "pilot", ("So: it is.", "Advice: `--pilot`."), {}, "--pilot"
    )
    made = report(replace(task_result(), verdict=verdict))
    made = made.model_copy(
        update={
            "config": made.config.model_copy(
                update={
                    "passed": {
                        "label_column": "my label",
                        "exposure": "true",
                        "timeout": 9,
                        "pilot": 3,
                    },
                    "effective": {"label_column": "my label", "exposure": True, "timeout": 9.0},
                }
            )
        }
    )
    assert command(made) == "dataedge audit some.csv --label-column 'my label' --exposure --pilot"
    shown = text(made, monkeypatch, 60).splitlines()
    assert command(made) in [line.strip() for line in shown]  # in one line, however long
    frame = made.model_copy(
        update={"dataset": made.dataset.model_copy(update={"path": "<DataFrame>"})}
    )
    assert command(frame) == ""


@pytest.mark.parametrize(
    ("advice", "written"),
    [("fine_tune", "--recipe trl"), ("fix_labels", "--review csv"), ("collect_more", "")],
)
def test_where_the_next_step_is_written_from_the_audit_its_command_is_shown(
    advice: Any, written: str, monkeypatch: Any
) -> None:
    verdict = Verdict("edge", None, advice, ("So: it is.", "Advice: do it."), {})
    made = report(replace(task_result(), verdict=verdict))
    expected = f"dataedge export 'audits/my data' {written}" if written else ""
    assert command(made, "audits/my data") == expected
    assert command(made) == ""
    monkeypatch.setenv("COLUMNS", "60")
    out = io.StringIO()
    show(made, [], out, "audits/my data")
    lines = [line.strip() for line in out.getvalue().splitlines()]
    assert [line for line in lines if line.startswith("dataedge export")] == [expected][
        : bool(written)
    ]


def test_what_the_model_knows_beyond_the_data_is_no_share_of_it(monkeypatch: Any) -> None:
    made = report()
    known = made.terms[0].figure.model_copy(update={"value": 1.06, "low": 1.04, "high": 1.1})
    made = made.model_copy(update={"terms": [made.terms[0].model_copy(update={"figure": known})]})
    assert "the model knows all that the data would teach" in flat(made, monkeypatch)


def test_a_gain_that_lies_below_an_edge_is_not_left_to_the_reader(monkeypatch: Any) -> None:
    verdict = Verdict("inconclusive", None, "collect_more", ("So: it is.", "Advice: collect."), {})
    edge = Figure(0.005, -0.002, 0.011, 60, "accuracy")
    made = report(replace(task_result(), verdict=verdict, edge=edge))
    assert "An edge begins at 2 points, so this looks like none, but too few" in flat(
        made, monkeypatch
    )


def test_a_gain_worth_having_that_is_no_edge_says_why(monkeypatch: Any) -> None:
    why = (
        "Inconclusive: +8.0 points.",
        "As a whole the data may cost more than it gains: -1.0 points.",
        "Advice: collect.",
    )
    verdict = Verdict("inconclusive", None, "collect_more", why, {})
    edge = Figure(0.08, 0.05, 0.11, 60, "accuracy")
    said = flat(report(replace(task_result(), verdict=verdict, edge=edge)), monkeypatch)
    assert "This looks like one, but: As a whole the data may cost more than it gains" in said


def test_what_could_not_be_measured_is_said(monkeypatch: Any) -> None:
    edge = Figure.missing("no items", "accuracy")
    assert "could not be measured" in flat(report(replace(task_result(), edge=edge)), monkeypatch)


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_broken_by_the_terminal(width: int, monkeypatch: Any) -> None:
    lines = text(report(), monkeypatch, width).splitlines()
    assert max(map(len, lines)) <= min(width, 96)
    assert all(line == "" or line.startswith("  ") for line in lines[1:])
