"""The rung `tuned`: what a pilot reached on the held-out items, beside what was predicted of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.ladder.classify import Learned
from dataedge.ladder.outcome import Outcome, better, keep
from dataedge.ladder.rungs import FINE_TUNED
from dataedge.ladder.tuned import TunedPrompt, with_preference
from dataedge.learning_curve.fine_tune_curve import MoreRows, Size, gain_of_more_rows
from dataedge.models import connection
from dataedge.pilot import run as pilot
from dataedge.pilot.amount import NEARLY_ALL, SHORT, SHORT_ROWS
from dataedge.pilot.recipe import Recipe
from dataedge.pilot.run import Said
from dataedge.pilot.saved import Place
from dataedge.pilot.second import Second, run_second
from dataedge.positions import positions
from dataedge.prompt import calibration
from dataedge.prompt.scores import Answer

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.ladder.classify import ClassifyLadder, ClassifyRun
    from dataedge.ladder.generate import GenerateLadder
    from dataedge.ladder.rungs import Basis, Rungs
    from dataedge.ladder.tuned import Question
    from dataedge.models.local.model import LocalModel
    from dataedge.pilot.run import PilotRun


class Piloted(NamedTuple):
    """A ladder with what a pilot measured.

    Attributes:
        rungs: with `tuned`, and `with_data` where it rests on that.
        edge_basis: `measured` where `with_data` rests on the tuned model.
    """

    rungs: Rungs
    edge_basis: Basis = "estimated"


def of_labels(
    ladder: ClassifyLadder, ladder_run: ClassifyRun, config: AuditConfig, *, all_rows: bool
) -> Piloted:
    """Tune the base model on labels; its answers are judged as those of prompts are.

    Args:
        ladder: of the prompts and the learner.
        ladder_run: what they reached.
        config: minutes, and where adapters go.
        all_rows: whether it is wanted what all rows would reach, where a part is tuned on.
    """
    s, rungs = ladder.s, ladder_run.rungs
    strategy = s.bare_strategy()
    choices = s.prompter.choices(strategy)
    train = len(s.splits.train)

    def read(model: LocalModel) -> Said:
        sides = (s.prompts(strategy, side) for side in (s.development, s.evaluation))
        return Said(*(model.score_choices(prompts, choices) for prompts in sides))

    labels = ladder.y[s.development]
    usual: dict[str, Any] = {"prior": ladder.prior, "kinds": ("none",)}

    def judge(model: LocalModel) -> float:
        """Bits of development items as labels are told apart: what is said beside labels costs nothing."""
        scores = model.score_choices(s.prompts(strategy, s.development), choices)
        said = calibration.out_of_fold(scores, labels, **usual)
        return float(ladder.trial(None, said, s.development).loss.mean())

    def calibrated(said: Said) -> Learned:
        fitted = calibration.fit(said.development, labels, **usual)
        development = calibration.out_of_fold(said.development, labels, **usual)
        return Learned(development, fitted.log_proba(said.evaluation))

    recipe = Recipe()
    minutes = config.pilot or 0.0
    asked: dict[str, Any] = {"asked": choices, "judge": judge}
    found = pilot.run(s, recipe, minutes, read, **asked, save=Place.of(config))
    second = Second[Said](None)
    if all_rows:
        second = run_second(s, recipe, minutes, found, read, **asked)
    tuned = calibrated(found.said)
    hits, bits = ladder.judge(tuned.evaluation, s.evaluation)
    outcome = Outcome(
        how(found, train),
        ladder.trial(None, tuned.development, s.development),
        hits,
        bits,
        s.tuned_tokens(),
        described(found),
        balanced=ladder.balanced(tuned.evaluation, s.evaluation),
    )
    valid = np.isin(s.evaluation, rungs.index)
    more = MoreRows.missing(second.reason, rungs.unit) if second.reason else None
    if second.found:
        fewer, _ = ladder.judge(calibrated(second.found.said).evaluation, s.evaluation)
        more = gain_of_more_rows(
            Size(second.found.trained.rows, 1.0 - fewer[valid]),
            Size(found.trained.rows, 1.0 - hits[valid]),
            train,
            1.0 - rungs.outcomes["chance"].gain,
            rungs.weight,
            rungs.clusters,
            "accuracy",
            unit=rungs.unit,
            seed=s.seed,
        )
    stacked = ladder.learned(tuned, ladder_run.prompted)
    stacked = replace(stacked, how=f"{outcome.how}; base model weight {stacked.base_weight:g}")
    both = keep({FINE_TUNED: outcome, "with_data": stacked}, valid)
    return added(replace(rungs, more_rows=more), both, whole=nearly_all(found, train))


class _Asked(NamedTuple):
    """What a tuned model is asked about responses.

    Attributes:
        questions: which response behind which prompt.
        prompts: as text.
        targets: responses as text.
    """

    questions: list[Question]
    prompts: list[str]
    targets: list[str]

    @classmethod
    def of(cls, ladder: GenerateLadder, *, short: bool) -> _Asked:
        """As a short fine-tune is asked, or as any other."""
        s, questions = ladder.s, ladder.questions(short=short)
        strategy = s.bare_strategy()
        rows, behind = (positions(np.array(side)) for side in zip(*questions, strict=True))
        targets = [s.prompter.answer(strategy, s.dataset.items[i].target) for i in rows]
        return cls(questions, s.prompts(strategy, behind), targets)

    @property
    def said(self) -> list[str]:
        """All of it, for the result's key."""
        return [*self.prompts, *self.targets]

    def read(self, model: LocalModel) -> list[Answer]:
        """The answers of a tuned model."""
        return [
            Answer(one.tokens, one.logprobs, one.prompt_tokens, one.cut)
            for one in model.score(self.prompts, self.targets)
        ]


