"""The ladder fitted again with another train side, other weights and other prompts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from dataedge.engine.values import pack, unpack
from dataedge.intervals import proportion
from dataedge.ladder import label_refits as module
from dataedge.ladder.label_refits import Ladder, Panel
from dataedge.ladder.outcome import Outcome
from dataedge.ladder.refits import REFITTED, Answers, Items, Refits
from dataedge.ladder.rungs import Rungs
from dataedge.ladder.units import BALANCED
from dataedge.learner.classifier import Learner
from dataedge.prompt.label_prior import LabelPrior
from dataedge.prompt.pool import pool_prompts
from dataedge.widened_intervals import Added, Carried, Measured, carried, widened

K, WIDTH, DEVELOPMENT, EVALUATION = 6, 12, 40, 80


class Sides(NamedTuple):
    development: np.ndarray
    evaluation: np.ndarray


def ladder(
    seed: int, *, train: int = 60, unanswered: int = 0, kinds: tuple[str, ...] | None = None
) -> Ladder:
    """A ladder on drawn texts; of five prompts, those of `kinds`."""
    rng = np.random.default_rng(seed)
    held = DEVELOPMENT + EVALUATION
    means = 0.8 * np.random.default_rng(99).normal(size=(K, WIDTH))
    y = rng.integers(K, size=train + held)
    x = (means[y] + rng.normal(size=(len(y), WIDTH))).astype(np.float32)
    index = np.arange(len(y))
    sides = index[:train], index[train : train + DEVELOPMENT], index[train + DEVELOPMENT :]
    kinds = kinds or ("zero_shot", "zero_shot", "few_shot", "few_shot", "retrieved")
    said = x[train:] @ (0.3 * means).T
    scores = said + rng.normal(size=(len(kinds), held, K))
    scores[:, DEVELOPMENT : DEVELOPMENT + unanswered] = np.nan
    panel = Panel(scores, kinds)
    prior = LabelPrior.of(y[:train], K)
    learner = Learner().fit([x[:train]], y[:train], K, clusters=sides[0])
    own = Sides(*(np.log(np.maximum(learner.predict_proba([x[i]]), 1e-9)) for i in sides[1:]))
    without, prompted = (pool_prompts(s, y[sides[1]], prior) for s in (scores[panel.cheap], scores))
    return Ladder([x], y, index, *sides, prior, panel, without, prompted, own, seed)


def added(found: Refits[Answers], upper: str, lower: str) -> Added | None:
    n = found.development.hits.shape[2]
    return found.variances(upper, lower, Items(np.ones(n), np.arange(n)))


def test_what_is_drawn_anew_moves_the_rungs_that_rest_on_it() -> None:
    found = ladder(0).refit()
    assert [len(a.hits) for a in found.prompts] == [2, 2]
    hits = found.train_side.hits.astype(float)
    spread = np.ptp(hits.mean(axis=2), axis=0)
    asked = [REFITTED.index(r) for r in ("without_data", "prompted")]
    assert not spread[asked].any()  # no question is asked anew
    assert spread[REFITTED.index("learned")] > 0
    assert (np.ptp(found.development.hits.astype(float).mean(axis=2), axis=0) > 0).all()
    whole = added(found, "learned", "prompted")
    assert whole is not None
    assert min(whole.parts) >= 0.0
    assert whole.freedom == (15.0, 11.0, 2.0)
    assert added(found, "without_data", "chance") is not None
    assert added(found, "retrieved", "without_data") is None


def test_the_same_ladder_gives_the_same_refits_and_they_are_kept_bit_for_bit() -> None:
    one, other = ladder(1).refit(), ladder(1).refit()
    assert pack(one) == pack(other)
    back = unpack(pack(one), (Refits, Answers))
    assert np.array_equal(back.train_side.hits, one.train_side.hits)
    assert added(back, "with_data", "without_data") == added(one, "with_data", "without_data")


@pytest.mark.parametrize(
    "options",
    [
        {"kinds": ("zero_shot",)},
        {"kinds": ("zero_shot", "few_shot", "retrieved")},
        {"unanswered": 30},
        {"train": 8},
    ],
)
def test_small_panels_unanswered_items_and_few_rows(options: dict[str, Any]) -> None:
    """Nothing is measured where nothing can be, and nothing breaks."""
    found = ladder(2, **options).refit()
    if "kinds" in options:
        assert found.prompts == ()
    answered = np.ones(EVALUATION, bool)
    answered[: options.get("unanswered", 0)] = False
    edge = added(found.items(answered), "with_data", "without_data")
    assert edge is not None
    assert np.isfinite(edge.parts).all()


class NearestMean:
    """A learner of one line, so that hundreds of audits take seconds."""

    def fit(self, X: list[np.ndarray], y: np.ndarray, K: int, **_: Any) -> NearestMean:
        self.means = np.stack(
            [X[0][y == k].mean(0) if (y == k).any() else np.full(WIDTH, 9.0) for k in range(K)]
        )
        return self

    def predict_proba(self, X: list[np.ndarray]) -> np.ndarray:
        square = np.square(X[0][:, None] - self.means).sum(axis=2)
        p = np.exp(-0.5 * (square - square.min(axis=1, keepdims=True)))
        return p / p.sum(axis=1, keepdims=True)


def test_the_interval_holds_what_other_train_sides_would_reach(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """20 rows, 1,000 items: the old interval knows how good this learner is, not what the rows give."""
    monkeypatch.setattr(module, "Learner", NearestMean)
    monkeypatch.setattr(module, "stack", lambda own, base, labels, weights=None: own)
    rng, runs, n = np.random.default_rng(0), 150, 1000
    means = 0.6 * np.random.default_rng(5).normal(size=(3, WIDTH))
    old, new, truth = [], [], []
    template = ladder(0, train=20)
    for run in range(runs):
        y = rng.integers(3, size=20 + n)
        x = (means[y] + rng.normal(size=(len(y), WIDTH))).astype(np.float32)
        index, said = np.arange(len(y)), np.zeros((1, 3))
        hits = NearestMean().fit([x[:20]], y[:20], 3).predict_proba([x[20:]]).argmax(1) == y[20:]
        pool = replace(
            template.without, development=said, evaluation=said.repeat(n, 0), log_prior=said[0]
        )
        drawn = replace(
            template, blocks=[x], y=y, clusters=index, train=index[:20], development=index[20:21],
            evaluation=index[20:], prior=LabelPrior(np.ones(3)), without=pool, prompted=pool,
            seed=1000 * run,
        )  # fmt: skip
        parts = drawn._train_side()
        clusters, on = index[20:], Items(np.ones(n), index[20:], y[20:])
        variance = parts.variance("learned", "chance", on)
        plain = proportion(hits.astype(float), clusters, unit="accuracy")
        more = Added(max(variance, 0.0), freedom=(15.0, 1.0, 1.0))
        wide = widened(plain, more, bounds=(0.0, 1.0))
        old.append((plain.low, plain.high))
        new.append((wide.low, wide.high))
        truth.append(hits.mean())
    mean = np.mean(truth)
    was, now = (np.mean([a <= mean <= b for a, b in ends]) for ends in (old, new))
    assert was < 0.70
    assert 0.90 <= now <= 0.99


def rungs(**changes: Any) -> Rungs:
    """Two rungs on 200 items whose refits differ by 3 points, 50 of the items of a second class."""
    rng, n = np.random.default_rng(3), 200
    hits = {r: (rng.random(n) < p).astype(float) for r, p in (("chance", 0.3), ("learned", 0.5))}
    moved = rng.random((16, 4, n)) < (0.5 + 0.05 * rng.normal(size=(16, 1, 1)))
    answers = Answers(moved, moved, 1.0)
    still = Answers(np.repeat(moved[:1], 16, axis=0), np.repeat(moved[:1], 16, axis=0), 1.0)
    outcomes = {r: Outcome("", None, h, np.ones(n)) for r, h in hits.items()}
    made = Rungs(
        "accuracy", np.arange(n), np.ones(n), np.arange(n), outcomes, {}, 0,
        classes=np.repeat([0, 1], [150, 50]), refits=Refits(answers, still, ()),
    )  # fmt: skip
    return replace(made, **changes)


@pytest.mark.parametrize("unit", ["accuracy", BALANCED])
def test_a_ladder_with_refits_has_wider_intervals_and_says_what_they_carry(unit: str) -> None:
    wide, plain = rungs(unit=unit), rungs(unit=unit, refits=None)
    for found, old in (
        (wide.figure("learned"), plain.figure("learned")),
        (wide.difference("learned", "chance"), plain.difference("learned", "chance")),
    ):
        assert isinstance(found, Measured)
        assert found.value == old.value
        assert found.low < old.low < old.high < found.high
        shares = carried(found)
        assert shares.train_side > 0.1
        assert shares.development == shares.prompts == 0.0
        assert shares.items + shares.train_side == pytest.approx(1.0)
        assert found.described["interval_carries"] == vars(shares)
        assert f"{shares.train_side:.0%}" in shares.sentence
        assert carried(old) == Carried()
    assert "alone" in Carried().sentence
    assert Carried(refits=32).sentence == (
        "Its interval carries the luck of the evaluation items (100% of its variance); the train side, the "
        "development items and the prompts add nothing to it."
    )
    assert Carried(0.6, 0.2, 0.2, 0.0, 32).sentence == (
        "Its interval carries the luck of the evaluation items (60% of its variance), of the train side (20%) "
        "and of the development items (20%); the prompts add nothing to it."
    )


def test_a_pilot_carries_the_luck_of_prompts_that_it_is_compared_with() -> None:
    """It is asked behind the bare prompt: what moves `prompted` is not taken off by the learner's moves."""
    found = ladder(5).refit()
    measured, foretold = (added(found, rung, "prompted") for rung in ("tuned", "learned"))
    alone = added(found, "prompted", "chance")
    assert measured is not None
    assert foretold is not None
    assert alone is not None
    assert (measured.development, measured.prompts) == (alone.development, alone.prompts)
    assert measured.train_side == foretold.train_side
    single = added(found, "tuned", "chance")
    assert single is not None
    assert (single.development, single.prompts) == (0.0, 0.0)
