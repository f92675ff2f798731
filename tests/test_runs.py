"""One audit is one thing: whatever stops a second run, the first stays whole until the new one is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pytest

import dataedge
from dataedge import runs
from dataedge.errors import AuditError, ExitCode
from dataedge.store import FILE, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dataedge.report.model import Report

ITEMS = 40
HOOKS = ("runs.keep_only", "runs.begin", "items", "findings", "response_findings", "outcomes", "runs.finish", "rename")  # fmt: skip

# The real audit of api.py and the real store, in processes of their own; only what lies between the
# two, minutes of computing, is replaced by four tables in which every row knows its run's seed.
# One process imports everything and forks one more for each job that a line asks for.
RUNNER = """
import json, os, signal, sys, time
from pathlib import Path
import pandas, pyarrow as pa
import dataedge.api, dataedge.load, dataedge.pipeline
from dataedge import runs
from dataedge.report.model import Report
from dataedge.store import Store

data, template = sys.argv[1:]
base = Report.model_validate_json(Path(template).read_text())


def hooked(name, function, job):
    def call(*args, **kwargs):
        chosen = job["hook"] in (name, args[1] if name == "replace" else "")
        if chosen and job["when"] == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if chosen and job["when"] == "wait":
            print("waiting", flush=True)
            time.sleep(60)
        result = function(*args, **kwargs)
        if chosen and job["when"] == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call


def run(dataset, config, passed, store, progress, read_seconds):
    ids = [f"{config.seed}-{i}" for i in range(40)]
    seeds = pa.array([config.seed] * 40)
    items = {"item": ids, "seed": seeds, "texts": [["a text"]] * 40, "target": ids}
    items |= {"row": range(40), "side": ["train"] * 40}
    store.replace("items", pa.table(items))
    store.replace("findings", pa.table({"item": ids, "found": seeds}))
    store.replace("response_findings", pa.table({"item": ids, "responded": seeds}))
    store.replace("outcomes", pa.table({"item": ids, "reached": seeds}))
    effective = {"effective": config.model_dump(mode="json")}
    return base.model_copy(update={
        "run": store.run, "views": {"known": ids[:3]}, "config": base.config.model_copy(update=effective),
    })


def work(job):
    for name in ("begin", "finish", "keep_only"):
        setattr(runs, name, hooked(f"runs.{name}", getattr(runs, name), job))
    Store.replace = hooked("replace", Store.replace, job)
    Path.replace = hooked("rename", Path.replace, job)
    dataedge.pipeline.run = run
    for seed in range(job["first"], job["last"] + 1):
        dataedge.api.audit(data, out=job["out"], seed=seed)
        print(seed, flush=True)


