"""Categories of knowledge, with a base model that knows exactly what it is given to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dataedge.engine.local import Engine
from dataedge.models.lazy import LazyModel, ModelAbilities
from dataedge.progress import Progress
from dataedge.prompt.closed_book import (
    CATEGORIES,
    SAMPLES,
    ClosedBook,
    categories,
    exact_match,
    knowledge,
    unasked,
)
from dataedge.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

N = 16
ANSWERS = [f"answer {i}" for i in range(N)]
CONTEXTS = [[f"context {c}, item {i}" for i in range(N)] for c in range(3)]
FACTS = ModelAbilities(True, True, True, False, 512, ())


class Knows:
    """Items 0–3 always right, 4–7 in one context, 8–11 in a draw with one seed, the rest never."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float, int]] = []

    def generate(
        self, prompts: Any, max_tokens: int, stop: Any, temperature: float = 0.0, seed: int = 0
    ) -> list[str]:
        self.asked += [(p, temperature, seed) for p in prompts]
        return [self.say(p, temperature, seed) for p in prompts]

    def cut(self, prompts: Any, behind: Any) -> list[bool | None]:
        return [False] * len(prompts)

    def say(self, prompt: str, temperature: float, seed: int) -> str:
        context, item = (int(w) for w in prompt.replace(",", "").split() if w.isdigit())
        right = (
            item < 4
            or (item < 8 and context == 1)
            or (item < 12 and temperature > 0 and seed == 7 + 2)
        )
        return f" The Answer {item}." if right else "no idea"


@pytest.fixture
def model() -> Knows:
    return Knows()


@pytest.fixture
def speaker(model: Knows, tmp_path: Path) -> Iterator[ClosedBook]:
    opener: Any = lambda _: model  # noqa: E731
    with Store(tmp_path / "s") as store:
        lazy_model = LazyModel("knows", "1", opener)
        lazy_model.proven = ModelAbilities(True, True, True, False, 512, ())
        yield ClosedBook(Engine(store, Progress(quiet=True)), lazy_model, 8, one_line=True)


def test_each_category_is_found(speaker: ClosedBook, model: Knows) -> None:
    found, told = knowledge(speaker, CONTEXTS, ANSWERS, np.arange(N), seed=7)
    assert told == [name for name in CATEGORIES for _ in range(4)]
    assert {name: found.detail[name] for name in CATEGORIES} == dict.fromkeys(CATEGORIES, 4)
    assert (found.value, found.n, found.unit, found.reason) == (0.25, N, "share", "")
    assert found.low < 0.25 < found.high
    drawn = [a for a in model.asked if a[1] > 0]
    assert {a[1] for a in drawn} == {0.5}
    assert len(drawn) == SAMPLES * 8  # those alone that are never right
    assert len(model.asked) == 3 * N + len(drawn)


def test_what_was_asked_is_not_asked_again(speaker: ClosedBook, model: Knows) -> None:
    first = knowledge(speaker, CONTEXTS, ANSWERS, np.arange(N), seed=7)
    asked = len(model.asked)
    assert knowledge(speaker, CONTEXTS, ANSWERS, np.arange(N), seed=7) == first
    assert len(model.asked) == asked


def test_a_warning_where_unknown_dominates(speaker: ClosedBook) -> None:
    rows = [0, 1, 2, 3, 12, 13, 14, 15]
    few = [[c[i] for i in rows] for c in CONTEXTS]
    half, _ = knowledge(speaker, few, [ANSWERS[i] for i in rows], np.arange(8), seed=7)
    assert (half.value, half.reason) == (0.5, "")
    rows[0] = 11
    few = [[c[i] for i in rows] for c in CONTEXTS]
    most, _ = knowledge(speaker, few, [ANSWERS[i] for i in rows], np.arange(8), seed=0)
    assert most.value > 0.5
    for words in ("Gekhman", "25.8", "43.2"):
        assert words in most.reason


def test_exact_match_has_an_interval(speaker: ClosedBook) -> None:
    found = exact_match(speaker, CONTEXTS[1], ANSWERS, np.arange(N), seed=0, strategy="s")
    assert found.value == 0.5
    assert found.low < 0.5 < found.high
    assert found.detail == {"strategy": "s", "cut_share": 0.0}
    few = exact_match(speaker, CONTEXTS[1][:3], ANSWERS[:3], np.arange(3), seed=0)
    assert few.status == "skipped"


def test_categories_without_draws() -> None:
    greedy = np.array([[True, True, False], [True, False, False]])
    assert categories(greedy).tolist() == [0, 1, 3]


def test_long_responses_and_silent_models_are_not_asked() -> None:
    assert unasked(["yes", "no"], FACTS) == ""
    assert "long" in unasked(["word " * 20] * 3, FACTS)
    silent = ModelAbilities(True, True, False, False, 512, ())
    assert "no text" in unasked(["yes"], silent)
