"""A pilot: this model fine-tuned on a part of the train side, and what it then says of the held-out items.

Where it is asked for it may take so many minutes. Where texts are audited and it fits two minutes, a
short one is run unasked: what n-grams learn of texts is too little to stand for a fine-tune. How much fits is
worked out before from two timed steps, which are kept, so that a run that goes on tunes on the same items.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from dataedge.engine import Step
from dataedge.engine.values import digest
from dataedge.errors import AuditError, ExitCode
from dataedge.items import Task
from dataedge.models import connection
from dataedge.pilot.amount import SHARE_OF_TIME, short_of
from dataedge.pilot.answers import Example
from dataedge.pilot.checkpoint import FILE, Checkpoint
from dataedge.pilot.fine_tune import (
    Trained,
    adapter_of,
    fine_tuned,
    tokens_per_second,
)
from dataedge.pilot.recipe import Recipe
from dataedge.pilot.saved import Place, require_free, save_adapter
from dataedge.positions import positions
from dataedge.prompt.scores import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from dataedge.config import AuditConfig
    from dataedge.models.lazy import LazyModel
    from dataedge.models.local.model import LocalModel
    from dataedge.positions import Positions
    from dataedge.prompt.workspace import Workspace

    Floats = NDArray[np.float64]

REFUSED = (Task.NUMBER, Task.MULTILABEL)
"""Tasks that a pilot does not tune on."""
TIMED = 8
"""Train items of the steps that are timed before."""
Answers = TypeVar("Answers")


@dataclass(frozen=True)
class Said:
    """What a tuned model says of the labels of held-out items.

    Attributes:
        development: shape (n_dev, K).
        evaluation: shape (n_eval, K).
    """

    development: Floats
    evaluation: Floats


@dataclass(frozen=True)
class PilotRun(Generic[Answers]):
    """A fine-tune and what came of it.

    Attributes:
        said: of the held-out items, in the form that the task reads.
        trained: how it went.
        general_before: bits per byte of a fixed general text before the fine-tune.
        general_after: the same afterwards; the difference is what was forgotten.
        adapter: weights by name, in float32; none where they were not to be kept.
    """

    said: Answers
    trained: Trained
    general_before: float
    general_after: float
    adapter: dict[str, NDArray[np.float32]]

    @property
    def forgotten(self) -> float:
        """Bits per byte that the general text costs more than before."""
        return self.general_after - self.general_before


PILOT = Step("pilot", 5, (PilotRun, Said, Trained, Answer))
SPEED = Step("tuning_speed", 1)


def check_possible(config: AuditConfig, task: Task) -> None:
    """Raise AuditError, before anything is done, where a pilot was wanted and none can be run."""
    if not config.pilot:
        if config.save_adapter:
            raise AuditError(
                "--save-adapter: the adapters are those of a pilot, and none was asked for",
                hint="Give --pilot MINUTES as well",
            )
        return
    if config.save_adapter:
        require_free(Path(config.save_adapter))
    if task in REFUSED:
        raise AuditError(
            "--pilot tunes on labels, responses and passages; not on numbers or on several labels a row",
            hint="Leave --pilot out, or read one label with --task classify",
        )
    if connection(config) is not None:
        raise AuditError(
            "--pilot: the weights of a model behind a server cannot be tuned from here",
            hint="Leave --pilot out, or name a model on this machine with --model hf/<path or id>",
        )


def short_recipe(workspace: Workspace) -> Recipe | None:
    """The fine-tune that is run unasked, of a model on this machine; None where none fits."""
    s = workspace
    few = positions(np.random.default_rng(s.seed).permutation(s.splits.train)[:TIMED])
    examples = examples_of(s, few)
    inputs = {**s.lazy_model.params(), "examples": [list(e) for e in examples]}
    # another precision than that of the asking: a fine-tune is in float32
    speed = s.engine.once(
        SPEED, inputs, lambda _: tokens_per_second(own_copy(s.lazy_model), examples, Recipe())
    )
    return short_of(len(s.splits.train), s.item_tokens, speed)


def run(
    workspace: Workspace,
    recipe: Recipe,
    minutes: float,
    read: Callable[[LocalModel], Answers],
    *,
    asked: Sequence[str],
    judge: Callable[[LocalModel], float] | None = None,
    save: Place | None = None,
) -> PilotRun[Answers]:
    """Fine-tune the base model on train items and read what it says of the held-out ones.

    The model is opened once more, in float32, and thrown away afterwards: what was asked before and
    what is asked later is of the base model alone.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        recipe: how.
        minutes: it may take.
        read: asks the tuned model about the held-out items.
        asked: what `read` asks for beside the items' own answers, such as labels: part of the result's key.
        judge: what a tuned model is worth on development items, lower being better; the loss of their
            answers if None.
        save: where the adapters go; they are then kept with the result.
    """
    s = workspace
    train = positions(np.random.default_rng(s.seed).permutation(s.splits.train)[: recipe.rows])
    examples, held, judged = (examples_of(s, side) for side in (train, s.development, s.evaluation))
    inputs = inputs_of(s, minutes, recipe, (examples, held, judged), asked)
    if save:
        inputs["adapter"] = True
    checkpoint = Checkpoint(s.engine.store.path.with_name(FILE), digest([PILOT.version, inputs]))

    def tune(done: Callable[[int], None]) -> PilotRun[Answers]:
        model = own_copy(s.lazy_model)
        before = general_bits(model)
        with fine_tuned(
            model,
            examples,
            held,
            recipe,
            seconds=60.0 * minutes * SHARE_OF_TIME,
            seed=s.seed,
            judge=(lambda: judge(model)) if judge else None,
            done=done,
            checkpoint=checkpoint,
        ) as trained:
            adapter = adapter_of(model) if save else {}
            return PilotRun(read(model), trained, before, general_bits(model), adapter)

    def compute(done: Callable[[int], None]) -> PilotRun[Answers]:
        try:
            return tune(done)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise
            raise AuditError(
                f"the fine-tune ran out of memory: a second copy of {s.lazy_model.id} in float32 and its "
                "gradients have to fit",
                hint="Say --no-pilot; what was asked until now is kept",
                code=ExitCode.NO_CONCLUSION,
            ) from error

    parts = recipe.passes(len(train)) + 1  # what is said of the held-out items comes last
    found: PilotRun[Answers] = s.engine.once(replace(PILOT, parts=parts), inputs, compute)
    checkpoint.remove()
    if save:
        save_adapter(found.adapter, recipe, save)
    return found


def inputs_of(
    workspace: Workspace,
    minutes: float,
    recipe: Recipe,
    sides: Sequence[Sequence[Example]],
    asked: Sequence[str],
) -> dict[str, Any]:
    """All that the result depends on, held-out answers included: they are asked about."""
    return {
        "model": workspace.lazy_model.id,
        "revision": workspace.lazy_model.revision,
        "sides": [[list(example) for example in side] for side in sides],
        "asked": list(asked),
        "minutes": minutes,
        "seed": workspace.seed,
        "recipe": dict(vars(recipe)),
    }


def own_copy(lazy_model: LazyModel) -> LocalModel:
    """The base model opened once more, in float32.

    Raises:
        AuditError: its weights are not on this machine.
    """
    from dataedge.models.local.model import LocalModel

    model = lazy_model.copy("float32")
    if not isinstance(model, LocalModel):
        raise AuditError(
            f"{lazy_model.id} is not a model whose weights a pilot could tune",
            hint="Leave --pilot out",
        )
    return model


def examples_of(workspace: Workspace, indices: Positions) -> list[Example]:
    """Prompts without demonstrations or instruction, and the answers, as a tuned model needs them."""
    strategy = workspace.bare_strategy()
    prompts = workspace.prompts(strategy, indices)
    items = workspace.dataset.items
    answers = [workspace.prompter.answer(strategy, items[i].target) for i in indices]
    return [Example(*pair) for pair in zip(prompts, answers, strict=True)]


def general_bits(model: LocalModel) -> float:
    """Bits per byte of a fixed general text: how much they rise by a fine-tune is what it forgot."""
    text = files("dataedge.pilot").joinpath("general_text.txt").read_text(encoding="utf-8")
    passages = [" ".join(passage.split()) for passage in text.split("\n\n")]
    scored = model.score([""] * len(passages), passages)
    size = sum(len(text.encode()) for text in passages)
    return float(sum(-s.logprobs.sum() for s in scored) / np.log(2) / size)
