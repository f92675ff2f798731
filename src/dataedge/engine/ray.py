"""The engine past one machine: batches by workers of a Ray cluster, stored here as they come.

The same stages run, with the same batches as on one machine, and this process alone writes to the store.
A worker is an actor that opens its model once and keeps it over all the stages of an audit: an audit asks
in many short stages, and a pool of its own for each would open the model again every time. What a
lost worker had in hand is given to another. Two batches at most are under way for each worker, so that
neither questions nor results pile up where the store cannot follow.
"""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from dataedge.engine.local import Computed, Engine, attempt, batches, together
from dataedge.errors import AuditError, ExitCode, machine_trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

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
_START = "Start the cluster (`ray start --head`) and name its head: --ray-address HOST:6379"
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
        address: of the head, `host:port`; None for the one that `RAY_ADDRESS` names, or a cluster of
            this machine alone.
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
    _connection: _Connection | None = None

    def computed(self, stage: Stage, todo: pa.Table) -> Iterator[Computed]:
        """Results of a stage's units, in the order in which they are ready."""
        if stage.stays_here:
            yield from super().computed(stage, todo)
            return
        if self._connection is None:
            self._connection = _connected(self.cluster.address)
        if self._pool is not None and self._pool.opens != stage.opens:
            self._let_go()
        if self._pool is None:
            self._pool = _Pool(self._connection.ray, self.cluster, stage)
            what = "embed" if stage.opens == "embedder" else "ask the base model"
            where = f"up to {self._pool.size} workers of the cluster at {self._connection.address}"
            self.progress.say(f"{where} get the texts to {what}")
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
        """Let the workers and the cluster go."""
        self._let_go()
        if self._connection is not None and self._connection.ours:
            self._connection.ray.shutdown()
        self._connection = None

    def _let_go(self) -> None:
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
    """What runs on the cluster: opens its model once, whatever stages it is given.

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
            f"a worker failed: {type(error).__name__}: {_first_line(error)}",
            hint=_AGAIN,
            code=ExitCode.NO_CONCLUSION,
        ) from error


class _Pool:
    """Workers that open the same thing."""

    def __init__(self, ray: Any, cluster: Cluster, stage: Stage) -> None:
        self.opens = stage.opens
        self.lost = 0
        self._ray = ray
        self._share = cluster.shares.get(stage.opens, Share())
        self._most = cluster.workers
        self._stage = ray.put(ray.cloudpickle.dumps(stage))
        self._called: dict[
            Any, Any
        ] = {}  # answer of a worker that may not have a place yet → the worker
        self._opening: dict[Any, Any] = {}  # answer of one that has
        self._busy: dict[Any, int] = {}  # worker → batches under way
        self._failed_starts = 0
        self._why = ""
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
        sent = self._ray.put(self._ray.cloudpickle.dumps(stage))
        tasks = _Tasks(todo)
        under_way: dict[Any, tuple[Any, _Task]] = {}
        found: list[Computed] = []
        while True:
            for worker in self._free():
                task = tasks.next()
                if task is None:
                    break
                under_way[worker.compute.remote(sent, task.batch)] = worker, task
                self._busy[worker] += 1
            if found:
                yield together(found)  # what is ready at once is stored at once, which is faster
            if not under_way and tasks.over:
                return
            found = []
            for ready in self._wait(under_way):
                worker, task = under_way.pop(ready)
                if worker in self._busy:
                    self._busy[worker] -= 1
                done: Computed | None = self._answer(ready)
                if done is None:
                    self._drop(worker)
                    tasks.again(task, stage)
                else:
                    found.append(done)

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
        room = [int(there.get("CPU", 0) / self._share.cpus + 1e-9)]
        if self._share.gpus:
            room.append(int(there.get("GPU", 0) / self._share.gpus + 1e-9))
        wanted = min(room) if self._most is None else min(*room, self._most)
        settings = {k: v for k, v in os.environ.items() if k.startswith("HF_HUB_")}
        if not self._share.gpus:  # Ray leaves a worker without any all those of its machine
            settings["CUDA_VISIBLE_DEVICES"] = ""
        new = self._ray.remote(_Worker).options(
            num_cpus=self._share.cpus,
            num_gpus=self._share.gpus,
            runtime_env={"env_vars": settings} if settings else None,
        )
        for _ in range(max(wanted, 1) - self.size):
            worker = new.remote(str(Path.cwd()))
            self._called[worker.about.remote()] = worker

    def _wait(self, under_way: dict[Any, Any]) -> list[Any]:
        """Answers that are ready, of those under way; workers that have started are taken in."""
        refs = [*under_way, *self._opening, *self._called]
        patience = None if under_way or self._opening else PATIENCE
        ready, _ = self._ray.wait(refs, num_returns=1, timeout=patience)
        if not ready:
            self._refuse()
        answers, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
        for ref in answers:
            if ref in self._called:
                self._placed(ref, self._called.pop(ref))
            elif ref in self._opening:
                self._opened(ref, self._opening.pop(ref))
        return [ref for ref in answers if ref in under_way]

    def _refuse(self) -> NoReturn:
        """No worker has come in time: there is no room for one, or others have it."""
        share, machines = self._share, [n["Resources"] for n in self._ray.nodes() if n["Alive"]]
        fits = any(
            there.get("CPU", 0) >= share.cpus and there.get("GPU", 0) >= share.gpus
            for there in machines
        )
        largest = max((there.get("CPU", 0), there.get("GPU", 0)) for there in machines)
        takes = f"one takes {share.cpus:g} CPUs and {share.gpus:g} GPUs"
        if fits:
            raise AuditError(
                f"the cluster started no worker in {PATIENCE:.0f} s: {takes}, which others have",
                hint="Run `dataedge audit` again when others are done: it goes on where this one stopped",
                code=ExitCode.NO_CONCLUSION,
            )
        raise AuditError(
            f"no machine of the cluster has room for a worker: {takes}, the largest machine has "
            f"{largest[0]:g} and {largest[1]:g}",
            hint="Let a worker take less with --ray-cpus or --ray-gpus, or add machines to the cluster",
            code=ExitCode.NO_CONCLUSION,
        )

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
        """A worker was lost before it did anything: another is tried, so many times in all.

        Raises:
            AuditError: none is left.
        """
        self.lost += 1
        self._failed_starts += 1
        if self._failed_starts < LOSSES:
            self._grow()
        elif not self.size:
            raise AuditError(
                f"workers of the cluster end as they start, {self._failed_starts} so far: {self._why}",
                hint="Install dataedge on all its machines; give a worker more of a machine and its memory "
                "with --ray-cpus; or use --engine local",
                code=ExitCode.NO_CONCLUSION,
            )

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
        except errors.RayError as error:
            self._why = _first_line(error)
            return lost

    def _drop(self, worker: Any) -> None:
        """A worker is lost: another takes its place, where there is room."""
        if self._busy.pop(worker, None) is not None:
            self.lost += 1
            self._grow()


class _Connection(NamedTuple):
    """A cluster to work on.

    Attributes:
        ray: the module.
        address: of the head.
        ours: whether it was connected here, and is to be let go.
    """

    ray: Any
    address: str
    ours: bool


def _connected(address: str | None) -> _Connection:
    """Connect to a cluster, or start one of this machine alone.

    Raises:
        AuditError: nothing answers there, or this process is connected to another one.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    # what Ray says of lost workers would stand on stdout, where report.json may go
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")
    import ray

    wanted = address or os.environ.get("RAY_ADDRESS") or "local"
    if ray.is_initialized():
        found = ray.get_runtime_context().gcs_address
        if wanted not in ("local", found):
            raise AuditError(
                f"--ray-address {wanted}: this process is connected to the cluster at {found}",
                hint=f"Call `ray.shutdown()` first, or name --ray-address {found}",
            )
        return _Connection(ray, found, ours=False)
    if wanted != "local":
        _check_answers(wanted)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=wanted,
            namespace="dataedge",
            include_dashboard=False if wanted == "local" else None,
            log_to_driver=False,
            logging_level="error",
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise AuditError(f"--ray-address {wanted}: {_first_line(error)}", hint=_START) from error
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray has put its own there
    return _Connection(ray, ray.get_runtime_context().gcs_address, ours=True)


def _check_answers(address: str) -> None:
    """Whether something listens there: Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise AuditError(
            f"--ray-address {address}: {error.strerror or error}"
            if isinstance(error, OSError)
            else f"--ray-address {address}: it is not of the form HOST:PORT",
            hint=_START,
        ) from error


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def check_engine(config: AuditConfig, passed: Collection[str]) -> None:
    """Whether the engine that is named can be used; nothing is connected.

    Args:
        config: names it.
        passed: the options that were given.

    Raises:
        AuditError: it is not installed, or options are given that only the other one has.
    """
    if config.engine == "ray":
        if find_spec("ray") is None:
            raise AuditError(
                "--engine ray: Ray is not installed",
                hint="Install it (pip install 'dataedge[ray]'), or use --engine local",
            )
    elif "engine" not in passed and (given := [name for name in passed if name.startswith("ray_")]):
        flag = f"--{given[0].replace('_', '-')}"
        raise AuditError(
            f"{flag} is for --engine ray", hint=f"Add --engine ray, or leave out {flag}"
        )


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
