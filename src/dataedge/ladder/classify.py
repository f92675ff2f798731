"""The ladder of `classify`: what prompting reaches, and what the labels add."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.engine import Step
from dataedge.figures import Figure
from dataedge.intervals import paired_proportions, proportion
from dataedge.ladder.rungs import Outcome, Repaired, Rungs, choose, keep, valid_items
from dataedge.ladder.shuffled_labels import shuffled_control
from dataedge.learner.classifier import Learner
from dataedge.prompt import calibration
from dataedge.prompt.calibration import log_softmax
from dataedge.prompt.scores import ChoiceAnswers, Choices, ask_choices, cut_share
from dataedge.prompt.search import Trial, successive_halving
from dataedge.prompt.templates import Form, Strategy, label_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.learner.item_features import Description
    from dataedge.prompt.workspace import Workspace

LN2 = float(np.log(2))
CONTENT_FREE = ("N/A", "", "[MASK]")
MIXES = tuple((a, b) for a in (0.5, 0.75, 1.0, 1.5) for b in (0.0, 0.25, 0.5, 1.0))


@dataclass(frozen=True)
class ClassifyRun:
    """A ladder that was run and what else was learned on the way.

    Attributes:
        rungs: rungs on the evaluation items.
        log_without: shape (n_eval, K), calibrated log-probabilities of `without_data` (nats).
        log_with: shape (n_eval, K), of `with_data`.
        trials: per strategy name: k, shots, mean accuracy on development items and their number.
        shuffled: hits of the learner on shuffled labels, per evaluation item: the control.
        shuffled_bits: what the labels cost with that learner, which must not be less than by chance.
    """

    rungs: Rungs
    log_without: NDArray[np.float64]
    log_with: NDArray[np.float64]
    trials: list[dict[str, Any]]
    shuffled: NDArray[np.float64]
    shuffled_bits: NDArray[np.float64]


@dataclass(frozen=True)
class Calibrated:
    """A fitted calibration, and log-probabilities (m, K) of development items out of fold."""

    fitted: calibration.Calibration
    development: NDArray[np.float64]


@dataclass(frozen=True)
class Learned:
    """What a learner says of held-out items: log-probabilities, shape (m, K) on each side."""

    development: NDArray[np.float64]
    evaluation: NDArray[np.float64]


CALIBRATION = Step("calibration", 1, (Calibrated, calibration.Calibration))
LEARNER = Step("learner", 1, (Learned,))


class ClassifyLadder:
    """Climbs the ladder of a classification dataset.

    Args:
        workspace: the audit's materials.
        described: what the learner sees.
        suspects: shape (n,), items whose label is suspect (from the label measure).
        pruned: train items whose label is suspect as far as the train side alone can tell.
    """

    def __init__(
        self,
        workspace: Workspace,
        described: Description,
        suspects: NDArray[np.bool_],
        pruned: NDArray[np.int64],
    ) -> None:
        self.s = workspace
        self.described = described
        self.suspects = suspects
        self.pruned = pruned
        self.y = workspace.label_numbers
        self.K = len(workspace.dataset.labels)
        self.log_prior = calibration.log_label_prior(self.y[workspace.splits.train], self.K)

    # -- prompting -----------------------------------------------------------------------------

    def scores(self, strategy: Strategy, indices: NDArray[np.int64]) -> NDArray[np.float64]:
        """Raw label scores, shape (m, K), nats."""
        return self.answers(strategy, indices).scores

    def answers(self, strategy: Strategy, indices: NDArray[np.int64]) -> ChoiceAnswers:
        """The same, with which prompts were cut."""
        stage = Choices(self.s.lazy_model, self.s.prompter.choices(strategy))
        return ask_choices(self.s.engine, stage, self.s.prompts(strategy, indices))

    def calibrate(self, strategy: Strategy, m: int) -> Calibrated:
        """Fit on the first m development items, and judge them out of fold."""
        indices = self.s.development[:m]
        scores = self.scores(strategy, indices)
        content_free = None
        if strategy.shots != "retrieved" and "contextual" in self.s.probe.calibration:
            content_free = self._content_free(strategy)
        inputs: dict[str, Any] = {
            "scores": scores,
            "labels": self.y[indices],
            "log_prior": self.log_prior,
            "kinds": self.s.probe.calibration,
            "content_free": content_free,
        }
        return self.s.engine.once(CALIBRATION, inputs, lambda _: _calibrated(**inputs))

    def _content_free(self, strategy: Strategy) -> NDArray[np.float64] | None:
        stage = Choices(self.s.lazy_model, self.s.prompter.choices(strategy))
        shots = self.s.shots(strategy, self.s.development[:1])[0]
        texts = len(self.s.dataset.items[0].texts)
        prompts = [
            self.s.prompter.prompt(strategy, [empty] * texts, shots) for empty in CONTENT_FREE
        ]
        scores, _ = ask_choices(self.s.engine, stage, prompts)
        return scores if np.isfinite(scores).all() else None

    def attempt(self, strategy: Strategy, m: int) -> Trial[Strategy]:
        """Accuracy and code length on the first m development items, calibrated out of fold."""
        held = self.calibrate(strategy, m).development
        return self._trial(strategy, held, self.s.development[:m])

    def _trial(
        self, strategy: Strategy | None, log_proba: NDArray[np.float64], indices: NDArray[np.int64]
    ) -> Trial[Any]:
        hits, bits = self.judge(log_proba, indices)
        m = len(indices)
        return Trial(strategy, m, np.nan_to_num(hits), np.nan_to_num(bits, nan=20.0), np.ones(m))

    def judge(
        self, log_proba: NDArray[np.float64], indices: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Hits and bits of items under log-probabilities (m, K), shape (m,) each."""
        labels = self.y[indices]
        bits = -log_proba[np.arange(len(indices)), labels] / LN2
        hits = np.where(np.isfinite(bits), log_proba.argmax(axis=1) == labels, np.nan)
        return hits.astype(np.float64), bits

    def prompting(
        self, strategy: Strategy
    ) -> tuple[Outcome, NDArray[np.float64], NDArray[np.float64]]:
        """Report a chosen strategy on the evaluation items: (outcome, log p on dev, on eval)."""
        calibrated = self.calibrate(strategy, len(self.s.development))
        fitted, development = calibrated.fitted, calibrated.development
        scores, cut = self.answers(strategy, self.s.evaluation)
        evaluation = fitted.log_proba(scores)
        hits, bits = self.judge(evaluation, self.s.evaluation)
        how = f"{strategy.name}, calibration {fitted.kind}, T {fitted.temperature:.2g}"
        raw_hits, _ = self.judge(scores, self.s.evaluation)
        outcome = Outcome(
            how,
            self._trial(strategy, development, self.s.development),
            hits,
            bits,
            self.s.prompt_tokens(strategy),
            {
                "strategy": strategy.name,
                "uncalibrated": float(np.nanmean(raw_hits)),
                "cut_share": cut_share(cut),
            },
        )
        return outcome, development, evaluation

    # -- learning ------------------------------------------------------------------------------

    def learn(self, train: NDArray[np.int64], y: NDArray[np.int64] | None = None) -> Learned:
        """What the proxy learner of some train items says of the held-out ones."""
        s, labels = self.s, self.y[train] if y is None else y
        inputs: dict[str, Any] = {
            "train": train,
            "y": labels,
            "n_classes": self.K,
            "clusters": s.clusters[train],
            "development": s.development,
            "evaluation": s.evaluation,
            "seed": s.seed,
        }

        def compute(_: object) -> Learned:
            blocks = self.described.blocks
            learner = Learner().fit(
                [b[train] for b in blocks],
                labels,
                self.K,
                clusters=s.clusters[train],
                seed=s.seed,
            )
            sides = ([b[i] for b in blocks] for i in (s.development, s.evaluation))
            return Learned(*(np.log(np.maximum(learner.predict_proba(X), 1e-9)) for X in sides))

        return s.engine.once(LEARNER, {**self.described.inputs, **inputs}, compute)

    def learned(
        self, own: Learned, base: tuple[NDArray[np.float64], NDArray[np.float64]]
    ) -> tuple[Outcome, NDArray[np.float64]]:
        """The learner stacked with the base model's calibrated opinion; weights by development."""
        labels = self.y[self.s.development]
        rows = np.arange(len(labels))
        good = np.isfinite(base[0]).all(axis=1)

        def loss(mix: tuple[float, float]) -> float:
            mixed = log_softmax(mix[0] * own.development + mix[1] * base[0])
            return float(-mixed[rows, labels][good].mean())

        a, b = min(MIXES, key=loss)
        development = log_softmax(a * own.development + b * np.nan_to_num(base[0]))
        evaluation = log_softmax(a * own.evaluation + b * base[1])
        hits, bits = self.judge(evaluation, self.s.evaluation)
        outcome = Outcome(
            f"closed-form learner on {self.described.name} of {len(self.s.splits.train)} items, "
            f"base model weight {b:g}",
            self._trial(None, development, self.s.development),
            hits,
            bits,
            detail={"train_items": len(self.s.splits.train), "base_weight": b, "learner_weight": a},
            base_weight=b,
        )
        return outcome, evaluation

    def run(self) -> ClassifyRun:
        """All rungs."""
        s = self.s
        outcomes = {"chance": self._chance()}
        missing: dict[str, str] = {}
        base: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        trials: list[dict[str, Any]] = []
        plain = [Strategy(t, f) for t in s.probe.templates if s.usable(t) for f in self._forms()]
        stages: Sequence[tuple[str, Any]] = (
            ("zero_shot", lambda _: plain),
            ("few_shot", lambda best: s.strategies(best, "random")),
            ("retrieved", lambda best: s.strategies(best[:1], "retrieved")),
        )
        best: list[Strategy] = []
        for rung, candidates_of in stages:
            candidates = candidates_of(best)
            if not candidates:
                missing[rung] = "no demonstrations fit the model's context"
                continue
            ranked, tried = successive_halving(candidates, self.attempt, len(s.development))
            trials += [t.record(rung) for t in tried.values()]
            outcomes[rung], *pair = self.prompting(ranked[0].candidate)
            base[rung] = (pair[0], pair[1])
            best = best or [t.candidate for t in ranked[:2]]
        choose(outcomes, "without_data", ("zero_shot", "few_shot"))
        without = outcomes["without_data"].same_as
        own = self.learn(s.splits.train)
        outcomes["learned"], log_learned = self.learned(own, base[without])
        choose(outcomes, "with_data", ("retrieved", "learned"))
        log_with = (
            log_learned if outcomes["with_data"].same_as == "learned" else base["retrieved"][1]
        )
        shuffled, shuffled_bits = shuffled_control(self)
        valid = valid_items(outcomes)
        index = s.evaluation[valid]
        rungs = Rungs(
            "accuracy",
            index,
            np.ones(len(index)),
            s.clusters[index],
            keep(outcomes, valid),
            missing,
            s.seed,
            no_bits="the model's server tells no probabilities of labels"
            if s.abilities.choices == "text"
            else "",
        )
        rungs.special["repaired"] = self._repaired(rungs, base[without])
        return ClassifyRun(
            rungs,
            base[without][1][valid],
            log_with[valid],
            trials,
            shuffled[valid],
            shuffled_bits[valid],
        )

    # -- the other rungs -----------------------------------------------------------------------

    def _chance(self) -> Outcome:
        hits, bits = self.judge(
            np.tile(self.log_prior, (len(self.s.evaluation), 1)), self.s.evaluation
        )
        majority = self.s.dataset.labels[int(self.log_prior.argmax())]
        return Outcome(f"always {majority!r}, the most frequent label", None, hits, bits)

    def _repaired(
        self, rungs: Rungs, base: tuple[NDArray[np.float64], NDArray[np.float64]]
    ) -> Figure:
        train = self.s.splits.train
        kept = np.setdiff1d(train, self.pruned)
        clean = ~self.suspects[rungs.index]
        if len(kept) == len(train):
            return Figure.missing("no suspect labels on the train side", "accuracy")
        if len(np.unique(self.y[kept])) < 2 or not clean.any():
            return Figure.missing("too little is left without the suspect labels", "accuracy")
        position = {int(i): at for at, i in enumerate(self.s.evaluation)}
        rows = np.array([position[int(i)] for i in rungs.index])
        outcome, _ = self.learned(self.learn(kept), base)
        gain = outcome.gain[rows][clean]
        before = rungs.outcomes["learned"].gain[clean]
        clusters = rungs.clusters[clean]
        difference = paired_proportions(gain - before, clusters, unit="accuracy")
        found = proportion(
            gain,
            clusters,
            unit="accuracy",
            how=f"{len(train) - len(kept)} suspect train items left out, judged on {int(clean.sum())} items "
            "whose label is not suspect",
            learned_on_the_same_items=float(before.mean()),
        )
        return Repaired(**vars(found), gain=difference)

    def _forms(self) -> tuple[Form, ...]:
        """Label forms that differ from each other."""
        s = self.s
        forms = s.probe.label_forms
        return (
            forms if label_names(s.dataset.labels, "humanised") != s.dataset.labels else forms[:1]
        )


def _calibrated(
    scores: NDArray[np.float64],
    labels: NDArray[np.int64],
    log_prior: NDArray[np.float64],
    **options: Any,
) -> Calibrated:
    """Fitted to the items that the model gave scores for; the others have NaN."""
    good = np.isfinite(scores).all(axis=1)
    given = (scores[good], labels[good], log_prior)
    held = np.full_like(scores, np.nan)
    held[good] = calibration.out_of_fold(*given, **options)
    return Calibrated(calibration.fit(*given, **options), held)
