"""How far fine-tunes fall from what is predicted, in the intervals that the verdict comes from."""

from __future__ import annotations

import numpy as np
import pytest

from dataedge.figures import Figure
from dataedge.items import Task
from dataedge.verdict import fine_tune_error
from dataedge.verdict.decision import decide
from dataedge.verdict.edge_rule import Evidence
from dataedge.verdict.fine_tune_error import BEYOND, FineTuneError, Predicted, error_of
from dataedge.widened_intervals import Added, carried, widened

ARMS = {"mean": -0.01, "low": -0.07, "high": 0.05, "arms": 20, "sources": 7, "largest": 0.2}
LINE = {**ARMS, "rows": [48, 384], "unit": "accuracy"}
TEXT = {**ARMS, "rows": [96, 96], "unit": "bits/byte"}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = {**LINE, "low": -0.02, "high": 0.01}
    gains = {"tuning_gain": {"learned": LINE, "nothing": nothing}, "edge": {"learned": LINE}}
    tasks = {"classify": gains, "generate": {"tuning_gain": {"learned": TEXT}}}
    monkeypatch.setattr(
        fine_tune_error, "_table", lambda: {"models": ["that-model"], "tasks": tasks}
    )


def test_the_interval_of_a_fine_tune_covers_what_fine_tunes_reach() -> None:
    """The measurement's does not: 95 % of it hold what the proxy reaches, and a fine-tune is no proxy."""
    rng = np.random.default_rng(0)
    spread, luck, true = 0.05, 0.03, 0.10
    error = FineTuneError(-1.96 * spread, 1.96 * spread, 40, 10)
    inside: dict[str, list[bool]] = {"measurement": [], "fine-tune": []}
    for _ in range(2_000):
        value = true + luck * rng.normal()
        found = Figure(value, value - 1.96 * luck, value + 1.96 * luck, 200, "accuracy")
        wide = error.added_to(found, (-1.0, 1.0))
        tuned = true + spread * rng.normal()
        for name, figure in (("measurement", found), ("fine-tune", wide)):
            assert figure.low is not None
            assert figure.high is not None
            inside[name].append(figure.low <= tuned <= figure.high)
    assert np.mean(inside["measurement"]) < 0.75
    assert 0.93 < np.mean(inside["fine-tune"]) < 0.97


def test_the_value_stays_and_the_measurement_is_kept() -> None:
    found = FineTuneError(-0.07, 0.05, 20, 7).added_to(
        Figure(0.1, 0.02, 0.18, 150, "accuracy"), (-1.0, 1.0)
    )
    assert isinstance(found, Predicted)
    assert found.value == 0.1
    assert found.measurement == (0.02, 0.18)
    assert found.low == pytest.approx(0.1 - np.hypot(0.08, 0.07))
    assert found.high == pytest.approx(0.1 + np.hypot(0.08, 0.05))


def test_an_end_never_leaves_the_unit_or_comes_nearer_than_the_measurement() -> None:
    worse = FineTuneError(-0.35, -0.25, 20, 7)  # no arm did better than was predicted
    found = worse.added_to(Figure(0.5, 0.4, 0.6, 150, "accuracy"), (-1.0, 1.0))
    assert found.high == 0.6
    assert found.low == pytest.approx(0.5 - np.hypot(0.1, 0.35))
    assert FineTuneError(-2.0, 2.0, 9, 3).added_to(Figure(0.9, 0.8, 1.0), (-1.0, 1.0)).high == 1.0


def test_luck_that_each_arm_had_too_is_not_added_twice() -> None:
    plain = Figure(0.1, 0.02, 0.18, 150, "accuracy")
    measured = widened(plain, Added(train_side=0.002, prompts=0.001, refits=12))
    error = FineTuneError(-0.06, 0.06, 20, 7)
    assert measured.low is not None
    found = error.added_to(measured, (-1.0, 1.0))
    assert found.low is not None
    assert found.low == pytest.approx(measured.low, abs=0.01)
    assert found.low <= measured.low
    assert found.low > 0.1 - np.hypot(0.1 - measured.low, 0.06)


