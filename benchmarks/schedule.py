"""A large audit on a cluster, by simulation: hours, bytes, what it costs, and what gives way first.

The engine's schedule (one process hands out batches and stores what comes back; two batches at most are under
way for each worker; what a lost worker had in hand is given to another) is simulated event by event, and
held against real runs of it: workers of a cluster on this machine that sleep instead of computing, once so
long that they set the pace, once so short that the storing process does.

    python benchmarks/schedule.py [--quick] [--rows N] [--gpus N] [--texts-per-second R] [--teraflops T]
        [--questions N] [--tokens N] [--price P] [--hours-between-losses H] [--out FILE.json]

PASS: simulated and real seconds of both agree within 15 %. The plan that is printed starts from what is
measured here (a batch's cost beside its work, vectors stored in a second) and from what is given, since no
GPU is measured: texts that one embeds in a second, arithmetic that it does for a model of seven billion
weights, questions and tokens of each, and its price.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import os
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import numpy as np
import pyarrow as pa

from cluster import stored_per_second
from dataedge.engine.ray import RayEngine
from dataedge.engine.ray.cluster import Cluster, Share
from dataedge.engine.ray.pool import AHEAD
from dataedge.progress import Progress
from dataedge.store import Store
from record import provenance

if TYPE_CHECKING:
    from collections.abc import Iterator

WORKERS, BATCHES, QUICK_BATCHES, ROWS = 6, 600, 200, 32
SLOW, FAST = 0.25, 0.005
"""Seconds that a sleeping worker takes for a batch: the workers set the pace, or the storing process does."""
CLOSE = 0.15
WEIGHTS = 7e9
WIDTH = 384
EMBED_ROWS, ASK_ROWS = 256, 64
OPENING = 90.0
"""Seconds to load fourteen gigabytes of weights."""


class Plan(NamedTuple):
    """One stage of many batches.

    Attributes:
        batches: of the stage.
        seconds: that a worker takes for one.
        spread: standard deviation of that over its mean.
        workers: there are.
        storing: seconds of the storing process for each batch.
        storing_once: and for those that it stores together.
        opening: seconds until a worker can be given work.
        between_losses: hours between two losses of one worker; infinite for none.
    """

    batches: int
    seconds: float
    spread: float
    workers: int
    storing: float
    storing_once: float = 0.0
    opening: float = 0.0
    between_losses: float = float("inf")


class Run(NamedTuple):
    """What became of it.

    Attributes:
        seconds: in all.
        busy: share of them in which a worker computed, mean over the workers.
        storing: share in which the storing process was at work.
        lost: workers that were lost.
    """

    seconds: float
    busy: float
    storing: float
    lost: int


def simulate(plan: Plan, seed: int = 0) -> Run:
    """The engine's schedule, event by event."""
    return _Simulation(plan, seed).run()


class _Simulation:
    """The state between two events.

    A worker computes one batch and has at most one more that lies ready. When the storing process is free it
    takes in all results that have come, gives their workers more to do, and stores them together.
    """

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan = plan
        self.rng = np.random.default_rng(seed)
        self.now = self.busy = self.stored = 0.0
        self.waiting, self.done, self.lost_workers = plan.batches, 0, 0
        self.events: list[tuple[float, int, str, int, int]] = []
        self.number = 0
        self.results: deque[int] = deque()
        self.storing = False
        self.opened = [False] * plan.workers
        self.computing = [False] * plan.workers
        self.ready = [0] * plan.workers
        self.life = [
            0
        ] * plan.workers  # raised when a worker is lost: what was to come of it does not

    def run(self) -> Run:
        """To the last batch."""
        for worker in range(self.plan.workers):
            self.start(worker)
        while self.done < self.plan.batches:
            self.now, _, what, worker, life = heapq.heappop(self.events)
            if what == "taken_in" or life == self.life[worker]:
                getattr(self, what)(worker)
                self.store_next()
        share = self.busy / (self.now * self.plan.workers)
        return Run(self.now, share, self.stored / self.now, self.lost_workers)

    def later(self, seconds: float, what: str, worker: int) -> None:
        """Something happens in so many seconds, if the worker is not lost before."""
        self.number += 1
        life = 0 if what == "taken_in" else self.life[worker]
        event = self.now + seconds, self.number, what, worker, life
        heapq.heappush(self.events, event)

    def start(self, worker: int) -> None:
        """A worker begins to open its model."""
        self.later(self.plan.opening, "open", worker)
        if np.isfinite(self.plan.between_losses):
            self.later(float(self.rng.exponential(self.plan.between_losses * 3600)), "lose", worker)

    def open(self, worker: int) -> None:
        """It can be given work."""
        self.opened[worker] = True
        self.hand_out(worker)

    def hand_out(self, worker: int) -> None:
        """It gets batches until so many are under way, and computes one."""
        while self.opened[worker] and self.waiting and self.ready[worker] < AHEAD:
            self.waiting -= 1
            self.ready[worker] += 1
        if self.ready[worker] and not self.computing[worker]:
            seconds = self.plan.seconds
            if self.plan.spread:
                shape = self.plan.spread**-2
                seconds *= float(self.rng.gamma(shape)) / shape
            self.computing[worker] = True
            self.busy += seconds
            self.later(seconds, "computed", worker)

    def computed(self, worker: int) -> None:
        """Its result comes; it goes on with what lies ready."""
        self.results.append(worker)
        self.computing[worker] = False
        self.ready[worker] -= 1
        if self.ready[worker]:
            self.waiting, held = 0, self.waiting  # the next is handed out as this one is taken in
            self.hand_out(worker)
            self.waiting = held

    def store_next(self) -> None:
        """The storing process takes all results that are there, if it has nothing else to do."""
        if self.results and not self.storing:
            group = list(self.results)
            self.results.clear()
            for worker in group:
                self.hand_out(worker)
            seconds = self.plan.storing_once + self.plan.storing * len(group)
            self.storing = True
            self.stored += seconds
            self.later(seconds, "taken_in", len(group))

    def taken_in(self, batches: int) -> None:
        """So many results are stored."""
        self.done += batches
        self.storing = False

    def lose(self, worker: int) -> None:
        """A worker is lost: others get what it had in hand, and another one starts."""
        self.lost_workers += 1
        self.life[worker] += 1
        self.waiting += self.ready[worker]
        self.ready[worker], self.computing[worker], self.opened[worker] = 0, False, False
        self.start(worker)
        for other in range(self.plan.workers):
            self.hand_out(other)


