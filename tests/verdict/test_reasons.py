"""Each reason rests on figures of its own, so that the four can disagree with each other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from dataedge.figures import Figure
from dataedge.ladder.outcome import Outcome
from dataedge.ladder.prompt_curve import Point, PromptCurve, curve_of, divided
from dataedge.ladder.rungs import Rungs
from dataedge.positions import positions
from dataedge.prompt.latency import Request, Seconds
from dataedge.verdict.costs import Prices, cost
from dataedge.verdict.decision import decide
from dataedge.verdict.evidence import Evidence
from dataedge.verdict.grounds import Grounds, Reason
from dataedge.verdict.prompting import demonstrations_needed
from dataedge.verdict.reasons import reasons_from

N = 900
DELTA = 0.02


@dataclass
class Situation:
    """Accuracies of a ladder and of prompting with k demonstrations, on the same items."""

    curve: dict[int, float]
    without: float
    retrieved: float
    learned: float
    with_data: float
    chance: float = 0.5
    shown_tokens: float = 30.0
    bare_tokens: float = 40.0
    best_tokens: float = 520.0
    answer_tokens: float = 2.0
    train_items: int = 1000
    context: int = 4096
    own_context: int = 8192
    seconds: Seconds | None = None
    prices: Prices = field(default_factory=Prices)
    n: int = N

    def rungs(self) -> Rungs:
        """Items by difficulty: whoever answers more has all that the others have, and 2 % at random."""
        rng = np.random.default_rng(1)
        depth = rng.permutation((np.arange(self.n) + 0.5) / self.n)

        def outcome(accuracy: float) -> Outcome:
            hits = depth < accuracy
            flipped = rng.random(self.n) < 0.02
            return Outcome("", None, np.where(flipped, ~hits, hits).astype(float), np.ones(self.n))

        reached = {
            "chance": self.chance,
            "without_data": self.without,
            "retrieved": self.retrieved,
            "prompted": max(self.without, self.retrieved),
            "learned": self.learned,
            "with_data": self.with_data,
            **{f"k {k}": a for k, a in self.curve.items()},
        }
        outcomes = {rung: outcome(a) for rung, a in reached.items()}
        index = positions(range(self.n))
        return Rungs("accuracy", index, np.ones(self.n), index, outcomes, {}, 0)

    def grounds(self) -> Grounds:
        """The figures as an audit makes them."""
        r = self.rungs()
        ks = sorted(self.curve)
        curve = curve_of(
            r,
            ks,
            bare=self.bare_tokens,
            shown=self.shown_tokens,
            train_items=self.train_items,
            own_context=self.own_context,
        )
        edge = r.difference("with_data", "without_data")
        tuning = r.difference("learned", "prompted")
        evidence = Evidence(
            edge,
            tuning,
            r.difference("with_data", "chance"),
            r.difference("retrieved", "without_data"),
            r.difference("without_data", "chance"),
            {},
            DELTA,
            "accuracy",
            r.n_clusters,
        )
        return Grounds(
            decide(evidence),
            edge,
            tuning,
            tuning,
            curve,
            Request(self.best_tokens, self.bare_tokens, self.answer_tokens, self.seconds),
            DELTA,
            self.context,
            self.own_context,
            self.prices,
        )


def answers(g: Grounds) -> dict[str, str]:
    return {r.id: r.answer for r in reasons_from(g)}


def reason(g: Grounds, id_: str) -> Reason:
    return next(r for r in reasons_from(g) if r.id == id_)


# Whatever makes prompting fall short makes data worth something too, unless always saying one label
# does as well: in the first two situations the base model, asked in any way, falls below that.
CEILING = Situation(
    {0: 0.50, 8: 0.50, 16: 0.50, 100: 0.50},
    without=0.50,
    retrieved=0.50,
    learned=0.62,
    with_data=0.62,
    chance=0.60,
    train_items=100,  # all fit, so that room is not what is missing
    best_tokens=50.0,
)
IMPRACTICAL = Situation(
    {0: 0.50},  # documents of 3,000 tokens: not one fits beside another
    without=0.50,
    retrieved=0.50,
    learned=0.62,
    with_data=0.62,
    chance=0.60,
    shown_tokens=3000.0,
    bare_tokens=3000.0,
    best_tokens=3010.0,
    own_context=4096,
)
EDGE = Situation(
    {0: 0.50, 8: 0.60, 16: 0.70, 120: 0.85},
    without=0.60,
    retrieved=0.85,  # what is needed stands among the nearest rows
    learned=0.70,
    with_data=0.85,
)
COST = Situation(
    {0: 0.60, 8: 0.85, 16: 0.85, 120: 0.85},
    without=0.85,
    retrieved=0.85,
    learned=0.85,
    with_data=0.85,
)
SITUATIONS = {
    "prompting_ceiling": CEILING,
    "prompting_impractical": IMPRACTICAL,
    "data_edge": EDGE,
    "latency_and_cost": COST,
}


@pytest.mark.parametrize("only", SITUATIONS)
def test_each_reason_is_supported_where_no_other_is(only: str) -> None:
    found = answers(SITUATIONS[only].grounds())
    assert list(found) == list(SITUATIONS)
    assert [name for name, answer in found.items() if answer == "supported"] == [only], found


def test_all_four_may_agree() -> None:
    """A rule that prompts do not show: the curve is flat, and what would be needed does not fit."""
    case = Situation(
        {0: 0.50, 8: 0.52, 16: 0.52, 120: 0.52}, 0.52, 0.53, learned=0.75, with_data=0.75
    )
    assert set(answers(case.grounds()).values()) == {"supported"}


# -- 1 -----------------------------------------------------------------------------------------


def test_a_curve_that_still_rises_has_not_hit_its_ceiling() -> None:
    rising = replace(EDGE, retrieved=0.6, learned=0.95, with_data=0.95)
    assert reason(rising.grounds(), "prompting_ceiling").answer == "not_supported"


def test_a_slope_that_few_items_leave_open_is_no_ceiling() -> None:
    """The old rule read flat off two values, whatever their error."""
    few = replace(CEILING, n=40, learned=0.9, with_data=0.9)
    found = reason(few.grounds(), "prompting_ceiling")
    assert found.answer == "unknown"
    assert found.evidence["gain_per_doubling"]["high"] > DELTA


def test_the_slope_is_rarely_called_flat_where_it_rises() -> None:
    """Noise alone: the curve rises by twice δ a doubling. Read off the values, as before, it is often flat."""
    rng, n, runs, flat, flat_by_value = np.random.default_rng(5), 300, 400, 0, 0
    for _ in range(runs):
        before = rng.random(n) < 0.5
        # over one doubling 14 % turn right and 10 % wrong
        turned = rng.random(n)
        now = np.where(before, turned > 0.2, turned < 0.28)
        index = np.arange(n)
        r = Rungs("accuracy", index, np.ones(n), index, {}, {}, 0)
        slope = divided(r.paired(now.astype(float) - before.astype(float)), 1.0)
        flat += slope.high is not None and slope.high < DELTA
        flat_by_value += slope.value is not None and slope.value < DELTA
    assert flat_by_value > 0.15 * runs
    assert flat < 0.05 * runs


# -- 2 -----------------------------------------------------------------------------------------


def test_prompting_is_practical_where_the_demonstrations_fit() -> None:
    found = reason(COST.grounds(), "prompting_impractical")
    assert found.answer == "not_supported"
    assert "120" not in found.why
    rising = replace(
        COST, curve={0: 0.5, 8: 0.6, 16: 0.85, 120: 0.85}, without=0.6, retrieved=0.6
    ).grounds()
    found = reason(rising, "prompting_impractical")
    assert found.answer == "not_supported", found.why
    assert 8 < found.evidence["demonstrations_needed"] < 16


def test_what_fits_but_fills_the_context_is_left_open() -> None:
    full = replace(COST, curve={0: 0.5, 8: 0.5, 16: 0.5, 120: 0.86}, without=0.5, retrieved=0.5)
    found = reason(full.grounds(), "prompting_impractical")
    assert found.answer == "unknown"
    assert found.evidence["tokens_needed"] > 0.5 * full.context


def test_what_the_model_itself_would_take_is_not_called_impractical() -> None:
    """A little more than was filled, and less than the model takes."""
    steep = Situation(
        {0: 0.40, 8: 0.50, 16: 0.55, 120: 0.80}, 0.55, 0.55, learned=0.88, with_data=0.88
    )
    found = reason(steep.grounds(), "prompting_impractical")
    assert found.answer == "unknown"
    assert 120 < found.evidence["demonstrations_needed"] < 8192 / 30


def test_a_server_whose_context_nobody_tells_is_not_said_to_be_too_small() -> None:
    slow = Situation(
        {0: 0.40, 8: 0.46, 16: 0.50, 120: 0.60}, 0.55, 0.55, learned=0.97, with_data=0.97
    )
    assert reason(slow.grounds(), "prompting_impractical").answer == "supported"
    unknown = replace(slow, own_context=0).grounds()
    assert reason(unknown, "prompting_impractical").answer == "unknown"


def test_no_number_of_tokens_is_named_that_nobody_has() -> None:
    """A slope so small that going on with it would take more than all train items."""
    slow = Situation(
        {0: 0.40, 8: 0.46, 16: 0.50, 120: 0.60}, 0.55, 0.55, learned=0.97, with_data=0.97
    ).grounds()
    found = reason(slow, "prompting_impractical")
    assert found.evidence["demonstrations_needed"] > slow.curve.train_items
    assert f"than the {slow.curve.train_items:,} train items" in found.why
    assert f"{found.evidence['tokens_needed']:,.0f}" not in found.why


def test_a_context_that_a_server_refused_was_not_filled() -> None:
    flat = Situation({0: 0.5, 8: 0.5, 16: 0.5}, 0.5, 0.5, learned=0.9, with_data=0.9).grounds()
    assert reason(flat, "prompting_impractical").answer == "supported"
    refused = replace(flat, curve=replace(flat.curve, unfilled="the server failed"))
    found = reason(refused, "prompting_impractical")
    assert found.answer == "unknown"
    assert "the server failed" in found.why


def test_train_tokens_count_and_not_all() -> None:
    """60 % of the rows are on the train side, and fit; all of them would not."""
    case = replace(CEILING, train_items=100)
    g = replace(case.grounds(), data_tokens=5000.0)
    found = reason(g, "prompting_impractical")
    assert found.answer == "not_supported"
    assert found.evidence["train_tokens"] == 3000


def test_what_the_context_would_still_lack_is_paired() -> None:
    """The ends of two intervals at once would leave open what the same items settle together."""
    case = Situation(
        {0: 0.40, 8: 0.45, 16: 0.48, 120: 0.56}, 0.55, 0.55, learned=0.66, with_data=0.66, n=1500
    )
    g = case.grounds()
    found, left = reason(g, "prompting_impractical"), g.curve.when_full
    assert left is not None
    assert left.low is not None
    assert left.low > DELTA
    assert found.answer == "supported"
    fewest = found.evidence["demonstrations_needed_at_least"]
    assert fewest is None or fewest * case.shown_tokens < found.evidence["tokens_needed"]


@pytest.mark.parametrize("seed", range(3))
def test_a_context_that_would_come_near_enough_is_hardly_ever_called_too_small(seed: int) -> None:
    """Simulation at the border: what is left when the context is full is δ itself."""
    rng = np.random.default_rng(seed)
    n, said = 200, 0
    room = int((8192 - 40) / 30)
    more = np.log2((1 + room) / (1 + 120)) / np.log2(121 / 17)
    for _ in range(200):
        depth = rng.random(n)
        last, since = 0.56, 0.48
        learned = DELTA + last + more * (last - since)
        reached = {"k 16": since, "k 120": last, "learned": learned}
        hits = {r: (depth < a).astype(float) for r, a in reached.items()}
        outcomes = {r: Outcome("", None, h, np.ones(n)) for r, h in hits.items()}
        index = positions(range(n))
        rungs = Rungs("accuracy", index, np.ones(n), index, outcomes, {}, 0)
        left = rungs.extrapolated("learned", "k 120", "k 16", float(more))
        said += left.low is not None and left.low > DELTA
    assert said <= 0.06 * 200


@pytest.mark.parametrize(
    ("gaps", "slope", "about"),
    [
        ({0: 0.3, 8: 0.1, 16: 0.01}, 0.1, 8 < 15),
        ({0: 0.01, 8: 0.0}, 0.1, 0),
        ({0: 0.3, 15: 0.12}, 0.1, 31),  # one doubling short
        ({0: 0.3, 15: 0.12}, -0.01, None),
    ],
)
def test_demonstrations_needed(gaps: dict[int, float], slope: float, about: Any) -> None:
    points = tuple(
        Point(k, 10.0 + k, Figure(0.5), Figure(g, g - 0.02, g + 0.02)) for k, g in gaps.items()
    )
    curve = PromptCurve(points, Figure(slope, slope - 0.02, slope + 0.02))
    found = demonstrations_needed(curve, DELTA)
    if about is True:
        assert found.about is not None
        assert 8 < found.about < 16
    else:
        assert found.about == (None if about is None else pytest.approx(about))
    if found.about is not None and found.at_least is not None:
        assert found.at_least <= found.about


# -- 4 -----------------------------------------------------------------------------------------


def test_a_tuned_model_that_is_surely_worse_saves_nothing() -> None:
    assert reason(EDGE.grounds(), "latency_and_cost").answer == "not_supported"


def test_whether_quality_is_kept_may_be_open() -> None:
    few = replace(COST, n=60)
    assert reason(few.grounds(), "latency_and_cost").answer == "unknown"


def test_a_long_answer_leaves_little_to_save() -> None:
    assert reason(replace(COST, answer_tokens=2000.0).grounds(), "latency_and_cost").answer == (
        "not_supported"
    )


def test_seconds_count_where_tokens_do_not() -> None:
    slow = Seconds(np.array([2.0, 2.1, 2.2]), np.array([0.9, 1.0, 1.1]))
    case = replace(COST, best_tokens=50.0)
    assert reason(case.grounds(), "latency_and_cost").answer == "not_supported"
    found = reason(replace(case, seconds=slow).grounds(), "latency_and_cost")
    assert found.answer == "supported"
    assert found.evidence["seconds"]["best_prompt"]["median"] == 2.1
    touching = Seconds(np.array([1.2, 2.1, 2.2]), np.array([0.9, 1.0, 1.1]))
    found = reason(replace(case, seconds=touching).grounds(), "latency_and_cost")
    assert found.answer == "not_supported"


def test_prices_are_the_users_and_break_even_follows_from_them() -> None:
    found = reason(COST.grounds(), "latency_and_cost")
    assert found.evidence["cost_per_1000_requests"] is None
    priced = replace(COST, prices=Prices(read=2.0, written=8.0, tuning=96.0))
    found = reason(priced.grounds(), "latency_and_cost")
    # (520 · 2 + 2 · 8) / 1000 against (40 · 2 + 2 · 8) / 1000, for a thousand requests
    assert found.evidence["cost_per_1000_requests"] == pytest.approx(
        {"best_prompt": 1.056, "tuned": 0.096}
    )
    assert found.evidence["break_even_requests"] == pytest.approx(100_000)
    assert "100,000 requests" in found.why


def test_a_dear_tuned_model_is_not_cheaper() -> None:
    dear = Prices(read=2.0, tuned_read=30.0, tuning=10.0)
    found = reason(replace(COST, prices=dear).grounds(), "latency_and_cost")
    assert found.answer == "not_supported"
    assert found.evidence["break_even_requests"] is None


def test_without_prices_there_is_no_cost() -> None:
    assert cost(Request(100.0, 10.0), Prices(tuning=5.0)) is None
    assert cost(Request(None, 10.0), Prices(read=5.0)) is None


def test_nothing_is_said_where_nothing_was_measured() -> None:
    g = replace(
        COST.grounds(),
        curve=PromptCurve(missing="the model failed on a prompt of every item"),
        request=Request(None, 40.0),
        counted=Figure.missing("not reached"),
        tuning=Figure.missing("not reached"),
    )
    found = answers(g)
    for name in ("prompting_ceiling", "prompting_impractical", "latency_and_cost"):
        assert found[name] == "unknown"
    assert "the model failed" in reason(g, "prompting_impractical").why