def test_shares_of_the_variance_are_one_in_all() -> None:
    measured = widened(
        Figure(0.1, 0.02, 0.18, 150, "accuracy"),
        Added(train_side=0.0002, prompts=0.0001, refits=12),
    )
    shares = carried(FineTuneError(-0.09, 0.09, 20, 7).added_to(measured, (-1.0, 1.0)))
    parts = (shares.items, shares.train_side, shares.development, shares.prompts, shares.fine_tune)
    assert sum(parts) == pytest.approx(1.0)
    assert shares.fine_tune > 0.2
    assert "how far fine-tunes fall from what is predicted" in shares.sentence
    assert shares.held_out < carried(measured).held_out


def test_a_gain_beyond_those_of_the_arms_is_less_sure() -> None:
    error = FineTuneError(-0.06, 0.04, 20, 7, largest=0.1)
    near, far = (
        error.added_to(Figure(v, v - 0.01, v + 0.01, 400, "accuracy"), (-1.0, 1.0))
        for v in (0.15, 0.16)
    )
    assert isinstance(near, Predicted)
    assert isinstance(far, Predicted)
    assert (near.beyond, far.beyond) == ("", "no arm was predicted to gain more than 0.1")
    assert far.high == pytest.approx(0.16 + np.hypot(0.01, BEYOND * 0.06))


def test_nothing_is_added_to_what_was_not_measured() -> None:
    missing = Figure.missing("nothing to measure", "accuracy")
    assert FineTuneError(-0.1, 0.1, 20, 7).added_to(missing, (-1.0, 1.0)) is missing


@pytest.mark.usefixtures("table")
def test_the_table_is_stretched_where_no_arm_was() -> None:
    inside = error_of("tuning_gain", "learned", Task.CLASSIFY, "accuracy", "that-model", 200)
    assert inside is not None
    assert (inside.low, inside.high, inside.beyond) == (-0.07, 0.05, "")
    for model, rows, told in (
        ("other-model", 200, "no arm was of other-model"),
        ("that-model", 10_000, "the arms had 48 to 384 train rows"),
        ("other-model", 5, "no arm was of other-model; the arms had 48 to 384 train rows"),
    ):
        asked = ("tuning_gain", "learned", Task.CLASSIFY, "balanced accuracy", model, rows)
        beyond = error_of(*asked)
        assert beyond is not None
        assert (beyond.low, beyond.high) == (-BEYOND * 0.07, BEYOND * 0.07)
        assert beyond.beyond == told
    corpus = error_of("tuning_gain", "learned", Task.CORPUS, "bits/byte", "that-model", 96)
    assert corpus is not None
    assert corpus.beyond == "no arm was of corpus"


@pytest.mark.usefixtures("table")
def test_where_nothing_was_learned_arms_like_that_are_taken_if_there_are_any() -> None:
    asked = (Task.CLASSIFY, "accuracy", "that-model", 200)
    tuning, edge = (error_of(g, "nothing", *asked) for g in ("tuning_gain", "edge"))
    assert tuning is not None
    assert edge is not None
    assert (tuning.low, tuning.high) == (-0.02, 0.01)
    assert (edge.low, edge.high) == (-0.07, 0.05)


@pytest.mark.usefixtures("table")
def test_what_no_fine_tune_was_compared_in_has_the_measurement_alone() -> None:
    assert error_of("edge", "learned", Task.NUMBER, "R²", "that-model", 200) is None
    assert (
        error_of("tuning_gain", "learned", Task.GENERATE, "exact match", "that-model", 96) is None
    )
    assert error_of("edge", "learned", Task.GENERATE, "bits/byte", "that-model", 96) is None


def test_the_verdict_comes_from_the_wider_interval_and_says_so() -> None:
    sure = Figure(0.5, 0.4, 0.6, 200, "accuracy")
    narrow = Figure(0.06, 0.03, 0.09, 200, "accuracy")
    wide = FineTuneError(-0.06, 0.06, 20, 7, beyond="no arm was of x").added_to(narrow, (-1.0, 1.0))

    def said(edge: Figure) -> Evidence:
        return Evidence(edge, edge, sure, edge, sure, {}, 0.02, "accuracy", 200)

    assert decide(said(narrow)).label == "edge"
    found = decide(said(wide))
    assert found.label == "inconclusive"
    told = " ".join(found.why)
    assert "The measurement alone: +6.0 points of accuracy [+3.0, +9.0]" in told
    assert "20 real fine-tunes on 7 datasets showed, twice as far since no arm was of x" in told
