"""Task and style: no false task from misplaced confidence, none from noise, and both add up to the total."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dataedge.figures import Figure
from dataedge.ladder.outcome import Outcome
from dataedge.ladder.prompt_information import (
    CONTEXTS,
    FEWEST_CLUSTERS,
    PROMPTS,
    OtherPrompts,
    drawn_items,
    items_asked,
    prompt_information,
    without_prompt,
)
from dataedge.ladder.rungs import Rungs
from dataedge.ladder.task_style import Split, Spread, carrying, split
from dataedge.verdict.edge_rule import Evidence
from dataedge.widened_intervals import carried

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def rungs(without: Floats, with_: Floats, size: Floats, seed: int = 0) -> Rungs:
    n = len(size)
    outcomes = {
        rung: Outcome(rung, None, -bits, bits)
        for rung, bits in (("without_data", without), ("with_data", with_))
    }
    return Rungs("bits/byte", np.arange(n), size, np.arange(n), outcomes, {}, seed)


def old_task(without: Floats, with_: Floats, others: OtherPrompts) -> float:
    """The rule before: one wrong prompt."""
    rows = others.rows
    style = others.without[:, 0] - others.with_[:, 0, 0]
    return float(((without - with_)[rows] - style).mean())


def confident(right: NDArray[np.bool_], p: float) -> Floats:
    """Bits of one of two answers, where the model gives p to the one that the prompt suggests."""
    return -np.log2(np.where(right, p, 1 - p))


def one_bit(
    rng: np.random.Generator, n: int, *, accuracy: float, p: float
) -> tuple[Floats, Floats, OtherPrompts]:
    """Yes or no by the prompt: the base model does not know, with the data it trusts the prompt."""
    # another question has the same answer half of the time, whatever is shown before it
    alike = np.repeat(rng.random((n, 1, PROMPTS)) < 0.5, CONTEXTS, axis=1)
    suggests = rng.random(n) < accuracy
    others = OtherPrompts(np.arange(n), np.ones((n, PROMPTS)), confident(alike, p))
    return np.ones(n), confident(suggests, p), others


def test_a_one_bit_answer_has_no_more_than_a_bit_of_task() -> None:
    """With one wrong prompt it came out with 1.59 bits: confidence that is misplaced there."""
    rng = np.random.default_rng(0)
    without, with_, others = one_bit(rng, 1000, accuracy=1.0, p=0.9)
    found = split(rungs(without, with_, np.ones(1000)), others)
    assert old_task(without, with_, others) == pytest.approx(1.59, abs=0.1)
    assert found.task.value is not None
    assert found.style.value is not None
    assert found.task.value == pytest.approx(1 + np.log2(0.9), abs=0.1)
    assert abs(found.style.value) < 0.08


def test_what_is_lost_as_a_whole_is_not_gained_as_a_task() -> None:
    """Trusting prompts that mislead: the old rule found a bit of task in a loss."""
    rng = np.random.default_rng(0)
    without, with_, others = one_bit(rng, 400, accuracy=0.7, p=0.95)
    found = split(rungs(without, with_, np.ones(400)), others)
    assert (without - with_).mean() < -0.2
    assert old_task(without, with_, others) > 0.7
    assert found.task.value is not None
    assert found.task.value < 1 - 0.88 + 0.06  # 1 − H(.7) bits are told, and no more


def independent(
    rng: np.random.Generator, n: int, noise: tuple[float, float]
) -> tuple[Floats, Floats, Floats, OtherPrompts]:
    """Responses that no prompt says anything of; each prompt moves their bits for no reason."""
    size = rng.uniform(40, 160, n).round()
    base = 2.0 * size * rng.lognormal(0, 0.2, n)
    sides = []
    for level, spread in zip((0.0, -0.2), noise, strict=True):
        bits = (base + level * size)[:, None] + rng.normal(0, spread, (n, PROMPTS + 1))
        bits[:, 1:] += rng.normal(0, spread / 3, PROMPTS)  # a prompt's effect on all responses
        bits[:, 0] += rng.normal(0, spread / 3, n)
        sides.append(bits)
    rows = np.sort(rng.permutation(n)[: items_asked(n)])
    contexts = rng.normal(0, noise[1] / 3, (len(rows), CONTEXTS, 1))
    informed = sides[1][rows, None, 1:] + contexts
    return sides[0][:, 0], sides[1][:, 0], size, OtherPrompts(rows, sides[0][rows, 1:], informed)


@pytest.mark.parametrize(
    "noise",
    [
        (6.0, 1.0),
        pytest.param((1.0, 6.0), marks=pytest.mark.long),
        pytest.param((4.0, 4.0), marks=pytest.mark.long),
    ],
)
def test_an_answer_that_does_not_depend_on_the_prompt_has_no_task(
    noise: tuple[float, float],
) -> None:
    """The mean over prompts evens out noise: L(y) − L(y|x) without more is off by more than δ."""
    found: list[Split] = []
    naive = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        without, with_, size, others = independent(rng, 120, noise)
        found.append(split(rungs(without, with_, size, seed), others))
        style = without_prompt(others.without) - without_prompt(others.with_[:, 0])
        naive.append(((without - with_)[others.rows] - style).sum() / size[others.rows].sum())
    values = np.array([f.task.value for f in found])
    covered = np.mean([f.task.low <= 0 <= f.task.high for f in found])  # type: ignore[operator]
    above = np.mean([f.task.low > 0 for f in found])  # type: ignore[operator]
    assert abs(values.mean()) < 0.004
    assert covered >= 0.9
    assert above <= 0.05
    assert all(f.style.value == pytest.approx(0.2, abs=0.04) for f in found)
    if noise[0] != noise[1]:
        assert abs(np.mean(naive)) > 0.02


def test_a_planted_task_is_found_with_its_size() -> None:
    """What the prompt tells with the data alone; the intervals cover it.

    Noise takes a little of it: the mean over the other prompts evens it out, the own prompt has it.
    """
    covered, width, plain = [], [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        without, with_, size, others = independent(rng, 300, (1.0, 1.0))
        told = 0.2 * size * rng.lognormal(0, 0.5, len(size)) / np.exp(0.125)
        truth = told.sum() / size.sum()
        found = split(rungs(without, with_ - told, size, seed), others)
        assert found.task.low is not None
        assert found.task.high is not None
        covered.append(found.task.low <= 0.2 <= found.task.high)
        width.append(found.task.value)
        rows = others.rows
        plain.append(told[rows].sum() / size[rows].sum())
        assert found.task.value == pytest.approx(truth, abs=0.02)
    assert np.mean(covered) >= 0.85
    assert np.mean(width) == pytest.approx(0.2, abs=0.01)
    # the total of all items is used for those that were not asked
    assert np.std(width) < 0.9 * np.std(plain)


def test_parts_add_up_to_the_total_of_all_items() -> None:
    rng = np.random.default_rng(0)
    without, with_, size, others = independent(rng, 200, (3.0, 2.0))
    found = split(rungs(without, with_, size), others)
    assert len(others.rows) == items_asked(200) < 200
    assert found.task.n == found.style.n == 200
    total = (without - with_).sum() / size.sum()
    assert found.task.value is not None
    assert found.style.value is not None
    assert found.task.value + found.style.value == pytest.approx(total)


def test_few_prompts_and_failed_ones_still_give_parts() -> None:
    rng = np.random.default_rng(0)
    without, with_, size, others = independent(rng, 120, (3.0, 3.0))
    holes = others.without.copy()
    holes[::3, 2] = np.nan
    for some in (
        OtherPrompts(others.rows, holes, others.with_),
        OtherPrompts(others.rows, others.without, others.with_[:, :1]),
        OtherPrompts(others.rows, others.without[:, :2], others.with_[..., :2]),
        OtherPrompts(others.rows, others.without[:, :1], others.with_[..., :1]),
    ):
        found = split(rungs(without, with_, size), some)
        assert np.isfinite([found.task.value, found.task.low, found.task.high]).all()  # type: ignore[list-item]


def test_items_that_failed_are_left_out_by_position() -> None:
    others = OtherPrompts(np.array([0, 2, 3, 5]), np.ones((4, 2)), np.ones((4, 2, 2)))
    others.with_[3, 1] = np.nan
    valid = np.array([True, False, True, False, True, True])
    kept = others.among(valid)
    assert kept.rows.tolist() == [0, 1]
    assert kept.without.shape == (2, 2)


def test_clusters_are_drawn_whole_and_enough_of_them() -> None:
    clusters = np.repeat(np.arange(90), 3)
    rows = drawn_items(clusters, seed=0)
    names, counts = np.unique(clusters[rows], return_counts=True)
    assert (counts == 3).all()
    assert len(rows) >= items_asked(len(clusters))
    assert len(names) >= FEWEST_CLUSTERS
    assert len(drawn_items(np.arange(30), seed=0)) == 30


def test_long_responses_do_not_leave_the_numbers_that_a_computer_has() -> None:
    """A thousand bytes at three bits each: 2^−3000 is 0 to a float."""
    rng = np.random.default_rng(0)
    without, with_, _, others = independent(rng, 120, (1.0, 1.0))
    far = OtherPrompts(others.rows, others.without + 3000, others.with_ + 3000)
    size = np.full(120, 1000.0)
    near = split(rungs(without, with_, size), others)
    found = split(rungs(without + 3000, with_ + 3000, size), far)
    assert found.task.value == pytest.approx(near.task.value)


def test_going_without_the_data_is_open_where_it_misleads() -> None:
    """With the data, L(y) is hardly above that without: style is not charged for wild guesses."""
    n = 200
    others = OtherPrompts(np.arange(n), np.full((n, 8), 10.0), np.full((n, 2, 8), 60.0))
    without, with_ = prompt_information(np.full(n, 10.0), np.full(n, 3.0), others)
    assert with_.alone.mean() < 10.2
    assert with_.given.mean() < 3.1
    assert abs(without.information).max() < 0.1


def small_library(
    rng: np.random.Generator, n: int, *, told: float
) -> tuple[Floats, Floats, Floats, OtherPrompts, OtherPrompts]:
    """Answers out of a vocabulary of 16 words that the base model has never seen.

    A context shows 4 of them, and a word that stands in the context is cheap to copy. The items that
    are retrieved for a question show its word in a share `told` of the cases; in the others, any four.
    Eight contexts together hold nearly all words. The last of what is returned are the same responses
    behind eight questions with a context of their own each.
    """
    size = np.full(n, 20.0)
    words = rng.integers(16, size=n)

    def bits(shown: NDArray[np.bool_]) -> Floats:
        return np.where(shown, 4.0, 24.0) + rng.normal(0, 1.0, shown.shape)

    own = (rng.random(n) < told) | (rng.random(n) < 0.25)
    sets = np.stack([rng.permutation(16)[:4] for _ in range(PROMPTS)])
    shown = (words[:, None, None] == sets).any(axis=2)
    rows = np.arange(n)
    base = np.full((n, PROMPTS), 40.0) + rng.normal(0, 1.0, (n, PROMPTS))
    fixed = bits(np.repeat(shown[:, :CONTEXTS, None], PROMPTS, axis=2))
    varied = bits(shown[:, None, :])
    without = 40.0 + rng.normal(0, 1.0, n)
    return (
        without,
        bits(own),
        size,
        OtherPrompts(rows, base, fixed),
        OtherPrompts(rows, base, varied),
    )


def test_what_contexts_hold_together_is_not_style() -> None:
    """Retrieval shows the word of the question; eight other contexts show nearly all words there are.

    Of the old rule's task most is gone, as the mean over eight contexts knows the word as well.
    """
    found, old = [], []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        without, with_, size, fixed, varied = small_library(rng, 120, told=1.0)
        found.append(split(rungs(without, with_, size, seed), fixed).task.value)
        style = without_prompt(varied.without) - without_prompt(varied.with_[:, 0])
        old.append(((without - with_) - style).sum() / size.sum())
    # a word costs a bit per byte more where neither its context nor the stand-in's shows it
    assert np.mean(found) == pytest.approx(0.75**2, abs=0.05)  # type: ignore[arg-type]
    assert np.mean(old) < 0.25
    assert np.min(found) > 1.5 * np.max(old)  # type: ignore[type-var, operator]


def test_vocabulary_that_contexts_hold_is_no_task_where_retrieval_finds_nothing() -> None:
    """The own prompt shows any four words, as the others do: nothing follows from the question.

    L(y) of one context alone, with no stand-in that has another, takes the second draw for a task.
    """
    found, naive = [], []
    for seed in range(24):
        rng = np.random.default_rng(seed)
        without, with_, size, fixed, _ = small_library(rng, 120, told=0.0)
        found.append(split(rungs(without, with_, size, seed), fixed).task)
        alone = np.mean([without_prompt(b) for b in np.moveaxis(fixed.with_, 1, 0)], axis=0)
        either = without_prompt(np.stack([with_, alone], axis=1))
        naive.append((alone - either).sum() / size.sum())
    values = np.array([f.value for f in found])
    above = np.mean([f.low > 0 for f in found])  # type: ignore[operator]
    covered = np.mean([f.low <= 0 <= f.high for f in found])  # type: ignore[operator]
    assert abs(values.mean()) < 0.02
    assert above <= 0.05
    assert covered >= 0.9
    assert np.mean(naive) > 0.1


def test_a_loss_as_a_whole_is_no_edge() -> None:
    """A task part of a gain that is surely below 0 as a whole does not make an edge."""
    rng = np.random.default_rng(0)
    without, with_, others = one_bit(rng, 400, accuracy=0.7, p=0.95)
    ladder = rungs(without, with_, np.ones(400))
    total = ladder.difference("with_data", "without_data")
    evidence = Evidence(
        split(ladder, others).task,
        *[Figure(1.0, 0.9, 1.1, 400)] * 4,
        {},
        0.02,
        "bits/byte",
        400,
        counts_task=True,
        total=total,
    )
    assert total.high is not None
    assert total.high < 0
    assert evidence.label != "edge"
    assert replace(evidence, total=None).label == "edge"


def test_two_contexts_widen_by_what_two_can_tell() -> None:
    """Of errors by items, questions and contexts the interval covers 95 %; with 1.96 it would not."""
    rng = np.random.default_rng(0)
    draws, spread = 4000, 0.01
    items = rng.normal(0, spread, draws)
    contexts = rng.normal(0, spread, (draws, CONTEXTS))
    value = items + contexts.mean(axis=1)
    variances = contexts.var(axis=1, ddof=1) / CONTEXTS
    covered = [
        figure.low <= 0 <= figure.high  # type: ignore[operator]
        for v, c in zip(value, variances, strict=True)
        for figure in [
            carrying(Figure(v, v - 1.96 * spread, v + 1.96 * spread), [Spread(c, CONTEXTS - 1)])
        ]
    ]
    narrow = np.abs(value) <= 1.96 * np.sqrt(spread**2 + variances)
    assert 0.93 <= np.mean(covered) <= 0.98
    assert np.mean(narrow) < np.mean(covered)


def test_the_verdict_says_what_the_interval_carries() -> None:
    rng = np.random.default_rng(0)
    without, with_, size, others = independent(rng, 120, (3.0, 3.0))
    task = split(rungs(without, with_, size), others).task
    assert 0 < carried(task).prompts < 1
    assert carried(task).held_out < 1, "more items do not narrow what the prompts leave open"
    assert "of the prompts that it is compared with" in carried(task).sentence
