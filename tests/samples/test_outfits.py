"""A shop's outfits by its own style: an edge; the planted noise is found, a real fine-tune agrees,
and the tutorial runs."""

from __future__ import annotations

import csv
from collections.abc import Iterator

import pytest

import dataedge
from tests.samples.audits import AUDITS, LONG, ROOT, assert_as_expected, audit_of

pytestmark = LONG


@pytest.fixture(autouse=True, scope="module")
def fewer_items() -> Iterator[None]:
    """Half of the default's held-out pairs, for the tutorial too, which names no number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATAEDGE_PROBE_ITEMS", "200")
        yield


def test_the_verdict_is_as_expected() -> None:
    assert_as_expected("outfits", audit_of("outfits"))


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


def test_outfits_are_defined() -> None:
    assert float(audit_of("outfits").measures["definedness"].detail["share"]) > 0.05


def test_the_control_shows_no_edge() -> None:
    """The learner on shuffled labels must not beat the majority label."""
    detail = audit_of("outfits").measures["definedness"].detail
    assert detail["shuffled_over_chance_low"] < 0.02


@pytest.mark.filterwarnings("default")
def test_the_tutorial_runs() -> None:
    import nbformat
    from nbclient import NotebookClient

    audit_of("outfits")  # the notebook uses its answers
    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    client = NotebookClient(
        notebook,
        timeout=2400,
        kernel_name="python3",
        resources={"metadata": {"path": ROOT / "docs"}},
    )
    client.execute()
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert any("shadowrootmode" in str(o.get("data", {}).get("text/html", "")) for o in outputs)
    assert any("pairs" in str(o.get("data", {}).get("text/plain", "")) for o in outputs)
    assert all(o.output_type != "error" for o in outputs)


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
