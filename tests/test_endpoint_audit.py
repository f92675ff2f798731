"""Audits through a server: the same as here where it tells all, explained where it tells less."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

import dataedge
from dataedge.cli.app import app
from dataedge.errors import AuditError, ExitCode
from dataedge.models import open_model
from dataedge.prompt.latency import REQUESTS
from tests.models.tiny import TEXT
from tests.servers.openai_form import EVERYTHING, Behaviour, serve

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dataedge.api import Audit
    from dataedge.models.local.model import LocalModel


@pytest.fixture(scope="module")
def local(tiny_model: str) -> LocalModel:
    return open_model(tiny_model)


FEW = """
name: classify
version: 1
task: classify
summary: Two templates, for tests of what a server does to an audit.
scoring: choices
templates:
  - {name: plain, question: "{text}\\n{label_name}:", answer: " {label}", between: "\\n\\n"}
  - {name: chat, chat: true, question: "{text}\\n{label_name}:", answer: " {label}", between: "\\n\\n"}
label_forms: [given]
demonstrations: {random: [4], retrieved: [4]}
calibration: [none, batch]
"""


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A probe of few prompts in the place of the built-in one."""
    path = tmp_path_factory.mktemp("probes") / "classify.yaml"
    path.write_text(FEW)
    return str(path)


@pytest.fixture(scope="module")
def run(local: LocalModel, small_dataset: Path, few: str) -> Callable[..., Audit]:
    def audit(out: Path, behaviour: Behaviour, **options: Any) -> Audit:
        with serve(local, behaviour) as url:
            given = {"base_url": url, "model": "openai/tiny", "timeout": 20.0, **options}
            some = {"probe_items": 24, "probes": few}
            return dataedge.audit(small_dataset, out=str(out), **{**some, **given})

    return audit


@pytest.mark.long
def test_an_audit_by_text_is_the_local_one(
    run: Callable[..., Audit], small_dataset: Path, few: str, tiny_model: str, tmp_path: Path
) -> None:
    same: dict[str, Any] = {"probe_items": 32, "probes": few}
    near_by = dataedge.audit(small_dataset, out=str(tmp_path / "b"), model=tiny_model, **same)
    prices = {"price_in": 0.5, "price_out": 2.0}
    done = run(tmp_path / "a", Behaviour(), **same, **prices)
    near, here = done.report, near_by.report
    assert done.verdict.label == near_by.verdict.label
    for rung, other in zip(near.ladder, here.ladder, strict=True):
        if rung.rung not in ("zero_shot", "few_shot", "without_data", "retrieved"):
            continue
        assert rung.value is not None
        assert other.low is not None
        assert other.high is not None
        assert other.low - 1e-9 <= rung.value <= other.high + 1e-9, rung.rung
    usage = near.model.usage
    assert usage is not None
    assert usage.requests > 100
    assert usage.cost == pytest.approx(
        (usage.prompt_tokens * 0.5 + usage.completion_tokens * 2.0) / 1e6
    )
    assert near.measures["surprisal_bits_per_byte"].value is not None
    latency = next(r for r in near.reasons if r.id == "latency_and_cost")
    assert latency.evidence["cost_per_1000_requests"]["best_prompt"] > 0


@pytest.mark.long
@pytest.mark.parametrize("fault", ["shift", "nan"])
def test_no_number_of_a_lying_array_is_used(
    run: Callable[..., Audit], fault: str, tmp_path: Path
) -> None:
    done = run(tmp_path / "a", Behaviour(fault=fault))
    assert done.report.model.capabilities["choices"] == "likeliest"
    assert done.report.model.capabilities["notes"]
    assert done.measures["surprisal_bits_per_byte"].value is None
    assert "no log-probabilities" in done.measures["surprisal_bits_per_byte"].reason
    assert "likelihood" not in [s.name for s in done.report.stages]
    assert done.verdict.label in ("edge", "no_edge", "inconclusive")


@pytest.mark.parametrize(
    "offers", [pytest.param({"completions"}, marks=pytest.mark.long), {"chat"}]
)
def test_without_probabilities_accuracy_alone_is_told(
    run: Callable[..., Audit], offers: set[str], tmp_path: Path
) -> None:
    done = run(tmp_path / "a", Behaviour(offers=frozenset(offers)))
    report = done.report
    assert report.model.capabilities["choices"] == "text"
    assert report.ladder[0].unit == "accuracy"
    assert all(r.value is not None for r in report.ladder if r.rung in ("zero_shot", "learned"))
    for name in ("surprisal_bits_per_byte", "known_share", "definedness"):
        assert report.measures[name].value is None
        assert "server" in report.measures[name].reason
    assert all(r.detail.get("bits_per_item") is None for r in report.ladder)
    assert done.items("hard").empty
    assert not (tmp_path / "a" / "answers.jsonl").exists()  # the store has them all
    assert "None" not in repr(done)


@pytest.mark.long
def test_an_audit_goes_on_where_the_server_broke_off(
    local: LocalModel, small_dataset: Path, few: str, tmp_path: Path
) -> None:
    behaviour = Behaviour(fault="500", sound=300)
    options = {"out": str(tmp_path / "a"), "model": "openai/tiny", "probe_items": 24, "probes": few}
    with serve(local, behaviour) as url:
        with pytest.raises(AuditError) as caught:
            dataedge.audit(small_dataset, base_url=url, **options)
        assert caught.value.code is ExitCode.NO_CONCLUSION
        before = {json.dumps(r["body"], sort_keys=True) for r in behaviour.seen[:300]}
        behaviour.fault, count = "", len(behaviour.seen)
        done = dataedge.audit(small_dataset, base_url=url, **options)
        asked = [json.dumps(r["body"], sort_keys=True) for r in behaviour.seen[count:]]
        again = [a for a in asked if a in before and "number" in a]  # rows of the data
        dataedge.audit(small_dataset, base_url=url, **options)
        assert len(behaviour.seen) == count + len(asked)  # all is stored: nothing is asked
    assert len(again) <= 4 + 2 * REQUESTS  # what was under way, and requests that are timed
    assert not (tmp_path / "a" / "answers.jsonl").exists()
    assert done.report.status == "ok"


