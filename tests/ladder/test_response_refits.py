"""Intervals of the total of text: what the draw of demonstrations and the n-grams' train side add."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dataedge.engine.values import pack, unpack
from dataedge.ladder import response_refits as module
from dataedge.ladder.outcome import Outcome
from dataedge.ladder.prompt_information import OtherPrompts
from dataedge.ladder.refits import REFITTED, Gains, Items, Refits
from dataedge.ladder.response_refits import (
    PARTS,
    REWEIGHTS,
    Ladder,
    Mixture,
    Sides,
)
from dataedge.ladder.rungs import Rungs
from dataedge.ladder.task_style import split
from dataedge.ladder.units import BITS
from dataedge.learner.ngram import NGram
from dataedge.positions import positions
from dataedge.prompt.scores import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence

N, DRAWS = 60, 5
GAIN, OF_DRAW, OF_ITEMS, OF_BOTH = 12.0, 6.0, 20.0, 10.0
"""Bits per response: what the data gains, and how far a draw, an item and both together move it."""


def audit(seed: int) -> Rungs:
    """A ladder whose `without_data` rests on one draw of demonstrations out of all there could be."""
    rng = np.random.default_rng(seed)
    size = rng.integers(40, 80, size=N).astype(float)
    item = rng.normal(GAIN, OF_ITEMS, size=N)
    with_ = 1.5 * size + rng.normal(0, 5, size=N)
    gained = item + OF_DRAW * rng.normal(size=(DRAWS, 1)) + OF_BOTH * rng.normal(size=(DRAWS, N))
    bits = np.stack([with_ + gained, *3 * [np.tile(with_, (DRAWS, 1))]], axis=1)
    none = Gains(np.zeros((0, len(REFITTED), N)), 1.0)
    own = dict(zip(REFITTED, bits[0], strict=True))
    outcomes = {rung: Outcome(rung, None, -b, b) for rung, b in own.items()}
    index = np.arange(N)
    refits = Refits(none, none, (Gains(-bits, 1.0),))
    return Rungs(BITS, positions(index), size, index, outcomes, {}, seed, refits=refits)


def covered(rungs: Sequence[Rungs], *, widened: bool) -> float:
    truth = GAIN / 59.5  # bits per byte: the mean response has 59.5 bytes
    found = []
    for one in rungs:
        figure = one.difference("with_data", "without_data")
        if not widened:
            gain = one.outcomes["with_data"].gain - one.outcomes["without_data"].gain
            figure = one.paired(gain)
        assert figure.low is not None
        assert figure.high is not None
        found.append(figure.low <= truth <= figure.high)
    return float(np.mean(found))


def test_an_interval_over_items_alone_misses_what_another_draw_would_show() -> None:
    audits = [audit(seed) for seed in range(300)]
    assert covered(audits, widened=False) < 0.75
    assert 0.925 <= covered(audits, widened=True) <= 0.99


def test_where_draws_do_not_matter_nothing_is_added() -> None:
    """Noise of single items is in their interval already: it is not counted twice."""
    rng = np.random.default_rng(0)
    on = Items(np.ones(N), np.arange(N))
    found = []
    for _ in range(200):
        bits = rng.normal(0, 10, size=(DRAWS, len(REFITTED), N))
        found.append(Gains(bits, 1.0).variance("with_data", "without_data", on))
    twice = 2 * 10.0**2 / N
    assert abs(np.mean(found)) < 0.1 * twice


def answers(rng: np.random.Generator, spelt: Sequence[Any], level: float) -> list[Answer | None]:
    return [Answer(t, np.log(rng.uniform(0.02, level, size=len(t))), 20) for t in spelt]


def ladder(seed: int, *, prompts: int = 2) -> Ladder:
    """Responses of a few words that come back, which n-grams of the train side know."""
    rng = np.random.default_rng(seed)
    words = rng.integers(5, 500, size=(12, 6))
    sides = [[words[i] for i in rng.integers(12, size=n)] for n in (40, 24, 50)]
    without, base = (
        Sides(*([answers(rng, side, level) for _ in range(prompts)] for side in sides[1:]))
        for level in (0.3, 0.4)
    )
    weights, spelt = np.full(prompts, 1 / prompts), prompts * [sides[0]]
    return Ladder(
        Mixture(without, weights),
        Mixture(base, weights),
        Mixture(without, weights, spelt),
        Mixture(base, weights, spelt),
        np.arange(40),
        np.arange(24),
        seed,
    )


def test_each_source_moves_the_rungs_that_rest_on_it() -> None:
    found = ladder(0).refit([])
    assert found.train_side.gain.shape == (PARTS, 4, 50)
    assert found.development.gain.shape == (REWEIGHTS, 4, 50)
    assert found.prompts == ()
    moved = np.ptp(found.train_side.gain.sum(axis=2), axis=0)
    assert not moved[:2].any()  # prompts do not rest on what n-grams are counted in
    assert (moved[2:] > 0).all()
    assert (np.ptp(found.development.gain.sum(axis=2), axis=0) > 0).all()
    on = Items(np.ones(50), np.arange(50))
    whole = found.variances("learned", "prompted", on)
    assert whole is not None
    assert whole.prompts == 0.0
    assert whole.freedom[:2] == (PARTS - 1, REWEIGHTS - 1)
    assert found.variances("few_shot", "chance", on) is None


def test_where_nothing_is_retrieved_both_learned_rungs_are_one() -> None:
    found = replace(ladder(5), with_data=None).refit([])
    for gains in (found.train_side.gain, found.development.gain):
        assert np.array_equal(gains[:, 2], gains[:, 3])
    apart = ladder(5).refit([]).train_side.gain
    assert np.array_equal(apart[:, 2], found.train_side.gain[:, 2])
    assert not np.array_equal(apart[:, 2], apart[:, 3])


def test_one_prompt_has_no_weights_to_choose_but_those_of_ngrams() -> None:
    found = ladder(1, prompts=1).refit([])
    assert not np.ptp(found.development.gain[:, :2].sum(axis=2), axis=0).any()


def test_refits_are_kept_bit_for_bit_and_the_same_each_time() -> None:
    one, other = ladder(2).refit([]), ladder(2).refit([])
    assert pack(one) == pack(other)
    back = unpack(pack(one), (Refits, Gains))
    assert np.array_equal(back.train_side.gain, one.train_side.gain)


def test_responses_without_an_answer_are_left_out_before_a_variance_is_told() -> None:
    made = ladder(3)
    said = made.learned.said
    gone: list[Answer | None] = [None, *said.evaluation[0][1:]]
    some = Sides(said.development, [gone, [None, *said.evaluation[1][1:]]])
    found = replace(made, learned=made.learned._replace(said=some)).refit([])
    there = np.isfinite(found.train_side.gain).all(axis=(0, 1))
    assert not there[0]
    kept = found.items(there).variances("learned", "prompted", Items(np.ones(49), np.arange(49)))
    assert kept is not None
    assert np.isfinite(kept.parts).all()


@pytest.mark.parametrize("same", [True, False])
def test_responses_spelt_alike_are_counted_once(*, same: bool) -> None:
    made = ladder(4)
    spelt = made.learned.spelt
    spelt = spelt if same else [list(spelt[0]), list(spelt[0])]
    found = replace(made, learned=made.learned._replace(spelt=spelt)).refit([])
    assert np.array_equal(found.train_side.gain, made.refit([]).train_side.gain)


def test_the_same_words_are_counted_once_for_both_learned_rungs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counted = []
    monkeypatch.setattr(module, "NGram", lambda texts: counted.append(0) or NGram(texts))
    ladder(6).refit([])
    assert len(counted) == PARTS + 1


def test_what_moves_the_total_moves_its_style_and_not_its_task() -> None:
    """Draws that give away wording shift the bits behind every question alike."""
    made = audit(0)
    rng = np.random.default_rng(1)
    own = {rung: made.outcomes[rung].bits for rung in ("without_data", "with_data")}
    behind = {rung: bits[:, None] + rng.normal(3, 1, size=(N, 4)) for rung, bits in own.items()}
    others = OtherPrompts(
        np.arange(N), behind["without_data"], np.repeat(behind["with_data"][:, None], 2, axis=1)
    )
    still = split(replace(made, refits=None), others)
    moving = split(made, others)
    assert (moving.task.low, moving.task.high) == (still.task.low, still.task.high)
    widths = [f.style.high - f.style.low for f in (still, moving)]  # type: ignore[operator]
    assert widths[1] > 1.2 * widths[0]
