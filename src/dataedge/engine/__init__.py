"""Running a stage over its units: what is stored is not asked again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from dataedge.errors import AuditError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa


Opens = Literal["embedder", "base_model"]
"""What a stage opens, and a worker then holds."""


class Stage(Protocol):
    """A step whose units are independent of each other.

    `__call__` maps a batch with a column `unit` and the stage's inputs to a batch with `unit`
    and the stage's outputs, in the same order. The same object may run in process or be shipped
    to a worker: `setup` does what is costly the first time and nothing after that. Of what is opened
    a process has one, however many stages come to it.
    """

    name: str
    version: int
    batch_size: int
    opens: Opens

    @property
    def stays_here(self) -> bool:
        """Whether it may not be shipped: a server is asked by the process that counts its answers."""
        ...

    def params(self) -> Mapping[str, Any]:
        """Everything the result depends on besides the unit itself."""
        ...

    def setup(self) -> None:
        """Open models; called only if there is something to do."""
        ...

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Compute one batch."""
        ...


@dataclass(frozen=True)
class Step:
    """A computation over a whole dataset, whose result is kept under what went into it.

    Attributes:
        name: as the report and the table `results` call it.
        version: raised when the same inputs would give another result.
        kinds: dataclasses that the result is made of, besides `Figure`.
        parts: how many times the work tells of progress, its end included.
    """

    name: str
    version: int
    kinds: tuple[type, ...] = ()
    parts: int = 1


def stage_key(stage: Stage) -> str:
    """The key of a stage's results: 16 hex digits over name, version and parameters."""
    identity = [stage.name, stage.version, dict(stage.params())]
    text = json.dumps(identity, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def unit_id(*parts: str) -> str:
    """The identity of one unit of work: 20 hex digits over what is asked."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:20]


def check_same(what: str, here: tuple[str, str], there: tuple[str, str]) -> None:
    """A worker's model must be that of the process which shipped the stage.

    Args:
        what: the option that names it.
        here: id and revision in the process that writes to the store.
        there: where the worker runs.

    Raises:
        AuditError: they differ.
    """
    if here != there:
        (wanted, version), (found, other) = here, there
        raise AuditError(
            f"{what}: a worker of the cluster has {found} ({other[:12]}), not {wanted} ({version[:12]})",
            hint=f"Put the same files in the same place on every machine, then run it again with {what}",
            code=ExitCode.NO_CONCLUSION,
        )
