"""What the train side teaches about responses: its n-grams, and a tuned model, mixed into prompts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataedge.engine import Step
from dataedge.ladder.outcome import Outcome
from dataedge.ladder.response_prompts import (
    NGrams,
    PromptMixture,
    ResponsePrompts,
    evidence_of,
    with_ngrams,
)
from dataedge.learner.ngram import WEIGHTS
from dataedge.prompt.mixture import align, mixed

if TYPE_CHECKING:
    from dataedge.ladder.tuned import TunedPrompt

NGRAM_WEIGHT = Step("ngram_weight", 2)


class Taught(NamedTuple):
    """Prompts with n-grams of the train side mixed in.

    Attributes:
        base: the prompts, and a tuned model among them where there is one.
        ngrams: how they are mixed in.
    """

    base: PromptMixture
    ngrams: NGrams


class ResponseLearning(ResponsePrompts):
    """Asks the base model for responses, and mixes into its answers what the train side teaches.

    Args:
        workspace: the data, its sides and vectors, and the base model.
    """

    def best_weight(self, asked: PromptMixture, ngrams: NGrams) -> float:
        """Weight of n-grams that does best on development items."""
        answers = [self.answers(m, self.s.development) for m in asked.members]
        models = [self.ngram(m, ngrams.size, shuffled=ngrams.shuffled) for m in asked.members]
        weights = np.array(asked.weights)
        inputs = {
            "answers": answers,
            "weights": weights,
            "ngrams": [model.identity for model in models],
            "tried": WEIGHTS,
        }

        def compute(_: object) -> float:
            pairs = [(evidence_of(m, a), a) for m, a in zip(models, answers, strict=True)]

            def loss(weight: float) -> float:
                told = align([with_ngrams(*pair, weight) for pair in pairs])
                return float(np.nansum(mixed(told, weights)))

            return min(WEIGHTS, key=loss)

        return self.s.engine.once(NGRAM_WEIGHT, inputs, compute)

    def fitted(
        self, asked: PromptMixture, size: int | None = None, *, shuffled: bool = False
    ) -> NGrams:
        """N-grams of so many train items, with the weight that does best on development items."""
        ngrams = NGrams(0.0, size, shuffled)
        return ngrams._replace(weight=self.best_weight(asked, ngrams))

    def teach(self, asked: PromptMixture, tuned: TunedPrompt | None) -> Taught:
        """N-grams of the train side for these prompts, a tuned model among them where there is one."""
        base = asked if tuned is None else self.mix([*asked.members, tuned])[0]
        return Taught(base, self.fitted(base))

    def learned(self, asked: Outcome, taught: Taught) -> Outcome:
        """The rung of prompts, a tuned model and n-grams of the train side.

        Args:
            asked: the prompts without these.
            taught: with them.
        """
        s, (base, ngrams) = self.s, taught
        development = self.bits(base, s.development, ngrams=ngrams)
        bits = self.bits(base, s.evaluation, ngrams=ngrams)
        size = len(s.splits.train)
        return Outcome(
            f"{base.name}, n-grams of {size} train items mixed in with weight {ngrams.weight:g}",
            self.trial(None, development),
            -bits,
            bits,
            detail={
                "train_items": size,
                "ngram_weight": ngrams.weight,
                "base": base.by_name,
                "cut_share": asked.detail["cut_share"],
            },
        )

    def tuned(self, tuned: TunedPrompt) -> Outcome:
        """The rung of a tuned model by itself."""
        alone = PromptMixture.alone(tuned)
        found = self.outcome(alone, self.bits(alone, self.s.development), **tuned.detail)
        return replace(found, how=tuned.how, strategy=tuned)
