"""The whole path on a small dataset and a tiny model; the embedder is the real one."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

import dataedge
from dataedge.errors import AuditError
from dataedge.report.model import Report, without_timings
from tests.test_text_audits import pairs

MEASURES = {
    "known_share",
    "surprisal_bits_per_byte",
    "label_noise",
    "label_conflicts",
    "duplicate_share",
    "near_duplicate_share",
    "effective_rows",
    "definedness",
    "disagreement",
    "examples_needed",
    "bits_learned",
    "class_balance",
    "tokens",
}


def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dataedge", *args],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        check=False,
    )


def test_the_report_is_whole(small_audit: dataedge.Audit) -> None:
    report = small_audit.report
    assert [r.rung for r in report.ladder] == [
        "chance", "zero_shot", "few_shot", "without_data", "retrieved", "prompted", "learned", "with_data", "repaired",
        "more_data",
    ]  # fmt: skip
    assert set(report.measures) >= MEASURES
    assert [r.id for r in report.reasons] == [
        "prompting_ceiling", "prompting_impractical", "data_edge", "latency_and_cost",
    ]  # fmt: skip
    for figure in [*report.ladder, *report.measures.values()]:
        assert (figure.value is None) == (
            figure.status not in ("ok", "underpowered")
        ) or figure.reason
        assert figure.value is None or math.isfinite(figure.value)
        assert figure.status == "ok" or figure.reason
    text = (small_audit.directory / "report.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert Report.model_validate_json(text) == report


def test_the_learner_finds_what_the_labels_say(small_audit: dataedge.Audit) -> None:
    """Labels follow from the place names; a random model cannot know that, the learner can."""
    ladder = small_audit.ladder
    assert ladder.loc["learned", "value"] > ladder.loc["zero_shot", "value"]
    assert small_audit.edge.value is not None


def test_development_and_evaluation_are_disjoint_and_train_is_neither(
    small_audit: dataedge.Audit,
) -> None:
    sides = small_audit.sql(
        "select side, count(*) n, count(distinct item) d from items group by side"
    ).df()
    assert (sides["n"] == sides["d"]).all()
    shared = small_audit.sql(
        "select cluster from items where side in ('train', 'development', 'evaluation') "
        "group by cluster having count(distinct side) > 1"
    )
    assert shared.df().empty


def test_python_interface(small_audit: dataedge.Audit) -> None:
    again = dataedge.open(small_audit.directory)
    assert again.report == small_audit.report
    assert isinstance(again.ladder, pd.DataFrame)
    assert len(again.items("edge")) == len(again.report.views["edge"])
    assert list(again.items("known")["item"]) == again.report.views["known"]
    with pytest.raises(AuditError, match="no view"):
        again.items("nonsense")
    with pytest.raises((AuditError, duckdb.Error)):
        again.sql("drop table items")
    with pytest.raises(AuditError, match="nothere"):
        again.sql("select * from nothere")
    assert "Audit of" in repr(again)


def test_same_input_flags_and_seed_same_report(
    small_audit: dataedge.Audit, small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    other = dataedge.audit(small_dataset, out=str(tmp_path / "b"), model=tiny_model, probe_items=40)
    first, second = (
        without_timings(a.report.model_dump(mode="json")) for a in (small_audit, other)
    )
    first["config"], second["config"] = None, None  # the directory is part of it
    assert first == second


def test_row_order_does_not_matter(
    small_audit: dataedge.Audit, small_dataset: Path, tiny_model: str
) -> None:
    """Neither for identity nor for the split."""
    from dataedge.load import load

    head, *rows = small_dataset.read_text().splitlines()
    frame = pd.read_csv(small_dataset).iloc[::-1]
    assert load(frame).fingerprint == small_audit.report.dataset.fingerprint
    assert head == "text,label"
    assert len(rows) == small_audit.report.dataset.rows


def test_a_second_run_asks_the_model_nothing(
    small_dataset: Path, tiny_model: str, small_audit: dataedge.Audit, tmp_path: Path
) -> None:
    out = str(shutil.copytree(small_audit.directory, tmp_path / "again"))
    code = (
        "import sys, dataedge; "
        f"dataedge.audit({str(small_dataset)!r}, out={out!r}, model={tiny_model!r}, probe_items=40); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize("task", ["classify", pytest.param("generate", marks=pytest.mark.long)])
def test_other_thresholds_fit_nothing_anew(
    task: str,
    small_dataset: Path,
    tiny_model: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Classifiers, calibrations, n-gram mixtures and matrices: only what goes in fits them anew."""
    import numpy as np

    from dataedge.learner.classifier import Learner
    from dataedge.learner.ngram import NGram
    from dataedge.prompt import calibration

    fits: Counter[str] = Counter()
    enough = False

    def counted(owner: Any, name: str) -> None:
        was = getattr(owner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if enough:
                raise InterruptedError
            fits[name] += 1
            return was(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    counted(Learner, "fit")
    counted(NGram, "evidence")
    counted(calibration, "fit")
    for name in ("eigh", "svd", "solve", "inv", "cholesky"):
        counted(np.linalg, name)
    data = small_dataset
    if task == "generate":
        data = tmp_path / "pairs.jsonl"
        data.write_text("\n".join(json.dumps(r) for r in pairs(defined=True)))
    options: dict[str, Any] = {"out": str(tmp_path / "a"), "model": tiny_model, "probe_items": 40}
    dataedge.audit(data, **options)
    assert fits["evidence" if task == "generate" else "fit"] > 0
    fits.clear()
    again = dataedge.audit(data, **options, delta=0.2, target=0.9)
    assert not fits
    assert again.report.config.effective["delta"] == 0.2
    enough = True
    with pytest.raises(InterruptedError):
        dataedge.audit(data, **options, seed=1)


def test_a_failed_proof_is_not_remembered(
    small_dataset: Path, tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once what stood in its way is mended, the same command goes through, without --fresh."""

    from dataedge.models import capability_tests

    options = {"out": str(tmp_path / "a"), "model": tiny_model, "probe_items": 40}
    with monkeypatch.context() as patch:
        patch.setattr(capability_tests, "why_doubted", lambda *_, **__: "it stutters.")
        with pytest.raises(AuditError, match="it stutters") as caught:
            dataedge.audit(small_dataset, **options)
    assert caught.value.code == 3
    assert dataedge.audit(small_dataset, **options).report.status == "ok"


def test_precision_is_part_of_a_results_key(
    small_audit: dataedge.Audit, small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    """Answers in bfloat16 are never taken for those in float32; what was proven is not either."""
    out = tmp_path / "copy"
    shutil.copytree(small_audit.directory, out)
    options = {"out": str(out), "model": tiny_model, "probe_items": 40}
    first = small_audit.report.model.precision  # what this machine's processor asks for
    other = {"float32": "bfloat16", "bfloat16": "float32"}[first]
    found = dataedge.audit(small_dataset, dtype=other, **options).report
    assert found.model.precision == other
    assert bool(found.model.capabilities["scatter_nats"]) == (other == "bfloat16")
    with duckdb.connect(str(out / "audit.duckdb"), read_only=True) as store:
        asked = "select distinct params->>'precision' from stages where stage = 'choices'"
        assert set(store.execute(asked).fetchall()) == {("float32",), ("bfloat16",)}
    back = dataedge.audit(small_dataset, dtype=first, **options).report
    assert back.model.precision == first
    assert back.edge == small_audit.report.edge


def test_a_servers_precision_is_not_ours(small_dataset: Path) -> None:
    done = run(
        "audit", str(small_dataset), "--model", "openai/x", "--base-url", "http://localhost:1/v1",
        "--dtype", "bfloat16",
    )  # fmt: skip
    assert done.returncode == 2
    assert "--dtype bfloat16 is for weights on this machine" in done.stderr


@pytest.mark.long
def test_killed_in_the_middle_it_goes_on_where_it_stopped(
    small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    command = [
        sys.executable, "-m", "dataedge", "audit", str(small_dataset),
        "--out", str(out), "--model", tiny_model, "--probe-items", "40", "--quiet",
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wal = out / "audit.duckdb.wal"
    deadline = time.monotonic() + 120
    before_last = 0
    while time.monotonic() < deadline and process.poll() is None:
        size = wal.stat().st_size if wal.exists() else 0
        if (
            size > 120_000 and size == before_last
        ):  # the vectors are written, and no longer being written
            break
        before_last = size
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "report.json").exists(), "the run was over before it could be killed"
    query = "select count(*) from {}"
    with duckdb.connect(str(out / "audit.duckdb")) as con:
        before = {
            t: con.execute(query.format(t)).fetchone()[0]
            for (t,) in con.execute(
                "select table_name from duckdb_tables() where starts_with(table_name, 'stage_')"
            ).fetchall()
        }
    assert before.get("stage_embed"), "nothing was stored before the kill"
    done = run(*command[3:])
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(out / "audit.duckdb"), read_only=True) as con:
        for table, count in before.items():
            units = con.execute(
                f"select count(*), count(distinct (key, unit)) from {table}"
            ).fetchone()
            assert units[0] == units[1] >= count, "a stored unit was computed again"


def test_frames_and_datasets_are_audited_like_files(
    small_dataset: Path, small_audit: dataedge.Audit
) -> None:
    import datasets

    from dataedge.load import load

    frame = pd.read_csv(small_dataset)
    wanted = small_audit.report.dataset.fingerprint
    assert load(frame).fingerprint == wanted
    assert load(datasets.Dataset.from_pandas(frame)).fingerprint == wanted


def test_html_is_escaped_and_kept_to_itself(small_audit: dataedge.Audit) -> None:
    data = small_audit.report.model_dump()
    data["dataset"]["path"] = "<script>alert(1)</script>"
    data["verdict"]["why"][0] = "<img src=x onerror=alert(2)>"
    page = dataedge.Audit(small_audit.directory, Report.model_validate(data))._repr_html_()
    assert "<script>" not in page
    assert "<img" not in page
    assert "shadowrootmode" in page
    assert "without_data" in page


def test_where_one_label_leads_balanced_accuracy_is_the_headline(
    small_audit: dataedge.Audit, small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    rung = next(r for r in small_audit.report.ladder if r.rung == "learned")
    assert rung.unit == "accuracy"
    assert rung.detail["balanced_accuracy"]["low"] <= rung.detail["balanced_accuracy"]["value"]
    assert set(small_audit.report.edge.parts) == {"balanced accuracy"}
    head, *rows = small_dataset.read_text().splitlines()
    one = [r for r in rows if r.endswith("cold")]
    few = [r for r in rows if r.endswith("warm")][: len(one) // 6]
    data = tmp_path / "imbalanced.csv"
    data.write_text("\n".join([head, *one, *few]) + "\n")
    done = dataedge.audit(
        data, out=str(tmp_path / "a"), model=tiny_model, probe_items=40, delta_balanced=0.07
    ).report
    assert done.edge.unit == done.ladder[0].unit == "balanced accuracy"
    assert done.ladder[0].value == 0.5
    assert done.ladder[0].detail["accuracy"]["value"] > 0.8
    assert set(done.edge.parts) == {"accuracy"}
    assert "(δ 0.07)" in done.verdict.why[0]
    assert done.verdict.limits["volume"].value is None


TERMS = ("new to the model", "enough of it", "clean", "well defined")


def test_the_four_terms_stand_at_the_top_of_every_rendering(small_audit: dataedge.Audit) -> None:
    report = small_audit.report
    assert tuple(t.name for t in report.terms) == TERMS
    assert small_audit.terms == report.terms
    where = str(small_audit.directory)
    first = run("report", where, COLUMNS="180").stdout
    for term in report.terms:
        assert re.search(rf"{term.name} +{term.answer} ", first)
    done = run("report", where, "--details", COLUMNS="240").stdout.splitlines()
    begin = done.index(next(line for line in done if line.startswith(TERMS[0])))
    for line, term in zip(done[begin : begin + 4], report.terms, strict=True):
        assert line.startswith(term.name)
        assert f" {term.answer} " in line
        assert term.sentence in line
    page = small_audit._repr_html_()
    places = [page.index(text) for text in (*TERMS, report.verdict.why[0][:20], "without_data")]
    assert places == sorted(places)


def test_a_report_of_the_version_before_still_opens(
    small_audit: dataedge.Audit, tmp_path: Path
) -> None:
    """It has no terms, no limits and no flag; all renderings do without."""
    out = tmp_path / "old"
    shutil.copytree(small_audit.directory, out)
    data = json.loads((out / "report.json").read_text())
    del data["terms"], data["verdict"]["limits"], data["verdict"]["flag"]
    data["verdict"]["limited_by"], data["verdict"]["advice"] = "novelty", "prompt"
    (out / "report.json").write_text(json.dumps(data))
    old = dataedge.open(out)
    assert old.report.terms == []
    assert "without_data" in old._repr_html_()
    assert "Ladder" in run("report", str(out), "--details").stdout
    assert old.verdict.advice == "prompt"


def test_json_on_stdout_is_the_report(small_audit: dataedge.Audit) -> None:
    done = run("report", str(small_audit.directory), "--json", "-")
    assert json.loads(done.stdout) == json.loads(
        (small_audit.directory / "report.json").read_text()
    )


def test_the_first_screen_says_the_verdict_and_details_say_all(small_audit: dataedge.Audit) -> None:
    where = str(small_audit.directory)
    first = run("report", where, COLUMNS="80").stdout
    # the path of this audit takes lines of its own, and so does what an open verdict leaves open, and why
    assert len(first.splitlines()) <= 33
    assert small_audit.verdict.label.upper().replace("_", " ") in first.splitlines()[2]
    assert f"dataedge report {where} --details".replace(" ", "") in "".join(first.split())
    assert "Measures" not in first
    whole = run("report", where, "--details", COLUMNS="140").stdout
    for word in ("Ladder", "Measures", "Reasons to fine-tune", "Is the data"):
        assert word in whole


def test_schema_describes_the_report(small_audit: dataedge.Audit) -> None:
    schema = json.loads(run("schema").stdout)
    assert set(schema["required"]) <= set(small_audit.report.model_dump())
    assert schema["properties"]["schema_version"]["const"] == 2


def test_plan_runs_nothing(small_dataset: Path, tiny_model: str, tmp_path: Path) -> None:
    done = run("plan", str(small_dataset), "--model", tiny_model, "--out", str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    for word in ("rows", "tokens", "forward passes", "time", "nothing leaves"):
        assert word in done.stdout
    assert not (tmp_path / "none").exists()


def test_items_as_csv_and_jsonl(small_audit: dataedge.Audit) -> None:
    lines = run(
        "items", str(small_audit.directory), "--view", "known", "--worst", "3", "--jsonl"
    ).stdout
    rows: list[dict[str, Any]] = [json.loads(line) for line in lines.splitlines()]
    assert 0 < len(rows) <= 3
    assert {"item", "texts", "target", "p_without", "p_with"} <= set(rows[0])
    csv = run("items", str(small_audit.directory), "--view", "known").stdout
    assert csv.startswith("item,")


@pytest.mark.long
def test_fresh_forgets_a_broken_store_but_not_one_in_use(
    small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    from dataedge.store import FILE

    out = tmp_path / "out"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from dataedge.store import Store\n"
            f"s = Store({str(out)!r}); s.put_note('kept', 1); print('open', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    done = run("audit", str(small_dataset), "--out", str(out), "--model", tiny_model, "--fresh")
    assert done.returncode == 3, done.stderr
    assert "is writing an audit here" in done.stderr
    assert (out / FILE).exists()
    holder.communicate("")
    (out / FILE).write_bytes(b"not a database" * 500)
    done = run(
        "audit", str(small_dataset), "--out", str(out), "--model", tiny_model,
        "--probe-items", "40", "--fresh", "--quiet",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