for line in sys.stdin:
    if pid := os.fork():
        print(pid, flush=True)
        print("ended", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        continue
    try:
        work(json.loads(line))
    except BaseException as error:
        print("failed", repr(error), flush=True)
        os._exit(1)
    os._exit(0)
"""


class Runner:
    """Audits in processes of their own, one at a time."""

    def __init__(self, script: Path, data: Path, template: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(data), str(template)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, out: Path, first: int, last: int, hook: str = "", when: str = "") -> int:
        """Audits with seeds first … last into a directory; the process that does so."""
        job = {"out": str(out), "first": first, "last": last, "hook": hook, "when": when}
        assert self.process.stdin
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return int(self.line())

    def line(self) -> str:
        """What it printed next."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def end(self) -> tuple[list[int], int]:
        """Seeds printed until it ended, and how it ended."""
        seeds = []
        while not (line := self.line()).startswith("ended"):
            assert line.isdigit(), line
            seeds.append(int(line))
        return seeds, int(line.split()[1])

    def audit(self, out: Path, seed: int) -> None:
        """One audit, to its end."""
        self.start(out, seed, seed)
        assert self.end() == ([seed], 0)


@pytest.fixture(scope="module")
def runner(
    small_audit: dataedge.Audit, small_dataset: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runner]:
    script = tmp_path_factory.mktemp("runner") / "runner.py"
    script.write_text(RUNNER)
    made = Runner(script, small_dataset, small_audit.directory / "report.json")
    yield made
    made.process.communicate()


@pytest.fixture(scope="module")
def first(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit with seed 1, to be copied."""
    out = tmp_path_factory.mktemp("first") / "out"
    runner.audit(out, 1)
    return out


def shown_seed(out: Path) -> int:
    """The seed that the report names, once items, findings and views are proven to be its own."""
    audit = dataedge.open(out)
    seed = int(audit.report.config.effective["seed"])
    joined = audit.sql(
        "select count(*), min(seed), max(seed), min(found), max(found), min(responded), max(responded) "
        "from items join findings using (item) join response_findings using (item)"
    )
    assert joined.fetchall() == [(ITEMS, *[seed] * 6)]
    assert audit.sql("select count(*) from items").fetchall() == [(ITEMS,)]
    assert list(audit.items("known")["item"]) == audit.report.views["known"]
    assert [r["item"] for r in audit.view("known").rows] == audit.report.views["known"]
    return seed


def schemas(out: Path) -> list[str]:
    with duckdb.connect(str(out / FILE), read_only=True) as con:
        found = con.execute(
            "select distinct schema_name from duckdb_schemas() where starts_with(schema_name, 'run_')"
        ).fetchall()
    return [name for (name,) in found]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("hook", HOOKS)
def test_killed_at_any_step_either_run_is_whole(
    hook: str, when: str, runner: Runner, first: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(first, out)
    runner.start(out, 2, 2, hook, when)
    assert runner.end() == ([], -signal.SIGKILL)
    switched = hook == "rename" and when == "after"
    assert shown_seed(out) == (2 if switched else 1)


def test_audits_one_after_another_never_join(runner: Runner, first: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(first, out)
    for seed in (2, 3):
        runner.audit(out, seed)
        assert shown_seed(out) == seed
        assert schemas(out) == [runs.schema(dataedge.open(out).report.run)]


def test_killed_at_any_time_either_run_is_whole(runner: Runner, tmp_path: Path) -> None:
    """At moments that nobody chose: while runs follow each other as fast as they can."""
    out, last = tmp_path / "out", 1
    runner.audit(out, last)
    for round_ in range(12):
        pid = runner.start(out, last + 1, last + 10_000)
        last = int(runner.line())
        time.sleep(0.017 * round_)
        os.kill(pid, signal.SIGKILL)
        seeds, how = runner.end()
        assert how == -signal.SIGKILL
        last = max([last, *seeds])
        assert shown_seed(out) in (last, last + 1)  # the next may have been whole, and not said so
        last = shown_seed(out)


def test_readers_wait_while_a_second_run_writes(runner: Runner, tmp_path: Path) -> None:
    out = tmp_path / "out"
    runner.audit(out, 1)
    pid = runner.start(out, 2, 2, "findings", "wait")
    assert runner.line() == "waiting"
    audit = dataedge.open(out)
    try:
        for read in (lambda: audit.items("known"), lambda: audit.sql("from items")):
            with pytest.raises(AuditError, match="is writing an audit here") as caught:
                read()
            assert caught.value.code == ExitCode.NO_CONCLUSION
    finally:
        os.kill(pid, signal.SIGKILL)
        runner.end()
    assert shown_seed(out) == 1


def test_an_interrupted_real_run_with_other_options_leaves_the_first(
    small_audit: dataedge.Audit, small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    """Another seed and a sample: other items, other sides, and the first report still fits its own."""
    out = tmp_path / "copy"
    shutil.copytree(small_audit.directory, out)
    code = (
        "import os, signal, sys, dataedge; from dataedge.store import Store\n"
        "write = Store.replace\n"
        "def stop(store, table, rows):\n"
        "    write(store, table, rows)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "Store.replace = stop\n"
        f"dataedge.audit({str(small_dataset)!r}, out={str(out)!r}, model={tiny_model!r}, "
        "probe_items=40, seed=5, limit=90)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(schemas(out)) == 2, "the second run was over, or had not begun"
    report = same_as(small_audit, out)
    again = subprocess.run(
        [sys.executable, "-m", "dataedge", "report", str(out), "--json", "-"],
        capture_output=True,
        text=True,
    )
    assert json.loads(again.stdout) == report.model_dump(mode="json"), again.stderr


def same_as(small_audit: dataedge.Audit, out: Path) -> Report:
    """The audit in a directory is the small one: report, items, sides and findings."""
    audit = dataedge.open(out)
    expected = small_audit.report
    assert audit.report.model_dump(exclude={"run"}) == expected.model_dump(exclude={"run"})
    splits = expected.dataset.splits
    sides = audit.sql("select side, count(*) from items group by side").fetchall()
    assert {s: n for s, n in sides if s != "unused"} == {
        s: splits[s] for s in ("train", "development", "evaluation") if splits[s]
    }
    joined = audit.sql("select count(*) from items join findings using (item)").fetchall()
    assert joined == [(expected.dataset.unique,)]
    for view, items in expected.views.items():
        assert list(audit.items(view)["item"]) == items
    return audit.report


def as_before_runs(out: Path) -> None:
    """Turn an audit into one of the version before: tables in main, no run in the report."""
    path = out / "report.json"
    report = json.loads(path.read_text())
    schema = runs.schema(report.pop("run"))
    path.write_text(json.dumps(report))
    with duckdb.connect(str(out / FILE)) as con:
        for table in runs.TABLES:
            con.execute(f"create table main.{table} as from {schema}.{table}")
        con.execute(f"drop schema {schema} cascade")
        con.execute("drop table runs")
        con.execute("delete from migrations where name = '_m003_runs'")


def test_an_audit_from_before_runs_opens_and_gives_way_to_the_next(
    small_audit: dataedge.Audit, runner: Runner, tmp_path: Path
) -> None:
    out = tmp_path / "old"
    shutil.copytree(small_audit.directory, out)
    as_before_runs(out)
    assert same_as(small_audit, out).run == runs.BEFORE
    runner.start(out, 2, 2, "rename", "before")
    assert runner.end() == ([], -signal.SIGKILL)
    assert same_as(small_audit, out).run == runs.BEFORE
    runner.audit(out, 3)
    assert shown_seed(out) == 3
    with duckdb.connect(str(out / FILE), read_only=True) as con:
        left = con.execute(
            "select table_name from duckdb_tables() where schema_name = 'main'"
        ).fetchall()
    assert not {name for (name,) in left} & set(runs.TABLES)
    assert ("stage_embed",) in left


def tables(seed: int, n: int = 20_000) -> dict[str, pa.Table]:
    table = pa.table({"item": [f"{seed}-{i}" for i in range(n)]})
    return dict.fromkeys(runs.TABLES, table)


def write_run(out: Path, seed: int, shown: str | None) -> str:
    with Store(out) as store:
        store.begin_run("0", {"seed": seed}, shown)
        for name, rows in tables(seed).items():
            store.replace(name, rows)
        store.finish_run()
        store.drop_other_runs()
        return store.run


def test_the_store_does_not_grow_with_every_run(tmp_path: Path) -> None:
    sizes, run = [], None
    for seed in range(6):
        run = write_run(tmp_path, seed, run)
        sizes.append((tmp_path / FILE).stat().st_size)
    assert max(sizes[2:]) <= sizes[1]
    with Store(tmp_path, read_only=True, run=str(run)) as store:
        row = store.con.execute("select run, tool, options, finished >= started from runs")
        assert row.fetchall() == [(run, "0", '{"seed": 5}', True)]


def test_runs_that_were_interrupted_one_after_another_are_all_dropped(tmp_path: Path) -> None:
    first = write_run(tmp_path, 0, None)
    for _ in range(3):
        with Store(tmp_path) as store:
            store.begin_run("0", {}, first)
            store.replace("items", tables(1)["items"])
    assert len(schemas(tmp_path)) == 2
    assert runs.schema(first) in schemas(tmp_path)


def test_a_replaced_audit_says_so(runner: Runner, tmp_path: Path) -> None:
    out = tmp_path / "out"
    runner.audit(out, 1)
    old = dataedge.open(out)
    runner.audit(out, 2)
    for read in (lambda: old.items("known"), lambda: old.sql("select 1")):
        with pytest.raises(AuditError, match="different runs") as caught:
            read()
        assert "Open it again with `dataedge report`" in caught.value.hint


def test_a_run_without_all_its_tables_is_not_filled_up_from_elsewhere(tmp_path: Path) -> None:
    write_run(tmp_path, 0, None)
    with Store(tmp_path) as store:
        store.con.execute("create table main.findings as select 'of another' as item")
        store.begin_run("0", {}, None)
        store.replace("items", tables(1)["items"])
        run = store.run
    with pytest.raises(AuditError, match="not in this store"):
        Store(tmp_path, read_only=True, run=run)


@pytest.mark.parametrize("run", ["x'; drop schema main; --", "../up", "A" * 50, 7])
def test_a_report_with_a_false_run_is_refused(
    run: object, small_audit: dataedge.Audit, tmp_path: Path
) -> None:
    report = json.loads((small_audit.directory / "report.json").read_text())
    (tmp_path / "report.json").write_text(json.dumps({**report, "run": run}))
    with pytest.raises(AuditError, match="not a report of this version"):
        dataedge.open(tmp_path)


def test_fresh_never_leaves_a_report_without_its_store(
    small_audit: dataedge.Audit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(small_audit.directory, out)
    gone: list[str] = []
    unlink = Path.unlink

    def remember(path: Path, missing_ok: bool = False) -> None:
        gone.append(path.name)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", remember)
    dataedge.api._forget(out)
    removed = [name for name in gone if not name.startswith(".")]
    assert removed[0] == "report.json"
    assert FILE in removed
    assert not os.listdir(out)
