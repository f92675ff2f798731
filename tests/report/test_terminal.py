"""In a terminal: the verdict first, every figure with its interval or its reason, bars to scale."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from dataedge.figures import Figure
from dataedge.report.model import FigureModel, Report
from dataedge.report.terminal import figure, show, show_details
from tests.report.made import report, task_result

if TYPE_CHECKING:
    from collections.abc import Sequence


def lines_of(out: io.StringIO) -> list[str]:
    return [line.rstrip() for line in out.getvalue().splitlines()]


def printed(
    made: Report, monkeypatch: Any, width: int = 140, worst: Sequence[dict[str, Any]] = ()
) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    show_details(made, worst, out)
    return lines_of(out)


def first(made: Report, monkeypatch: Any, width: int = 80, where: Sequence[str] = ()) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    show(made, where, out)
    return lines_of(out)


def row(lines: list[str], name: str) -> str:
    return next(line for line in lines if line.startswith(name))


def test_the_verdict_stands_first_then_the_terms(monkeypatch: Any) -> None:
    lines = printed(report(), monkeypatch)
    assert lines[1] == "EDGE  +12.0 points."
    term = row(lines, "new to the model")
    assert "partly" in term
    assert "known: 0.400 [0.300, 0.500]" in term
    assert lines.index(term) < lines.index(row(lines, "Ladder"))


def test_figures_carry_their_interval_and_missing_ones_their_reason(monkeypatch: Any) -> None:
    lines = printed(report(), monkeypatch)
    assert "0.720 [0.650, 0.790]" in row(lines, "with_data")
    assert "no demonstrations fit" in row(lines, "few_shot")
    assert "–" in row(lines, "few_shot")
    assert "0.031 [0.010, 0.050]" in row(lines, "label_noise")
    assert "1,234" in row(lines, "tokens")
    assert "the server tells no probabilities" in row(lines, "definedness")
    assert "yes" in row(lines, "data_edge")


def test_bars_are_to_scale(monkeypatch: Any) -> None:
    lines = printed(report(), monkeypatch)
    bars = {
        name: row(lines, name).count("█")
        for name in ("chance", "zero_shot", "few_shot", "with_data")
    }
    assert bars["few_shot"] == 0
    assert bars["with_data"] == 12
    assert bars["chance"] == round(12 * 0.5 / 0.72)


@pytest.mark.parametrize(("unit", "better"), [("accuracy", "higher"), ("bits/byte", "lower")])
def test_the_ladder_says_which_way_is_better(unit: str, better: str, monkeypatch: Any) -> None:
    ladder = {"chance": Figure(1.0, unit=unit, detail={"how": "as it is usually done"})}
    lines = printed(report(replace(task_result(), ladder=ladder)), monkeypatch)
    assert row(lines, "Ladder") == f"Ladder ({unit}, {better} is better)"


def test_exposure_is_shown_where_it_was_tested(monkeypatch: Any) -> None:
    assert not any(line.startswith("Seen before?") for line in printed(report(), monkeypatch))
    tested = {"order": Figure(0.004, n=12, unit="p", detail={"power": 0.85})}
    line = row(printed(report(exposure=tested), monkeypatch), "order")
    assert line.split() == ["order", "0.004", "12", "0.85", "ok"]


def test_what_to_do_next_and_where_it_stands_come_last(monkeypatch: Any) -> None:
    worst = [{"item": "abc", "given": "no", "proposed": "yes", "reason": "twin", "text": "t" * 300}]
    lines = printed(report(), monkeypatch, worst=worst)
    assert "no → yes, twin: ttt" in row(lines, "abc")
    assert lines[-1] == "Advice: fine-tune on it."


@pytest.mark.parametrize("width", [60, 80, 200])
def test_it_fits_the_terminal(width: int, monkeypatch: Any) -> None:
    assert max(map(len, printed(report(), monkeypatch, width))) <= width
    assert max(map(len, first(report(), monkeypatch, width, ["a.json"]))) <= width


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.12345, "share", "0.123"), (12345.6, "tokens", "12,346"), (None, "share", "–")],
)
def test_a_figure_in_few_characters(value: float | None, unit: str, text: str) -> None:
    made = FigureModel(value=value, low=None, high=None, n=1, unit=unit, status="ok", reason="")
    assert figure(made) == text
