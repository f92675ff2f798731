"""What every room from here on works with: data, splits, vectors, and a base model to ask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dataedge.errors import AuditError
from dataedge.items import Task
from dataedge.positions import Positions, positions
from dataedge.prepare.neighbours import nearest
from dataedge.prompt.demonstrations import (
    counts_that_fit,
    random_demonstrations,
    retrieved_demonstrations,
)
from dataedge.prompt.library import load_probes, searched_probe
from dataedge.prompt.scores import Likelihood, Tokens, ask_likelihood, ask_tokens
from dataedge.prompt.templates import Prompter, Shots, Strategy, bare_strategy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from dataedge.config import AuditConfig
    from dataedge.engine.local import Engine
    from dataedge.items import Dataset, Item
    from dataedge.models.lazy import LazyModel, ModelAbilities
    from dataedge.prepare.prepared import PreparedData
    from dataedge.prepare.splits import Splits
    from dataedge.prompt.probe import Probe, Template
    from dataedge.prompt.scores import Answer, Ask

NEAREST = 8
QUESTIONS_PER_DEMONSTRATION = 16
"""Questions of a batch, for each demonstration that all are shown."""
APART = 7919
"""Between the seeds of two draws of demonstrations."""
COUNTED = {False: (200, 30), True: (32, 8)}
"""Train items and prompts whose tokens are counted; fewer where every question has its price."""


@dataclass(frozen=True)
class Workspace:
    """What one audit works with.

    Attributes:
        engine: runs stages, keeps what was asked.
        lazy_model: the base model.
        abilities: what it can do.
        probe: how it is asked.
        dataset: the items.
        splits: train, development and evaluation indices.
        clusters: shape (n,), near-duplicate cluster of each item.
        vectors: shape (n, d), of each item's input, unit length.
        by_text: for each input text its vectors, shape (n, d).
        seed: of draws and resampling.
        probes: all by name, for what is asked beside the ladder.
        responses: shape (n, d), vectors of the items' responses; None where the task has none.
    """

    engine: Engine
    lazy_model: LazyModel
    abilities: ModelAbilities
    probe: Probe
    dataset: Dataset
    splits: Splits
    clusters: NDArray[np.int64]
    vectors: NDArray[np.float32]
    by_text: tuple[NDArray[np.float32], ...]
    seed: int
    probes: Mapping[str, Probe]
    responses: NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls,
        engine: Engine,
        lazy_model: LazyModel,
        abilities: ModelAbilities,
        data: PreparedData,
        config: AuditConfig,
    ) -> Workspace:
        """What the audit of prepared data works with.

        Raises:
            AuditError: a probe of the user's asks in no way that the model understands.
        """
        probes = load_probes(config.probes)
        probe = searched_probe(data.dataset.task.value, probes)
        made = cls(
            engine,
            lazy_model,
            abilities,
            probe,
            data.dataset,
            data.splits,
            data.clusters,
            data.vectors,
            data.by_text,
            config.seed,
            probes,
            data.responses,
        )
        if not any(map(made.usable, probe.templates)):
            raise AuditError(
                f"{lazy_model.id} has no chat template, and probe {probe.name!r} asks in no other way",
                hint="Add a template without `chat: true`, or name an instruction-tuned model: --model",
            )
        return made

    @cached_property
    def prompter(self) -> Prompter:
        """Writes the prompts."""
        return Prompter(self.dataset, self.abilities)

    @cached_property
    def label_numbers(self) -> NDArray[np.int64]:
        """Number of each item's label, shape (n,); −1 where it has none."""
        number = {label: k for k, label in enumerate(self.dataset.labels)}
        given = [-1 if i.label_missing else number[i.target] for i in self.dataset.items]
        return np.array(given, np.int64)

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """Each item's number, shape (n,); NaN where it has none."""
        return np.array([np.nan if i.number is None else i.number for i in self.dataset.items])

    @cached_property
    def development(self) -> Positions:
        """Development items in the order in which they are tried."""
        return positions(np.random.default_rng(self.seed).permutation(self.splits.development))

    @property
    def evaluation(self) -> Positions:
        """Evaluation items."""
        return self.splits.evaluation

    @cached_property
    def item_tokens(self) -> float:
        """Mean tokens of a train item, question and answer, from a sample."""
        sample = np.random.default_rng(self.seed).permutation(self.splits.train)
        sample = sample[: COUNTED[self.abilities.remote][0]]
        items = [self.dataset.items[i] for i in sample]
        plain = self.bare_strategy()
        texts = [f"{i.text} {self._shown_answer(plain, i)}"[:12_000] for i in items]
        return float(
            np.mean([len(t) for t in ask_tokens(self.engine, Tokens(self.lazy_model), texts)])
        )

    def _shown_answer(self, strategy: Strategy, item: Item) -> str:
        """What a demonstration says of an item: its target, or a line for each of several labels."""
        several = self.dataset.task is Task.MULTILABEL
        return self.prompter.answer(strategy, item.target) if several else item.target

    def shot_counts(self, shots: Shots) -> list[int]:
        """Those k of the probe whose demonstrations fit the budget; as many as fit if none does."""
        wanted = getattr(self.probe.demonstrations, shots)
        return counts_that_fit(
            wanted,
            shots,
            item_tokens=self.item_tokens if wanted else 0.0,
            context=self.abilities.context,
            train=len(self.splits.train),
        )

    def usable(self, template: Template) -> bool:
        """Whether the model can be asked this way."""
        return self.abilities.chat or not template.chat

    def prompt_tokens(self, strategy: Strategy) -> float:
        """Mean tokens of a prompt, over a sample of evaluation items."""
        some = positions(self.evaluation[: COUNTED[self.abilities.remote][1]])
        prompts = self.prompts(strategy, some)
        return float(
            np.mean([len(t) for t in ask_tokens(self.engine, Tokens(self.lazy_model), prompts)])
        )

    def bare_strategy(self) -> Strategy:
        """The prompt that a tuned model needs: the shortest template, nothing shown."""
        return bare_strategy(self.probe.templates)

    def tuned_tokens(self) -> float:
        """Mean tokens of the prompt that a tuned model needs."""
        return self.prompt_tokens(self.bare_strategy())

    def strategies(self, bases: Sequence[Strategy], shots: Shots) -> list[Strategy]:
        """Every base strategy with every k of the probe that fits."""
        return [
            Strategy(b.template, b.form, shots, k) for k in self.shot_counts(shots) for b in bases
        ]

    def prompts(
        self, strategy: Strategy, indices: Positions, shown_of: Positions | None = None
    ) -> list[str]:
        """The prompt of each item under a strategy.

        Args:
            strategy: how to ask.
            indices: whose question.
            shown_of: for whose question the demonstrations are retrieved; the item's own if None.
        """
        items = self.dataset.items
        shots = self.shots(strategy, indices if shown_of is None else shown_of)
        # demonstrations drawn at random are one and the same list for every item
        distinct = {id(shown): shown for shown in shots}
        written = {
            key: self.prompter.demonstrations(strategy, shown) for key, shown in distinct.items()
        }
        return [
            self.prompter.ask(strategy, written[id(shown)], items[i].texts)
            for i, shown in zip(indices, shots, strict=True)
        ]

    def shots(self, strategy: Strategy, indices: Positions) -> list[list[Item]]:
        """The demonstrations that each item is shown."""
        items, train = self.dataset.items, self.splits.train
        if strategy.shots == "random":
            seed = self.seed + APART * strategy.draw
            drawn = random_demonstrations(items, train, strategy.k, seed)
            return [drawn] * len(indices)
        if strategy.shots == "retrieved":
            return retrieved_demonstrations(
                items, train, self.vectors[train], self.vectors[indices], strategy.k
            )
        return [[] for _ in indices]

    def answer_among_nearest(self, k: int = NEAREST) -> float:
        """Share of evaluation items whose very answer stands among the k nearest train items."""
        items, train = self.dataset.items, self.splits.train
        near = nearest(self.vectors[self.evaluation], self.vectors[train], k)
        found = [
            items[i].target in {items[train[j]].target for j in row}
            for i, row in zip(self.evaluation, near, strict=True)
        ]
        return float(np.mean(found))

    def answers(
        self,
        strategy: Strategy,
        indices: Positions,
        prompts_of: Positions | None = None,
        shown_of: Positions | None = None,
    ) -> list[Answer | None]:
        """Each item's own response as the model sees it, None where it failed.

        Args:
            strategy: how to ask.
            indices: whose response is scored.
            prompts_of: whose prompt it is scored under; their own if None.
            shown_of: whose demonstrations stand in that prompt; those of `prompts_of` if None.
        """
        prompts = self.prompts(strategy, indices if prompts_of is None else prompts_of, shown_of)
        targets = [self.prompter.answer(strategy, self.dataset.items[i].target) for i in indices]
        stage = Likelihood(self.lazy_model)
        shown = prompts_of if shown_of is None else shown_of
        same = strategy.shots == "random" or (shown is not None and len(np.unique(shown)) == 1)
        self.widen(stage, strategy.k if same else 0)
        return ask_likelihood(self.engine, stage, prompts, targets)

    def widen(self, stage: Ask, k: int) -> None:
        """Have a stage ask more at once where all are shown the same k demonstrations.

        These are run once a batch, and are the smaller part of it so. A server runs them with every
        question, and nothing is gained there.
        """
        if not self.abilities.remote:
            stage.batch_size = max(stage.batch_size, QUESTIONS_PER_DEMONSTRATION * k)
