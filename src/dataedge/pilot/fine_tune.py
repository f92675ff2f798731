"""Low-rank adapters trained on prompts and answers, stopped by development items."""

from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.pilot.answers import loss, loss_of, parts, rows_of, shuffled
from dataedge.pilot.checkpoint import Course, Trainee
from dataedge.pilot.recipe import WARMUP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from dataedge.models.local.batching import Row
    from dataedge.models.local.model import LocalModel
    from dataedge.pilot.answers import Example
    from dataedge.pilot.checkpoint import Checkpoint
    from dataedge.pilot.recipe import Recipe


@dataclass(frozen=True)
class Trained:
    """How a fine-tune went.

    Attributes:
        rows: train rows.
        epochs: passes that were run.
        best: the pass whose adapters are kept: of the least loss, or the last where development items are
            judged otherwise and that is better; 0 is the base model.
        losses: mean nats per answer token of development items before the first pass and after each.
        tokens: that were trained on, all passes together.
        seconds: of training and of asking development items.
        stopped: the time ran out before the passes that the recipe has.
    """

    rows: int
    epochs: int
    best: int
    losses: list[float]
    tokens: int
    seconds: float
    stopped: bool


@contextmanager
def fine_tuned(
    model: LocalModel,
    train: Sequence[Example],
    development: Sequence[Example],
    recipe: Recipe,
    *,
    seconds: float,
    seed: int,
    judge: Callable[[], float] | None = None,
    done: Callable[[int], None] = lambda _: None,
    checkpoint: Checkpoint | None = None,
) -> Iterator[Trained]:
    """Tune a model; inside the context it answers with its adapters, afterwards as before.

    Args:
        model: in float32.
        train: at least one.
        development: items by which the best pass is chosen.
        recipe: how.
        seconds: the passes that do not fit are left out; one pass is always run.
        seed: of the adapters and of the order of rows.
        judge: what the model that is being tuned is worth on development items, lower being better, where
            that is not the loss of their answers; the pass of the least loss and the last one are judged.
        done: called with 1 after every pass.
        checkpoint: keeps what was reached after every pass, and what to go on from.
    """
    with _adapted(model, recipe, seed) as adapted:
        yield _train(
            *(model, adapted, train, development, recipe, seconds, seed, judge, done), checkpoint
        )


@contextmanager
def _adapted(model: LocalModel, recipe: Recipe, seed: int) -> Iterator[Any]:
    """The model's net with adapters that change nothing yet; they are taken out afterwards."""
    import torch
    from peft import LoraConfig, get_peft_model

    with torch.random.fork_rng(), warnings.catch_warnings():
        # peft asks transformers by names that transformers will give up
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(seed)
        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=0.0,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )
        adapted: Any = get_peft_model(model.forward.net, config)
    try:
        yield adapted
    finally:
        adapted.unload()


def adapter_of(model: LocalModel) -> dict[str, NDArray[np.float32]]:
    """The adapters of a model that is being tuned, by the names under which peft stores them."""
    return {
        f"base_model.model.{name.replace('.default.', '.')}": weight.detach()
        .float()
        .cpu()
        .numpy()
        .copy()
        for name, weight in model.forward.net.named_parameters()
        if ".lora_" in name
    }


def tokens_per_second(model: LocalModel, examples: Sequence[Example], recipe: Recipe) -> float:
    """Tokens that a training step takes in a second: the second of two steps is timed, if the first is short.

    Args:
        model: in float32.
        examples: those of a step.
        recipe: of the adapters.
    """
    rows = rows_of(model, examples)
    spent = 0.0
    with _adapted(model, recipe, 0):
        for _ in range(2):
            started = time.perf_counter()
            for part in parts(rows):
                loss(model, part).backward()
            spent = time.perf_counter() - started
            if spent > ENOUGH:
                break
    return sum(len(row.ids) for row in rows) / max(spent, 1e-6)


