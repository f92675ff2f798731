"""What does a cluster cost beside one machine of the same size, and does it say the same?

A cluster of a head without cores and of two machines with one core each, all processes of this machine,
embeds made-up questions and asks the embedded model about them in the way in which an audit asks: many short
stages, one after the other. The same is done by the local engine with two threads, in a process of its own.

    python benchmarks/cluster.py [--quick] [--out FILE.json]

PASS: the cluster takes at most 1.15 times as long on five minutes of work or more, the start of its workers
included (with --quick there is a minute of work, and the start of both is left out); vectors agree to 1e-5
and log-probabilities to 1e-3 nats, and with a worker killed in the middle every answer is there and the same.
Beside it stands what `benchmarks/schedule.py` starts from: seconds that a batch costs beyond its work, and
vectors that the store takes in a second.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import numpy as np
import pyarrow as pa

from dataedge.config import AuditConfig
from dataedge.engine import unit_id
from dataedge.engine.local import Engine
from dataedge.engine.ray import RayEngine
from dataedge.engine.ray.cluster import Cluster
from dataedge.models.proven import lazy_base_model
from dataedge.prepare.vectors import Embed, embed
from dataedge.progress import Progress
from dataedge.prompt.scores import Choices, ask_choices
from dataedge.store import Store
from record import provenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

CORES = 2
TEXTS, STAGES, PROMPTS = 10_000, 40, 64
QUICK_TEXTS, QUICK_STAGES = 1200, 3
LABELS = (
    "card lost",
    "payment late",
    "rate asked",
    "account closed",
    "transfer failed",
    "pin wrong",
)
EMPTY, EMPTY_ROWS = 300, 32
OVERHEAD, VECTORS, NATS = 1.15, 1e-5, 1e-3


class Empty:
    """Does nothing with its batch: what is left is what a batch costs."""

    name, version, batch_size = "empty", 1, EMPTY_ROWS
    opens, stays_here = "base_model", False

    def params(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def setup(self) -> None:
        """Nothing."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The texts come back as long as they were."""
        return pa.record_batch({"unit": batch["unit"], "length": pa.array([1] * len(batch))})


def texts(n: int) -> list[str]:
    """Questions of a bank's customers, no two the same."""
    rng = np.random.default_rng(0)
    things = ("card", "transfer", "account", "payment", "pin", "refund", "top-up", "rate")
    wrongs = (
        "has not come",
        "was refused",
        "looks wrong to me",
        "is late",
        "went twice",
        "is gone",
    )
    when = ("this morning", "on Monday", "two weeks ago", "after my holiday", "since the update")
    return [
        f"My {rng.choice(things)} number {i} {rng.choice(wrongs)} {rng.choice(when)}, "
        f"and my {rng.choice(things)} {rng.choice(wrongs)} too. What can I do?"
        for i in range(n)
    ]


def work(engine: Engine, size: int, stages: int, *, warm: bool) -> dict[str, Any]:
    """Embed and ask, as an audit does.

    Args:
        engine: that does it.
        size: texts to embed.
        stages: of questions.
        warm: open embedder and model before the clock runs.

    Returns:
        Seconds of each, vectors (n, d) and scores (n, K).
    """
    config = AuditConfig()
    model = lazy_base_model(config)
    model.proven = model.abilities()
    questions = texts(size)
    embedder, stage = Embed(config.embedder), Choices(model, [f" {label}" for label in LABELS])
    if warm:
        open_all(engine, lambda first: embed(engine, embedder, first))
    began = time.perf_counter()
    vectors = embed(engine, embedder, questions)
    embedded = time.perf_counter()
    if warm:
        open_all(engine, lambda first: ask_choices(engine, stage, first))
    asking = time.perf_counter()
    scores = [
        ask_choices(
            engine,
            stage,
            [f"Question: {q}\nTopic ({s}):" for q in questions[s * PROMPTS : (s + 1) * PROMPTS]],
        ).scores
        for s in range(stages)
    ]
    ended = time.perf_counter()
    return {
        "seconds": embedded - began + ended - asking,
        "embed_seconds": embedded - began,
        "ask_seconds": ended - asking,
        "vectors": vectors,
        "scores": np.concatenate(scores),
    }


