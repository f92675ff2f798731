"""The prompting rungs of `classify`: single prompts as one would deploy them, and their pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.engine import Step
from dataedge.ladder.label_refits import Panel
from dataedge.ladder.outcome import Outcome
from dataedge.positions import Positions, positions
from dataedge.prompt import calibration, panel
from dataedge.prompt.label_prior import LabelPrior
from dataedge.prompt.pool import Pooled, pool_prompts
from dataedge.prompt.scores import ChoiceAnswers, Choices, ask_choices, cut_share
from dataedge.prompt.search import Trial, calibrated_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.prompt.templates import Strategy
    from dataedge.prompt.workspace import Workspace

LN2 = float(np.log(2))
CONTENT_FREE = ("N/A", "", "[MASK]")


@dataclass(frozen=True)
class Calibrated:
    """A fitted calibration, and log-probabilities (m, K) of development items out of fold."""

    fitted: calibration.Calibration
    development: NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """What asking the base model reached.

    Attributes:
        outcomes: of zero_shot, few_shot, retrieved, without_data and prompted, as far as reached.
        missing: rung → why it was not reached.
        trials: per strategy name: k, shots, mean accuracy on development items and their number.
        without: the pool of prompts that were shown nothing or random train items.
        prompted: the pool with retrieved ones too.
        panel: the prompts of the latter, and what they say.
    """

    outcomes: dict[str, Outcome]
    missing: dict[str, str]
    trials: list[dict[str, Any]]
    without: Pooled
    prompted: Pooled
    panel: Panel


class PromptPool(NamedTuple):
    """Several prompts as one.

    Attributes:
        outcome: what they reach.
        pooled: what they say.
        scores: shape (M, n_dev + n_eval, K), what each says by itself, nats.
    """

    outcome: Outcome
    pooled: Pooled
    scores: NDArray[np.float64]


POOL = Step("prompt_pool", 4, (Pooled,))
CALIBRATION = Step("calibration", 2, (Calibrated, calibration.Calibration))


class LabelPrompts:
    """Asks the base model for labels.

    Attributes:
        prior: how frequent labels are by what the train side tells.
        log_prior: shape (K,), the same by train and development items.

    Args:
        workspace: the data, its sides and vectors, and the base model.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.s = workspace
        self.y = workspace.label_numbers
        self.K = len(workspace.dataset.labels)
        known = workspace.development
        train = self.y[workspace.splits.train]
        self.prior = LabelPrior.of(train, self.K, workspace.clusters[known])
        self.log_prior = self.prior.knowing(self.y[known])

    def ask(self, *, retrieved: bool = True) -> Asked:
        """All prompting rungs.

        Args:
            retrieved: ask with retrieved demonstrations too.
        """
        return self.ask_with(panel.finalists(self.s, self.attempt, 3 if retrieved else 2))

    def ask_with(self, chosen: panel.Finalists) -> Asked:
        """What the prompts that were chosen reach, alone and pooled."""
        pools, cheap = chosen.pools, chosen.without_data
        outcomes = {rung: self.prompting(members[0]) for rung, members in pools.items()}
        without = prompted = self.pool(cheap)
        if "retrieved" in pools:
            prompted = self.pool([*cheap, *pools["retrieved"]])
        outcomes |= {"without_data": without.outcome, "prompted": prompted.outcome}
        kinds = tuple(rung for rung, members in pools.items() for _ in members)
        asked = Panel(prompted.scores, kinds)
        return Asked(
            outcomes, chosen.missing, chosen.trials, without.pooled, prompted.pooled, asked
        )

    def scores(self, strategy: Strategy, indices: Positions) -> NDArray[np.float64]:
        """Raw label scores, shape (m, K), nats."""
        return self.answers(strategy, indices).scores

    def answers(
        self, strategy: Strategy, indices: Positions, besides: Sequence[str] = ()
    ) -> ChoiceAnswers:
        """The same, with which prompts were cut.

        Args:
            strategy: how to ask.
            indices: which items.
            besides: prompts that are asked with them, at the end.
        """
        stage = Choices(self.s.lazy_model, self.s.prompter.choices(strategy))
        self.s.widen(stage, strategy.k if strategy.shots == "random" else 0)
        return ask_choices(self.s.engine, stage, [*self.s.prompts(strategy, indices), *besides])

    def calibrate(self, strategy: Strategy, m: int) -> Calibrated:
        """Fit on the first m development items, and judge them out of fold."""
        indices = positions(self.s.development[:m])
        scores = self.scores(strategy, indices)
        content_free = self._content_free(strategy) if self._empty_prompts(strategy) else None
        inputs: dict[str, Any] = {
            "scores": scores,
            "labels": self.y[indices],
            "prior": self.prior,
            "kinds": self.s.probe.calibration,
            "content_free": content_free,
        }
        return self.s.engine.once(CALIBRATION, inputs, lambda _: _calibrated(**inputs))

    def _content_free(self, strategy: Strategy) -> NDArray[np.float64] | None:
        stage = Choices(self.s.lazy_model, self.s.prompter.choices(strategy))
        scores, _ = ask_choices(self.s.engine, stage, self._empty_prompts(strategy))
        return scores if np.isfinite(scores).all() else None

    def _empty_prompts(self, strategy: Strategy) -> list[str]:
        """What a contextual calibration asks."""
        if strategy.shots == "retrieved" or "contextual" not in self.s.probe.calibration:
            return []
        shots = self.s.shots(strategy, positions(self.s.development[:1]))[0]
        texts = len(self.s.dataset.items[0].texts)
        return [self.s.prompter.prompt(strategy, [empty] * texts, shots) for empty in CONTENT_FREE]

    def attempt(self, strategy: Strategy, m: int) -> Trial[Strategy]:
        """Accuracy and code length on the first m development items, calibrated out of fold."""
        held = self.calibrate(strategy, m).development
        return self.trial(strategy, held, positions(self.s.development[:m]))

    def trial(
        self, strategy: Strategy | None, log_proba: NDArray[np.float64], indices: Positions
    ) -> Trial[Any]:
        """Log-probabilities (m, K) of development items, as choices are made on them."""
        hits, bits = self.judge(log_proba, indices)
        m = len(indices)
        return Trial(strategy, m, np.nan_to_num(hits), np.nan_to_num(bits, nan=20.0), np.ones(m))

    def judge(
        self, log_proba: NDArray[np.float64], indices: Positions
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Hits and bits of items under log-probabilities (m, K), shape (m,) each."""
        labels = self.y[indices]
        bits = -log_proba[np.arange(len(indices)), labels] / LN2
        hits = np.where(np.isfinite(bits), log_proba.argmax(axis=1) == labels, np.nan)
        return hits.astype(np.float64), bits

    def balanced(
        self,
        log_proba: NDArray[np.float64],
        indices: Positions,
        log_prior: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Hits of the label likeliest beyond its frequency, shape (m,): argmax p(y|x) / p(y).

        Args:
            log_proba: shape (m, K).
            indices: which items.
            log_prior: shape (K,), that they are based on; that of all development items if None.
        """
        beyond = log_proba - (self.log_prior if log_prior is None else log_prior)
        return np.asarray(beyond.argmax(axis=1) == self.y[indices], np.float64)

    def prompt_tokens(self, strategies: Sequence[Strategy]) -> float:
        """Mean tokens of a question, asked in all of these ways."""
        return float(sum(map(self.s.prompt_tokens, strategies)))

    def prompting(self, strategy: Strategy) -> Outcome:
        """Report a chosen strategy on the evaluation items."""
        calibrated = self.calibrate(strategy, len(self.s.development))
        fitted, development = calibrated.fitted, calibrated.development
        scores, cut = self.answers(strategy, self.s.evaluation)
        evaluation = fitted.log_proba(scores)
        hits, bits = self.judge(evaluation, self.s.evaluation)
        how = f"{strategy.name}, calibration {fitted.kind}, T {fitted.temperature:.2g}"
        raw_hits, _ = self.judge(scores, self.s.evaluation)
        return Outcome(
            how,
            self.trial(strategy, development, self.s.development),
            hits,
            bits,
            self.prompt_tokens([strategy]),
            {
                "strategy": strategy.name,
                "uncalibrated": float(np.nanmean(raw_hits)),
                "cut_share": cut_share(cut),
            },
            balanced=self.balanced(evaluation, self.s.evaluation, fitted.log_prior),
            strategy=strategy,
        )

    def on(self, strategy: Strategy, indices: Positions) -> Outcome:
        """What a strategy reaches on some evaluation items, calibrated on development items.

        All are asked at once, so that many demonstrations are run once for all of them.
        """
        s = self.s
        tried = s.development[: calibrated_on(len(indices), remote=s.abilities.remote)]
        self.answers(
            strategy, positions(np.concatenate([tried, indices])), self._empty_prompts(strategy)
        )
        fitted = self.calibrate(strategy, len(tried)).fitted
        said = fitted.log_proba(self.scores(strategy, indices))
        hits, bits = self.judge(said, indices)
        return Outcome(
            strategy.name, None, hits, bits, balanced=self.balanced(said, indices, fitted.log_prior)
        )

    def pool(self, members: Sequence[Strategy]) -> PromptPool:
        """Several prompts as one, batch-calibrated on all held-out inputs."""
        s = self.s
        held = positions(np.concatenate([s.development, s.evaluation]))
        asked = [self.answers(strategy, held) for strategy in members]
        inputs: dict[str, Any] = {
            "scores": np.stack([a.scores for a in asked]),
            "labels": self.y[s.development],
            "prior": self.prior,
        }
        pooled = s.engine.once(POOL, inputs, lambda _: pool_prompts(**inputs))
        hits, bits = self.judge(pooled.evaluation, s.evaluation)
        cut = [c for a in asked for c in a.cut[len(s.development) :]]
        used = [m for m, w in zip(members, pooled.weights, strict=True) if w > 0]
        how = f"a pool of {len(members)} prompts"
        outcome = Outcome(
            how if used else f"the label frequencies: {how} is not better",
            self.trial(None, pooled.development, s.development),
            hits,
            bits,
            self.prompt_tokens(used) if used else None,
            {
                "pool": {m.name: float(w) for m, w in zip(members, pooled.weights, strict=True)},
                "prior_weight": pooled.prior_weight,
                "offset_share": pooled.share,
                "cut_share": cut_share(cut),
            },
            balanced=self.balanced(pooled.evaluation, s.evaluation),
        )
        return PromptPool(outcome, pooled, inputs["scores"])


def _calibrated(
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    prior: LabelPrior,
    **options: Any,
) -> Calibrated:
    """Fitted to the items that the model gave scores for; the others have NaN."""
    good = np.isfinite(scores).all(axis=1)
    given = (scores[good], labels[good], prior)
    held = np.full_like(scores, np.nan)
    held[good] = calibration.out_of_fold(*given, **options)
    return Calibrated(calibration.fit(*given, **options), held)
