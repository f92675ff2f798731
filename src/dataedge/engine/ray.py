"""The engine past one machine: batches by workers of a Ray cluster, stored here as they come.

The same stages run, with the same batches as on one machine, and this process alone writes to the store.
A worker is an actor that opens its model once and keeps it over all the stages of an audit: an audit asks
in many short stages, and a pool of its own for each would open the model again every time. What a
lost worker had in hand is given to another. Two batches at most are under way for each worker, so that
neither questions nor results pile up where the store cannot follow.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from dataedge.engine.local import Computed, Engine, attempt, batches
from dataedge.errors import AuditError, ExitCode, machine_trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from dataedge.config import AuditConfig
    from dataedge.engine import Opens, Stage
    from dataedge.progress import Progress
    from dataedge.store import Store

AHEAD = 2
"""Batches under way for each worker: one that it computes, one that lies ready."""
SMALLEST = 8
"""Rows below which a batch is not divided between workers."""
LOSSES = 4
"""Workers that one batch may outlive; then the fault is taken to be the batch's."""
PATIENCE = 120.0
"""Seconds that a cluster has to start the first worker."""
_TOO_SMALL = "Give a worker more of a machine and its memory with --ray-cpus, or use --engine local"
_AGAIN = "Mend the cluster and run `dataedge audit` again: it goes on where this one stopped"


@dataclass(frozen=True)
class Share:
    """What one worker takes of the cluster.

    Attributes:
        cpus: cores, also the threads of its linear algebra.
        gpus: of which a part may be asked for.
    """

    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Cluster:
    """Where workers run, and with what.

    Attributes:
        address: of the head, `host:port` or `ray://host:port`; None for the cluster that the
            environment names, or one of its own on this machine.
        shares: what a worker takes, by what it opens.
        workers: at most; None for as many as the cluster has room for.
    """

    address: str | None = None
    shares: dict[Opens, Share] = field(default_factory=dict)
    workers: int | None = None


