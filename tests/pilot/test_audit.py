"""`--pilot` through the whole audit, with a model that learns in seconds."""

from __future__ import annotations

import io
import json
import random
import warnings
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

import dataedge
from dataedge.cli.options import completed
from dataedge.cli.plan import plan
from dataedge.engine.values import digest
from dataedge.errors import AuditError
from dataedge.learning_curve.fine_tune_curve import MoreRows, Size
from dataedge.pilot import amount, fine_tune, run, rungs
from dataedge.pilot import second as second_one
from dataedge.pilot.answers import Example
from dataedge.pilot.checkpoint import FILE
from dataedge.pilot.fine_tune import Trained
from dataedge.pilot.recipe import Recipe
from dataedge.report import sentences
from dataedge.report.first_screen import first_screen
from dataedge.report.page.sections import ladder_sentence
from dataedge.report.terminal import show_details

if TYPE_CHECKING:
    from pathlib import Path

FEW = """
name: classify
version: 1
task: classify
summary: Two templates.
scoring: choices
templates:
  - {name: plain, question: "{text}\\n{label_name}:", answer: " {label}", between: "\\n\\n"}
label_forms: [given]
demonstrations: {random: [4], retrieved: [4]}
calibration: [none, batch]
"""


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> dict[str, object]:
    probe = tmp_path_factory.mktemp("probes") / "classify.yaml"
    probe.write_text(FEW)
    return {"model": tiny_model, "probe_items": 40, "probes": str(probe), "pilot": 2.0}


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows whose label follows from one of two words."""
    rng = random.Random(0)
    rows = ["text,label"]
    for i in range(140):
        card = rng.random() < 0.5
        rows.append(
            f"{i} {'card' if card else 'transfer'} {rng.randrange(100)},{'fee' if card else 'sea'}"
        )
    path = tmp_path_factory.mktemp("data") / "topics.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audits") / "piloted"


@pytest.fixture(scope="module")
def audited(topics: Path, out: Path, options: dict[str, object]) -> dataedge.Audit:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rungs, "Recipe", lambda: Recipe(learning_rate=2e-2, epochs=6, steps=0))
        return dataedge.audit(topics, out=str(out), **options)  # type: ignore[arg-type]


def test_what_a_fine_tune_reaches_is_measured_on_the_same_items(audited: dataedge.Audit) -> None:
    report = audited.report
    ladder = {r.rung: r for r in report.ladder}
    tuned = ladder["tuned"]
    assert tuned.n == ladder["prompted"].n
    assert tuned.detail["train_items"] == report.dataset.splits["train"]
    assert tuned.detail["how"].startswith("measured: fine-tuned")
    assert len(tuned.detail["development_losses"]) == 7
    assert report.tuning_gain.basis == "measured"
    assert report.tuning_gain.value == pytest.approx(tuned.value - ladder["prompted"].value)
    assert tuned.value > ladder["without_data"].value + 0.2
    assert abs(tuned.detail["forgotten_bits_per_byte"]) > 0


def test_a_second_run_tunes_nothing(
    audited: dataedge.Audit,
    topics: Path,
    out: Path,
    options: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rungs, "Recipe", lambda: Recipe(learning_rate=2e-2, epochs=6, steps=0))
    monkeypatch.setattr(run, "own_copy", lambda _: pytest.fail("opened to be tuned"))
    again = dataedge.audit(topics, out=str(out), **options)  # type: ignore[arg-type]
    assert again.report.tuning_gain == audited.report.tuning_gain


def test_one_that_was_broken_off_goes_on_and_tells_the_same(
    audited: dataedge.Audit, topics: Path, tmp_path: Path, options: dict[str, object]
) -> None:
    made, step = [], fine_tune._step

    def stopping(*given: object) -> None:
        made.append(step(*given))  # type: ignore[arg-type]
        if len(made) == 30:
            raise KeyboardInterrupt

    def again() -> dataedge.Audit:
        return dataedge.audit(topics, out=str(tmp_path), **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rungs, "Recipe", lambda: Recipe(learning_rate=2e-2, epochs=6, steps=0))
        patch.setattr(fine_tune, "_step", stopping)
        with pytest.raises(KeyboardInterrupt):
            again()
        assert (tmp_path / FILE).is_file()
        found = {rung.rung: rung for rung in again().report.ladder}["tuned"]
    whole = {rung.rung: rung for rung in audited.report.ladder}["tuned"]
    assert found.value == whole.value
    assert found.detail["development_losses"] == whole.detail["development_losses"]
    each = -(-found.detail["train_items"] // 8)
    assert each * 6 < len(made) < each * 7, (
        "the pass that was broken off is run again, and no other"
    )
    assert not (tmp_path / FILE).exists()


def test_a_part_of_the_rows_tells_what_all_would(
    topics: Path,
    tmp_path: Path,
    options: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is told beyond 40 rows is weighed with what the proxy predicts; what it is, others test."""
    given, asked = Recipe(learning_rate=2e-2, epochs=6, steps=0, rows=40), []

    def gain(few: Size, many: Size, rows: int, *_: object, **__: object) -> MoreRows:
        asked.append((few.rows, many.rows, rows))
        return MoreRows(0.05, 0.0, 0.1, len(few.errors), "accuracy", rows=rows, of=many.rows)

    monkeypatch.setattr(rungs, "Recipe", lambda: given)
    monkeypatch.setattr(rungs, "gain_of_more_rows", gain)
    out = str(tmp_path / "part")
    report = dataedge.audit(topics, out=out, **options).report  # type: ignore[arg-type]
    ladder, train = {r.rung: r for r in report.ladder}, report.dataset.splits["train"]
    assert asked == [(10, 40, train)]
    part, whole = ladder["tuned"], ladder["tuned_all"]
    assert (part.detail["train_items"], whole.detail["train_items"]) == (40, train)
    assert whole.value == pytest.approx(min(part.value + 0.05, 1.0))
    assert whole.low == pytest.approx(part.low)
    found, base = report.tuning_gain, ladder["prompted"].value
    assert found.basis == "estimated"
    between = sorted([whole.value - base, ladder["learned"].value - base])
    assert between[0] - 1e-9 <= found.value <= between[1] + 1e-9
    told = next(sentences.tuning(report))
    assert told.startswith("Fine-tuned on 40 rows it answers")
    assert f"on {train} it should answer" in told
    name = f"fine-tuned on {train} rows, forecast"
    said = name.removesuffix(", forecast")
    assert f"(“{said}” and “learning from twice the rows” are forecasts)" in ladder_sentence(report)
    lines = [line.plain for line in first_screen(report, [], 96)]
    assert any(name in line for line in lines)
    monkeypatch.setattr(run, "own_copy", lambda _: pytest.fail("opened to be tuned"))
    again = dataedge.audit(topics, out=out, **options).report  # type: ignore[arg-type]
    assert again.tuning_gain == found
    assert again.ladder == report.ladder


