"""The prompting rungs are what a competent prompt engineer would get, and choice costs nothing.

A base model is stood in for by scores drawn per (strategy, item), so that the whole search runs in
no time and every item that is asked about is on record.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import pytest

from dataedge.engine.local import Engine
from dataedge.items import Dataset, Item, Task
from dataedge.ladder.classify import ClassifyLadder, Learned
from dataedge.ladder.generate import GenerateLadder
from dataedge.ladder.label_prompts import CONTENT_FREE
from dataedge.learner.item_features import Candidates, Description
from dataedge.models.lazy import ModelAbilities
from dataedge.positions import positions
from dataedge.prepare.splits import Splits, split
from dataedge.progress import Progress
from dataedge.prompt.calibration import log_softmax
from dataedge.prompt.demonstrations import DEMONSTRATION_TOKENS
from dataedge.prompt.library import load_probes, searched_probe
from dataedge.prompt.panel import FINALISTS
from dataedge.prompt.pool import Pooled
from dataedge.prompt.scores import Answer, ChoiceAnswers
from dataedge.prompt.search import successive_halving
from dataedge.prompt.templates import Strategy
from dataedge.prompt.workspace import Workspace
from dataedge.store import Store

PROBES = load_probes()
FOLDER = tempfile.TemporaryDirectory()
LABELS = ("lost_card", "newCard", "fee", "other")


class Stand(Workspace):
    """A workspace whose model is only pretended."""

    tokens_of_an_item = 20.0

    @cached_property
    def item_tokens(self) -> float:
        return self.tokens_of_an_item

    def prompt_tokens(self, strategy: Strategy) -> float:
        return 10.0 + self.tokens_of_an_item * strategy.k


@cache
def engine() -> Engine:
    return Engine(Store(FOLDER.name), Progress(quiet=True))


def workspace(task: Task, n: int = 300, seed: int = 0, context: int = 4096) -> Stand:
    rng = np.random.default_rng(seed)
    targets = [LABELS[k] if task is Task.CLASSIFY else f"it is {k}" for k in rng.integers(0, 4, n)]
    items = tuple(Item((f"text {i}",), t, i + 1) for i, t in enumerate(targets))
    dataset = Dataset("d", task, items, n, {"text": "text", "label": "kind"})
    vectors = rng.normal(size=(n, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    clusters = np.arange(n)
    splits = split(dataset, clusters, probe_items=200, seed=seed)
    abilities = ModelAbilities(
        True, True, True, True, context, (), chat_before="<user>", chat_after="</user>"
    )
    none: Any = None
    return Stand(
        engine(),
        none,
        abilities,
        searched_probe(task.value, PROBES),
        dataset,
        splits,
        clusters,
        vectors,
        (vectors,),
        seed,
        PROBES,
    )


def drawn(*key: Any) -> np.random.Generator:
    digest = hashlib.sha256(repr(key).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


class Random(ClassifyLadder):
    """Label scores that know nothing, but prefer some labels; keeps what was asked in order."""

    def __init__(self, s: Workspace) -> None:
        nothing = np.zeros(len(s.dataset.items), bool)
        # texts of which no word occurs twice have no block of words
        described = Description("vectors", Candidates([s.vectors], ["a"]))
        super().__init__(s, described, nothing, np.zeros(0, np.int64))
        self.asked: list[tuple[Strategy, frozenset[int]]] = []

    def answers(self, strategy: Strategy, indices: np.ndarray) -> ChoiceAnswers:
        self.asked.append((strategy, frozenset(indices.tolist())))
        bias = 3 * drawn(strategy.name, self.s.seed).normal(size=4)
        own = [drawn(strategy.name, self.s.seed, int(i)).normal(size=4) for i in indices]
        return ChoiceAnswers(np.array(own) * 2 + bias, [False] * len(indices))

    def _content_free(self, strategy: Strategy) -> np.ndarray:
        return 3 * drawn(strategy.name, self.s.seed).normal(size=(1, 4)).repeat(
            len(CONTENT_FREE), 0
        )


@pytest.fixture(scope="module")
def ladder_run() -> tuple[Random, Any]:
    ladder = Random(workspace(Task.CLASSIFY))
    return ladder, ladder.run()


@pytest.mark.parametrize("name", ["classify", "respond", "surprisal"])
def test_three_templates_and_demonstrations_up_to_sixteen(name: str) -> None:
    probe = PROBES[name]
    assert len(probe.templates) >= 3
    assert {4, 8, 16} <= set(probe.demonstrations.random)
    assert {4, 8, 16} <= set(probe.demonstrations.retrieved)


def test_labels_are_asked_plainly_with_their_list_and_as_a_chat() -> None:
    probe = PROBES["classify"]
    plain = [t for t in probe.templates if not t.instruction and not t.chat]
    listed = [t for t in probe.templates if "{labels}" in t.instruction and not t.chat]
    assert plain
    assert listed
    assert any(t.chat for t in probe.templates)
    assert any(t.chat for t in PROBES["respond"].templates)
    assert set(probe.label_forms) == {"given", "humanised"}
    assert set(probe.calibration) == {"none", "batch", "contextual"}


def test_passages_differ_in_what_stands_around_them() -> None:
    s = workspace(Task.CORPUS)
    shots = list(s.dataset.items[:2])
    prompts = {s.prompter.prompt(Strategy(t), ("It began",), shots) for t in s.probe.templates}
    assert len(prompts) == len(s.probe.templates) >= 3
    assert any("one collection" in p for p in prompts)
    assert any("\n\n---\n\n" in p for p in prompts)
    assert all(p.endswith("It began") for p in prompts)


def test_every_template_form_and_number_of_demonstrations_is_tried(
    ladder_run: tuple[Random, Any],
) -> None:
    tried = {strategy for strategy, _ in ladder_run[0].asked}
    zero = {(s.template.name, s.form) for s in tried if s.k == 0}
    templates = [t.name for t in PROBES["classify"].templates]
    assert zero == {(t, f) for t in templates for f in ("given", "humanised")}
    assert {s.k for s in tried if s.shots == "random"} == {4, 8, 16}
    for k in (8, 16):
        shown = [s for s in tried if s.shots == "random" and s.k == k]
        assert {s.template.name for s in shown} == set(templates)
        assert len({s.draw for s in shown}) == len(shown)  # no draw is in two prompts
    assert {s.k for s in tried if s.shots == "retrieved"} == {4, 8, 16}


def test_what_was_tried_is_kept_for_the_first_reason(ladder_run: tuple[Random, Any]) -> None:
    trials = ladder_run[1].trials
    for shots in ("random", "retrieved"):
        assert {t["k"] for t in trials if t["shots"] == shots} == {4, 8, 16}
    assert any(t["k"] == 0 for t in trials)


@pytest.mark.parametrize("shots", ["random", "retrieved"])
@pytest.mark.parametrize("tokens", [5.0, 30.0, 80.0, 600.0])
@pytest.mark.parametrize("context", [256, 4096])
def test_demonstrations_stay_within_the_context_and_the_budget(
    shots: Any, tokens: float, context: int
) -> None:
    s = workspace(Task.GENERATE, context=context)
    s.__dict__["item_tokens"] = tokens
    counts = s.shot_counts(shots)
    limit = min(DEMONSTRATION_TOKENS[shots], context // 2)
    assert all(k * tokens <= limit for k in counts)
    assert set(counts) >= {k for k in (4, 8, 16) if k * tokens <= limit}
    assert counts or tokens > limit


def test_choice_sees_development_items_alone(ladder_run: tuple[Random, Any]) -> None:
    """Evaluation items are asked about only by a strategy that was tried on all development ones."""
    ladder = ladder_run[0]
    development = set(ladder.s.development.tolist())
    evaluation = set(ladder.s.evaluation.tolist())
    train = set(ladder.s.splits.train.tolist())
    assert not development & evaluation
    assert not train & (development | evaluation)
    reported = [strategy for strategy, items in ladder.asked if items & evaluation]
    assert len(set(reported)) == sum(FINALISTS.values())
    for _, items in ladder.asked:
        assert items <= development or items in (evaluation, development | evaluation)
    for strategy in set(reported):
        first = next(
            i
            for i, (s, items) in enumerate(ladder.asked)
            if s == strategy and items >= frozenset(evaluation)
        )
        assert (strategy, frozenset(development)) in ladder.asked[:first]


def test_other_labels_on_evaluation_items_change_no_choice(ladder_run: tuple[Random, Any]) -> None:
    _, done = ladder_run
    s = workspace(Task.CLASSIFY)
    items = list(s.dataset.items)
    for i in s.evaluation:
        items[i] = replace(items[i], target=LABELS[(LABELS.index(items[i].target) + 1) % 4])
    other = Random(replace(s, dataset=replace(s.dataset, items=tuple(items))))
    again = other.run()
    for rung in ("zero_shot", "few_shot", "without_data", "retrieved", "prompted"):
        assert again.rungs.outcomes[rung].how == done.rungs.outcomes[rung].how
        weights = [r.rungs.outcomes[rung].detail.get("pool") for r in (again, done)]
        assert weights[0] == weights[1]
        assert (again.rungs.outcomes[rung].gain != done.rungs.outcomes[rung].gain).any()


def test_choosing_on_random_labels_gains_nothing_on_evaluation_items() -> None:
    """The prompting search, calibration and pool included, on scores that know nothing."""
    gains, pooled = [], []
    for seed in range(10):
        s = workspace(Task.CLASSIFY, seed=seed)
        ladder = Random(s)
        plain = [Strategy(t, f) for t in s.probe.templates[:2] for f in s.probe.label_forms]
        ranked, _ = successive_halving(plain, ladder.attempt, len(s.development))
        chance = ladder._chance().gain.mean()
        gains.append(ladder.prompting(ranked[0].candidate).gain.mean() - chance)
        pool = ladder.pool([t.candidate for t in ranked])[0]
        pooled.append(pool.gain.mean() - chance)
        # what is not asked is not said to be asked, nor counted
        unused = not any(pool.detail["pool"].values())
        assert unused == pool.how.startswith("the label frequencies")
        assert unused == (pool.prompt_tokens is None)
    for found in (gains, pooled):
        error = np.std(found, ddof=1) / np.sqrt(len(found))
        assert np.mean(found) <= 2 * error
        assert np.mean(found) < 0.02


def test_splits_of_every_task_are_disjoint() -> None:
    for task in Task:
        sides: Splits = workspace(task).splits
        seen = np.concatenate([sides.train, sides.development, sides.evaluation])
        assert len(seen) == len(set(seen.tolist()))


def test_responses_are_chosen_on_development_items_too() -> None:
    asked: list[tuple[str, frozenset[int]]] = []

    class Fake(GenerateLadder):
        def bits(
            self, strategy: Any, indices: Any, prompts_of: Any = None, ngram: Any = None
        ) -> Any:
            asked.append((strategy.name, frozenset(indices.tolist())))
            return np.array([drawn(strategy.name, int(i)).uniform(1, 3) for i in indices])

    s = workspace(Task.GENERATE)
    ladder = Fake(s)
    candidates = s.strategies([Strategy(t) for t in s.probe.templates], "random")
    assert {c.k for c in candidates} == {4, 8, 16}
    successive_halving(candidates, ladder.attempt, len(s.development))
    assert all(items <= set(s.development.tolist()) for _, items in asked)


def test_only_finalists_are_asked_for_responses_of_evaluation_items() -> None:
    """A mixture takes no more prompts than the pool of labels does, each drawn by itself."""
    asked: list[tuple[Strategy, frozenset[int]]] = []

    class Telling(Stand):
        def answers(self, strategy: Strategy, indices: Any, *_: Any) -> Any:
            asked.append((strategy, frozenset(indices.tolist())))
            tokens = np.arange(5)
            return [
                Answer(tokens, -drawn(strategy.name, int(i)).uniform(0.5, 3, 5), 9, cut=False)
                for i in indices
            ]

    s = Telling(**vars(workspace(Task.GENERATE)))
    found = GenerateLadder(s).ask()
    evaluation = frozenset(s.evaluation.tolist())
    development = frozenset(s.development.tolist())
    reported = {strategy for strategy, items in asked if items & evaluation}
    assert 3 <= len(reported) <= sum(FINALISTS.values())
    assert all(items <= development or items == evaluation for _, items in asked)
    assert all((strategy, development) in asked for strategy in reported)
    assert {m.shots for m in found.without.members} <= {"none", "random"}
    draws = {(c.template.name, c.draw) for c, _ in asked if c.shots == "random"}
    assert len({name for name, _ in draws}) == len({draw for _, draw in draws}) == len(draws) == 2
    bits = {rung: outcome.bits.mean() for rung, outcome in found.outcomes.items()}
    assert bits["without_data"] < min(bits["zero_shot"], bits["few_shot"])


def test_what_is_shown_is_held_fixed_while_questions_change() -> None:
    """Demonstrations that were retrieved for one question come first, then another question."""
    s = workspace(Task.GENERATE)
    retrieved = Strategy(s.probe.templates[0], shots="retrieved", k=3)
    questions, source = s.development[:4], s.development[4:5]
    prompts = s.prompts(retrieved, questions, positions(np.repeat(source, 4)))
    shown = s.prompter.demonstrations(retrieved, s.shots(retrieved, source)[0])
    assert all(shown in prompt for prompt in prompts)
    assert len(set(prompts)) == 4
    before = {prompt[: prompt.index(shown) + len(shown)] for prompt in prompts}
    assert len(before) == 1, "the beginning is the same, and is run once"
    own = s.prompts(retrieved, questions)
    assert not any(shown in prompt for prompt in own)
    assert s.prompts(retrieved, questions, questions) == own


def test_a_learner_that_knows_nothing_takes_nothing_from_the_pool() -> None:
    """The stack may leave the learner out: `with_data` is then `without_data`."""
    ladder = Random(workspace(Task.CLASSIFY))
    rng = np.random.default_rng(0)

    def opinion(indices: np.ndarray, skill: float) -> np.ndarray:
        own = skill * np.eye(4)[ladder.y[indices]] + rng.normal(size=(len(indices), 4))
        return log_softmax(own)

    sides = (ladder.s.development, ladder.s.evaluation)
    pool = Pooled(*(opinion(i, 2.0) for i in sides), np.ones(1), 0.0, 1.0, ladder.log_prior)
    ignorant = Learned(*(4 * opinion(i, 0.0) for i in sides))
    stacked = ladder.learned(ignorant, pool).gain
    assert np.array_equal(stacked, ladder.judge(pool.evaluation, ladder.s.evaluation)[0])
