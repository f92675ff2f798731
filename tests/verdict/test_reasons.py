from __future__ import annotations

import pytest

from dataedge.figures import Figure
from dataedge.verdict import reasons


def gain(value: float, half: float = 0.01) -> Figure:
    return Figure(value, value - half, value + half, 300, "accuracy")


def trials(values: dict[int, float], shots: str = "random") -> list[dict]:
    return [
        {"shots": shots if k else "none", "k": k, "development": v, "n": 100}
        for k, v in values.items()
    ]


@pytest.mark.parametrize(
    ("curve", "tuning", "answer"),
    [
        ({0: 0.50, 4: 0.60, 8: 0.605}, gain(0.2), "supported"),
        ({0: 0.50, 4: 0.60, 8: 0.75}, gain(0.2), "unknown"),
        ({0: 0.50, 4: 0.60, 8: 0.605}, gain(0.0), "not_supported"),
        ({0: 0.50}, gain(0.2), "unknown"),
    ],
)
def test_prompting_ceiling(curve: dict[int, float], tuning: Figure, answer: str) -> None:
    found = reasons.prompting_ceiling(trials(curve), tuning, delta=0.02, higher_is_better=True)
    assert found.answer == answer


def test_ceiling_in_bits_counts_downwards() -> None:
    falling = trials({0: 1.4, 4: 1.2, 8: 1.0})
    found = reasons.prompting_ceiling(falling, gain(0.2), delta=0.02, higher_is_better=False)
    assert found.answer == "unknown"  # more demonstrations still help
    flat = trials({0: 1.4, 4: 1.2, 8: 1.19})
    found = reasons.prompting_ceiling(flat, gain(0.2), delta=0.02, higher_is_better=False)
    assert found.answer == "supported"


@pytest.mark.parametrize(
    ("tokens", "tuning", "answer"),
    [
        (3_000, gain(0.2), "not_supported"),
        (90_000, gain(0.2), "supported"),
        (90_000, gain(0.0), "not_supported"),
        (90_000, gain(0.01, 0.05), "unknown"),
    ],
)
def test_prompting_impractical(tokens: int, tuning: Figure, answer: str) -> None:
    found = reasons.prompting_impractical(
        Figure(float(tokens), unit="tokens"), 8192, tuning, 0.4, delta=0.02
    )
    assert found.answer == answer


def test_latency_counts_tokens_and_wants_no_loss() -> None:
    assert reasons.latency_and_cost(900, 60, gain(0.1)).answer == "supported"
    assert reasons.latency_and_cost(900, 60, gain(-0.1)).answer == "unknown"
    assert reasons.latency_and_cost(70, 60, gain(0.1)).answer == "not_supported"
    assert reasons.latency_and_cost(None, 60, gain(0.1)).answer == "unknown"
