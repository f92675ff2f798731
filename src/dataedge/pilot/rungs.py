"""The rung `tuned`: what a pilot reached on the held-out items, beside what was predicted of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.ladder.classify import Learned
from dataedge.ladder.outcome import Outcome, better, keep
from dataedge.ladder.rungs import FINE_TUNED
from dataedge.ladder.tuned import TunedPrompt, with_preference
from dataedge.pilot import run as pilot
from dataedge.pilot.recipe import Recipe
from dataedge.pilot.run import Said
from dataedge.pilot.saved import Place
from dataedge.positions import positions
from dataedge.prompt import calibration
from dataedge.prompt.scores import Answer

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.ladder.classify import ClassifyLadder, ClassifyRun
    from dataedge.ladder.generate import GenerateLadder
    from dataedge.ladder.rungs import Basis, Rungs
    from dataedge.models.local.model import LocalModel
    from dataedge.pilot.run import PilotRun

NEARLY_ALL = 0.8
"""Share of the train rows from which a pilot counts as a fine-tune on all of them."""


class Piloted(NamedTuple):
    """A ladder with what a pilot measured.

    Attributes:
        rungs: with `tuned`, and `with_data` where it rests on that.
        edge_basis: `measured` where `with_data` rests on the tuned model.
    """

    rungs: Rungs
    edge_basis: Basis = "estimated"


def of_labels(ladder: ClassifyLadder, ladder_run: ClassifyRun, config: AuditConfig) -> Piloted:
    """Tune the base model on labels; its answers are judged as those of prompts are."""
    s, rungs = ladder.s, ladder_run.rungs
    strategy = s.bare_strategy()
    choices = s.prompter.choices(strategy)

    def read(model: LocalModel) -> Said:
        sides = (s.prompts(strategy, side) for side in (s.development, s.evaluation))
        return Said(*(model.score_choices(prompts, choices) for prompts in sides))

    found = pilot.run(s, Recipe(), config.pilot or 0.0, read, asked=choices, save=Place.of(config))
    labels = ladder.y[s.development]
    usual: dict[str, Any] = {"log_prior": ladder.log_prior, "kinds": ("none",)}
    development = calibration.out_of_fold(found.said.development, labels, **usual)
    fitted = calibration.fit(found.said.development, labels, **usual)
    tuned = Learned(development, fitted.log_proba(found.said.evaluation))
    hits, bits = ladder.judge(tuned.evaluation, s.evaluation)
    outcome = Outcome(
        how(found, len(s.splits.train)),
        ladder.trial(None, tuned.development, s.development),
        hits,
        bits,
        s.tuned_tokens(),
        described(found),
        balanced=ladder.balanced(tuned.evaluation, s.evaluation),
    )
    stacked = ladder.learned(tuned, ladder_run.prompted)
    stacked = replace(stacked, how=f"{outcome.how}; base model weight {stacked.base_weight:g}")
    valid = np.isin(s.evaluation, rungs.index)
    both = keep({FINE_TUNED: outcome, "with_data": stacked}, valid)
    return added(rungs, both, whole=nearly_all(found, len(s.splits.train)))


def of_responses(ladder: GenerateLadder, config: AuditConfig) -> TunedPrompt | None:
    """Tune the base model on responses or passages, for as long as was wanted or for a short time unasked.

    Returns:
        What it says of held-out responses; None where none was wanted, or none fits.
    """
    s, short = ladder.s, config.pilot is None
    recipe = pilot.short_recipe(s, config) if short else Recipe()
    # twice the time, so that it is not cut short where the machine has become busy
    minutes = 2 * pilot.SHORT if config.pilot is None else config.pilot
    if recipe is None or not minutes:
        return None
    questions, strategy = ladder.questions(short=short), s.bare_strategy()
    rows, behind = (positions(np.array(side)) for side in zip(*questions, strict=True))
    prompts = s.prompts(strategy, behind)
    targets = [s.prompter.answer(strategy, s.dataset.items[i].target) for i in rows]

    def read(model: LocalModel) -> list[Answer]:
        return [
            Answer(one.tokens, one.logprobs, one.prompt_tokens, one.cut)
            for one in model.score(prompts, targets)
        ]

    found = pilot.run(s, recipe, minutes, read, asked=[*prompts, *targets], save=Place.of(config))
    train = len(s.splits.train)
    return TunedPrompt(
        strategy.template,
        said=dict(zip(questions, found.said, strict=True)),
        how=how(found, train),
        detail=described(found),
        whole=nearly_all(found, train),
        short=short,
    )


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
