"""A second fine-tune on fewer rows, from which it is told what the rows that were not tuned on would add."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple

import numpy as np

from dataedge.pilot.amount import SHARE_OF_TIME, second_recipe
from dataedge.pilot.run import Answers, PilotRun, run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dataedge.models.local.model import LocalModel
    from dataedge.pilot.recipe import Recipe
    from dataedge.prompt.workspace import Workspace


class Second(NamedTuple, Generic[Answers]):
    """The fine-tune on fewer rows.

    Attributes:
        found: None where it was not run, or tells nothing.
        reason: why; empty too where the first is on nearly all rows.
    """

    found: PilotRun[Answers] | None
    reason: str = ""


def run_second(
    workspace: Workspace,
    recipe: Recipe,
    minutes: float,
    first: PilotRun[Answers],
    read: Callable[[LocalModel], Answers],
    *,
    asked: Sequence[str],
    judge: Callable[[LocalModel], float] | None = None,
) -> Second[Answers]:
    """Tune on a quarter of the rows as well, in the time that is left, to tell what all would add.

    Args:
        workspace: as for `run`.
        recipe: of the first.
        minutes: of both.
        first: the fine-tune on a part of the rows.
        read: as for `run`.
        asked: as for `run`.
        judge: as for `run`.
    """
    fewer = second_recipe(len(workspace.splits.train), recipe)
    done = first.trained
    if fewer is None:
        return Second(None)
    if done.stopped:
        return Second(None, "the fine-tune was stopped by time, so nothing is told of all rows")
    if not done.best:
        return Second(None, "the fine-tune came to nothing, so nothing is told of all rows")
    share = fewer.rows * fewer.passes(fewer.rows) / (done.rows * done.epochs)
    left = minutes - done.seconds / 60.0 / SHARE_OF_TIME
    if left < share * done.seconds / 60.0 / SHARE_OF_TIME:
        needed = (1.0 + share) * done.seconds / 60.0 / SHARE_OF_TIME
        reason = f"a second one on {fewer.rows} rows, which tells what all would add, needs about "
        return Second(None, f"{reason}--pilot {np.ceil(needed):.0f}")
    second = run(workspace, fewer, left, read, asked=asked, judge=judge)
    if second.trained.stopped or not second.trained.best:
        return Second(None, f"the one on {fewer.rows} rows came to nothing, or was stopped by time")
    return Second(second)
