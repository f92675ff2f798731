"""A mixture of prompts is a probability, is fitted by few items, and beats the choice of one prompt."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dataedge.prompt.mixture import (
    MOST,
    SMALLEST,
    Pieces,
    align,
    fit_few,
    fit_mixture,
    fit_weights,
    mixed,
)
from dataedge.prompt.scores import Answer

if TYPE_CHECKING:
    from numpy.typing import NDArray


def answer(tokens: list[int], probabilities: list[float]) -> Answer:
    return Answer(np.array(tokens, np.int64), np.log(probabilities), 10)


def test_tokens_that_all_spell_alike_are_mixed_one_by_one() -> None:
    one, other = answer([7, 8], [0.5, 0.1]), answer([7, 8], [0.1, 0.9])
    pieces = align([[one], [other]])
    assert pieces.logs.shape == (2, 2)
    bits = mixed(pieces, np.array([0.5, 0.5]))
    assert bits == pytest.approx(-np.log2(0.3 * 0.5))
    whole = -np.log2(0.5 * (0.5 * 0.1 + 0.1 * 0.9))
    assert bits[0] < whole, "a mixture of whole responses gains less"


def test_each_prompt_is_charged_for_the_same_bytes() -> None:
    """`" It is"` in two tokens, `"It is"` in one before the same end: their beginnings are one piece."""
    spaced = answer([1, 2, 9, 9], [0.5, 0.5, 0.2, 0.2])
    bare = answer([3, 9, 9], [0.1, 0.6, 0.6])
    pieces = align([[spaced, None], [bare, bare]])
    assert np.exp(pieces.logs[:, :3]) == pytest.approx(
        np.array([[0.25, 0.2, 0.2], [0.1, 0.6, 0.6]])
    )
    assert pieces.of.tolist() == [0, 0, 0, 1, 1, 1]
    weights = np.array([0.25, 0.75])
    bits = mixed(pieces, weights)
    first = (0.25 * 0.25 + 0.75 * 0.1) * (0.25 * 0.2 + 0.75 * 0.6) ** 2
    assert bits[0] == pytest.approx(-np.log2(first))
    assert bits[1] == pytest.approx(-np.log2(0.1 * 0.36)), "the other answers alone"


def test_responses_that_no_prompt_answers_are_unknown() -> None:
    pieces = align([[None, answer([1], [0.5])], [None, answer([1], [0.5])]])
    bits = mixed(pieces, np.array([0.5, 0.5]))
    assert np.isnan(bits[0])
    assert bits[1] == pytest.approx(1.0)
    assert np.isnan(mixed(align([[None], [None]]), np.array([0.5, 0.5]))).all()


def test_probabilities_of_all_strings_sum_to_one() -> None:
    """Two prompts over strings of three letters, of which the first is spelt differently."""
    rng = np.random.default_rng(0)
    first = rng.dirichlet(np.ones(3), 2)  # per prompt
    later = rng.dirichlet(np.ones(3), (2, 3))  # per prompt and letter before
    strings = list(itertools.product(range(3), repeat=3))
    said: list[list[Answer | None]] = []
    for m in range(2):
        said.append(
            [
                answer([10 * m + a, b, c], [first[m, a], later[m, a, b], later[m, b, c]])
                for a, b, c in strings
            ]
        )
    bits = mixed(align(said), np.array([0.3, 0.7]))
    assert np.exp2(-bits).sum() == pytest.approx(1.0)


def made(
    rng: np.random.Generator, n: int, quality: NDArray[np.float64], tokens: int = 20
) -> Pieces:
    """What prompts of some quality say of n responses: nats per token, items and tokens alike in part."""
    of = np.repeat(np.arange(n), tokens)
    shared = rng.gamma(1.0, 2.0, n * tokens)
    own = rng.normal(0, 0.5, (len(quality), n))[:, of] + rng.normal(0, 0.7, (len(quality), len(of)))
    logs = -np.maximum(0.01, shared * np.exp(0.4 * own) - quality[:, None])
    return Pieces(np.minimum(logs, -0.01), of, n)


def test_weights_are_those_of_the_likeliest_mixture() -> None:
    rng = np.random.default_rng(0)
    components = rng.dirichlet(np.ones(30), 3)
    truth = np.array([0.6, 0.3, 0.1])
    drawn = rng.choice(30, 10_000, p=truth @ components)
    pieces = Pieces(np.log(components[:, drawn]), np.repeat(np.arange(1000), 10), 1000)
    assert fit_weights(pieces) == pytest.approx(truth, abs=0.03)
    steps = np.linspace(0, 1, 21)
    grid = [np.array([a, b, 1 - a - b]) for a in steps for b in steps if a + b <= 1]
    best = min(mixed(pieces, w).sum() for w in grid)
    assert mixed(pieces, fit_weights(pieces)).sum() <= best + 1.0


def test_few_items_leave_the_weights_near_to_equal() -> None:
    rng = np.random.default_rng(0)
    pieces = made(rng, 2, np.array([0.0, 0.5]))
    few = fit_weights(pieces)
    many = fit_weights(made(rng, 300, np.array([0.0, 0.5])))
    assert abs(few[0] - 0.5) < abs(many[0] - 0.5)


def test_prompts_of_little_weight_are_left_out() -> None:
    rng = np.random.default_rng(0)
    weights = fit_few(made(rng, 100, np.array([0.0, 0.3, 0.3, -3.0, 0.3])))
    kept = weights[weights > 0]
    assert weights.sum() == pytest.approx(1.0)
    assert len(kept) <= MOST
    assert kept.min() >= SMALLEST
    assert weights[3] == 0.0


def test_a_mixture_is_better_and_steadier_than_the_prompt_that_development_puts_first() -> None:
    """Twenty draws of 30 development items; four prompts; 500 other items."""
    quality = np.array([0.0, 0.02, 0.03, 0.05])
    world = made(np.random.default_rng(1), 1500, quality)

    def some(items: NDArray[np.int64]) -> Pieces:
        number = np.full(1500, -1)
        number[items] = np.arange(len(items))
        inside = number[world.of] >= 0
        return Pieces(world.logs[:, inside], number[world.of[inside]], len(items))

    evaluation = some(np.arange(1000, 1500))
    alone = [mixed(evaluation, row).mean() for row in np.eye(4)]
    pooled, chosen, told = [], [], []
    for seed in range(20):
        items = np.random.default_rng(seed).choice(1000, 30, replace=False)
        development = some(items)
        found = fit_mixture(development)
        pooled.append(mixed(evaluation, found.weights).mean())
        told.append(found.development.mean() - mixed(development, found.weights).mean())
        first = int(np.argmin([mixed(development, row).mean() for row in np.eye(4)]))
        chosen.append(alone[first])
    assert max(pooled) < min(alone), "better than the best prompt with hindsight"
    assert np.std(pooled) <= np.std(chosen)
    assert np.mean(told) > 0, "out of fold, development items are not flattered"
