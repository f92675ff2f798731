"""The printed table of advice and the code, row by row; and what no advice may ever say."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataedge.figures import Figure
from dataedge.verdict.advice import TABLE, advise
from dataedge.verdict.decision import decide
from dataedge.verdict.edge_rule import Evidence, NextSteps, items_to_settle
from dataedge.verdict.fine_tune_error import FineTuneError
from dataedge.widened_intervals import Carried, Measured, carried

PAGE = Path(__file__).parents[2] / "docs" / "advice.md"
DELTA = 0.02


def gain(value: float, half: float = 0.01) -> Figure:
    return Figure(value, value - half, value + half, 300, "accuracy")


NONE = gain(0.0)
WIDE = gain(0.03, 0.05)
OPEN = FineTuneError(-0.1, 0.1, 20, 7).added_to(gain(0.03, 0.02), (-1.0, 1.0))
"""Wide for a fine-tune's own luck, which no held-out item takes away."""
BASE = Evidence(
    edge=gain(0.2),
    tuning_gain=gain(0.1),
    over_chance=gain(0.4),
    retrieved=gain(0.1),
    known=gain(0.2),
    limits={"volume": NONE, "label_quality": NONE},
    delta=DELTA,
    unit="accuracy",
    clusters=300,
    next_steps=NextSteps(400, 800, True, 300.0, 250.0),
)
FULL = NextSteps(400, 400, True, 300.0, 250.0)
LONG = NextSteps(400, 800, True, 900.0, 60.0)
SITUATIONS: list[tuple[dict[str, Any], str]] = [
    ({"limits": {"label_quality": gain(0.05)}}, "fix_labels"),
    ({}, "fine_tune"),
    ({"tuning_gain": gain(-0.005), "next_steps": LONG}, "fine_tune"),
    ({"tuning_gain": gain(0.01, 0.03)}, "retrieve"),
    ({"edge": NONE, "limits": {"volume": gain(0.06)}}, "collect_more"),
    ({"edge": NONE}, "prompt"),
    ({"edge": NONE, "known": NONE}, "stop"),
    ({"edge": WIDE, "next_steps": FULL}, "pilot"),
    ({"edge": OPEN, "next_steps": replace(FULL, pilot=False)}, "pilot"),
    ({"edge": WIDE}, "measure_more"),
    ({"edge": WIDE, "next_steps": replace(FULL, pilot=False)}, "collect_more"),
]
"""One for each row of the table, in its order."""


def test_more_items_are_not_advised_where_they_would_settle_nothing() -> None:
    """What is open is a fine-tune's own luck: a pilot takes that away, items do not."""
    assert advise(replace(BASE, edge=OPEN)).advice == "pilot"
    elsewhere = replace(BASE, edge=OPEN, next_steps=replace(BASE.next_steps, pilot=False))
    told = advise(elsewhere)
    assert told.advice == "pilot"
    assert "more held-out items would not" in told.sentence(elsewhere)
    assert not told.flag(elsewhere)