def _train(
    model: LocalModel,
    adapted: Any,
    train: Sequence[Example],
    development: Sequence[Example],
    recipe: Recipe,
    seconds: float,
    seed: int,
    judge: Callable[[], float] | None,
    done: Callable[[int], None],
    checkpoint: Checkpoint | None,
) -> Trained:
    import torch

    started = time.perf_counter()
    rows, held = rows_of(model, train), rows_of(model, development[: recipe.development])
    weights = [p for p in adapted.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(weights, lr=recipe.learning_rate, weight_decay=0.0)
    trainee = Trainee(weights, _copy(weights), optimiser, np.random.default_rng(seed))
    steps = -(-len(rows) // recipe.batch)
    wanted = recipe.passes(len(rows))
    course = checkpoint.read(trainee) if checkpoint else None
    if course is None:
        course = Course(wanted, losses=[loss_of(model, held)])
    for _ in range(course.epoch):
        done(1)
    asking = time.perf_counter() - started  # the development items, as after each pass
    started -= course.seconds
    while course.epoch < course.epochs:
        if course.epoch and course.seconds * (course.epoch + 1) / course.epoch > seconds:
            break
        course.epoch += 1
        for batch in shuffled(rows, recipe.batch, trainee.rng):
            factor = _schedule(course.step, steps * course.epochs)
            _step(model, trainee, batch, recipe.learning_rate * factor)
            course.step += 1
            course.tokens += sum(len(row.ids) for row in batch)
            if course.step == PROBED:  # how many passes fit is known before the rate begins to fall
                each = (time.perf_counter() - started - asking) / course.step
                fitting = int((seconds - asking) / (each * steps + asking))
                course.epochs = max(1, min(course.epochs, fitting))
        course.losses.append(loss_of(model, held))
        if course.losses[-1] < course.losses[course.best]:
            course.best = course.epoch
            _put(trainee.kept, weights)
        course.seconds = time.perf_counter() - started
        if checkpoint:
            checkpoint.write(course, trainee)
        done(1)
    best = _better(trainee, course, judge) if judge and course.best < course.epoch else course.best
    if best < course.epoch:
        _put(weights, trainee.kept)
    return Trained(
        len(train),
        course.epoch,
        best,
        course.losses,
        course.tokens,
        course.seconds,
        course.epoch < wanted,
    )


def _step(model: LocalModel, trainee: Trainee, batch: Sequence[Row], rate: float) -> None:
    """One step of the optimiser, on the mean loss of a batch's answer tokens."""
    import torch

    for group in trainee.optimiser.param_groups:
        group["lr"] = rate
    answers = sum(len(row.targets) for row in batch)
    for part in parts(batch):
        share = sum(len(row.targets) for row in part) / answers
        (share * loss(model, part)).backward()
    torch.nn.utils.clip_grad_norm_(trainee.weights, 1.0)
    trainee.optimiser.step()
    trainee.optimiser.zero_grad()


def _better(trainee: Trainee, course: Course, judge: Callable[[], float]) -> int:
    """The pass of the least loss or the last one, whichever is judged better; the weights are the last's."""
    of_last, last = judge(), _copy(trainee.weights)
    _put(trainee.weights, trainee.kept)
    of_least = judge()
    _put(trainee.weights, last)
    return course.epoch if of_last < of_least else course.best


ENOUGH = 10.0
"""Seconds of a first step after which no second one is timed: what it takes to begin is little of them."""
PROBED = 4
"""Steps after which it is known how long a pass takes."""


def _schedule(step: int, steps: int) -> float:
    """Share of the learning rate at a step.

    Example:
        >>> [round(_schedule(step, 20), 2) for step in (0, 1, 2, 11, 20)]
        [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    rising = max(1, round(WARMUP * steps))
    if step < rising:
        return (step + 1) / rising
    return max(0.0, (steps - step) / max(1, steps - rising))


def _put(weights: Sequence[Any], values: Sequence[Any]) -> None:
    import torch

    with torch.no_grad():
        for parameter, value in zip(weights, values, strict=True):
            parameter.copy_(value)


def _copy(weights: Sequence[Any]) -> list[Any]:
    return [parameter.detach().clone() for parameter in weights]