class Sleep:
    """Sleeps over each batch for so long."""

    version, batch_size = 1, ROWS
    opens, stays_here = "base_model", False

    def __init__(self, name: str, seconds: float) -> None:
        self.name, self.seconds = name, seconds

    def params(self) -> dict[str, Any]:
        """How long."""
        return {"seconds": self.seconds}

    def setup(self) -> None:
        """Nothing."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """As many numbers as there were texts."""
        time.sleep(self.seconds)
        return pa.record_batch({"unit": batch["unit"], "length": pa.array([1] * len(batch))})


class Measured(NamedTuple):
    """What the simulation starts from, and what it is held against.

    Attributes:
        once: seconds of the storing process for batches that it stores together.
        each: for each of them.
        seconds: of real runs, by their pace.
    """

    once: float
    each: float
    seconds: dict[str, float]


def real(batches: int) -> Measured:
    """Runs of workers that sleep."""
    import ray
    from ray.cluster_utils import Cluster as Machines

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    there = Machines(
        initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False}
    )
    try:
        with tempfile.TemporaryDirectory() as folder, Counted(Path(folder)) as store:
            share = {"base_model": Share(cpus=2 / WORKERS)}
            engine = RayEngine(store, Progress(quiet=True), cluster=Cluster(there.address, share))
            for turn in range(300):  # until every worker is there
                engine.run(Sleep("start", 0), units(f"start {turn}", 1))
                if engine.ready == WORKERS:
                    break
                time.sleep(0.2)
            found = {}
            for name, seconds in (("nothing", 0.0), ("slow", SLOW), ("fast", FAST)):
                store.puts = 0
                rows = units(name, batches * ROWS)
                began = time.perf_counter()
                engine.run(Sleep(name, seconds), rows)
                found[name] = time.perf_counter() - began
                if name == "nothing":
                    puts = store.puts
            engine.close()
            once = fixed(store)
    finally:
        ray.shutdown()
        there.shutdown()
    return Measured(once, (found.pop("nothing") - puts * once) / batches, found)


class Counted(Store):
    """A store that counts what it was given."""

    puts = 0

    def put_rows(self, stage: str, key: str, batch: Any) -> None:
        """As ever."""
        self.puts += 1
        super().put_rows(stage, key, batch)


def fixed(store: Store) -> float:
    """Seconds that the store takes for a batch of one row."""
    began = time.perf_counter()
    for i in range(50):
        row = pa.table({"unit": [f"fixed {i}"], "length": [1], "error": pa.nulls(1, pa.string())})
        store.put_rows("fixed", "0" * 16, row)
    return (time.perf_counter() - began) / 50


def units(name: str, rows: int) -> pa.Table:
    """Rows of a stage."""
    return pa.table({"unit": [f"{name} {i}" for i in range(rows)], "text": ["x"] * rows})


def a_vector() -> float:
    """Seconds that the store takes for a vector, beside those for each time that it is given some."""
    vectors = np.random.default_rng(0).normal(size=(20 * EMBED_ROWS, WIDTH)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
        once = fixed(store)
        rate = stored_per_second(Path(folder), vectors)
    return max(EMBED_ROWS / rate - once, 0.0) / EMBED_ROWS


def large(given: argparse.Namespace, measured: Measured, vector: float) -> dict[str, Any]:
    """The plan of a large audit."""
    once, batch = measured.once, measured.each
    a_batch = batch + EMBED_ROWS * vector
    losses = given.hours_between_losses
    each = EMBED_ROWS / given.texts_per_second
    embedding = Plan(
        math.ceil(given.rows / EMBED_ROWS), each, 0.2, given.gpus, a_batch, once, 20.0, losses
    )
    each = ASK_ROWS * 2 * WEIGHTS * given.tokens / (given.teraflops * 1e12)
    asking = Plan(
        math.ceil(given.questions / ASK_ROWS), each, 0.5, given.gpus, batch, once, OPENING, losses
    )
    embedded, asked = simulate(embedding), simulate(asking)
    few = simulate(embedding._replace(workers=1))
    hours = (embedded.seconds + asked.seconds) / 3600
    return {
        "rows": given.rows,
        "gpus": given.gpus,
        "texts_per_second": given.texts_per_second,
        "teraflops": given.teraflops,
        "questions": given.questions,
        "tokens": given.tokens,
        "embedding_hours": embedded.seconds / 3600,
        "embedding_workers_busy": embedded.busy,
        "embedding_storing": embedded.storing,
        "embedding_hours_one_gpu": few.seconds / 3600,
        "asking_hours": asked.seconds / 3600,
        "asking_workers_busy": asked.busy,
        "workers_lost": embedded.lost + asked.lost,
        "hours": hours,
        "price": hours * given.gpus * given.price,
        "vector_bytes": given.rows * WIDTH * 4,
        "gpus_that_the_store_keeps_busy": (EMBED_ROWS / given.texts_per_second) / a_batch,
    }


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--out", type=Path)
    arguments.add_argument("--rows", type=int, default=100_000_000)
    arguments.add_argument("--gpus", type=int, default=16)
    arguments.add_argument("--texts-per-second", type=float, default=5_000.0)
    arguments.add_argument("--teraflops", type=float, default=200.0)
    arguments.add_argument("--questions", type=int, default=10_000)
    arguments.add_argument("--tokens", type=float, default=600.0)
    arguments.add_argument("--price", type=float, default=2.5)
    arguments.add_argument("--hours-between-losses", type=float, default=500.0)
    given = arguments.parse_args()
    batches = QUICK_BATCHES if given.quick else BATCHES
    measured = real(batches)
    checks = []
    for name, each in (("slow", SLOW), ("fast", FAST)):
        foretold = simulate(Plan(batches, each, 0.0, WORKERS, measured.each, measured.once)).seconds
        checks.append({"pace": name, "real": measured.seconds[name], "simulated": foretold})
        print(
            f"{name:5} {batches} batches, {WORKERS} workers: real {measured.seconds[name]:.1f} s, "
            f"simulated {foretold:.1f} s"
        )
    vector = a_vector()
    plan = large(given, measured, vector)
    print(*tell(plan), sep="\n")
    off = max(abs(c["simulated"] / c["real"] - 1) for c in checks)
    passed = off <= CLOSE
    if given.out:
        written = {
            **provenance("ray"),
            "pass": passed,
            "storing_once_seconds": measured.once,
            "batch_seconds": measured.each,
            "vector_seconds": vector,
            "checks": checks,
            "plan": plan,
        }
        given.out.write_text(json.dumps(written, indent=1) + "\n")
    print(
        f"schedule: {'PASS' if passed else 'FAIL'} simulated and real seconds {off:.1%} apart (≤ {CLOSE:.0%})"
    )
    return 0 if passed else 1


def tell(plan: dict[str, Any]) -> Iterator[str]:
    """The plan in sentences."""
    yield (
        f"{plan['rows']:,} rows on {plan['gpus']} GPUs: {plan['embedding_hours']:.2f} h to embed (on one GPU "
        f"{plan['embedding_hours_one_gpu']:.2f}), workers busy {plan['embedding_workers_busy']:.0%}, storing "
        f"{plan['embedding_storing']:.0%} of the time; {plan['asking_hours']:.2f} h to ask"
    )
    yield (
        f"{plan['hours'] * plan['gpus']:.0f} GPU hours, {plan['price']:,.0f} at the price given; vectors "
        f"{plan['vector_bytes'] / 1e9:,.0f} GB; storing keeps up with "
        f"{plan['gpus_that_the_store_keeps_busy']:.1f} GPUs"
    )


if __name__ == "__main__":
    sys.exit(main())
