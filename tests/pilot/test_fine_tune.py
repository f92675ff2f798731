"""Adapters on a tiny model: they learn, are stopped where they overfit, and leave nothing behind."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from dataedge.models import open_model
from dataedge.models.local.model import LocalModel
from dataedge.pilot.answers import Example
from dataedge.pilot.fine_tune import fine_tuned
from dataedge.pilot.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

FAST = Recipe(rank=8, learning_rate=2e-2, epochs=4, steps=0, rows=96)


@pytest.fixture(scope="module")
def model(tiny_model: str) -> LocalModel:
    found = open_model(tiny_model, dtype="float32")
    assert isinstance(found, LocalModel)
    return found


def examples(n: int, seed: int, *, told: bool = True) -> list[Example]:
    """Whether a card or a transfer is asked about; by chance if it is not told."""
    rng = random.Random(seed)
    found = []
    for _ in range(n):
        card = rng.random() < 0.5
        number = f"{rng.randrange(10)} {rng.randrange(10)}"
        asked = ("card" if card else "transfer") if told else "north"
        found.append(Example(f"{number} {asked} {number}\nTopic:", " fee" if card else " sea"))
    return found


def said(model: LocalModel, asked: Sequence[Example]) -> np.ndarray:
    return model.score_choices([e.prompt for e in asked], [" fee", " sea"])


def hits(model: LocalModel, asked: Sequence[Example]) -> float:
    right = [(" fee", " sea").index(e.answer) for e in asked]
    return float((said(model, asked).argmax(axis=1) == right).mean())


def test_it_learns_what_prompts_tell_and_the_model_is_as_before_afterwards(
    model: LocalModel,
) -> None:
    held = examples(60, 1)
    before = said(model, held)
    with fine_tuned(model, examples(96, 0), held[:20], FAST, seconds=600, seed=0) as trained:
        assert hits(model, held[20:]) > 0.9
        assert trained.best > 0
        assert trained.epochs == len(trained.losses) - 1 == FAST.epochs
        assert trained.losses[trained.best] == min(trained.losses)
        assert not trained.stopped
    assert np.array_equal(said(model, held), before)
    assert {type(m).__name__ for m in model.forward.net.modules()}.isdisjoint({"LoraModel"})


@pytest.mark.parametrize(("worth", "kept"), [((1.0, 2.0), "last"), ((2.0, 1.0), "least loss")])
def test_the_last_pass_is_kept_where_it_is_judged_better(
    model: LocalModel, worth: tuple[float, float], kept: str
) -> None:
    """The loss of answers counts what is said beside the labels; what labels are told apart by may differ."""
    held, judged = examples(30, 1, told=False), []

    def judge() -> float:
        judged.append(said(model, held))
        return worth[len(judged) - 1]

    long = replace(FAST, epochs=12)
    with fine_tuned(
        model, examples(24, 0, told=False), held, long, seconds=600, seed=0, judge=judge
    ) as trained:
        least = int(np.argmin(trained.losses))
        assert 0 < least < trained.epochs, "the loss does not rise: nothing to choose between"
        assert trained.best == (trained.epochs if kept == "last" else least)
        assert np.array_equal(said(model, held), judged[0 if kept == "last" else 1])
    assert len(judged) == 2
    assert not np.allclose(*judged)


def test_the_same_seed_gives_the_same_adapters_and_the_worlds_draws_are_left_alone(
    model: LocalModel,
) -> None:
    import torch

    held, found = examples(20, 1), []
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    for _ in range(2):
        with fine_tuned(model, examples(40, 0), held, FAST, seconds=600, seed=3):
            found.append(said(model, held))
    assert np.array_equal(*found)
    assert torch.equal(torch.rand(3), expected)


def test_where_development_items_get_worse_the_base_model_is_kept(model: LocalModel) -> None:
    held = [Example("The river rises in the north\nTopic:", " of the country")] * 8
    before = said(model, held)
    wrong = [Example(held[0].prompt, " 0 1 2 3")] * 40
    with fine_tuned(model, wrong, held, FAST, seconds=600, seed=0) as trained:
        assert trained.best == 0
        assert np.allclose(said(model, held), before, atol=1e-4)
    assert trained.losses[1] > trained.losses[0]


def test_time_that_runs_out_leaves_passes_out_but_never_the_first(model: LocalModel) -> None:
    with fine_tuned(model, examples(80, 0), examples(10, 1), FAST, seconds=0.01, seed=0) as trained:
        assert trained.epochs == 1
        assert trained.stopped


def test_passes_are_told_as_they_are_done(model: LocalModel) -> None:
    told: list[int] = []
    train, held = examples(24, 0), examples(8, 1)
    with fine_tuned(model, train, held, FAST, seconds=600, seed=0, done=told.append):
        pass
    assert told == [1] * FAST.epochs