class OnResponses(NamedTuple):
    """What a model tuned on responses or passages says of held-out ones.

    Attributes:
        tuned: None where none was wanted, or none fits.
        reason: why it does not fit.
    """

    tuned: TunedPrompt | None
    reason: str = ""


def of_responses(ladder: GenerateLadder, config: AuditConfig) -> OnResponses:
    """Tune the base model on responses or passages, as long as was wanted or for a short time unasked."""
    s, short = ladder.s, config.pilot is None
    if config.pilot == 0 or (short and connection(config) is not None):
        return OnResponses(None)
    recipe = pilot.short_recipe(s) if short else Recipe()
    if recipe is None:
        fewest = min(*SHORT_ROWS, len(s.splits.train))
        reason = (
            f"a short fine-tune on {fewest} train items takes over {SHORT:g} minutes here; "
            "--pilot MINUTES runs one"
        )
        return OnResponses(None, reason)
    train = len(s.splits.train)
    # twice the time, so that it is not cut short where the machine has become busy
    minutes = 2 * SHORT if config.pilot is None else config.pilot
    asked = _Asked.of(ladder, short=short)
    found = pilot.run(s, recipe, minutes, asked.read, asked=asked.said, save=Place.of(config))
    second, fewer = Second[list[Answer]](None), None
    if not short:
        own = _Asked.of(ladder, short=True)
        second = run_second(s, recipe, minutes, found, own.read, asked=own.said)
        if second.found:
            said = dict(zip(own.questions, second.found.said, strict=True))
            of = second.found.trained.rows
            fewer = TunedPrompt(s.bare_strategy().template, said=said, rows=of)
    tuned = TunedPrompt(
        s.bare_strategy().template,
        said=dict(zip(asked.questions, found.said, strict=True)),
        rows=found.trained.rows,
        fewer=fewer,
        alone=second.reason,
        how=how(found, train),
        detail=described(found),
        whole=nearly_all(found, train),
        short=short,
    )
    return OnResponses(tuned)


def added(rungs: Rungs, found: dict[str, Outcome], *, whole: bool) -> Piloted:
    """The ladder of labels with the rung `tuned`.

    It counts as what a fine-tune reaches where it was tuned on nearly all train rows to the end, or is
    better on development items than what was predicted of all; otherwise it only stands beside. `with_data`
    rests on the tuned model where development items say that it is the better one.

    Args:
        rungs: without it.
        found: the rung, and `with_data` on top of it where there is such a thing.
        whole: nearly all train rows were tuned on.
    """
    tried = {**rungs.outcomes, **found}
    found = {**found, FINE_TUNED: with_preference(tried)}
    ahead = better(tried, (FINE_TUNED, "learned")) == FINE_TUNED
    used = found if ahead else {FINE_TUNED: found[FINE_TUNED]}
    return Piloted(
        replace(rungs, outcomes={**rungs.outcomes, **used}, tuned_counts=whole or ahead),
        "measured" if "with_data" in used else "estimated",
    )


def nearly_all(found: PilotRun[Any], train: int) -> bool:
    """Whether it was tuned to the end, learned something, and saw nearly all rows."""
    done = found.trained
    return done.rows >= NEARLY_ALL * train and not done.stopped and done.best > 0


def how(found: PilotRun[Any], train: int) -> str:
    """What was done, in words."""
    done = found.trained
    passes = "1 pass" if done.epochs == 1 else f"{done.epochs} passes"
    kept = "the base model itself was best" if not done.best else f"the one after {done.best} kept"
    of = "" if done.rows == train else f" of {train:,}"
    return f"measured: fine-tuned with LoRA on {done.rows:,}{of} train items, {passes}, {kept}"


def described(found: PilotRun[Any]) -> dict[str, Any]:
    """The pilot's own figures, for the report."""
    done = found.trained
    return {
        "train_items": done.rows,
        "epochs": done.epochs,
        "best_epoch": done.best,
        "development_losses": done.losses,
        "minutes": done.seconds / 60.0,
        "stopped_by_time": done.stopped,
        "forgotten_bits_per_byte": found.forgotten,
        "general_bits_per_byte_before": found.general_before,
    }
