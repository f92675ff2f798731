from __future__ import annotations

from dataclasses import replace

import pytest

from dataedge.figures import Figure
from dataedge.verdict.decision import Evidence, decide, items_to_settle


def gain(value: float, half: float = 0.01) -> Figure:
    return Figure(value, value - half, value + half, 300, "accuracy")


BASE = Evidence(
    edge=gain(0.2),
    tuning_gain=gain(0.1),
    over_chance=gain(0.4),
    limits={"novelty": gain(0.1), "volume": gain(0.0), "label_quality": gain(0.05)},
    delta=0.02,
    unit="accuracy",
    clusters=300,
    parts={},
)


@pytest.mark.parametrize(
    ("change", "label", "advice"),
    [
        ({}, "edge", "fine_tune"),
        ({"tuning_gain": gain(0.0)}, "edge", "retrieve"),
        ({"edge": gain(0.0)}, "no_edge", "prompt"),
        ({"edge": gain(0.03, 0.05)}, "inconclusive", "prompt"),
        ({"edge": gain(0.2), "over_chance": gain(0.0)}, "no_edge", "stop"),
        ({"edge": gain(0.0), "limits": {"definedness": gain(0.3)}}, "no_edge", "prompt"),
        (
            {"edge": gain(0.0), "limits": {"volume": gain(0.3), "novelty": gain(0.1)}},
            "no_edge",
            "collect_more",
        ),
        ({"edge": gain(0.0), "limits": {"label_quality": gain(0.3)}}, "no_edge", "fix_labels"),
        ({"edge": Figure.missing("the model failed")}, "inconclusive", "prompt"),
    ],
)
def test_rules(change: dict, label: str, advice: str) -> None:
    verdict = decide(replace(BASE, **change))
    assert (verdict.label, verdict.advice) == (label, advice)
    assert verdict.why[0].split(":")[0]


def test_an_edge_needs_its_whole_interval_above_delta() -> None:
    assert decide(replace(BASE, edge=gain(0.031, 0.01))).label == "edge"
    assert decide(replace(BASE, edge=gain(0.029, 0.01))).label == "inconclusive"
    assert decide(replace(BASE, edge=gain(0.009, 0.01))).label == "no_edge"


def test_an_edge_not_surely_above_chance_is_inconclusive_and_says_so() -> None:
    verdict = decide(replace(BASE, over_chance=gain(0.1, 0.2)))
    assert verdict.label == "inconclusive"
    assert any("not surely above chance" in sentence for sentence in verdict.why)
    assert decide(replace(BASE, over_chance=gain(0.0, 0.01))).label == "no_edge"


def test_items_to_settle_shrinks_the_interval_to_delta() -> None:
    found = items_to_settle(gain(0.06, 0.08), 0.02)
    assert found == 1200  # half-width 0.08 must become 0.04: four times the items
    assert items_to_settle(gain(0.02, 0.08), 0.02) is None
    assert items_to_settle(Figure.missing("x"), 0.02) is None
