"""Prompts that do not fit are counted per rung, and the report says so; where all fit it is silent."""

from __future__ import annotations

import io
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import dataedge
from dataedge.engine.local import Engine
from dataedge.items import Dataset, Item, Task
from dataedge.ladder.classify import ClassifyLadder
from dataedge.ladder.generate import GenerateLadder
from dataedge.ladder.rungs import Rungs
from dataedge.models.lazy import LazyModel
from dataedge.prepare.splits import split
from dataedge.progress import Progress
from dataedge.prompt.library import load_probes
from dataedge.prompt.templates import Strategy
from dataedge.prompt.workspace import Workspace
from dataedge.report.terminal import show
from dataedge.store import Store
from dataedge.verdict.cut_prompts import cut_notes
from tests.models import tiny

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dataedge.ladder.outcome import Outcome

N = 60
CONTEXT = 96
PROBES = load_probes()
LABELS = ("card", "fee")


def item(i: int) -> Item:
    """Every third text is several times as long as the context."""
    text = f"the {LABELS[i % 2]} number {i}"
    return Item(
        (text + " and the north of the country" * (30 * (i % 3 == 0)),), LABELS[i % 2], i + 1
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Any]:
    with Store(tmp_path / "s") as store:

        def make(task: Task, context: int) -> Workspace:
            classify = task is Task.CLASSIFY
            columns = {"text": "t", "label": "l"} if classify else {"prompt": "t", "response": "l"}
            items = tuple(item(i) for i in range(N))
            data = Dataset("d", task, items, N, columns, LABELS if classify else ())
            sides = split(data, np.arange(N), probe_items=40, seed=0)
            model = tiny.model(context=context)
            lazy_model = LazyModel(f"tiny-{context}", "0", lambda _: model)
            vectors = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
            probe = PROBES["classify" if classify else "respond"]
            return Workspace(
                Engine(store, Progress(quiet=True)), lazy_model, lazy_model.abilities(), probe, data, sides,
                np.arange(N), vectors, (vectors,), 0, PROBES,
            )  # fmt: skip

        yield make


def prompted(s: Workspace, strategy: Strategy) -> tuple[Outcome, float]:
    """What a rung reports of a strategy, and the share of its prompts that is too long by their tokens."""
    model = s.lazy_model.model
    prompts = s.prompts(strategy, s.evaluation)
    sizes = np.array([len(p) + 1 for p in model.tokenize(prompts)])  # and what starts a sequence
    if s.dataset.task is Task.CLASSIFY:
        described = ("vectors", list(s.by_text))
        ladder = ClassifyLadder(s, described, np.zeros(N, bool), np.zeros(0, np.int64))
        outcome = ladder.prompting(strategy)
        behind = max(len(t) for t in model.tokenize(s.prompter.choices(strategy)))
    else:
        outcome = GenerateLadder(s).prompting(strategy)
        answers = [s.prompter.answer(strategy, s.dataset.items[i].target) for i in s.evaluation]
        behind = np.array([len(t) for t in model.tokenize(answers)])
    return outcome, float((sizes + behind - 1 > s.abilities.context).mean())


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.GENERATE])
def test_a_rung_counts_its_prompts_that_do_not_fit(workspace: Any, task: Task) -> None:
    s = workspace(task, CONTEXT)
    plain = [t for t in s.probe.templates if not t.chat]
    template = min(plain, key=lambda t: len(t.instruction) + len(t.question))
    outcome, share = prompted(s, Strategy(template))
    assert 0.1 < share < 0.6
    assert outcome.detail["cut_share"] == share
    shown, crowded = prompted(s, Strategy(template, shots="random", k=8))
    assert crowded > share
    assert shown.detail["cut_share"] == crowded
    rungs = Rungs(
        "accuracy" if task is Task.CLASSIFY else "bits/byte", s.evaluation, np.ones(len(s.evaluation)), s.clusters[s.evaluation],
        {"zero_shot": outcome, "few_shot": shown}, {}, 0,
    )  # fmt: skip
    notes = cut_notes(rungs.ladder(), s.abilities.context)
    assert [n.partition(":")[0] for n in notes] == ["zero_shot", "few_shot"]
    assert f"{share:.0%} of the prompts".replace("%", " %") in notes[0]
    assert f"the context of {CONTEXT} tokens" in notes[0]


