"""The ladder of `generate` and `corpus`: how cheaply the response can be told, in bits per byte.

A response gets cheaper for two reasons: its wording becomes familiar (style), or the prompt now
says what the answer is (task). Asking for it under another item's prompt tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.engine import Step
from dataedge.items import Task
from dataedge.ladder.prompted import run_prompted
from dataedge.ladder.rungs import Outcome, Rungs, choose, keep, valid_items
from dataedge.learner.ngram import WEIGHTS, ByteUnigram, NGram
from dataedge.positions import Positions, positions
from dataedge.prompt.scores import Tokens, ask_tokens, cut_share
from dataedge.prompt.search import Trial
from dataedge.prompt.templates import MAX_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.prompt.scores import Answer
    from dataedge.prompt.templates import Strategy
    from dataedge.prompt.workspace import Workspace


NGRAM_WEIGHT = Step("ngram_weight", 1)
NGRAM_BITS = Step("ngram_bits", 1)
LN2 = float(np.log(2))
NGRAM_ITEMS = {False: 20_000, True: 2_000}
"""Train responses that n-grams are counted in; fewer where a server is asked for their tokens."""
CONTROL_ITEMS = 100


@dataclass(frozen=True)
class GenerateRun:
    """A ladder that was run and the same responses under another item's prompt.

    Attributes:
        rungs: rungs on the evaluation items.
        without_other: shape (n,), bits of each response without the data, under x'; None for a corpus.
        with_other: shape (n,), with the data, under x'.
        trials: per strategy: k, shots, bits per byte on development items.
        curve: train items and bits of each response (n,), of the n-gram mixture at sizes that double.
        shuffled: shape (n,), bits with an n-gram model of shuffled tokens: the control.
        with_third: shape (n,), with the data, under yet another item's prompt, NaN beyond the first
            items: the control of what the prompt tells; None for a corpus.
        chosen: rung → the prompting strategy that development items put first.
    """

    rungs: Rungs
    without_other: NDArray[np.float64] | None
    with_other: NDArray[np.float64] | None
    trials: list[dict[str, Any]]
    curve: list[tuple[int, NDArray[np.float64]]]
    shuffled: NDArray[np.float64]
    chosen: dict[str, Strategy]
    with_third: NDArray[np.float64] | None = None


def code_lengths(
    answers: Sequence[Answer | None], ngram: tuple[NGram, float] | None = None
) -> NDArray[np.float64]:
    """Bits of each response, shape (m,), NaN where the model failed.

    Args:
        answers: the responses as the model sees them.
        ngram: mixed in with this weight.
    """
    out = np.full(len(answers), np.nan)
    for row, answer in enumerate(answers):
        if answer is None:
            continue
        logprobs = answer.logprobs
        if ngram is not None:
            logprobs = ngram[0].mix(np.zeros(0, np.int64), answer.tokens, logprobs, ngram[1])
        out[row] = -logprobs.sum() / LN2
    return out


class GenerateLadder:
    """Climbs the ladder of prompts and responses, or of passages.

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

    # -- prompting -----------------------------------------------------------------------------

    def bits(
        self,
        strategy: Strategy,
        indices: Positions,
        prompts_of: Positions | None = None,
        ngram: tuple[NGram, float] | None = None,
    ) -> NDArray[np.float64]:
        """Code length of each response, shape (m,), NaN where the model failed.

        Args:
            strategy: how to ask.
            indices: whose responses.
            prompts_of: whose prompts; their own if None.
            ngram: mixed in with this weight.
        """
        answers = self.s.answers(strategy, indices, prompts_of)
        if ngram is None:
            return code_lengths(answers)
        inputs = {"answers": answers, "ngram": ngram[0].identity, "weight": ngram[1]}
        return self.s.engine.once(NGRAM_BITS, inputs, lambda _: code_lengths(answers, ngram))

    def attempt(self, strategy: Strategy, m: int) -> Trial[Strategy]:
        """Bits per byte on the first m development items."""
        return self._trial(strategy, self.bits(strategy, positions(self.s.development[:m])))

    def _outcome(
        self, how: str, dev: NDArray[np.float64], ev: NDArray[np.float64], **detail: Any
    ) -> Outcome:
        return Outcome(
            how, self._trial(None, dev), -ev, ev, detail.pop("prompt_tokens", None), detail
        )

    def _trial(self, strategy: Strategy | None, bits: NDArray[np.float64]) -> Trial[Any]:
        """Bits on the first development items; where the model failed, more than any text takes."""
        weight = self.bytes[self.s.development[: len(bits)]]
        filled = np.where(np.isfinite(bits), bits, 16.0 * weight)
        return Trial(strategy, len(bits), -filled, filled, weight)

    def prompting(self, strategy: Strategy) -> Outcome:
        """Report a chosen strategy on the evaluation items."""
        answers = self.s.answers(strategy, self.s.evaluation)
        outcome = self._outcome(
            strategy.name,
            self.bits(strategy, self.s.development),
            code_lengths(answers),
            prompt_tokens=self.s.prompt_tokens(strategy),
            strategy=strategy.name,
            cut_share=cut_share([a.cut for a in answers if a is not None]),
        )
        return replace(outcome, strategy=strategy)

    def on(self, strategy: Strategy, indices: Positions) -> Outcome:
        """What a strategy reaches on some evaluation items."""
        bits = code_lengths(self.s.answers(strategy, indices, together=True))
        return Outcome(strategy.name, None, -bits, bits)

    # -- learning ------------------------------------------------------------------------------

    def ngram(
        self, strategy: Strategy, size: int | None = None, *, shuffled: bool = False
    ) -> NGram:
        """N-gram model of train-side responses, written as the strategy's template writes them."""
        rng = np.random.default_rng(self.s.seed)
        train = rng.permutation(self.s.splits.train)[: size or NGRAM_ITEMS[self.s.abilities.remote]]
        key = (strategy.template.name, len(train), shuffled)
        if key not in self._ngrams:
            texts = [
                self.s.prompter.answer(strategy, self.s.dataset.items[i].target) for i in train
            ]
            tokens = ask_tokens(self.s.engine, Tokens(self.s.lazy_model), texts)
            if shuffled:
                tokens = [rng.permutation(t) for t in tokens]
            self._ngrams[key] = NGram(tokens)
        return self._ngrams[key]

    def best_weight(self, strategy: Strategy, ngram: NGram) -> tuple[float, float]:
        """(loss, weight) of the n-gram mixture that does best on development items."""
        answers = [a for a in self.s.answers(strategy, self.s.development) if a is not None]
        inputs = {"answers": answers, "ngram": ngram.identity, "weights": WEIGHTS}
        return self.s.engine.once(NGRAM_WEIGHT, inputs, lambda _: _best_weight(answers, ngram))

    def run(self) -> GenerateRun:
        """All rungs."""
        s = self.s
        prompted = run_prompted(s, self.attempt, self.prompting, sign=-1)
        chosen = prompted.chosen
        outcomes = {"chance": self._chance(), **prompted.outcomes}
        choose(outcomes, "without_data", ("zero_shot", "few_shot"))
        choose(outcomes, "prompted", ("zero_shot", "few_shot", "retrieved"))
        without = chosen[outcomes["without_data"].same_as]
        # learned: the better of n-grams over the prompt without data and over retrieved items
        bases = [c for c in (without, chosen.get("retrieved")) if c is not None]
        (_, weight), base = min(
            ((self.best_weight(c, self.ngram(c)), c) for c in bases), key=lambda found: found[0][0]
        )
        mixture = (self.ngram(base), weight)
        outcomes["learned"] = self._outcome(
            f"{base.name}, n-grams of {len(s.splits.train)} train items mixed in with weight {weight:g}",
            self.bits(base, s.development, ngram=mixture),
            self.bits(base, s.evaluation, ngram=mixture),
            train_items=len(s.splits.train),
            ngram_weight=weight,
            base=base.name,
            cut_share=next(
                outcomes[rung].detail["cut_share"] for rung, c in chosen.items() if c is base
            ),
        )
        choose(outcomes, "with_data", ("retrieved", "learned"))
        learned = outcomes["with_data"].same_as == "learned"
        with_data = (base, mixture) if learned else (chosen["retrieved"], None)
        shuffled_ngram = self.ngram(without, shuffled=True)
        shuffled_weight = self.best_weight(without, shuffled_ngram)[1]
        shuffled = self.bits(without, s.evaluation, ngram=(shuffled_ngram, shuffled_weight))

        others: tuple[NDArray[np.float64], ...] = ()
        third: NDArray[np.float64] | None = None
        if s.dataset.task is Task.GENERATE:
            other = self.other_prompts()
            others = (
                self.bits(without, s.evaluation, other),
                self.bits(with_data[0], s.evaluation, other, with_data[1]),
            )
            third = np.full(len(s.evaluation), np.nan)
            few = slice(CONTROL_ITEMS)
            asked, behind = (positions(x[few]) for x in (s.evaluation, self.other_prompts(1)))
            third[few] = self.bits(with_data[0], asked, behind, with_data[1])
        valid = valid_items(outcomes) & np.isfinite(shuffled)
        for bits in others:
            valid &= np.isfinite(bits)
        index = positions(s.evaluation[valid])
        rungs = Rungs(
            "bits/byte",
            index,
            self.bytes[index],
            s.clusters[index],
            keep(outcomes, valid),
            prompted.missing,
            s.seed,
        )
        return GenerateRun(
            rungs,
            others[0][valid] if others else None,
            others[1][valid] if others else None,
            prompted.trials,
            self._curve(without, index),
            shuffled[valid],
            {**chosen, "without_data": without},
            third[valid] if third is not None else None,
        )

    def other_prompts(self, turn: int = 0) -> Positions:
        """For each evaluation item another one, of another near-duplicate cluster.

        Args:
            turn: 0 for the first such item in a random order, 1 for the next.
        """
        s = self.s
        order = np.random.default_rng(s.seed).permutation(s.evaluation)
        position = {int(i): p for p, i in enumerate(order)}
        out = np.empty(len(s.evaluation), np.int64)
        for row, index in enumerate(s.evaluation):
            candidates = np.roll(order, -position[int(index)] - 1)
            others = (c for c in candidates if s.clusters[c] != s.clusters[index])
            out[row] = next(islice(others, turn, None), candidates[0])
        return Positions(out)

    def _chance(self) -> Outcome:
        items = self.s.dataset.items
        model = ByteUnigram.fit([items[i].target[:MAX_CHARACTERS] for i in self.s.splits.train])
        bits = np.array([model.bits(items[i].target[:MAX_CHARACTERS]) for i in self.s.evaluation])
        return Outcome("each byte by its frequency in the train side", None, -bits, bits)

    def _curve(self, strategy: Strategy, index: Positions) -> list[tuple[int, NDArray[np.float64]]]:
        """Bits per response with n-grams of n/8, n/4, n/2 and n train items over the prompt without data."""
        total = min(len(self.s.splits.train), NGRAM_ITEMS[self.s.abilities.remote])
        points = []
        for share in (8, 4, 2, 1):
            size = total // share
            if size < 8:
                continue
            ngram = self.ngram(strategy, size)
            bits = self.bits(strategy, index, ngram=(ngram, self.best_weight(strategy, ngram)[1]))
            points.append((size, bits))
        return points


def _best_weight(answers: Sequence[Answer], ngram: NGram) -> tuple[float, float]:
    """(loss, weight) that does best on answers."""
    evidence = [(a.logprobs, *ngram.evidence(np.zeros(0, np.int64), a.tokens)) for a in answers]

    def loss(weight: float) -> float:
        return -float(
            sum(
                np.log((1 - weight * t) * np.exp(lp) + weight * t * p).sum()
                for lp, t, p in evidence
            )
        )

    return min((loss(w), w) for w in WEIGHTS)