@dataclass
class RayEngine(Engine):
    """Runs stages on a cluster; what may not leave this process runs here.

    Attributes:
        cluster: where.
        lost: workers that were lost so far.
    """

    cluster: Cluster = field(default_factory=Cluster)
    lost: int = 0
    _pool: _Pool | None = None

    def computed(self, stage: Stage, todo: pa.Table) -> Iterator[Computed]:
        """Results of a stage's units, in the order in which they are ready."""
        if stage.stays_here:
            yield from super().computed(stage, todo)
            return
        if self._pool is not None and self._pool.opens != stage.opens:
            self.close()
        if self._pool is None:
            self._pool = _Pool(self.cluster, stage)
            what = "embed" if stage.opens == "embedder" else "ask the base model"
            self.progress.say(
                f"up to {self._pool.size} workers of the cluster get the texts to {what}"
            )
        before = self._pool.lost
        size = batch_rows(len(todo), stage.batch_size, self._pool.size)
        yield from self._pool.computed(stage, batches(todo, size))
        if lost := self._pool.lost - before:
            self.lost += lost
            self.progress.say(
                f"workers of the cluster that were lost: {lost}; others did their work"
            )

    @property
    def ready(self) -> int:
        """Workers that have opened what they need."""
        return self._pool.ready if self._pool is not None else 0

    def close(self) -> None:
        """Let the workers go."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None


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


class _Task(NamedTuple):
    """A batch, and how many workers were lost over it."""

    batch: pa.Table
    losses: int = 0


class _Tasks:
    """Batches that are still to be given out, those of lost workers first."""

    def __init__(self, batches: Iterator[pa.Table]) -> None:
        self._coming = batches
        self._again: deque[_Task] = deque()
        self._more = True

    @property
    def over(self) -> bool:
        """Whether none is left."""
        return not (self._more or self._again)

    def next(self) -> _Task | None:
        """The next one; None where none is left."""
        if self._again:
            return self._again.popleft()
        batch = next(self._coming, None)
        self._more = batch is not None
        return None if batch is None else _Task(batch)

    def again(self, task: _Task, stage: Stage) -> None:
        """Take back what a lost worker had in hand.

        Raises:
            AuditError: so many were lost over it that the fault must be its own.
        """
        if task.losses + 1 >= LOSSES:
            raise AuditError(
                f"{stage.name}: {LOSSES} workers in turn were lost over one batch of {len(task.batch)}",
                hint=_TOO_SMALL,
                code=ExitCode.NO_CONCLUSION,
            )
        self._again.append(_Task(task.batch, task.losses + 1))


class _Worker:
    """What runs on the cluster: opens its model once, whatever stages it is given."""

    def about(self) -> str:
        """The version that runs here."""
        return version("dataedge")

    def open(self, stage: Stage) -> None:
        """Open what the stage needs."""
        with _told(stage):
            stage.setup()

    def compute(self, stage: Stage, batch: pa.Table) -> Computed:
        """One batch of a stage."""
        with _told(stage):
            stage.setup()
            return attempt(stage, batch)


@contextmanager
def _told(stage: Stage) -> Iterator[None]:
    """What goes wrong within as an error that the other process knows."""
    try:
        yield
    except (AuditError, MemoryError):
        raise
    except Exception as error:
        raise machine_trouble(error) or AuditError(
            f"{stage.name}: a worker failed: {type(error).__name__}: {_first_line(error)}",
            hint=_AGAIN,
            code=ExitCode.NO_CONCLUSION,
        ) from error


class _Pool:
    """Workers that open the same thing."""

    def __init__(self, cluster: Cluster, stage: Stage) -> None:
        self.opens = stage.opens
        self.lost = 0
        self._share = cluster.shares.get(stage.opens, Share())
        self._most = cluster.workers
        self._ray = _connected(cluster.address)
        remote = self._ray.remote(_Worker)
        self._new = remote.options(num_cpus=self._share.cpus, num_gpus=self._share.gpus).remote
        self._stage = self._ray.put(stage)
        self._called: dict[
            Any, Any
        ] = {}  # answer of a worker that may not have a place yet → the worker
        self._opening: dict[Any, Any] = {}  # answer of one that has
        self._busy: dict[Any, int] = {}  # worker → batches under way
        self._grow()

    @property
    def ready(self) -> int:
        """Workers that have started."""
        return len(self._busy)

    @property
    def size(self) -> int:
        """Workers, those that still start among them."""
        return len(self._busy) + len(self._opening) + len(self._called)

    def computed(self, stage: Stage, todo: Iterator[pa.Table]) -> Iterator[Computed]:
        """Results of batches in the order in which they are ready."""
        sent = self._ray.put(stage)
        tasks = _Tasks(todo)
        under_way: dict[Any, tuple[Any, _Task]] = {}
        while True:
            for worker in self._free():
                task = tasks.next()
                if task is None:
                    break
                under_way[worker.compute.remote(sent, task.batch)] = worker, task
                self._busy[worker] += 1
            if not under_way and tasks.over:
                return
            for ready in self._wait(under_way):
                worker, task = under_way.pop(ready)
                if worker in self._busy:
                    self._busy[worker] -= 1
                done: Computed | None = self._answer(ready)
                if done is not None:
                    yield done
                    continue
                self._drop(worker)
                tasks.again(task, stage)

    def _free(self) -> Iterator[Any]:
        """Workers that can take a batch, those with nothing to do first."""
        for level in range(AHEAD):
            yield from [worker for worker, busy in self._busy.items() if busy <= level]

    def close(self) -> None:
        """Let the workers go."""
        for worker in (*self._busy, *self._opening.values(), *self._called.values()):
            self._ray.kill(worker)
        self._busy, self._opening, self._called = {}, {}, {}

    def _grow(self) -> None:
        """Start as many workers as the cluster has room for in all."""
        there = self._ray.cluster_resources()
        room = [
            int(there.get(kind, 0) / wanted + 1e-9)
            for kind, wanted in (("CPU", self._share.cpus), ("GPU", self._share.gpus))
            if wanted > 0
        ]
        wanted = min(room, default=1)
        if self._most is not None:
            wanted = min(wanted, self._most)
        for _ in range(max(wanted, 1) - self.size):
            worker = self._new()
            self._called[worker.about.remote()] = worker

    def _wait(self, under_way: dict[Any, Any]) -> list[Any]:
        """Answers that are ready, of those under way; workers that have started are taken in."""
        refs = [*under_way, *self._opening, *self._called]
        patience = None if under_way or self._opening else PATIENCE
        ready, _ = self._ray.wait(refs, num_returns=1, timeout=patience)
        if not ready:
            there = self._ray.cluster_resources()
            raise AuditError(
                f"the cluster started no worker in {PATIENCE:.0f} s: one takes {self._share.cpus:g} CPUs "
                f"and {self._share.gpus:g} GPUs of {there.get('CPU', 0):g} and {there.get('GPU', 0):g}",
                hint="Let a worker take less with --ray-cpus or --ray-gpus, or add machines to the cluster",
                code=ExitCode.NO_CONCLUSION,
            )
        answers, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        for ref in answers:
            if ref in self._called:
                self._placed(ref, self._called.pop(ref))
            elif ref in self._opening:
                self._opened(ref, self._opening.pop(ref))
        return [ref for ref in answers if ref in under_way]

    def _placed(self, ref: Any, worker: Any) -> None:
        """A worker has its place: it may open its model, if it is of this version."""
        runs = self._answer(ref)
        if runs is None:
            self._ended()
        elif runs != version("dataedge"):
            raise AuditError(
                f"a worker of the cluster runs dataedge {runs}, this is {version('dataedge')}",
                hint="Install one version on all its machines, or use --engine local",
                code=ExitCode.NO_CONCLUSION,
            )
        else:
            self._opening[worker.open.remote(self._stage)] = worker

    def _opened(self, ref: Any, worker: Any) -> None:
        """A worker can be given work."""
        if self._answer(ref, lost=False) is False:
            self._ended()
        else:
            self._busy[worker] = 0

    def _ended(self) -> None:
        """A worker was lost before it did anything.

        Raises:
            AuditError: so many were, and none is at work.
        """
        self.lost += 1
        if self.lost > LOSSES and not self._busy:
            raise AuditError(
                f"{self.lost} workers of the cluster ended as they started",
                hint=_TOO_SMALL,
                code=ExitCode.NO_CONCLUSION,
            )
        self._grow()

    def _answer(self, ref: Any, *, lost: object = None) -> Any:
        """What a worker answered; `lost` where it is no more.

        Raises:
            AuditError: what it raised.
        """
        errors = self._ray.exceptions
        try:
            return self._ray.get(ref)
        except errors.RayTaskError as error:
            raise error.cause from error
        except errors.RayError:
            return lost

    def _drop(self, worker: Any) -> None:
        """A worker is lost: another takes its place, where there is room."""
        if self._busy.pop(worker, None) is not None:
            self.lost += 1
            self._grow()


def _connected(address: str | None) -> Any:
    """Ray, connected; nothing is reported to anyone.

    Raises:
        AuditError: it is not installed, or nothing answers there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    # what Ray says of lost workers would stand on stdout, where report.json may go
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")
    try:
        import ray
    except ImportError as error:
        raise AuditError(
            "--engine ray: Ray is not installed",
            hint="Install it (pip install 'dataedge[ray]'), or use --engine local",
        ) from error
    if ray.is_initialized():
        return ray
    settings = {k: v for k, v in os.environ.items() if k.startswith("HF_HUB_")}
    try:
        ray.init(
            address=address,
            namespace="dataedge",
            runtime_env={"env_vars": settings} if settings else None,
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level="error",
        )
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        named = f"--ray-address {address}" if address else "--engine ray"
        raise AuditError(
            f"{named}: {_first_line(error)}",
            hint="Start the cluster (`ray start --head`) and name its head: --ray-address HOST:6379",
        ) from error
    return ray


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def engine_of(config: AuditConfig) -> Callable[[Store, Progress], Engine]:
    """The engine that a configuration names, still without a store."""
    if config.engine == "local":
        return Engine
    asks = Share(config.ray_cpus, config.ray_gpus)
    embeds = Share(
        asks.cpus if config.ray_embed_cpus is None else config.ray_embed_cpus,
        asks.gpus if config.ray_embed_gpus is None else config.ray_embed_gpus,
    )
    shares: dict[Opens, Share] = {"base_model": asks, "embedder": embeds}
    cluster = Cluster(config.ray_address, shares, config.ray_workers)
    return partial(RayEngine, cluster=cluster)
