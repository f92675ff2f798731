"""A cluster of a head and two machines, each a process of its own on this one."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

import dataedge
from dataedge.config import AuditConfig, make_config
from dataedge.engine.local import Engine
from dataedge.engine.ray import RayEngine, check_engine, engine_of
from dataedge.engine.ray.cluster import Cluster, Share, check_answers
from dataedge.engine.ray.tasks import batch_rows
from dataedge.errors import AuditError
from dataedge.models.proven import lazy_base_model
from dataedge.prepare.vectors import Embed, embed
from dataedge.progress import Progress
from dataedge.prompt.scores import Choices, Likelihood, ask_choices, ask_likelihood
from dataedge.report.model import without_timings
from dataedge.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataedge.report.model import Report

QUIET = Progress(quiet=True)
SETTINGS_DECIDE = re.compile(r"\.bits_learned\.|\.shuffled_labels\.|\.curve\[\d+\]\.bits$")


class Length:
    """Counts characters; at a text of the name it does what that says."""

    name, version, batch_size = "length", 1, 4
    opens = "base_model"
    stays_here = False

    def __init__(self, marks: str = "") -> None:
        self.marks = marks

    def params(self) -> dict[str, Any]:
        return {}

    def setup(self) -> None:
        pass

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch["text"].to_pylist()
        if "refuse" in texts:
            raise AuditError("nobody may read this", hint="Leave it out with --limit")
        if "die" in texts or self._first_time("die once", texts):
            os.kill(os.getpid(), signal.SIGKILL)
        if "bad" in texts:
            raise ValueError("cannot read this one")
        time.sleep(0.02)
        return pa.record_batch({"unit": batch["unit"], "length": [len(t) for t in texts]})

    def _first_time(self, what: str, texts: list[str]) -> bool:
        if what not in texts:
            return False
        try:
            os.close(os.open(self.marks, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True


def table(texts: list[str]) -> pa.Table:
    return pa.table({"unit": [f"u-{t}" for t in texts], "text": texts})


@pytest.fixture(scope="module")
def machines() -> Iterator[Any]:
    pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    from ray.cluster_utils import Cluster as Machines

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not have the tests
    started = Machines(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    for _ in range(2):
        started.add_node(num_cpus=1)
    yield started
    ray.shutdown()
    started.shutdown()


@pytest.fixture
def engine(machines: Any, tmp_path: Path) -> Iterator[RayEngine]:
    with Store(tmp_path) as store:
        made = RayEngine(store, QUIET, cluster=Cluster(machines.address))
        yield made
        made.close()


def test_the_engine_is_the_one_that_is_named(tmp_path: Path) -> None:
    config = AuditConfig(
        engine="ray", ray_address="head:6379", ray_cpus=2, ray_gpus=0.5, ray_embed_gpus=0
    )
    with Store(tmp_path) as store:
        made = engine_of(config)(store, QUIET)
        assert isinstance(made, RayEngine)
        assert made.cluster.address == "head:6379"
        assert made.cluster.shares == {"base_model": Share(2, 0.5), "embedder": Share(2, 0)}
        assert type(engine_of(AuditConfig())(store, QUIET)) is Engine


@pytest.mark.long
def test_a_stage_of_many_batches_is_computed_by_both_machines(engine: RayEngine) -> None:
    texts, before = ["x" * i for i in range(1, 60)], signal.getsignal(signal.SIGTERM)
    found = engine.run(Length(), table([*texts, "bad"]))
    assert signal.getsignal(signal.SIGTERM) is before  # Ray puts its own there
    assert found["length"].to_pylist() == [*range(1, 60), None]
    assert found["error"].to_pylist()[-1] == "ValueError: cannot read this one"
    assert engine.records["length"].failed == 1
    assert engine.lost == 0
    assert engine.run(Length(), table(texts))["length"].to_pylist() == [*range(1, 60)]
    assert engine.records["length"].reused == 59  # the store is asked first, as on one machine


@pytest.mark.long
def test_what_a_lost_worker_had_in_hand_is_done_by_another(
    engine: RayEngine, tmp_path: Path
) -> None:
    texts = ["x" * i for i in range(1, 60)]
    found = engine.run(
        Length(str(tmp_path / "mark")), table([*texts[:30], "die once", *texts[30:]])
    )
    assert sorted(found["length"].to_pylist()) == sorted([*range(1, 60), 8])
    assert found["error"].null_count == 60
    assert engine.lost == 1


@pytest.mark.long
def test_a_batch_that_ends_every_worker_stops_the_audit_and_the_rest_is_kept(
    engine: RayEngine,
) -> None:
    with pytest.raises(AuditError, match="4 workers in turn were lost over one batch") as caught:
        engine.run(Length(), table([*("x" * i for i in range(1, 60)), "die"]))
    assert "--ray-cpus" in (caught.value.hint or "")
    engine.close()
    kept = Engine(engine.store, QUIET)
    kept.run(Length(), table(["x" * i for i in range(40, 60)]))
    assert kept.records["length"].reused > 0


@pytest.mark.long
def test_what_a_stage_says_of_itself_is_said_here(engine: RayEngine) -> None:
    with pytest.raises(AuditError, match="nobody may read this") as caught:
        engine.run(Length(), table(["a", "refuse"]))
    assert caught.value.hint == "Leave it out with --limit"


@pytest.mark.long
def test_more_than_a_machine_has_is_said(machines: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("dataedge.engine.ray.pool.PATIENCE", 3.0)
    with Store(tmp_path) as store:
        big = RayEngine(
            store, QUIET, cluster=Cluster(machines.address, {"base_model": Share(cpus=64)})
        )
        with pytest.raises(AuditError, match="one takes 64 CPUs and 0 GPUs, the largest") as caught:
            big.run(Length(), table(["a"]))
        assert "--ray-cpus" in (caught.value.hint or "")
        big.close()


@pytest.mark.long
def test_a_worker_without_the_model_says_so(
    engine: RayEngine, tiny_model: str, tmp_path: Path
) -> None:
    import shutil

    copied = shutil.copytree(tiny_model.removeprefix("hf/"), tmp_path / "model")
    lazy_model = lazy_base_model(AuditConfig(model=f"hf/{copied}"))
    lazy_model.proven = lazy_model.abilities()
    shutil.rmtree(copied)
    with pytest.raises(AuditError, match=str(copied)):
        ask_choices(engine, Choices(lazy_model, ["cold", "warm"]), ["the first", "the second"])


@pytest.mark.long
def test_a_batch_of_failures_is_no_reason_to_stop_before_it_is_as_large_as_on_one_machine(
    engine: RayEngine,
) -> None:
    class Wide(Length):
        batch_size = 64

        def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
            if any(len(t) > 30 for t in batch["text"].to_pylist()):
                raise ValueError("too long")
            return super().__call__(batch)

    texts = ["x" * i for i in range(1, 41)]
    assert engine.run(Wide(), table(texts))["error"].null_count == 30
    assert batch_rows(40, 64, 2) == 20  # and the ten longest came first


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "refused"),
        ("head", "HOST:PORT"),
        ("no.such.host.invalid:6379", "--ray-address"),
    ],
)
def test_where_nothing_answers_that_is_said_at_once(address: str, said: str) -> None:
    started = time.perf_counter()
    with pytest.raises(AuditError, match=said):
        check_answers(address)
    assert time.perf_counter() - started < 30


def test_options_of_a_cluster_without_one_are_refused() -> None:
    with pytest.raises(AuditError, match="--ray-gpus is for --engine ray"):
        check_engine(AuditConfig(ray_gpus=1), {"ray_gpus": 1})
    check_engine(AuditConfig(ray_gpus=1), {"ray_gpus": 1, "engine": "local"})  # said by name
    check_engine(AuditConfig(), {})


@pytest.mark.parametrize("shares", [{"ray_gpus": 1.5}, {"ray_cpus": 0}, {"ray_cpus": float("inf")}])
def test_shares_that_no_cluster_can_give_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(AuditError, match="--ray-"):
        make_config(shares)


@pytest.mark.long
@pytest.mark.models
def test_vectors_and_answers_are_those_of_one_machine(
    engine: RayEngine, tiny_model: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    texts = [f"the {i}th parcel of the morning" for i in range(70)]
    lazy_model = lazy_base_model(AuditConfig(model=tiny_model))
    lazy_model.proven = lazy_model.abilities()
    with Store(tmp_path_factory.mktemp("local")) as store:
        here = Engine(store, QUIET)
        for made in (here, engine):
            made.vectors = embed(made, Embed("embedded"), texts)  # type: ignore[attr-defined]
            asked = ask_choices(made, Choices(lazy_model, ["cold", "warm"]), texts)
            made.scores = asked.scores  # type: ignore[attr-defined]
            bits = ask_likelihood(made, Likelihood(lazy_model), texts, [" came"] * 70)
            made.bits = [b.bits for b in bits if b]  # type: ignore[attr-defined]
    for what, close in (("vectors", 1e-5), ("scores", 1e-3), ("bits", 1e-3)):
        np.testing.assert_allclose(getattr(engine, what), getattr(here, what), atol=close)


@pytest.mark.long
@pytest.mark.models
def test_an_audit_on_a_cluster_that_loses_a_worker_reports_what_one_on_a_machine_does(
    machines: Any, tiny_model: str, small_dataset: Path, small_audit: Any, tmp_path: Path
) -> None:
    killed: list[int] = []
    killer = Thread(target=kill_one, args=(killed,))
    killer.start()
    on_cluster = dataedge.audit(
        small_dataset, out=str(tmp_path / "ray"), model=tiny_model, probe_items=40, quiet=True,
        engine="ray", ray_address=machines.address,
    )  # fmt: skip
    killer.join()
    assert killed
    assert list(differing(said(small_audit.report), said(on_cluster.report))) == []


@pytest.mark.long
@pytest.mark.models
def test_an_audit_whose_process_is_killed_goes_on(
    machines: Any, tiny_model: str, small_dataset: Path, small_audit: Any, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    command = [
        sys.executable, "-m", "dataedge", "audit", str(small_dataset), "--out", str(out), "--model", tiny_model,
        "--probe-items", "40", "--engine", "ray", "--ray-address", machines.address,
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as killed:
        assert killed.stderr is not None
        for line in killed.stderr:
            if "get the texts to ask the base model" in line:
                break
        killed.kill()
    while workers():  # those of the killed process end by themselves
        time.sleep(0.1)
    lost: list[int] = []
    killer = Thread(target=kill_one, args=(lost,))
    killer.start()
    done = subprocess.run([*command, "--json", "-"], capture_output=True, text=True, check=False)
    killer.join()
    assert done.returncode == 0, done.stderr
    assert lost
    assert done.stdout.startswith("{"), done.stdout[:300]
    report = json.loads(done.stdout)  # nothing of Ray's own stands beside it
    embedded = next(s for s in report["stages"] if s["name"] == "embed")
    assert embedded["seconds"] == 0  # all of it was there
    assert list(differing(said(small_audit.report), said(dataedge.open(out).report))) == []


@pytest.mark.long
def test_a_machine_that_is_switched_off_leaves_the_rest_to_the_other(
    machines: Any, engine: RayEngine
) -> None:
    going = machines.add_node(num_cpus=1)
    texts = ["x" * i for i in range(1, 400)]

    def off(stage: Any, todo: pa.Table, done: Any = engine.computed) -> Any:
        for i, batch in enumerate(done(stage, todo)):
            if i == 8:
                machines.remove_node(going, allow_graceful=False)
            yield batch

    engine.computed = off  # type: ignore[method-assign]
    found = engine.run(Length(), table(texts))
    assert found["length"].to_pylist() == [*range(1, 400)]


def workers() -> list[int]:
    """Processes of workers, whatever they do."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if place.read_bytes().startswith(b"ray::Worker"):
                found.append(int(place.parent.name))
    return found


def kill_one(killed: list[int]) -> None:
    """Kill a worker; there is one within five minutes, on a busy machine too."""
    for _ in range(6000):
        if found := workers():
            killed.append(found[0])
            os.kill(found[0], signal.SIGKILL)
            return
        time.sleep(0.05)


def said(report: Report) -> dict[str, Any]:
    """A report without times, and without the options that it was made with."""
    found: dict[str, Any] = without_timings(report.model_dump(mode="json"))
    del found["config"]
    return found


def differing(one: Any, other: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two reports differ by more than the last digits that another batch leaves.

    Of a learner's settings some are about as good as each other, most of all where labels follow from
    nothing or rows are few; which is the best can hang on those digits.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from differing(one.get(key), other.get(key), f"{at}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            yield from differing(a, b, f"{at}[{i}]")
    elif isinstance(one, float) and isinstance(other, float):
        close = 0.05 if SETTINGS_DECIDE.search(at) else 1e-4
        if not np.isclose(one, other, rtol=close, atol=close):
            yield at, one, other
    elif one != other:
        yield at, one, other
