"""The batches of a stage, and what becomes of those whose worker is lost."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from dataedge.errors import AuditError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from dataedge.engine import Stage

SMALLEST = 8
"""Rows below which a batch is not divided between workers."""
LOSSES = 4
"""Workers that one batch may outlive; then the fault is taken to be the batch's."""


def batch_rows(rows: int, most: int, workers: int) -> int:
    """Rows of a batch, so that all workers have about as many of them, and a short stage is shared out too.

    Args:
        rows: of the stage.
        most: that a batch may have.
        workers: that share them.

    Example:
        >>> batch_rows(1200, 256, 2), batch_rows(64, 64, 4), batch_rows(10, 64, 8)
        (200, 16, 8)
    """
    rounds = -(-rows // (most * workers))
    return min(most, max(-(-rows // (rounds * workers)), SMALLEST))


class Task(NamedTuple):
    """A batch, and how many workers were lost over it."""

    batch: pa.Table
    losses: int = 0


class Tasks:
    """Batches that are still to be given out, those of lost workers first."""

    def __init__(self, batches: Iterator[pa.Table]) -> None:
        self._coming = batches
        self._again: deque[Task] = deque()
        self._more = True

    @property
    def over(self) -> bool:
        """Whether none is left."""
        return not (self._more or self._again)

    def next(self) -> Task | None:
        """The next one; None where none is left."""
        if self._again:
            return self._again.popleft()
        batch = next(self._coming, None)
        self._more = batch is not None
        return None if batch is None else Task(batch)

    def again(self, task: Task, stage: Stage) -> None:
        """Take back what a lost worker had in hand.

        Raises:
            AuditError: so many were lost over it that the fault must be its own.
        """
        if task.losses + 1 >= LOSSES:
            raise AuditError(
                f"{stage.name}: {LOSSES} workers in turn were lost over one batch of {len(task.batch)}",
                hint="Give a worker more of a machine and its memory with --ray-cpus, or use --engine local",
                code=ExitCode.NO_CONCLUSION,
            )
        self._again.append(Task(task.batch, task.losses + 1))
