"""Prompts and responses, and passages, through the whole path with a tiny model."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

import dataedge
from dataedge.cli.plan import plan
from dataedge.ladder.prompt_information import CONTEXTS, PROMPTS, items_asked
from dataedge.ladder.response_refits import DRAWS, PARTS, REWEIGHTS
from dataedge.measure.verbatim_recall import longest_run, words_in_common
from dataedge.pipeline import TIMED

if TYPE_CHECKING:
    from pathlib import Path

RUNGS = [
    "chance",
    "zero_shot",
    "few_shot",
    "without_data",
    "retrieved",
    "prompted",
    "learned",
    "with_data",
]
TOWNS = ["Leeds", "York", "Hull", "Ripon", "Selby", "Skipton", "Thirsk", "Malton"]
COLOURS = ["red", "green", "blue", "white", "brown", "grey", "black", "yellow"]


def pairs(*, defined: bool) -> list[dict[str, str]]:
    """Questions whose answer follows from the town, or from nothing."""
    rng = random.Random(0)
    rows = []
    for i in range(160):
        town = rng.choice(TOWNS)
        colour = COLOURS[TOWNS.index(town)] if defined else rng.choice(COLOURS)
        place = rng.choice(["door", "gate", "roof", "wall", "fence", "bench"])
        rows.append(
            {
                "prompt": f"What is painted in {town} at number {i * 7 % 97}, the {place} perhaps?",
                "completion": f"It is the {colour} one, {colour} as can be, case {i}.",
            }
        )
    return rows


def audit_of(rows: list[dict[str, str]], folder: Path, model: str) -> dataedge.Audit:
    file = folder / "pairs.jsonl"
    file.write_text("\n".join(json.dumps(r) for r in rows))
    return dataedge.audit(file, out=str(folder / "out"), model=model, probe_items=60)


@pytest.fixture(scope="module")
def defined(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> dataedge.Audit:
    return audit_of(pairs(defined=True), tmp_path_factory.mktemp("defined"), tiny_model)


@pytest.fixture(scope="module")
def undefined(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> dataedge.Audit:
    return audit_of(pairs(defined=False), tmp_path_factory.mktemp("undefined"), tiny_model)


def test_ladder_in_bits_per_byte_with_parts_that_add_up(defined: dataedge.Audit) -> None:
    report = defined.report
    assert report.dataset.task == "generate"
    assert [r.rung for r in report.ladder] == RUNGS
    assert {r.unit for r in report.ladder} == {"bits/byte"}
    parts = report.edge.parts
    assert parts["total"].value == pytest.approx(
        parts["task"].value + parts["style"].value, abs=1e-5
    )
    assert report.edge.value == parts["task"].value
    ladder = defined.ladder["value"]
    assert parts["total"].value == pytest.approx(
        ladder["without_data"] - ladder["with_data"], abs=1e-5
    )


def test_the_base_model_is_asked_by_mixtures_of_prompts(defined: dataedge.Audit) -> None:
    ladder = {r.rung: r for r in defined.report.ladder}
    for rung in ("without_data", "prompted"):
        weights = ladder[rung].detail["pool"].values()
        assert sum(weights) == pytest.approx(1.0, abs=1e-4)
        assert 1 <= len(weights) <= 3
    for rung in ("zero_shot", "few_shot", "retrieved"):
        assert ladder[rung].detail["strategy"] == ladder[rung].detail["how"]
    best = min(ladder["zero_shot"].value, ladder["few_shot"].value)
    assert ladder["without_data"].value < best


def test_a_fine_tune_is_foretold_without_retrieved_items(defined: dataedge.Audit) -> None:
    """It is asked by a bare prompt: what retrieval gives away would be promised of it."""
    ladder = {r.rung: r.detail for r in defined.report.ladder}
    retrieves = {
        rung: any("retrieved" in name for name in ladder[rung]["base"])
        for rung in ("learned", "with_data")
    }
    assert retrieves == {"learned": False, "with_data": True}
    assert "is" not in ladder["with_data"]
    assert set(ladder["learned"]["base"]) == set(ladder["without_data"]["pool"])


def test_ngrams_stand_by_themselves_with_their_control(defined: dataedge.Audit) -> None:
    part = defined.report.edge.parts["n-grams"]
    ladder = defined.ladder["value"]
    assert part.value == pytest.approx(ladder["prompted"] - ladder["with_data"], abs=1e-5)
    assert part.low > part.detail["control"]["high"]
    assert any("N-grams of the train side have" in why for why in defined.verdict.why)


def test_what_is_asked_is_what_plan_counts(defined: dataedge.Audit, tiny_model: str) -> None:
    """Development items, finalists, every response alone, and some behind other prompts; no more."""
    report = defined.report
    ladder = {r.rung: r.detail for r in report.ladder}
    tried = next(r.evidence["tried"] for r in report.reasons if r.id == "prompting_ceiling")
    pooled = {*ladder["without_data"]["pool"], *ladder["prompted"]["pool"]}
    single = {ladder[rung]["strategy"] for rung in ("zero_shot", "few_shot", "retrieved")}
    curve = next(r.evidence for r in report.reasons if r.id == "prompting_ceiling")
    head = curve["strategy"].rsplit("/", 1)[0]
    points = {
        f"{head}/random-{p['k']}" if p["k"] else f"{head}/zero-shot" for p in curve["curve_over_k"]
    }
    behind = report.edge.parts["task"].detail
    evaluation = 45
    # a prompt that shows retrieved items is asked with two sets of them, held fixed over questions
    contexts = [CONTEXTS if "retrieved" in name else 1 for name in pooled]
    assert behind["contexts"] == max(contexts)
    assert behind["responses"] == items_asked(evaluation)
    assert 1 < behind["prompts"] <= PROMPTS
    expected = (
        sum(t["n"] for t in tried)
        + len(pooled | single) * evaluation
        + evaluation
        + len(points - pooled - single) * curve["gain_per_doubling"]["n"]
        + behind["prompts"] * behind["responses"] * sum(contexts)
        + DRAWS[False] * len({name for name in pooled if "random" in name}) * evaluation
    )
    asked = int(defined.sql("select count(*) as n from stage_likelihood").df()["n"][0])
    assert asked == expected
    options = {"model": tiny_model, "probe_items": 60}
    assert asked <= plan(defined.directory.parent / "pairs.jsonl", options).passes


def test_the_total_carries_more_than_the_luck_of_the_items(defined: dataedge.Audit) -> None:
    """The train side, the weights and the demonstrations as well; what tuning gains rests on one draw."""
    tuning = defined.report.tuning_gain.carries
    assert tuning is not None
    for shares in (
        defined.report.edge.parts["total"].detail["interval_carries"],
        tuning.model_dump(),
    ):
        assert shares["refits"] == PARTS + REWEIGHTS + DRAWS[False] + 1
        sources = [shares[s] for s in ("items", "train_side", "development", "prompts")]
        assert sum(sources) == pytest.approx(1.0, abs=1e-3)
        assert shares["train_side"] > 0
    ladder = {r.rung: r for r in defined.report.ladder}
    carried = {r: "interval_carries" in ladder[r].detail for r in ("without_data", "few_shot")}
    assert carried == {"without_data": True, "few_shot": False}


def test_short_answers_are_said_and_their_losses_kept(defined: dataedge.Audit) -> None:
    measures = defined.measures
    for name in ("exact_match_zero_shot", "exact_match", "knowledge"):
        found = measures[name]
        assert (found.status, found.unit) == ("ok", "share")
        assert found.low <= found.value <= found.high
    known = measures["knowledge"]
    counts = [known.detail[k] for k in ("HighlyKnown", "MaybeKnown", "WeaklyKnown", "Unknown")]
    assert sum(counts) == known.n <= 32
    assert "Gekhman" in known.reason  # a model of 30,000 weights knows none of it
    table = defined.sql(
        "select loss_given, loss_alone, pvi_bits, ifd_loss_ratio, side from items join findings "
        "using (item)"
    ).df()
    given = table[table["side"] == "evaluation"]
    assert given.notna().all(axis=None)
    assert table[table["side"] != "evaluation"]["loss_alone"].isna().all()
    assert np.allclose(given["pvi_bits"], given["loss_alone"] - given["loss_given"])
    assert np.allclose(given["ifd_loss_ratio"], given["loss_given"] / given["loss_alone"])


def test_short_answers_stand_in_the_ladder_and_the_table(
    defined: dataedge.Audit, tiny_model: str
) -> None:
    ladder = {r.rung: r.detail for r in defined.report.ladder}
    for rung in ("zero_shot", "few_shot", "without_data"):
        beside = ladder[rung]["exact_match"]
        assert beside["low"] <= beside["value"] <= beside["high"]
    assert ladder["without_data"]["exact_match"]["value"] == defined.measures["exact_match"].value
    assert "exact_match" not in ladder["learned"], "it says nothing"
    known = defined.measures["knowledge"]
    asked = defined.sql(
        "select knowledge, side from findings join items using (item) where knowledge is not null"
    ).df()
    assert len(asked) == known.n
    assert set(asked["side"]) == {"evaluation"}
    assert (asked["knowledge"] == "Unknown").sum() == known.detail["Unknown"]
    again = audit_of(pairs(defined=True), defined.directory.parent, tiny_model)
    assert again.measures == defined.measures
    stages = [s for s in again.report.stages if s.name not in TIMED]
    assert sum(s.seconds for s in stages) == 0, "asked again, the store answers"
    assert sum(s.seconds for s in again.report.stages) > 0.9 * again.report.seconds


@pytest.mark.long
def test_an_answer_that_follows_from_nothing_has_style_and_no_task(
    undefined: dataedge.Audit,
) -> None:
    parts = undefined.report.edge.parts
    assert parts["style"].low > 0
    assert parts["task"].low <= 0 <= parts["task"].high
    assert parts["task"].value < 0.02
    assert undefined.verdict.label != "edge"
    told = undefined.measures["definedness"]
    assert told.low <= 0.01
    assert told.value < 0.01


@pytest.mark.long
def test_style_counts_when_asked(undefined: dataedge.Audit, tiny_model: str) -> None:
    folder = undefined.directory
    again = dataedge.audit(
        folder.parent / "pairs.jsonl",
        out=str(folder),
        model=tiny_model,
        probe_items=60,
        count="total",
    )
    assert again.edge.value == again.report.edge.parts["total"].value
    assert again.verdict.label == "edge"


def test_passages_have_no_parts(tmp_path: Path, tiny_model: str) -> None:
    rng = random.Random(1)
    words = [
        "river",
        "north",
        "country",
        "reaches",
        "after",
        "three",
        "hundred",
        "miles",
        "under",
        "stone",
        "bridge",
    ]
    paragraphs = [
        " ".join(rng.choice(words) + rng.choice("abcdefgh") * 2 for _ in range(60)).capitalize()
        + "."
        for _ in range(60)
    ]
    file = tmp_path / "river.txt"
    file.write_text("\n\n".join(paragraphs))
    audit = dataedge.audit(file, out=str(tmp_path / "out"), model=tiny_model, probe_items=40)
    assert audit.report.dataset.task == "corpus"
    assert [r.rung for r in audit.report.ladder] == RUNGS
    assert set(audit.report.edge.parts) == {"total", "n-grams"}
    assert audit.measures["label_noise"].status == "skipped"
    recalled = audit.measures["verbatim_recall"]
    assert recalled.status == "ok"
    assert recalled.detail["longest_run"] <= recalled.detail["longest_run_most"]
    assert recalled.detail["longest_run_control"] >= 0
    over, low, high = recalled.detail["longest_run_over_control"]
    assert low <= over <= high
    assert np.isfinite(audit.edge.value)


def test_words_in_common_stops_at_the_first_difference() -> None:
    assert words_in_common("a b x d", "a b c d") == 0.5
    assert words_in_common("", "a") == 0.0
    assert words_in_common("a", "") == 0.0


def test_the_longest_run_stands_anywhere() -> None:
    assert longest_run("x y the old Mill, by z", "He went to the old mill by night") == 4
    assert longest_run("", "a b") == 0
    assert longest_run("— a b", "— c") == 0
