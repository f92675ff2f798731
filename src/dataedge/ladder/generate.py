"""The ladder of `generate` and `corpus`: how cheaply the response can be told, in bits per byte."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.engine import Step
from dataedge.items import Task
from dataedge.ladder.outcome import Outcome, better, keep, valid_items
from dataedge.ladder.prompt_information import CONTEXTS, OtherPrompts, drawn_items, other_prompts
from dataedge.ladder.refits import REFITTED, Gains, Refits
from dataedge.ladder.response_learning import ResponseLearning, Taught
from dataedge.ladder.response_prompts import AskedText, NGrams, PromptMixture
from dataedge.ladder.response_refits import DRAWS, Ladder, Mixture, Sides
from dataedge.ladder.rungs import FINE_TUNED, Rungs
from dataedge.ladder.tuned import Question, TunedPrompt, with_preference
from dataedge.learner.ngram import ByteUnigram
from dataedge.learning_curve.fine_tune_curve import MoreRows, Size, gain_of_more_rows
from dataedge.positions import Positions, positions
from dataedge.prompt.templates import MAX_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.prompt.scores import Answer
    from dataedge.prompt.templates import Strategy

REFITS = Step("response_refits", 2, (Refits, Gains))


@dataclass(frozen=True)
class GenerateRun:
    """A ladder that was run, and the same responses behind other prompts.

    Attributes:
        rungs: rungs on the evaluation items.
        others: code lengths of responses behind prompts of other clusters; None for a corpus.
        trials: per strategy: k, shots, bits per byte on development items.
        curve: train items and bits of each response (n,), of the n-gram mixture at sizes that double.
        plain: shape (n,), bits of `with_data` without its n-grams.
        shuffled: shape (n,), bits with n-grams of shuffled tokens in their place: the control.
        chosen: rung → the prompt that development items put first.
        tuned: the tuned model that `with_data` rests on, if it does.
    """

    rungs: Rungs
    others: OtherPrompts | None
    trials: list[dict[str, Any]]
    curve: list[tuple[int, NDArray[np.float64]]]
    plain: NDArray[np.float64]
    shuffled: NDArray[np.float64]
    chosen: dict[str, Strategy]
    tuned: TunedPrompt | None = None


class GenerateLadder(ResponseLearning):
    """Climbs the ladder of prompts and responses, or of passages.

    Args:
        workspace: the data, its sides and vectors, and the base model.
    """

    def run(self, tuned: TunedPrompt | None = None, untuned: str = "") -> GenerateRun:
        """All rungs.

        Args:
            tuned: what a fine-tune said; it becomes a part of `learned` and a rung of its own.
            untuned: why there is none, where one would have been run.
        """
        s = self.s
        asked = self.ask()
        outcomes = {"chance": self._chance(), **asked.outcomes}
        chosen = dict(asked.prompted.chosen)
        chosen["without_data"] = chosen[better(outcomes, ("zero_shot", "few_shot"))]
        if tuned is not None:
            outcomes[FINE_TUNED] = self.tuned(tuned)
            outcomes[FINE_TUNED] = with_preference(outcomes)
        learned = self.teach(asked.without, tuned)
        outcomes["learned"] = self.learned(outcomes["without_data"], learned)
        if asked.with_retrieved == asked.without:
            top, detail = learned, {**outcomes["learned"].detail, "is": "learned"}
            outcomes["with_data"] = replace(outcomes["learned"], detail=detail, same_as="learned")
        else:
            top = self.teach(asked.with_retrieved, tuned)
            outcomes["with_data"] = self.learned(outcomes["prompted"], top)
        plain = self.bits(top.base, s.evaluation)
        control = self.fitted(top.base, shuffled=True)
        shuffled = self.bits(top.base, s.evaluation, ngrams=control)
        others = None
        if s.dataset.task is Task.GENERATE:
            others = self._others(asked, top, tuned)
        valid = valid_items(outcomes) & np.isfinite(shuffled)
        index = positions(s.evaluation[valid])
        rungs = Rungs(
            "bits/byte",
            index,
            self.bytes[index],
            s.clusters[index],
            keep(outcomes, valid),
            asked.prompted.missing | ({FINE_TUNED: untuned} if untuned else {}),
            s.seed,
            refits=self._refits(asked, learned, top, outcomes).items(valid),
            tuned_counts=tuned is not None
            and (tuned.whole or better(outcomes, (FINE_TUNED, "learned")) == FINE_TUNED),
            more_rows=self._more_rows(tuned, outcomes, valid) if tuned else None,
        )
        return GenerateRun(
            rungs,
            others.among(valid) if others else None,
            asked.prompted.trials,
            self._curve(asked.without, index),
            plain[valid],
            shuffled[valid],
            chosen,
            tuned if tuned in top.base.members else None,
        )

    def questions(self, *, short: bool) -> list[Question]:
        """What a tuned model is asked: held-out responses behind their own prompts, some behind others.

        Args:
            short: of a short fine-tune, which is not asked behind others.
        """
        s = self.s
        own = [Question(i, i) for side in (s.development, s.evaluation) for i in side.tolist()]
        if short or s.dataset.task is not Task.GENERATE:
            return own
        rows = s.evaluation[drawn_items(s.clusters[s.evaluation], seed=s.seed)].tolist()
        return [*own, *(Question(i, q) for q in other_prompts(s).tolist() for i in rows)]

    def _more_rows(
        self, tuned: TunedPrompt, outcomes: dict[str, Outcome], valid: NDArray[np.bool_]
    ) -> MoreRows | None:
        """What it would gain by the train rows it was not tuned on."""
        if tuned.fewer is None:
            return MoreRows.missing(tuned.alone, "bits/byte") if tuned.alone else None
        index = positions(self.s.evaluation[valid])
        few = self.bits(PromptMixture.alone(tuned.fewer), index)
        told = np.isfinite(few)
        return gain_of_more_rows(
            Size(tuned.fewer.rows, few[told]),
            Size(tuned.rows, outcomes[FINE_TUNED].bits[valid][told]),
            len(self.s.splits.train),
            outcomes["zero_shot"].bits[valid][told],
            self.bytes[index][told],
            self.s.clusters[index][told],
            "bits",
            unit="bits/byte",
            seed=self.s.seed,
        )

    def _refits(
        self, asked: AskedText, learned: Taught, top: Taught, outcomes: dict[str, Outcome]
    ) -> Refits[Gains]:
        """The same ladder with another train side, other weights and other demonstrations.

        A tuned model is not tuned again: its answers stay as they are.
        """
        s = self.s
        same = top == learned
        spelt: dict[str, Sequence[NDArray[np.int64]]] = {}
        inputs: dict[str, Any] = {
            "without": self._mixture(asked.without),
            "prompted": self._mixture(asked.with_retrieved),
            "learned": self._mixture(learned.base, spelt),
            "with_data": None if same else self._mixture(top.base, spelt),
            "train_clusters": s.clusters[self.counted],
            "development_clusters": s.clusters[s.development],
            "seed": s.seed,
        }
        drawn = [np.stack([outcomes[rung].bits for rung in REFITTED])]
        drawn += self._other_draws(asked, learned, top)
        return s.engine.once(
            REFITS,
            {**inputs, "drawn": drawn},
            lambda _: Ladder(**inputs).refit(drawn),
        )

    def _mixture(
        self, asked: PromptMixture, spelt: dict[str, Sequence[NDArray[np.int64]]] | None = None
    ) -> Mixture:
        """What its prompts say, and how they would spell the train responses.

        Args:
            asked: the prompts.
            spelt: train responses by the form of the answer, what is missing is added; not asked for if None.
        """
        sides = (self.s.development, self.s.evaluation)
        said = Sides(*([self.answers(m, side) for m in asked.members] for side in sides))
        weights = np.array(asked.weights)
        if spelt is None:
            return Mixture(said, weights)
        for m in asked.members:
            if m.template.answer not in spelt:
                spelt[m.template.answer] = self.spelt(m, self.counted)
        return Mixture(said, weights, [spelt[m.template.answer] for m in asked.members])

    def _other_draws(
        self, asked: AskedText, learned: Taught, top: Taught
    ) -> list[NDArray[np.float64]]:
        """Bits of each rung that is refitted, shape (4, n), behind other random demonstrations."""
        s, drawn = self.s, []
        mixtures = [asked.without, asked.with_retrieved, learned.base, top.base]
        for turn in range(1, DRAWS[s.abilities.remote] + 1):
            redrawn = [mixture.redrawn(turn) for mixture in mixtures]
            if redrawn == mixtures:
                break
            with_ngrams = [None, None, learned.ngrams, top.ngrams]
            drawn.append(
                np.stack(
                    [
                        self.bits(mixture, s.evaluation, ngrams=ngrams)
                        for mixture, ngrams in zip(redrawn, with_ngrams, strict=True)
                    ]
                )
            )
        return drawn

    def _others(self, asked: AskedText, top: Taught, tuned: TunedPrompt | None) -> OtherPrompts:
        """What task and style are told apart by; of a short fine-tune without it, which all is style."""
        if tuned is None or not tuned.short:
            return self._behind_others(asked.without, *top)
        top = self.teach(asked.with_retrieved, None)
        found = self._behind_others(asked.without, *top)
        indices = positions(self.s.evaluation[found.rows])
        return replace(found, own=self.bits(top.base, indices, ngrams=top.ngrams))

    def _behind_others(
        self, without: PromptMixture, base: PromptMixture, ngrams: NGrams
    ) -> OtherPrompts:
        """Some responses behind questions of other clusters, in contexts that are held fixed.

        All responses are asked behind one prompt, then behind the next, so that each prompt is run
        once and not once per response. Prompts that show nothing retrieved are the same in every
        context and asked in the first alone.
        """
        s = self.s
        rows = drawn_items(s.clusters[s.evaluation], seed=s.seed)
        indices = positions(s.evaluation[rows])

        def all_of(item: int) -> Positions:
            return positions(np.full(len(indices), item))

        questions = other_prompts(s)
        retrieves = any(m.shots == "retrieved" for m in base.members)
        contexts = questions[: CONTEXTS if retrieves else 1]
        known: dict[tuple[Strategy, int, int], Sequence[Answer | None]] = {}

        def behind(
            asked: PromptMixture, question: int, context: int
        ) -> list[Sequence[Answer | None]]:
            found = []
            for m in asked.members:
                shown = context if m.shots == "retrieved" else question
                key = (m, question, shown)
                if key not in known:
                    known[key] = self.answers(m, indices, all_of(question), all_of(shown))
                found.append(known[key])
            return found

        plain = [self.code_lengths(without, behind(without, q, q)) for q in questions]
        informed = [
            [self.code_lengths(base, behind(base, q, d), ngrams) for q in questions]
            for d in contexts
        ]
        return OtherPrompts(
            rows,
            np.stack(plain, axis=1),
            np.stack([np.stack(d, axis=1) for d in informed], axis=1),
        )

    def _chance(self) -> Outcome:
        items = self.s.dataset.items
        model = ByteUnigram.fit([items[i].target[:MAX_CHARACTERS] for i in self.s.splits.train])
        bits = np.array([model.bits(items[i].target[:MAX_CHARACTERS]) for i in self.s.evaluation])
        return Outcome("each byte by its frequency in the train side", None, -bits, bits)

    def _curve(
        self, asked: PromptMixture, index: Positions
    ) -> list[tuple[int, NDArray[np.float64]]]:
        """Bits per response with n-grams of n/8, n/4, n/2 and n train items over the prompts without data."""
        total = len(self.counted)
        sizes = [total // share for share in (8, 4, 2, 1) if total // share >= 8]
        return [(size, self.bits(asked, index, ngrams=self.fitted(asked, size))) for size in sizes]