def printed() -> list[tuple[str, str]]:
    """(situation, advice) of each row that docs/advice.md shows, in order."""
    rows = re.findall(r"^\| (\d+) \| (.+) \| `(\w+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [int(n) for n, _, _ in rows] == list(range(1, len(rows) + 1))
    return [(situation, advice) for _, situation, advice in rows]


def test_the_page_shows_the_table_of_the_code() -> None:
    assert printed() == [(row.situation, row.advice) for row in TABLE]


@pytest.mark.parametrize("number", range(len(TABLE)))
def test_each_row_is_taken_in_its_situation(number: int) -> None:
    assert len(SITUATIONS) == len(TABLE)
    change, advice = SITUATIONS[number]
    evidence = replace(BASE, **change)
    assert TABLE.index(advise(evidence)) == number
    verdict = decide(evidence)
    assert verdict.advice == advice == printed()[number][1]
    assert verdict.why[-1].startswith("Advice: ")


@pytest.mark.parametrize(
    "change",
    [
        {"tuning_gain": gain(0.03, 0.02)},  # its lower end is not above δ
        {"tuning_gain": gain(-0.015), "next_steps": LONG},  # may be worse than prompting by δ
        {"tuning_gain": gain(0.0), "next_steps": replace(LONG, best_prompt_tokens=80.0)},
        {"edge": WIDE, "tuning_gain": gain(0.2)},
    ],
)
def test_what_is_not_enough_to_fine_tune(change: dict[str, Any]) -> None:
    assert decide(replace(BASE, **change)).advice != "fine_tune"


def test_tokens_are_saved_over_the_prompt_that_the_gain_is_over() -> None:
    """Prompting is a pool of prompts; tokens are those of one, which may be better or worse than the pool."""
    saving = replace(BASE, tuning_gain=gain(0.0), next_steps=LONG)
    better = replace(saving, one_prompt=gain(0.05))
    assert decide(better).advice == "fine_tune"
    assert (
        "+5.0 points of accuracy [+4.0, +6.0] over the best single prompt" in decide(better).why[-1]
    )
    assert decide(replace(saving, one_prompt=gain(-0.04))).advice != "fine_tune"


def test_more_items_are_not_advised_where_all_rows_are_too_few_to_say_no_edge() -> None:
    below = replace(BASE, edge=gain(-0.02), clusters=15, next_steps=NextSteps(20, 40, False))
    told = decide(below)
    assert (told.label, told.advice) == ("inconclusive", "collect_more")
    assert "speaks against an edge" in told.why[-1]
    assert "60 independent groups" in told.why[-1]
    enough = replace(below, next_steps=NextSteps(20, 100, False))
    assert decide(enough).advice == "measure_more"
    assert decide(enough).flag == "--probe-items 80"


def test_retrieval_needs_its_own_gain() -> None:
    """The old rule advised it whenever tuning was not surely better, whatever retrieval gained."""
    open_tuning = {"tuning_gain": gain(0.01, 0.04)}
    assert decide(replace(BASE, **open_tuning)).advice == "retrieve"
    assert decide(replace(BASE, **open_tuning, retrieved=gain(0.03, 0.02))).advice == "measure_more"
    missing = Figure.missing("no demonstrations fit")
    assert decide(replace(BASE, **open_tuning, retrieved=missing)).advice == "measure_more"
    unsure = gain(0.03, 0.04)
    assert decide(replace(BASE, tuning_gain=unsure)).advice == "measure_more"


def test_measuring_more_names_the_flag_and_asks_no_more_than_there_is() -> None:
    many = replace(BASE.next_steps, at_hand=5000)
    near = decide(replace(BASE, edge=gain(0.06, 0.05), next_steps=many))
    needed = items_to_settle(gain(0.06, 0.05), DELTA)
    assert near.flag == f"--probe-items {math.ceil(needed * 400 / 300)}"
    assert near.flag in near.why[-1]
    far = decide(replace(BASE, edge=gain(0.03, 0.05)))
    assert far.flag == "--probe-items 800"
    assert decide(replace(BASE, edge=WIDE, next_steps=FULL)).flag == "--pilot"


def test_few_clusters_ask_for_more_rows_and_never_for_a_pilot() -> None:
    few = replace(BASE, edge=NONE, clusters=40)
    assert decide(few).advice == "measure_more"
    assert decide(few).flag == "--probe-items 600"  # 60 / 40 of the 400 items
    assert decide(replace(few, next_steps=FULL)).advice == "collect_more"
    near = decide(replace(BASE, edge=gain(DELTA, 0.05), clusters=40))
    assert "no reasonable number" in " ".join(near.why)
    assert "form 40 independent groups" in near.why[-1]
    assert "which takes 60" in near.why[-1]
    many = decide(replace(BASE, edge=gain(DELTA, 0.05)))
    assert many.advice == "measure_more"
    assert many.why[-1].endswith("need not settle it.")
    settled = decide(replace(BASE, edge=WIDE)).why[-1]
    assert "groups" not in settled
    assert "narrows" not in settled


FIGURES = st.one_of(
    st.builds(gain, st.floats(-0.3, 0.5), st.floats(0.001, 0.3)),
    st.just(Figure.missing("not measured")),
)


@settings(max_examples=300, deadline=None)
@given(
    FIGURES, FIGURES, FIGURES, FIGURES, FIGURES, FIGURES, FIGURES,
    st.integers(5, 400), st.integers(400, 900), st.booleans(),
)  # fmt: skip
def test_no_advice_says_more_than_was_measured(
    edge: Figure, tuning: Figure, over: Figure, retrieved: Figure, known: Figure, volume: Figure,
    repaired: Figure, clusters: int, at_hand: int, pilot: bool,
) -> None:  # fmt: skip
    evidence = Evidence(
        edge, tuning, over, retrieved, known, {"volume": volume, "label_quality": repaired}, DELTA,
        "accuracy", clusters, NextSteps(400, at_hand, pilot, 300.0, 60.0),
    )  # fmt: skip
    found = decide(evidence)
    text = " ".join(found.why)
    if found.label == "inconclusive":
        assert "would not pay" not in text
        assert found.advice in ("pilot", "measure_more", "collect_more", "fix_labels")
    if found.advice == "fine_tune":
        assert found.label == "edge"
        assert tuning.low > -DELTA
    if found.advice == "retrieve":
        assert retrieved.low > DELTA > tuning.value
    if found.advice in ("prompt", "stop"):
        assert found.label == "no_edge"
        assert clusters >= 60
    if found.advice == "fix_labels":
        assert repaired.low > DELTA
    assert bool(found.flag) == (found.advice in ("measure_more", "pilot"))
    assert found.flag in found.why[-1]


def test_the_items_named_settle_it_in_four_cases_of_five() -> None:
    """Gains of 5 points against δ = 2; the old rule, half-width = distance, settles half of them."""
    rng, true, spread = np.random.default_rng(0), 0.05, 0.45
    half = 1.96 * spread / np.sqrt(100)
    named = items_to_settle(Figure(true, true - half, true + half, 100, "accuracy"), DELTA)
    old = math.ceil(100 * (half / (true - DELTA)) ** 2)

    def settled(n: int) -> float:
        found = true + rng.normal(0, spread / np.sqrt(n), 4000)
        return float((found - 1.96 * spread / np.sqrt(n) > DELTA).mean())

    assert 0.77 <= settled(named) <= 0.83
    assert 0.46 <= settled(old) <= 0.54
    assert named == pytest.approx(2.04 * old, rel=0.01)
    assert items_to_settle(gain(0.02, 0.08), 0.02) is None
    assert items_to_settle(Figure.missing("x"), 0.02) is None


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
def test_more_items_narrow_their_own_share_of_the_interval_alone(share: float) -> None:
    """Counted as if all of it fell with the items, too few are named where the train side has a share."""
    rng, true, half = np.random.default_rng(1), 0.08, 0.05
    figure = Measured(
        true, true - half, true + half, 100, "accuracy", carried=Carried(1.0 - share, share)
    )
    named = items_to_settle(figure, DELTA)
    assert named is not None

    def settled(n: int) -> float:
        error = half / 1.96 * np.sqrt((1.0 - share) * 100 / n + share)
        return float((true + rng.normal(0, error, 4000) - 1.96 * error > DELTA).mean())

    assert 0.77 <= settled(named) <= 0.83
    if share == 0.4:
        old = items_to_settle(replace(figure, carried=Carried()), DELTA)
        assert settled(old) < 0.76


def test_no_number_of_items_settles_what_the_train_side_leaves_open() -> None:
    figure = Measured(0.05, 0.0, 0.10, 300, "accuracy", carried=Carried(0.4, 0.6))
    assert items_to_settle(figure, DELTA) is None
    assert items_to_settle(gain(0.05, 0.05), DELTA) is not None
    found = decide(replace(BASE, edge=figure))
    assert found.label == "inconclusive"
    assert any("60% of its variance" in sentence for sentence in found.why)
    assert found.why[1] == carried(figure).sentence