def test_consent_comes_before_anything_is_sent(small_dataset: Path, tmp_path: Path) -> None:
    asked = ["audit", str(small_dataset), "--out", str(tmp_path / "a"), "--model", "openai/m"]
    away = ["--base-url", "https://models.example.org/v1"]
    refused = CliRunner().invoke(app, [*asked, *away])
    assert isinstance(refused.exception, AuditError)
    assert "nothing was sent" in refused.exception.message
    assert refused.exception.code is ExitCode.USAGE
    with pytest.raises(AuditError, match="no address given"):
        dataedge.audit(small_dataset, out=str(tmp_path / "a"), model="openai/m")
    with pytest.raises(AuditError, match="--base-url is for"):
        dataedge.audit(small_dataset, out=str(tmp_path / "a"), base_url="http://localhost/v1")


def test_the_plan_says_what_would_leave(small_dataset: Path) -> None:
    away = ["--base-url", "https://models.example.org/v1", "--model", "openai/m"]
    planned = CliRunner().invoke(app, ["plan", str(small_dataset), *away, "--price-in", "0.15"])
    assert planned.exit_code == 0, planned.exception
    assert "models.example.org; refused until --send-to models.example.org" in planned.stdout
    assert "at the prices given" in planned.stdout
    agreed = [*away, "--send-to", "models.example.org"]
    planned = CliRunner().invoke(app, ["plan", str(small_dataset), *agreed])
    assert "refused" not in planned.stdout
    assert "no prices given" in planned.stdout


@pytest.mark.long
def test_the_key_is_in_no_file(
    run: Callable[..., Audit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    run(tmp_path / "a", Behaviour(offers=EVERYTHING - {"echo"}))
    for file in (tmp_path / "a").iterdir():
        assert b"very-secret" not in file.read_bytes(), file.name
    assert json.loads((tmp_path / "a" / "report.json").read_text())["model"]["usage"]["requests"]


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prompts with short responses that follow from a word of theirs."""
    towns = ["Leeds", "York", "Hull", "Ripon", "Selby", "Skipton", "Thirsk", "Malton"]
    words = " ".join(TEXT).split()
    rng = random.Random(0)
    rows = [
        {
            "prompt": f"{' '.join(rng.sample(words, 8))}: which line serves {towns[i % 8]}, {towns[i % 8]}",
            "completion": f"line {i % 8}",
        }
        for i in range(100)
    ]
    path = tmp_path_factory.mktemp("data") / "lines.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.long
def test_short_responses_are_judged_by_exact_match(
    local: LocalModel, questions: Path, tmp_path: Path
) -> None:
    with serve(local, Behaviour(offers=frozenset({"completions"}))) as url:
        options = {"base_url": url, "model": "openai/tiny", "out": str(tmp_path / "a")}
        done = dataedge.audit(questions, probe_items=24, task="generate", **options)
    assert {rung.unit for rung in done.report.ladder} == {"exact match"}
    learned = done.ladder.loc["learned"]
    assert learned["value"] > 0.5  # the nearest question names the same town
    assert done.verdict.label in ("edge", "no_edge", "inconclusive")
    assert "points of exact match" in done.verdict.why[0]
    for name in ("known_share", "surprisal_bits_per_byte", "definedness"):
        assert done.measures[name].value is None
        assert "no log-probabilities" in done.measures[name].reason


def test_long_responses_and_plain_text_need_log_probabilities(
    local: LocalModel, tmp_path: Path
) -> None:
    words = [f"the {a} of {b} is {c}" for a in "pqrstu" for b in "vwxyz" for c in "klmno"]
    long = tmp_path / "long.jsonl"
    long.write_text(
        "".join(json.dumps({"prompt": w, "completion": " ".join([w] * 4)}) + "\n" for w in words)
    )
    plain = tmp_path / "plain.jsonl"
    plain.write_text("".join(json.dumps({"text": " and ".join([w] * 4)}) + "\n" for w in words))
    with serve(local, Behaviour(offers=frozenset({"completions"}))) as url:
        for data in (long, plain):
            with pytest.raises(AuditError, match="bits per byte") as caught:
                dataedge.audit(
                    data, base_url=url, model="openai/tiny", out=str(tmp_path / data.stem)
                )
            assert caught.value.code is ExitCode.NO_CONCLUSION
            assert "server" in caught.value.message


@pytest.mark.long
def test_responses_are_told_in_bits_where_the_server_scores_text(
    local: LocalModel, questions: Path, tmp_path: Path
) -> None:
    with serve(local, Behaviour()) as url:
        options = {"base_url": url, "model": "openai/tiny", "out": str(tmp_path / "a")}
        done = dataedge.audit(questions, probe_items=24, task="generate", **options)
    assert {rung.unit for rung in done.report.ladder} == {"bits/byte"}
    assert done.ladder.loc["learned", "value"] < done.ladder.loc["chance", "value"]
    assert done.measures["definedness"].value is not None
    assert "server" in done.measures["knowledge"].reason  # nothing is drawn from a server