@pytest.mark.parametrize("task", [Task.CLASSIFY, Task.GENERATE])
def test_where_all_fits_no_share_and_no_sentence(workspace: Any, task: Task) -> None:
    s = workspace(task, 4096)
    plain = next(t for t in s.probe.templates if not t.chat)
    outcome, share = prompted(s, Strategy(plain))
    assert share == 0.0
    assert outcome.detail["cut_share"] == 0.0
    assert cut_notes({"zero_shot": _figure(s, outcome)}, 4096) == []


def _figure(s: Workspace, outcome: Outcome) -> Any:
    ones = np.ones(len(s.evaluation))
    clusters = s.clusters[s.evaluation]
    return Rungs("", s.evaluation, ones, clusters, {"zero_shot": outcome}, {}, 0).figure(
        "zero_shot"
    )


def test_what_is_lost_is_the_beginning(workspace: Any) -> None:
    """As the notes say: the model sees the end of the question, whatever stood before it."""
    s = workspace(Task.CLASSIFY, CONTEXT)
    strategy = Strategy(next(t for t in s.probe.templates if not t.chat), shots="random", k=8)
    prompt = s.prompts(strategy, s.evaluation[:1])[0]
    model = s.lazy_model.model
    ids = model.tokens.plain([prompt])[0]
    longest = max(len(t) for t in model.tokenize([" card", " fee"]))
    end = model.tokens.tokenizer.decode(ids[-(CONTEXT - longest) :])
    full, kept = model.score_choices([prompt, end], [" card", " fee"])
    np.testing.assert_allclose(full, kept, atol=1e-4)
    assert model.cut([prompt, end], [" card", " fee"]) == [True, False]


def text_of(report: Any) -> str:
    out = io.StringIO()
    show(report, [], out)
    return " ".join(out.getvalue().split())


def test_the_report_says_it(tiny_model: str, small_dataset: Path, tmp_path: Path) -> None:
    """The whole path: a model of few tokens' context, and every fourth text longer than that."""
    folder = tmp_path / "short"
    shutil.copytree(tiny_model.removeprefix("hf/"), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 96}))
    rows = small_dataset.read_text().splitlines()
    longer = [
        r.replace(" came", " came" + " from the north" * 40 * (i % 4 == 0))
        for i, r in enumerate(rows)
    ]
    data = tmp_path / "long.csv"
    data.write_text("\n".join(longer))
    done = dataedge.audit(data, out=str(tmp_path / "out"), model=f"hf/{folder}", probe_items=40)
    ladder = {r.rung: r for r in done.report.ladder}
    share = ladder["zero_shot"].detail["cut_share"]
    assert 0.0 < share < 0.5
    assert ladder["without_data"].detail["cut_share"] > 0
    ((cut,),) = done.sql("select count(*) from stage_choices where cut").fetchall()
    assert cut > 0
    note = done.report.model.notes[0]
    assert note.startswith("zero_shot: ")
    assert "did not fit the context of 96 tokens; their beginnings were cut" in note
    assert note in text_of(done.report)
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["model"]["notes"][0] == note
    assert (
        next(r for r in written["ladder"] if r["rung"] == "zero_shot")["detail"]["cut_share"]
        == share
    )


def test_a_report_of_prompts_that_fit_is_silent(small_audit: Any) -> None:
    prompting = ("zero_shot", "few_shot", "retrieved", "without_data")
    assert {r.detail["cut_share"] for r in small_audit.report.ladder if r.rung in prompting} == {
        0.0
    }
    assert small_audit.report.model.notes == []
    assert small_audit.report.embedder.notes == []
    assert "did not fit" not in text_of(small_audit.report)


def test_a_fallback_of_the_embedder_is_printed(small_audit: Any) -> None:
    report = small_audit.report.model_copy(deep=True)
    report.embedder.notes.append("the package x is not installed: y was read from the hub instead")
    assert "Note the package x is not installed" in text_of(report)
