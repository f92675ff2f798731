"""The statistics of `benchmarks/edge`: what a table of fine-tunes says of a dataset that is not in it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path[:0] = [str(BENCHMARKS), str(BENCHMARKS / "edge")]

from baselines import logme  # noqa: E402
from random_effects import predictive  # noqa: E402
from run import known  # noqa: E402
from table import TABLE, fitted  # noqa: E402

LUCK = 0.03


@pytest.mark.parametrize(("between", "within"), [(0.0, 0.03), (0.03, 0.03), (0.05, 0.02)])
def test_the_predictive_interval_covers_an_arm_of_a_new_source(
    between: float, within: float
) -> None:
    """Seven sources of four arms: 95 % and not much more, whether sources differ or not."""
    rng = np.random.default_rng(1)
    sources, each = 7, 4
    of = np.repeat(np.arange(sources), each)
    covered = []
    for _ in range(10):
        own = between * rng.normal(size=sources)[of] + within * rng.normal(size=len(of))
        residual = 0.01 + own + LUCK * rng.normal(size=len(of))
        found = predictive(residual, np.full(len(of), LUCK**2), [str(s) for s in of])
        new = 0.01 + np.hypot(between, within) * rng.normal(size=500)
        covered.append(((found.low <= new) & (new <= found.high)).mean())
    assert 0.92 < np.mean(covered) < 0.995


def test_luck_with_the_items_is_no_error_of_the_prediction() -> None:
    rng = np.random.default_rng(2)
    residual = 0.05 * rng.normal(size=60)
    sources = [str(i % 12) for i in range(60)]
    blind = predictive(residual, np.zeros(60), sources)
    knowing = predictive(residual, np.full(60, 0.05**2), sources)
    assert blind.high - blind.low > 1.5 * (knowing.high - knowing.low)


def test_fewer_sources_are_less_sure() -> None:
    rng = np.random.default_rng(3)
    residual, variance = 0.04 * rng.normal(size=24), np.zeros(24)
    many = predictive(residual, variance, [str(i % 12) for i in range(24)])
    few = predictive(residual, variance, [str(i % 3) for i in range(24)])
    assert few.high - few.low > many.high - many.low


def numbers(value: Any) -> list[float]:
    """All numbers of nested values, in order."""
    if isinstance(value, dict):
        return [n for k in sorted(value) for n in numbers(value[k])]
    if isinstance(value, list):
        return [n for v in value for n in numbers(v)]
    return [float(value)] if isinstance(value, (int, float)) else []


def test_the_table_that_ships_is_what_the_committed_arms_say() -> None:
    shipped, made = json.loads(TABLE.read_text(encoding="utf-8")), fitted(known())
    assert shipped["models"] == made["models"]
    assert numbers(shipped["tasks"]) == pytest.approx(numbers(made["tasks"]), abs=1e-3)


def test_the_page_on_evidence_is_what_the_committed_arms_say() -> None:
    """Up to the last digits, in which processors may differ."""
    from evidence import PAGE, page

    written, made = (
        re.sub(r"[-+−]?\d+\.\d+", "#", text)
        for text in (PAGE.read_text(encoding="utf-8"), page(known()))
    )
    assert written == made


def test_logme_is_the_highest_evidence_and_knows_features_that_tell() -> None:
    """Against the log-density of y ~ N(0, FF'/α + I/β) at the precisions where it is highest."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 40)
    told, noise = rng.normal(size=(2, 40, 6))
    told[:, 0] += 3 * labels

    def evidence(features: Any, y: Any) -> float:
        def cost(log: Any) -> float:
            spread = features @ features.T / np.exp(log[0]) + np.eye(40) / np.exp(log[1])
            return -float(multivariate_normal(np.zeros(40), spread).logpdf(y)) / 40

        return -float(minimize(cost, np.zeros(2), method="Nelder-Mead").fun)

    for features in (told, noise):
        highest = np.mean([evidence(features, labels == k) for k in (0, 1)])
        assert logme(features, labels) == pytest.approx(highest, abs=0.01)
    assert logme(told, labels) > logme(noise, labels) + 0.1
