"""What runs on the cluster: an actor that opens its model once, whatever stages it is given."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

from dataedge.engine.local import Computed, attempt
from dataedge.errors import AuditError, ExitCode, machine_trouble

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from dataedge.engine import Stage

_AGAIN = "Mend the cluster and run `dataedge audit` again: it goes on where this one stopped"


class Worker:
    """Computes batches of stages.

    Args:
        folder: where the command was given; paths that it names begin there.
    """

    def __init__(self, folder: str) -> None:
        with suppress(OSError):
            os.chdir(folder)

    def about(self) -> str:
        """The version that runs here."""
        return version("dataedge")

    def open(self, stage: bytes) -> None:
        """Open what a stage needs."""
        with _told():
            _unpacked(stage).setup()

    def compute(self, stage: bytes, batch: pa.Table) -> Computed:
        """One batch of a stage."""
        with _told():
            made = _unpacked(stage)
            made.setup()
            return attempt(made, batch)._replace(cause=None)  # its class may not be known there


def _unpacked(stage: bytes) -> Stage:
    """A stage as it was shipped; another model than there is told from here, not from within Ray."""
    from ray import cloudpickle

    made: Stage = cloudpickle.loads(stage)
    return made


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong within as an error that the other process knows."""
    try:
        yield
    except (AuditError, MemoryError):
        raise
    except Exception as error:
        raise machine_trouble(error) or AuditError(
            f"a worker failed: {type(error).__name__}: {first_line(error)}",
            hint=_AGAIN,
            code=ExitCode.NO_CONCLUSION,
        ) from error


def first_line(error: BaseException) -> str:
    """What an error says, without what stands below."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
