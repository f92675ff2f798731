"""Intervals of R²: what the train side, the weights and the prompts add."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dataedge.engine.values import pack, unpack
from dataedge.ladder.number_refits import PARTS, REWEIGHTS, Expectations, Ladder
from dataedge.ladder.outcome import Outcome
from dataedge.ladder.refits import REFITTED, Gains, Items, Refits
from dataedge.ladder.rungs import Rungs
from dataedge.ladder.stack import stack_numbers
from dataedge.ladder.units import R2
from dataedge.learner.regression import Regression
from dataedge.positions import positions
from dataedge.prompt.number_pool import pool_numbers

WIDTH, TRAIN, DEVELOPMENT, EVALUATION = 10, 40, 40, 400
KINDS = ("zero_shot", "zero_shot", "few_shot", "few_shot", "retrieved")


class Sides(NamedTuple):
    development: np.ndarray
    evaluation: np.ndarray


def ladder(seed: int, *, kinds: tuple[str, ...] = KINDS, evaluation: int = EVALUATION) -> Ladder:
    """Numbers that follow from ten features, which prompts see dimly."""
    rng = np.random.default_rng(seed)
    n = TRAIN + DEVELOPMENT + evaluation
    x = rng.normal(size=(n, WIDTH)).astype(np.float32)
    z = x @ np.full(WIDTH, 0.25) + 0.6 * rng.normal(size=n)
    sides = np.split(np.arange(n), [TRAIN, TRAIN + DEVELOPMENT])
    seen = z[TRAIN:] + 2.0 * rng.normal(size=(len(kinds), n - TRAIN))
    cheap = [i for i, kind in enumerate(kinds) if kind != "retrieved"]
    given = z[sides[1]]
    learner = Regression().fit([x[sides[0]]], z[sides[0]], sides[0])
    own = Sides(*(learner.predict([x[side]]) for side in sides[1:]))
    without, prompted = pool_numbers(seen[cheap], given), pool_numbers(seen, given)
    panel = Expectations(seen, kinds)
    return Ladder([x], z, np.arange(n), *sides, panel, without, prompted, own, seed)


def rungs(made: Ladder, refits: Refits[Gains] | None) -> Rungs:
    given, truth = made.z[made.development], made.z[made.evaluation]
    said = dict(
        zip(
            REFITTED,
            (
                made.without.evaluation,
                made.prompted.evaluation,
                stack_numbers(made.own, made.without, given).evaluation,
                stack_numbers(made.own, made.prompted, given).evaluation,
            ),
            strict=True,
        )
    )
    none = np.zeros(len(truth))
    outcomes = {
        rung: Outcome(rung, None, np.square(truth) - np.square(truth - one), none)
        for rung, one in said.items()
    }
    index = positions(made.evaluation)
    weight = np.square(truth)
    return Rungs(R2, index, weight, made.evaluation, outcomes, {}, made.seed, refits=refits)


def test_an_interval_over_items_alone_misses_what_another_audit_would_show() -> None:
    """Expected edge of audits with 40 train and 40 development items, in audits with 400 items."""
    edges = []
    for seed in range(1_000, 1_120):
        other = rungs(ladder(seed, evaluation=4_000), None)
        gains = (other.outcomes[rung].gain for rung in ("with_data", "without_data"))
        edges.append(np.subtract(*gains).sum() / other.weight.sum())
    truth = float(np.mean(edges))
    covered = {True: 0, False: 0}
    audits = 60
    for seed in range(audits):
        made = ladder(seed)
        for widened in (True, False):
            found = rungs(made, made.refit() if widened else None)
            figure = found.difference("with_data", "without_data")
            assert figure.low is not None
            assert figure.high is not None
            covered[widened] += figure.low <= truth <= figure.high
    assert covered[False] / audits < 0.85
    assert covered[True] / audits >= 0.9


def test_each_source_moves_the_rungs_that_rest_on_it() -> None:
    found = ladder(0).refit()
    assert len(found.train_side) == PARTS
    assert len(found.development) == REWEIGHTS
    assert [len(one) for one in found.prompts] == [2, 2]
    moved = np.ptp(found.train_side.gain.sum(axis=2), axis=0)
    assert not moved[:2].any()  # prompts are not asked anew
    assert (moved[2:] > 0).all()
    assert (np.ptp(found.development.gain.sum(axis=2), axis=0) > 0).all()
    whole = found.variances(
        "learned", "prompted", Items(np.ones(EVALUATION), np.arange(EVALUATION))
    )
    assert whole is not None
    assert min(whole.parts) >= 0.0
    assert whole.freedom == (PARTS - 1, REWEIGHTS - 1, 2.0)


def test_a_cluster_larger_than_a_part_leaves_parts_out_and_none_at_all_adds_nothing() -> None:
    made = ladder(3)
    for large in (32, TRAIN):  # of the 40 train items
        clusters = np.arange(len(made.z))
        clusters[:large] = 0
        found = Ladder(**{**vars(made), "clusters": clusters}).refit()
        assert len(found.train_side) <= PARTS
        on = Items(np.ones(EVALUATION), np.arange(EVALUATION))
        whole = found.variances("learned", "prompted", on)
        assert whole is not None
        assert np.isfinite(whole.parts).all()


def test_refits_are_kept_bit_for_bit_and_the_same_each_time() -> None:
    one, other = ladder(1).refit(), ladder(1).refit()
    assert pack(one) == pack(other)
    back = unpack(pack(one), (Refits, Gains))
    assert np.array_equal(back.train_side.gain, one.train_side.gain)


def test_counts_of_one_change_nothing_and_items_that_count_twice_stand_for_two() -> None:
    made = ladder(2)
    given, values = made.z[made.development], made.panel.values
    same = pool_numbers(values, given, np.ones(DEVELOPMENT))
    assert np.array_equal(same.evaluation, made.prompted.evaluation)
    counts = np.ones(DEVELOPMENT)
    counts[:5] = 200.0
    heavy = pool_numbers(values, given, counts)
    left = [float(np.square(given[:5] - p.development[:5]).sum()) for p in (heavy, same)]
    assert heavy.weights.tolist() != same.weights.tolist()
    few = stack_numbers(made.own, heavy, given, counts)
    all_ = stack_numbers(made.own, heavy, given)
    cost = [float(np.square(given[:5] - s.development[:5]).sum()) for s in (few, all_)]
    assert cost[0] <= cost[1] + 1e-9
    assert min(left) > 0
