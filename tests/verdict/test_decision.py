from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dataedge.figures import Figure
from dataedge.verdict.decision import decide
from dataedge.verdict.edge_rule import items_to_settle
from tests.verdict.test_advice import BASE, gain


@pytest.mark.parametrize(
    ("change", "label"),
    [
        ({}, "edge"),
        ({"edge": gain(0.0)}, "no_edge"),
        ({"edge": gain(0.03, 0.05)}, "inconclusive"),
        ({"over_chance": gain(0.0)}, "no_edge"),
        ({"edge": Figure.missing("the model failed")}, "inconclusive"),
    ],
)
def test_rules(change: dict[str, Any], label: str) -> None:
    verdict = decide(replace(BASE, **change))
    assert verdict.label == label
    assert verdict.why[0].split(":")[0]


def test_an_edge_needs_its_whole_interval_above_delta() -> None:
    assert decide(replace(BASE, edge=gain(0.031, 0.01))).label == "edge"
    assert decide(replace(BASE, edge=gain(0.029, 0.01))).label == "inconclusive"
    assert decide(replace(BASE, edge=gain(0.009, 0.01))).label == "no_edge"


def test_an_edge_not_surely_above_chance_is_inconclusive_and_says_so() -> None:
    verdict = decide(replace(BASE, over_chance=gain(0.1, 0.2)))
    assert verdict.label == "inconclusive"
    assert any(
        "not certain that the data brings it above chance" in sentence for sentence in verdict.why
    )
    assert decide(replace(BASE, over_chance=gain(0.0, 0.01))).label == "no_edge"


def test_an_edge_in_the_task_must_not_be_a_loss_in_all() -> None:
    """The task gained while the total lost more: that was called an edge."""
    parts = {"task": gain(0.48), "style": gain(-0.74)}
    task = replace(BASE, edge=parts["task"], parts=parts, counts_task=True)
    assert decide(replace(task, total=gain(0.3))).label == "edge"
    assert decide(replace(task, total=gain(-0.26))).label == "no_edge"
    open_ = replace(task, total=gain(0.05, 0.1))
    verdict = decide(open_)
    assert verdict.label == "inconclusive"
    assert any("may cost more than it gains" in sentence for sentence in verdict.why)
    assert open_.open is open_.total
    assert open_.items_needed == items_to_settle(gain(0.05, 0.1), 0.0)


def test_what_ngrams_have_of_the_gain_is_told_by_itself() -> None:
    told = decide(replace(BASE, parts={"task": gain(0.2)}, ngrams=gain(0.1))).why
    assert any(sentence.startswith("N-grams of the train side have +10.0") for sentence in told)


def test_what_limits_is_named_with_its_gain() -> None:
    verdict = decide(replace(BASE, limits={"volume": gain(0.05), "label_quality": gain(0.0)}))
    assert verdict.limited_by == "volume"
    assert "Limited by volume: twice the train items would gain +5.0 points" in " ".join(
        verdict.why
    )
    rest = decide(replace(BASE, limits={"volume": gain(0.0), "unexplained": gain(0.3)}))
    assert rest.limited_by == "unexplained"
    assert any(
        sentence.startswith("Unexplained: a perfect score would be +30.0 points")
        for sentence in rest.why
    )
    assert decide(replace(BASE, limits={})).limited_by is None
