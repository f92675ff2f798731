"""A comparison as a page: drawn on one scale, read in a real browser, and nothing in it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dataedge
from dataedge.cli.render import write_comparison
from dataedge.comparison.model import Comparison, DifferenceModel, SideModel
from dataedge.comparison.page import MARGIN, WIDTH, page, rows_of, sentence

BAD = "</p><script>window.hacked=1</script><img src=x onerror=window.hacked=1>\u202e{{ 7*7 }}"


def difference(name: str, *interval: float | None, unit: str = "accuracy") -> DifferenceModel:
    value, low, high = interval or (None, None, None)
    return DifferenceModel(
        name=name, unit=unit, first=0.5, second=0.6, value=value, low=low, high=high, n=40,
        basis="paired" if interval else "none", reason="" if interval else "not measured",
    )  # fmt: skip


def comparison(text: str = "audits/a") -> Comparison:
    side = SideModel(
        audit=text, dataset=text, rows=1_200, base_model=text, verdict="no_edge", advice="stop",
        items=40,
    )  # fmt: skip
    return Comparison(
        first=side,
        second=side,
        shared=40,
        notes=[text],
        edge=[difference("edge", 0.1, 0.02, 0.2), difference("tuning_gain", -0.1, -0.2, 0.02)],
        ladder=[difference("learned", 0.1, -0.1, 0.3), difference(text)],
        measures=[difference("clusters", 3.0, None, None, unit="clusters")],
        across=[],
    )


def test_what_has_one_unit_is_drawn_on_one_scale() -> None:
    first, second = rows_of(comparison().edge)
    assert first.drawn is not None
    assert second.drawn is not None
    assert first.drawn.zero == second.drawn.zero == pytest.approx(WIDTH / 2)
    assert (second.drawn.low, first.drawn.high) == (MARGIN, WIDTH - MARGIN)
    assert first.drawn.value - first.drawn.zero == pytest.approx(
        second.drawn.zero - second.drawn.value, abs=0.11
    )
    (count,) = rows_of(comparison().measures)
    assert count.drawn is None
    assert rows_of([difference("none")])[0].drawn is None


def test_the_sentence_names_what_is_sure_and_nothing_else() -> None:
    told = sentence(comparison())
    assert "edge +0.100 [+0.020, +0.200] accuracy" in told
    assert "learned" not in told
    same = comparison().model_copy(update={"edge": [], "ladder": []})
    assert sentence(same) == "No difference of edge or ladder is sure."


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_it_is_readable_and_nothing_of_the_audits_runs(
    browser: Any, tmp_path: Path, mode: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    file = tmp_path / "two.html"
    assert write_comparison(comparison(BAD), str(file)) == str(file)
    opened = browser.new_page(color_scheme=mode, viewport={"width": 360, "height": 800})
    said: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda m: said.append(m.text))
    opened.on("request", lambda r: asked.append(r.url))
    opened.goto(file.as_uri())
    assert opened.evaluate("window.hacked") is None
    assert (said, len(asked)) == ([], 1)
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360
    assert opened.locator("svg circle").count() == 3
    assert opened.locator("tr.sure").count() == 1
    assert "{{ 7*7 }}" in opened.locator("h3").first.inner_text()
    found = Axe().run(opened).response["violations"]
    assert [v["id"] for v in found if v["impact"] in ("serious", "critical")] == []


def test_two_real_audits(small_audit: dataedge.Audit) -> None:
    made = page(dataedge.compare(small_audit, small_audit))
    assert made.count("<svg") > 5
    assert "<script" not in made
    assert "No difference of edge or ladder is sure." in made
