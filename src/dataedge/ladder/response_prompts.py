"""The prompting rungs of responses and passages: single prompts as one would deploy them, and mixtures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.engine import Step
from dataedge.ladder.outcome import Outcome
from dataedge.ladder.prompted import Prompted, run_prompted
from dataedge.ladder.tuned import TunedPrompt
from dataedge.learner.ngram import NGram, interpolated
from dataedge.positions import Positions, positions
from dataedge.prompt.mixture import Mixture, align, fit_mixture, mixed
from dataedge.prompt.scores import Tokens, ask_tokens, cut_share
from dataedge.prompt.search import Trial
from dataedge.prompt.templates import MAX_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.learner.ngram import Evidence
    from dataedge.prompt.scores import Answer
    from dataedge.prompt.templates import Strategy
    from dataedge.prompt.workspace import Workspace

MIXTURE = Step("prompt_mixture", 1, (Mixture,))
NGRAM_BITS = Step("ngram_bits", 2)
NGRAM_ITEMS = {False: 20_000, True: 2_000}
"""Train responses that n-grams are counted in; fewer where a server is asked for their tokens."""
FAR = 100
"""Draws of demonstrations from the ones that prompts are chosen among to the ones that tell their luck."""


@dataclass(frozen=True)
class PromptMixture:
    """Prompts that are asked as one.

    Attributes:
        members: at least one.
        weights: of each, their sum 1.
    """

    members: tuple[Strategy, ...]
    weights: tuple[float, ...]

    @classmethod
    def alone(cls, strategy: Strategy) -> PromptMixture:
        """One prompt."""
        return cls((strategy,), (1.0,))

    def redrawn(self, turn: int) -> PromptMixture:
        """The same with other demonstrations in the prompts that show random ones."""
        drawn = [
            replace(m, draw=turn * FAR + m.draw) if m.shots == "random" else m for m in self.members
        ]
        return replace(self, members=tuple(drawn))

    @property
    def name(self) -> str:
        """For the report."""
        if len(self.members) == 1:
            return self.members[0].name
        return f"a mixture of {len(self.members)} prompts"

    @property
    def by_name(self) -> dict[str, float]:
        """Weight of each prompt by its name."""
        return {m.name: w for m, w in zip(self.members, self.weights, strict=True)}


class NGrams(NamedTuple):
    """How n-grams of the train side are mixed in.

    Attributes:
        weight: at full trust.
        size: train items that are counted; None for all.
        shuffled: their tokens are shuffled first: the control.
    """

    weight: float
    size: int | None = None
    shuffled: bool = False


class AskedText(NamedTuple):
    """What asking the base model reached.

    Attributes:
        prompted: the rungs of single prompts.
        outcomes: all prompting rungs.
        without: the mixture of prompts that were shown nothing or random train items.
        with_retrieved: the mixture with the retrieved ones too.
    """

    prompted: Prompted
    outcomes: dict[str, Outcome]
    without: PromptMixture
    with_retrieved: PromptMixture


class ResponsePrompts:
    """Asks the base model for responses, or for the rest of passages.

    Args:
        workspace: the data, its sides and vectors, and the base model.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.s = workspace
        items = workspace.dataset.items
        self.bytes = np.array(
            [len(i.target[:MAX_CHARACTERS].encode("utf-8", "replace")) for i in items], float
        )
        self._ngrams: dict[tuple[str, int, bool], NGram] = {}

    def ask(self) -> AskedText:
        """All prompting rungs."""
        prompted = run_prompted(self.s, self.attempt, self.prompting, sign=-1)
        outcomes = dict(prompted.outcomes)
        final = prompted.finalists
        without = self.mix([m for rung in ("zero_shot", "few_shot") for m in final.get(rung, [])])
        outcomes["without_data"] = self.outcome(*without)
        all_ = without
        if "retrieved" in final:
            all_ = self.mix([*without[0].members, *final["retrieved"]])
        outcomes["prompted"] = self.outcome(*all_)
        return AskedText(prompted, outcomes, without[0], all_[0])

    def answers(
        self,
        member: Strategy,
        indices: Positions,
        prompts_of: Positions | None = None,
        shown_of: Positions | None = None,
    ) -> Sequence[Answer | None]:
        """Each item's own response behind a member of a mixture; see `Workspace.answers`."""
        if isinstance(member, TunedPrompt):
            return member.answers(indices, prompts_of)
        return self.s.answers(member, indices, prompts_of, shown_of)

    def mix(self, members: Sequence[Strategy]) -> tuple[PromptMixture, NDArray[np.float64]]:
        """Prompts as one, weighted by development items; and their bits on these, out of fold."""
        answers = [self.answers(m, self.s.development) for m in members]
        found = self.s.engine.once(
            MIXTURE, {"answers": answers}, lambda _: fit_mixture(align(answers))
        )
        kept = [(m, float(w)) for m, w in zip(members, found.weights, strict=True) if w > 0]
        return PromptMixture(*(tuple(side) for side in zip(*kept, strict=True))), found.development

    def bits(
        self,
        asked: PromptMixture,
        indices: Positions,
        prompts_of: Positions | None = None,
        ngrams: NGrams | None = None,
    ) -> NDArray[np.float64]:
        """Code length of each response, shape (m,), NaN where the model failed.

        Args:
            asked: how to ask.
            indices: whose responses.
            prompts_of: whose prompts; their own if None.
            ngrams: mixed in.
        """
        answers = [self.answers(m, indices, prompts_of) for m in asked.members]
        return self.code_lengths(asked, answers, ngrams)

    def code_lengths(
        self,
        asked: PromptMixture,
        answers: Sequence[Sequence[Answer | None]],
        ngrams: NGrams | None = None,
    ) -> NDArray[np.float64]:
        """Bits of each response, shape (m,), of answers that each prompt of a mixture gave."""
        weights = np.array(asked.weights)
        if ngrams is None:
            return mixed(align(answers), weights)
        models = [self.ngram(m, ngrams.size, shuffled=ngrams.shuffled) for m in asked.members]
        inputs = {
            "answers": answers,
            "weights": weights,
            "ngrams": [model.identity for model in models],
            "weight": ngrams.weight,
        }

        def compute(_: object) -> NDArray[np.float64]:
            pairs = zip(models, answers, strict=True)
            told = [with_ngrams(evidence_of(m, a), a, ngrams.weight) for m, a in pairs]
            return mixed(align(told), weights)

        return self.s.engine.once(NGRAM_BITS, inputs, compute)

    def attempt(self, strategy: Strategy, m: int) -> Trial[Strategy]:
        """Bits per byte on the first m development items."""
        return self.trial(
            strategy, self.bits(PromptMixture.alone(strategy), positions(self.s.development[:m]))
        )

    def trial(self, strategy: Strategy | None, bits: NDArray[np.float64]) -> Trial[Any]:
        """Bits on the first development items; where the model failed, more than any text takes."""
        weight = self.bytes[self.s.development[: len(bits)]]
        filled = np.where(np.isfinite(bits), bits, 16.0 * weight)
        return Trial(strategy, len(bits), -filled, filled, weight)

    def prompting(self, strategy: Strategy) -> Outcome:
        """Report a chosen strategy on the evaluation items."""
        asked = PromptMixture.alone(strategy)
        found = self.outcome(asked, self.bits(asked, self.s.development), strategy=strategy.name)
        return replace(found, strategy=strategy)

    def on(self, strategy: Strategy, indices: Positions) -> Outcome:
        """What a strategy reaches on some evaluation items."""
        answers = self.answers(strategy, indices)
        bits = self.code_lengths(PromptMixture.alone(strategy), [answers])
        return Outcome(strategy.name, None, -bits, bits)

    def outcome(
        self, asked: PromptMixture, development: NDArray[np.float64], **detail: Any
    ) -> Outcome:
        """Report a way to ask on the evaluation items.

        Args:
            asked: the prompts.
            development: bits of development items that had no part in its weights.
            detail: stored with the rung.
        """
        answers = [self.answers(m, self.s.evaluation) for m in asked.members]
        bits = self.code_lengths(asked, answers)
        return Outcome(
            asked.name,
            self.trial(None, development),
            -bits,
            bits,
            sum(map(self.s.prompt_tokens, asked.members)),
            {
                **(detail or {"pool": asked.by_name}),
                "cut_share": cut_share([a.cut for one in answers for a in one if a is not None]),
            },
        )

    def ngram(
        self, strategy: Strategy, size: int | None = None, *, shuffled: bool = False
    ) -> NGram:
        """N-gram model of train-side responses, written as the strategy's template writes them."""
        train = self.counted[:size]
        key = (strategy.template.answer, len(train), shuffled)
        if key not in self._ngrams:
            tokens = self.spelt(strategy, positions(train))
            if shuffled:
                rng = np.random.default_rng(self.s.seed + 1)
                tokens = [rng.permutation(t) for t in tokens]
            self._ngrams[key] = NGram(tokens)
        return self._ngrams[key]

    @cached_property
    def counted(self) -> Positions:
        """Train items that n-grams are counted in, in the order in which they are taken."""
        rng = np.random.default_rng(self.s.seed)
        most = NGRAM_ITEMS[self.s.abilities.remote]
        return positions(rng.permutation(self.s.splits.train)[:most])

    def spelt(self, strategy: Strategy, indices: Positions) -> list[NDArray[np.int64]]:
        """Tokens of responses, written as the strategy's template writes them."""
        texts = [self.s.prompter.answer(strategy, self.s.dataset.items[i].target) for i in indices]
        return ask_tokens(self.s.engine, Tokens(self.s.lazy_model), texts)


def evidence_of(ngram: NGram, answers: Sequence[Answer | None]) -> list[Evidence | None]:
    """What an n-gram model says of the tokens of answers; None where the base model failed."""
    found = iter(ngram.evidence([a.tokens for a in answers if a is not None]))
    return [None if a is None else next(found) for a in answers]


def with_ngrams(
    evidence: Sequence[Evidence | None], answers: Sequence[Answer | None], weight: float
) -> list[Answer | None]:
    """Answers with n-grams mixed into the probability of every token."""
    return [
        None
        if answer is None or known is None
        else replace(answer, logprobs=interpolated(known, answer.logprobs, weight))
        for known, answer in zip(evidence, answers, strict=True)
    ]
