"""The engine for one machine: batches in process, stored as they come."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from dataedge.engine import Stage, Step, stage_key
from dataedge.engine.values import UnreadableError, digest, pack, unpack
from dataedge.errors import AuditError, ExitCode, machine_trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dataedge.progress import Progress
    from dataedge.store import Store

T = TypeVar("T")


@dataclass
class StageRecord:
    """What a stage did in this run: units done now and before, failed, seconds."""

    name: str
    done: int = 0
    reused: int = 0
    failed: int = 0
    seconds: float = 0.0


class Computed(NamedTuple):
    """What became of a batch.

    Attributes:
        results: the stage's output columns with `unit` and `error`.
        failed: how many of its units failed.
        cause: what was raised over the first of them, where it was raised in this process.
    """

    results: pa.Table
    failed: int
    cause: Exception | None = None


@dataclass
class Engine:
    """Runs stages against a store.

    Attributes:
        store: open for writing.
        progress: told of every batch.
        records: per stage name, in order of first use.
    """

    store: Store
    progress: Progress
    records: dict[str, StageRecord] = field(default_factory=dict)
    _met: set[str] = field(default_factory=set)
    """Keys of stages that ran: what the store has of others is of earlier runs."""

    def run(self, stage: Stage, inputs: pa.Table) -> pa.Table:
        """Results for every row of `inputs`, in its order.

        Args:
            stage: what to run.
            inputs: a column `unit` and the stage's input columns; units may repeat.

        Returns:
            The stage's output columns with `unit` and `error` (null where all went well).
        """
        key = stage_key(stage)
        record = self.records.setdefault(stage.name, StageRecord(stage.name))
        units = inputs["unit"].to_pylist()
        stored = self.store.get_rows(stage.name, key)
        distinct = dict.fromkeys(units)
        answered = set(stored["unit"].filter(stored["error"].is_null()).to_pylist())
        pending = [unit for unit in distinct if unit not in answered]
        record.reused += len(distinct) - len(pending)
        if key not in self._met:
            self._met.add(key)
            self.progress.found(stage.name, len(answered))
        if pending:
            started = time.perf_counter()
            self.store.note_stage(stage.name, key, stage.params())
            first = {u: i for i, u in reversed(list(enumerate(units)))}
            todo = inputs.take(pa.array([first[u] for u in pending]))
            record.failed += self._compute(stage, key, _by_length(todo))
            record.done += len(pending)
            record.seconds += time.perf_counter() - started
            stored = self.store.get_rows(stage.name, key)
        where = {unit: row for row, unit in enumerate(stored["unit"].to_pylist())}
        return stored.take(pa.array([where[u] for u in units], pa.int64()))

    def once(
        self,
        step: Step,
        inputs: Mapping[str, Any],
        compute: Callable[[Callable[[int], None]], T],
    ) -> T:
        """The result of a step: the stored one where the same went in before, else computed.

        What is returned has always been through the store's form, so that a run that finds a
        result goes on with the same bits as the one that made it.

        Args:
            step: what is computed.
            inputs: all that the result depends on; thresholds that are applied to it later are
                no part of it. Arrays, texts, numbers, and lists and dictionaries of them.
            compute: the work; it is given what to call, with 1, as parts before the last are done.
        """
        parameters = {
            name: value
            if value is None or isinstance(value, bool | int | float)
            else f"sha256 {digest(value)}"
            for name, value in inputs.items()
        }
        key = digest([step.name, step.version, parameters])[:32]
        record = self.records.setdefault(step.name, StageRecord(step.name))
        kept = self.store.get_result(step.name, key)
        if kept is not None:
            try:
                found: T = unpack(kept, step.kinds)
            except UnreadableError:
                pass  # damaged, or of classes as they were: made anew
            else:
                record.reused += 1
                return found
        started = time.perf_counter()
        with self.progress.task(step.name, step.parts) as advance:
            packed = pack(compute(advance))
            self.store.put_result(step.name, key, packed)
            advance(1)
        self.store.note_stage(step.name, key, {"version": step.version, **parameters})
        record.done += 1
        record.seconds += time.perf_counter() - started
        made: T = unpack(packed, step.kinds)
        return made

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time what stands in no stage: its seconds, less those of the stages that run within.

        Args:
            name: that the report calls it.
        """
        record = self.records.setdefault(name, StageRecord(name))
        record.done = 1
        within, started = self._seconds(), time.perf_counter()
        yield
        inside = self._seconds() - within
        record.seconds += time.perf_counter() - started - inside

    def _seconds(self) -> float:
        return sum(record.seconds for record in self.records.values())

    def computed(self, stage: Stage, todo: pa.Table) -> Iterator[Computed]:
        """Results of a stage's units, batch by batch, each as soon as it is there."""
        stage.setup()
        for batch in batches(todo, stage.batch_size):
            yield attempt(stage, batch)

    def close(self) -> None:
        """Let go of what computes elsewhere; here nothing does."""

    def _compute(self, stage: Stage, key: str, todo: pa.Table) -> int:
        failed = in_a_row = 0
        with self.progress.task(stage.name, len(todo)) as advance:
            for done in self.computed(stage, todo):
                self.store.put_rows(stage.name, key, done.results)
                failed += done.failed
                advance(len(done.results))
                in_a_row = in_a_row + done.failed if done.failed == len(done.results) else 0
                if in_a_row > 1 and in_a_row >= min(stage.batch_size, len(todo)):
                    raise AuditError(
                        f"{stage.name}: every one of {in_a_row} questions failed; the first: "
                        f"{done.results['error'][0]}",
                        hint="Run it again with --debug to see where it comes from; what was done is kept",
                        code=ExitCode.NO_CONCLUSION,
                    ) from done.cause
        return failed


def batches(table: pa.Table, size: int) -> Iterator[pa.Table]:
    """A table in parts of so many rows, each in one piece."""
    for start in range(0, len(table), size):
        yield table.slice(start, size).combine_chunks()


def attempt(stage: Stage, batch: pa.Table) -> Computed:
    """One batch; where it fails, its units one by one, so that a bad one is alone in failing."""
    try:
        done = pa.Table.from_batches([stage(batch.to_batches()[0])])
        return Computed(done.append_column("error", pa.nulls(len(done), pa.string())), 0)
    except (AuditError, MemoryError):
        raise
    except Exception as error:
        if len(batch) == 1:
            if trouble := machine_trouble(error):  # no fault of the unit
                raise trouble from error
            message = f"{type(error).__name__}: {error}"[:500]
            failure = pa.table({"unit": batch["unit"], "error": pa.array([message])})
            return Computed(failure, 1, error)
        parts = [attempt(stage, batch.slice(i, 1)) for i in range(len(batch))]
        return together(parts)


def together(parts: Sequence[Computed]) -> Computed:
    """Several batches as one."""
    if len(parts) == 1:
        return parts[0]
    tables = pa.concat_tables([part.results for part in parts], promote_options="default")
    causes = [part.cause for part in parts if part.cause is not None]
    return Computed(tables, sum(part.failed for part in parts), next(iter(causes), None))


def _by_length(table: pa.Table) -> pa.Table:
    """Longest first: batches of like length, and memory trouble shows at the start."""
    text = [c for c in table.column_names if c != "unit" and pa.types.is_string(table[c].type)]
    if not text or len(table) < 2:
        return table
    lengths = sum(np.array([len(v) for v in table[c].to_pylist()]) for c in text)
    return table.take(pa.array(np.argsort(-np.asarray(lengths), kind="stable")))