def open_all(engine: Engine, ask: Callable[[list[str]], object]) -> None:
    """Ask something until every worker has opened what it needs."""
    for turn in range(300):
        ask([f"The first of {turn}"])
        if not isinstance(engine, RayEngine) or engine.ready >= CORES:
            return
        time.sleep(0.2)


def local(folder: Path, size: int, stages: int, *, warm: bool) -> None:
    """The local engine, in a process of its own with as many threads as the cluster has cores."""
    with Store(folder / "local") as store:
        found = work(Engine(store, Progress(quiet=True)), size, stages, warm=warm)
    arrays = {k: found.pop(k) for k in ("vectors", "scores")}
    np.savez(folder / "local.npz", **arrays)
    (folder / "local.json").write_text(json.dumps(found))


def machines() -> Any:
    """A head and two machines; the caller shuts them down."""
    from ray.cluster_utils import Cluster as Machines

    started = Machines(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(CORES):
        started.add_node(num_cpus=1)
    return started


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--out", type=Path)
    arguments.add_argument("--local", type=Path, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    size, stages = (QUICK_TEXTS, QUICK_STAGES) if given.quick else (TEXTS, STAGES)
    if given.local:
        local(given.local, size, stages, warm=given.quick)
        return 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        environment = os.environ | {"OMP_NUM_THREADS": str(CORES)}
        command = [
            sys.executable,
            __file__,
            "--local",
            place,
            *(["--quick"] if given.quick else []),
        ]
        subprocess.run(command, check=True, env=environment)
        one = json.loads((folder / "local.json").read_text())
        print("one machine  ", spent(one))
        with np.load(folder / "local.npz") as arrays:
            one |= dict(arrays)
        found = on_cluster(folder, size, stages, one, warm=given.quick)
    return report(found, given, one["seconds"])


def on_cluster(
    folder: Path, size: int, stages: int, one: dict[str, Any], *, warm: bool
) -> dict[str, Any]:
    """The same on a cluster, and what it costs."""
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    there = machines()
    cluster = Cluster(there.address)
    os.environ.pop("OMP_NUM_THREADS", None)  # workers have a thread for each of their cores
    try:
        with Store(folder / "ray") as store:
            engine = RayEngine(store, Progress(quiet=True), cluster=cluster)
            started = time.perf_counter()
            engine.run(Empty(), pa.table({"unit": ["a"], "text": ["a"]}))  # connects
            connected = time.perf_counter() - started
            engine.close()
            many = work(engine, size, stages, warm=warm)
            engine.close()
        print("two machines ", spent(many))
        with Store(folder / "lost") as store:
            engine = RayEngine(store, Progress(quiet=True), cluster=cluster)
            with killed_worker() as killed:
                after = work(engine, QUICK_TEXTS, QUICK_STAGES, warm=False)
            lost = engine.lost if killed else 0
            engine.close()
        with Store(folder / "empty") as store:
            engine = RayEngine(store, Progress(quiet=True), cluster=cluster)
            engine.run(Empty(), pa.table({"unit": ["a"], "text": ["a"]}))
            rows = [f"row {i}" for i in range(EMPTY * EMPTY_ROWS)]
            began = time.perf_counter()
            engine.run(Empty(), pa.table({"unit": [unit_id(r) for r in rows], "text": rows}))
            a_batch = (time.perf_counter() - began) / EMPTY
            engine.close()
    finally:
        ray.shutdown()
        there.shutdown()
    return {
        "work_seconds": one["seconds"],
        "cluster_seconds": many["seconds"],
        "connecting_seconds": connected,
        "overhead": many["seconds"] / one["seconds"] - 1,
        "vectors_apart": apart(many["vectors"], one["vectors"]),
        "nats_apart": apart(many["scores"], one["scores"]),
        "workers_killed": lost,
        "vectors_apart_after_a_loss": apart(
            after["vectors"], many["vectors"][: len(after["vectors"])]
        ),
        "nats_apart_after_a_loss": apart(after["scores"], many["scores"][: len(after["scores"])]),
        "batch_seconds": a_batch,
        "vectors_stored_per_second": stored_per_second(folder, many["vectors"]),
        "embedded_per_second": size / one["embed_seconds"],
    }


def spent(done: dict[str, Any]) -> str:
    """The seconds of a run of the work."""
    return "{seconds:.0f} s: {embed_seconds:.0f} to embed, {ask_seconds:.0f} to ask".format(**done)


def apart(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Largest difference; infinite where something is missing."""
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("inf")
    return float(np.abs(one - other).max())


def stored_per_second(folder: Path, vectors: NDArray[np.float32]) -> float:
    """Vectors that the store takes in a second, in batches as they come from workers."""
    size = Embed.batch_size
    lists = pa.array(list(vectors), pa.list_(pa.float32()))
    with Store(folder / "writing") as store:
        began = time.perf_counter()
        for start in range(0, len(vectors), size):
            part = lists.slice(start, size)
            units = [unit_id(str(start + i)) for i in range(len(part))]
            store.put_rows(
                "embed",
                "0" * 16,
                pa.table(
                    {"unit": units, "vector": part, "error": pa.nulls(len(part), pa.string())}
                ),
            )
        return len(vectors) / (time.perf_counter() - began)


class killed_worker:  # noqa: N801
    """One worker that computes is killed while the context is open; its process stands in the list."""

    def __enter__(self) -> list[int]:
        self.killed: list[int] = []
        self.over = False
        self.thread = Thread(target=self.watch)
        self.thread.start()
        return self.killed

    def __exit__(self, *_: object) -> None:
        self.over = True
        self.thread.join()

    def watch(self) -> None:
        """Look twenty times a second for one that is at work."""
        for process in self.at_work():
            os.kill(process, signal.SIGKILL)
            self.killed.append(process)
            return

    def at_work(self) -> Iterator[int]:
        """Processes of workers that compute."""
        while not self.over:
            for place in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    if place.read_bytes().startswith(b"ray::Worker.compute"):
                        yield int(place.parent.name)
            time.sleep(0.05)


def report(found: dict[str, Any], given: argparse.Namespace, seconds: float) -> int:
    """The verdict, and the file."""
    print(
        f"connecting {found['connecting_seconds']:.1f} s; a batch {1000 * found['batch_seconds']:.1f} ms "
        f"beyond its work; {found['vectors_stored_per_second']:,.0f} vectors stored a second"
    )
    same = max(found["vectors_apart"], found["vectors_apart_after_a_loss"]) <= VECTORS
    same &= max(found["nats_apart"], found["nats_apart_after_a_loss"]) <= NATS
    passed = bool(same and found["workers_killed"] >= 1 and 1 + found["overhead"] <= OVERHEAD)
    if not given.quick:
        passed &= seconds >= 300
    if given.out:
        written = {**provenance("ray"), "pass": passed, **found}
        given.out.write_text(json.dumps(written, indent=1) + "\n")
    print(
        f"cluster: {'PASS' if passed else 'FAIL'} {found['overhead']:+.1%} of {seconds:.0f} s "
        f"(≤ {OVERHEAD - 1:.0%}); vectors within {found['vectors_apart']:.0e}, log-probabilities within "
        f"{found['nats_apart']:.0e} nats; {found['workers_killed']} worker killed, then "
        f"{found['vectors_apart_after_a_loss']:.0e} and {found['nats_apart_after_a_loss']:.0e}"
    )
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
