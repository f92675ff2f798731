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
from dataedge.engine.ray import AHEAD, Cluster, RayEngine, Share
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
        opening: seconds until a worker can be given work.
        between_losses: hours between two losses of one worker; infinite for none.
    """

    batches: int
    seconds: float
    spread: float
    workers: int
    storing: float
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

    A worker computes one batch and has at most one more that lies ready; it gets the next when the storing
    process has taken in one of its results, which that does one at a time in the order in which they came.
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
        event = self.now + seconds, self.number, what, worker, self.life[worker]
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
        """The storing process takes the next result, if it has nothing else to do."""
        if self.results and not self.storing:
            self.storing = True
            self.stored += self.plan.storing
            self.later(self.plan.storing, "taken_in", self.results.popleft())

    def taken_in(self, worker: int) -> None:
        """A result is stored: its worker gets another batch."""
        self.done += 1
        self.storing = False
        self.hand_out(worker)

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


def real(batches: int) -> tuple[float, dict[str, float]]:
    """Seconds of the storing process for each batch, and those of real runs by their pace."""
    import ray
    from ray.cluster_utils import Cluster as Machines

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    there = Machines(
        initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False}
    )
    try:
        with tempfile.TemporaryDirectory() as folder, Store(Path(folder)) as store:
            share = {"base_model": Share(cpus=2 / WORKERS)}
            engine = RayEngine(store, Progress(quiet=True), cluster=Cluster(there.address, share))
            for turn in range(300):  # until every worker is there
                engine.run(Sleep("start", 0), units(f"start {turn}", 1))
                if engine.ready == WORKERS:
                    break
                time.sleep(0.2)
            found = {}
            for name, seconds in (("nothing", 0.0), ("slow", SLOW), ("fast", FAST)):
                rows = units(name, batches * ROWS)
                began = time.perf_counter()
                engine.run(Sleep(name, seconds), rows)
                found[name] = time.perf_counter() - began
            engine.close()
    finally:
        ray.shutdown()
        there.shutdown()
    return found.pop("nothing") / batches, found


def units(name: str, rows: int) -> pa.Table:
    """Rows of a stage."""
    return pa.table({"unit": [f"{name} {i}" for i in range(rows)], "text": ["x"] * rows})


def vectors_per_second() -> float:
    """Vectors that the store takes in a second here."""
    vectors = np.random.default_rng(0).normal(size=(20_000, WIDTH)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        return stored_per_second(Path(folder), vectors)


def large(given: argparse.Namespace, storing: float, vectors: float) -> dict[str, Any]:
    """The plan of a large audit."""
    a_batch = storing + EMBED_ROWS / vectors
    losses = given.hours_between_losses
    each = EMBED_ROWS / given.texts_per_second
    embedding = Plan(
        math.ceil(given.rows / EMBED_ROWS), each, 0.2, given.gpus, a_batch, 20.0, losses
    )
    each = ASK_ROWS * 2 * WEIGHTS * given.tokens / (given.teraflops * 1e12)
    asking = Plan(
        math.ceil(given.questions / ASK_ROWS), each, 0.5, given.gpus, storing, OPENING, losses
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
    storing, seconds = real(batches)
    checks = []
    for name, each in (("slow", SLOW), ("fast", FAST)):
        foretold = simulate(Plan(batches, each, 0.0, WORKERS, storing)).seconds
        checks.append({"pace": name, "real": seconds[name], "simulated": foretold})
        print(
            f"{name:5} {batches} batches, {WORKERS} workers: real {seconds[name]:.1f} s, "
            f"simulated {foretold:.1f} s"
        )
    plan = large(given, storing, vectors_per_second())
    print(*tell(plan), sep="\n")
    off = max(abs(c["simulated"] / c["real"] - 1) for c in checks)
    passed = off <= CLOSE
    if given.out:
        written = {
            **provenance("ray"),
            "pass": passed,
            "batch_seconds": storing,
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