def test_why_nothing_is_told_of_all_rows_stands_in_the_report(
    topics: Path, tmp_path: Path, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Recipe(learning_rate=1e-6, epochs=1, steps=0, rows=40)
    monkeypatch.setattr(rungs, "Recipe", lambda: given)
    report = dataedge.audit(topics, out=str(tmp_path / "nothing"), **options).report  # type: ignore[arg-type]
    whole = next(r for r in report.ladder if r.rung == "tuned_all")
    assert whole.value is None
    assert "nothing is told of all" in whole.reason
    assert not any("on all" in line for line in sentences.tuning(report))


def test_a_part_of_the_responses_tells_what_all_would(
    pairs: Path, tmp_path: Path, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Recipe(learning_rate=2e-2, epochs=3, steps=0, rows=32)
    monkeypatch.setattr(rungs, "Recipe", lambda: given)
    usual = {k: v for k, v in options.items() if k != "probes"}
    report = dataedge.audit(pairs, out=str(tmp_path / "part"), **usual).report  # type: ignore[arg-type]
    ladder = {r.rung: r for r in report.ladder}
    part, whole = ladder["tuned"], ladder["tuned_all"]
    assert part.detail["train_items"] == 32 < whole.detail["train_items"]
    assert 0 < whole.value <= part.value  # bits per byte: fewer are better
    assert "takes" in next(sentences.tuning(report))


def test_a_second_one_is_run_where_it_can_tell_something(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(**changes: object) -> run.PilotRun[None]:
        usual = {"rows": 40, "epochs": 2, "best": 1, "losses": [], "tokens": 1, "seconds": 60.0}
        return run.PilotRun(None, Trained(**{**usual, "stopped": False, **changes}), 0.0, 0.0, {})  # type: ignore[arg-type]

    model = SimpleNamespace(splits=SimpleNamespace(train=np.arange(200)))
    recipe, given = Recipe(rows=40, epochs=2, steps=0), []

    def second(
        first: run.PilotRun[None], minutes: float = 10.0, recipe: Recipe = recipe
    ) -> second_one.Second[None]:
        return second_one.run_second(model, recipe, minutes, first, lambda _: None, asked=[])  # type: ignore[arg-type]

    def tuned(_: object, recipe: Recipe, minutes: float, *__: object, **___: object) -> object:
        given.append((recipe.rows, minutes))
        return found(rows=recipe.rows)

    monkeypatch.setattr(second_one, "run", tuned)
    assert "came to nothing" in second(found(best=0)).reason
    assert "stopped by time" in second(found(stopped=True)).reason
    assert second(found(), recipe=Recipe(rows=200)) == (None, "")
    assert not given
    # a quarter of the rows take a quarter of the minute, if the passes are as many
    assert second(found(), minutes=1.4).reason.endswith("--pilot 2")
    assert not given
    assert second(found(), minutes=1.6).found is not None
    [(rows, minutes)] = given
    assert rows == 10
    assert minutes == pytest.approx(1.6 - 1.0 / amount.SHARE_OF_TIME)


def test_plan_counts_the_second_fine_tune() -> None:
    usual = Recipe()
    assert amount.plan(400, 10.0) == (400, 400 * 10 * usual.passes(400), 0, 0)
    assert amount.plan(4_000, 10.0).tokens == 512 * 10 * usual.passes(512)
    assert amount.plan(4_000, 10.0)[2:] == (128, 128 * 10 * usual.passes(128))


def test_an_answer_that_was_mended_is_asked_about_anew() -> None:
    """What a pilot said is kept under all that it was asked: of each side prompts and answers, and labels."""
    model = SimpleNamespace(lazy_model=SimpleNamespace(id="tiny", revision="1"), seed=0)
    sides = [[Example("a", " b")], [Example("c", " d")], [Example("e", " f")]]

    def key(sides: list[list[Example]], asked: list[str], **changes: float) -> str:
        recipe = Recipe(**{"learning_rate": 1e-3, **changes})
        return digest(run.inputs_of(model, 1.0, recipe, sides, asked))  # type: ignore[arg-type]

    keys = [
        key(sides, [" b", " d"]),
        key(sides, [" d", " b"]),
        key(sides, [" b", " d"], learning_rate=1e-4),
    ]
    for at in range(3):
        for field in ("prompt", "answer"):
            changed = [*sides]
            changed[at] = [sides[at][0]._replace(**{field: " x"})]
            keys.append(key(changed, [" b", " d"]))
    assert len(set(keys)) == len(keys) == 9


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (MemoryError(), "ran out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "ran out of memory"),
        (RuntimeError("shapes differ"), None),
    ],
)
def test_memory_that_runs_out_is_a_sentence(
    audited: dataedge.Audit,
    topics: Path,
    out: Path,
    options: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    told: str | None,
) -> None:
    def fail(_: object) -> None:
        raise failure

    monkeypatch.setattr(run, "own_copy", fail)
    with pytest.raises(AuditError if told else RuntimeError, match=told or "shapes"):
        dataedge.audit(topics, out=str(out), **{**options, "pilot": 3.0})  # type: ignore[arg-type]
    assert dataedge.open(out).report.tuning_gain == audited.report.tuning_gain  # still readable


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions, and answers that follow from them by a rule nobody could know."""
    towns = ["Leeds", "York", "Hull", "Ripon", "Selby"]
    rows = [
        {
            "prompt": f"What does item {i} cost in {towns[i % 5]}?",
            "response": f"In {towns[i % 5]} item {i} costs {3 * (i % 7) + 2} pounds.",
        }
        for i in range(90)
    ]
    path = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.mark.long
@pytest.mark.parametrize("minutes", [1.0, None])
def test_responses_are_tuned_too(
    tmp_path: Path,
    tiny_model: str,
    pairs: Path,
    minutes: float | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unasked as well, where it fits; what was tuned is then a part of what is learned."""
    monkeypatch.delenv("DATAEDGE_PILOT")
    done = dataedge.audit(
        pairs, out=str(tmp_path / "a"), model=tiny_model, probe_items=24, pilot=minutes
    ).report
    ladder = {r.rung: r for r in done.ladder}
    tuned, learned = ladder["tuned"], ladder["learned"]
    assert tuned.unit == "bits/byte"
    assert tuned.detail["best_epoch"] > 0
    assert learned.detail["base"]["tuned"] > 0
    assert learned.value is not None
    assert learned.value < ladder["prompted"].value  # type: ignore[operator]
    assert done.edge.basis == ("estimated" if minutes is None else "measured")
    ahead = done.tuning_gain.basis == "measured"  # development items put it before what is learned
    reached = (tuned if ahead else learned).value
    assert done.tuning_gain.value == pytest.approx(ladder["prompted"].value - reached)  # type: ignore[operator]


@pytest.mark.long
def test_adapters_are_what_peft_reads(tmp_path: Path, tiny_model: str, pairs: Path) -> None:
    """Loaded by peft onto the base model, they say what the audit was told: in the rung's own bits."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from dataedge.models import open_model

    folder = tmp_path / "adapter"
    common = {"out": str(tmp_path / "a"), "model": tiny_model, "probe_items": 24}
    with pytest.raises(AuditError, match="none was asked for"):
        dataedge.audit(pairs, save_adapter=str(folder), **common)  # type: ignore[arg-type]
    given = {**common, "pilot": 1.0, "save_adapter": str(folder)}
    done = dataedge.audit(pairs, **given)  # type: ignore[arg-type]
    tuned = next(r for r in done.report.ladder if r.rung == "tuned")
    base = AutoModelForCausalLM.from_pretrained(tiny_model.removeprefix("hf/"))
    with warnings.catch_warnings():
        # peft asks transformers by names that transformers will give up
        warnings.simplefilter("ignore", FutureWarning)
        net = PeftModel.from_pretrained(base, str(folder)).merge_and_unload()
    model = open_model(tiny_model)
    model.forward.net = net  # type: ignore[attr-defined]
    model.forward.body, model.forward.head = net.model, net.lm_head  # type: ignore[attr-defined]
    rows = done.sql("select texts, target from items where side = 'evaluation'").fetchall()
    asked = [f"Question: {texts[0]}\nAnswer:" for texts, _ in rows]
    scored = model.score(asked, [f" {target}" for _, target in rows])
    bits = -sum(one.logprobs.sum() for one in scored) / np.log(2)
    size = sum(len(target.encode()) for _, target in rows)
    assert bits / size == pytest.approx(tuned.value, rel=0.02)
    for path in folder.iterdir():
        path.unlink()
    dataedge.audit(pairs, **given)  # type: ignore[arg-type]
    assert (folder / "adapter_model.safetensors").is_file()
    for name in (
        "adapter_model.safetensors",
        "mine.txt",
    ):  # of another training, and of something else
        (folder / name).write_text("x")
        with pytest.raises(AuditError, match="is in use"):
            dataedge.audit(pairs, **given)  # type: ignore[arg-type]
        assert (folder / name).read_text() == "x"


def test_a_fine_tune_nobody_asked_for_can_be_refused(
    tmp_path: Path, tiny_model: str, pairs: Path
) -> None:
    arguments = completed(["--no-pilot"])
    done = dataedge.audit(
        pairs, out=str(tmp_path / "a"), model=tiny_model, probe_items=24, pilot=float(arguments[1])
    ).report
    assert "tuned" not in {r.rung for r in done.ladder}
    assert done.edge.basis == done.tuning_gain.basis == "estimated"


def test_a_short_fine_tune_that_does_not_fit_says_so(
    tmp_path: Path, tiny_model: str, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATAEDGE_PILOT")
    monkeypatch.setattr(run, "tokens_per_second", lambda *_: 0.01)
    done = dataedge.audit(pairs, out=str(tmp_path / "a"), model=tiny_model, probe_items=24)
    tuned = {r.rung: r for r in done.report.ladder}["tuned"]
    assert tuned.value is None
    assert tuned.reason.startswith("a short fine-tune on 32 train items takes over 2 minutes here")
    screen = io.StringIO()
    show_details(done.report, [], screen)
    assert "--pilot" in screen.getvalue()
    assert "a fine-tune that was run" not in ladder_sentence(done.report)
    assert tuned.reason in (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    assert done.report.edge.basis == done.report.tuning_gain.basis == "estimated"


def test_where_nothing_can_be_tuned_it_is_said_before_anything_is_asked(
    tmp_path: Path, tiny_model: str, small_dataset: Path
) -> None:
    numbers = tmp_path / "numbers.csv"
    numbers.write_text("text,label\n" + "".join(f"item {i},{i * 1.5}\n" for i in range(60)))
    with pytest.raises(AuditError, match="not on numbers"):
        dataedge.audit(numbers, out=str(tmp_path / "n"), model=tiny_model, pilot=1.0)
    server = {"model": "openai/none", "base_url": "http://localhost:9/v1", "pilot": 1.0}
    with pytest.raises(AuditError, match="behind a server"):
        dataedge.audit(small_dataset, out=str(tmp_path / "s"), **server)  # type: ignore[arg-type]
    for source, options in ((numbers, {"pilot": 1.0}), (small_dataset, server)):
        with pytest.raises(AuditError, match="--pilot"):
            plan(source, options)


def test_plan_tells_the_minutes(small_dataset: Path, tiny_model: str) -> None:
    lines = plan(small_dataset, {"model": tiny_model, "pilot": 3.0}).lines()
    line = next(line for line in lines if line.startswith("pilot"))
    assert "3 minutes at most" in line
    assert not any(line.startswith("pilot") for line in plan(small_dataset, {}).lines())


def test_plan_knows_the_fine_tune_of_texts_that_nobody_asked_for(
    pairs: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATAEDGE_PILOT")

    def told(**options: float) -> str:
        lines = plan(pairs, {"model": tiny_model, **options}).lines()
        return next((line for line in lines if line.startswith("pilot")), "")

    assert "4 minutes at most; not with --no-pilot" in told()
    assert "3 minutes at most" in told(pilot=3.0)
    assert "--no-pilot" not in told(pilot=3.0)
    assert not told(pilot=0.0)


def test_minutes_may_be_left_out() -> None:
    assert completed(["audit", "--pilot"]) == ["audit", "--pilot", "10"]
    assert completed(["audit", "--pilot", "3", "x"]) == ["audit", "--pilot", "3", "x"]
