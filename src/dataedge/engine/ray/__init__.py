"""The engine past one machine: batches by workers of a Ray cluster, stored here as they come.

The same stages run, with the same batches as on one machine, and this process alone writes to the store.
A worker is an actor that opens its model once and keeps it over all the stages of an audit: an audit asks
in many short stages, and a pool of its own for each would open the model again every time. What a
lost worker had in hand is given to another. Two batches at most are under way for each worker, so that
neither questions nor results pile up where the store cannot follow.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dataedge.engine.local import Computed, Engine, batches
from dataedge.engine.ray.cluster import Cluster, Share, connected
from dataedge.engine.ray.pool import Pool
from dataedge.engine.ray.tasks import batch_rows
from dataedge.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    import pyarrow as pa

    from dataedge.config import AuditConfig
    from dataedge.engine import Opens, Stage
    from dataedge.engine.ray.cluster import Connection
    from dataedge.progress import Progress
    from dataedge.store import Store


@dataclass
class RayEngine(Engine):
    """Runs stages on a cluster; what may not leave this process runs here.

    Attributes:
        cluster: where.
        lost: workers that were lost so far.
    """

    cluster: Cluster = field(default_factory=Cluster)
    lost: int = 0
    _pool: Pool | None = None
    _connection: Connection | None = None

    def computed(self, stage: Stage, todo: pa.Table) -> Iterator[Computed]:
        """Results of a stage's units, in the order in which they are ready."""
        if stage.stays_here:
            yield from super().computed(stage, todo)
            return
        if self._connection is None:
            self._connection = connected(self.cluster.address)
        if self._pool is not None and self._pool.opens != stage.opens:
            self._let_go()
        if self._pool is None:
            self._pool = Pool(self._connection.ray, self.cluster, stage)
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
