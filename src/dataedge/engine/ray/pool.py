"""Workers that open the same thing: started, given batches, replaced where they are lost."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dataedge.engine.local import Computed, together
from dataedge.engine.ray.cluster import Share
from dataedge.engine.ray.tasks import LOSSES, Tasks
from dataedge.engine.ray.worker import Worker, first_line
from dataedge.errors import AuditError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from dataedge.engine import Stage
    from dataedge.engine.ray.cluster import Cluster
    from dataedge.engine.ray.tasks import Task

AHEAD = 2
"""Batches under way for each worker: one that it computes, one that lies ready."""
PATIENCE = 120.0
"""Seconds that a cluster has to start the first worker."""


class Pool:
    """Workers that open the same thing.

    Args:
        ray: the module, connected.
        cluster: what a worker takes, and how many there may be.
        stage: the first that they are for.
    """

    def __init__(self, ray: Any, cluster: Cluster, stage: Stage) -> None:
        self.opens = stage.opens
        self.lost = 0
        self._ray = ray
        self._share = cluster.shares.get(stage.opens, Share())
        self._most = cluster.workers
        self._stage = ray.put(ray.cloudpickle.dumps(stage))
        self._called: dict[
            Any, Any
        ] = {}  # answer of a worker that may have no place yet → the worker
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
        tasks = Tasks(todo)
        under_way: dict[Any, tuple[Any, Task]] = {}
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
        new = self._ray.remote(Worker).options(
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
            self._failed_starts = 0

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
            self._why = first_line(error)
            return lost

    def _drop(self, worker: Any) -> None:
        """A worker is lost: another takes its place, where there is room."""
        if self._busy.pop(worker, None) is not None:
            self.lost += 1
            self._grow()
