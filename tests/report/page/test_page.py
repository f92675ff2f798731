"""report.html in a real browser: drawn, filtered, read by a keyboard; nothing of the data is executed."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

import dataedge
from dataedge.report.item_sample import ItemSample
from dataedge.report.page.render import page
from tests.words import PLACES, THINGS

HOSTILE = (
    "<script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    '" onmouseover="window.hacked=1" x=\'',
    "{{ 7*7 }}{% raw %}${window.hacked=1}",
    "\u202eturned\u202c \u2028 \x07 \x1b[31m",
    "<!--<script>",
)


@pytest.fixture(scope="module")
def hostile_audit(tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> dataedge.Audit:
    """Labels, texts and the file's name try to run something."""
    folder = tmp_path_factory.mktemp("hostile")
    path = folder / "'\"><img src=x onerror=window.hacked=1>.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for i in range(120):
            place = PLACES[i % len(PLACES)]
            label = HOSTILE[0] if place in PLACES[:5] else HOSTILE[1]
            thing, bad = THINGS[i % len(THINGS)], HOSTILE[i % len(HOSTILE)]
            rows.writerow([f"the {thing} number {i} from {place} {bad} on day {i % 29}", label])
    return dataedge.audit(path, out=str(folder / "audit"), model=tiny_model, probe_items=40)


class Opened:
    """A page that is drawn, and what it said and asked for meanwhile."""

    def __init__(self, browser: Any, file: Path, *, mode: str = "light", width: int = 1100) -> None:
        self.page = browser.new_page(color_scheme=mode, viewport={"width": width, "height": 900})
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda m: self.said.append(f"{m.type}: {m.text}"))
        self.page.on("pageerror", lambda e: self.said.append(f"error: {e}"))
        self.page.on("request", lambda r: self.asked.append(r.url))
        self.page.on("dialog", lambda d: self.said.append(f"dialog: {d.message}"))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("html[data-drawn=yes]", timeout=30_000)

    def items(self) -> int:
        """How many items the line above the table tells."""
        return int(self.page.locator("#count").inner_text().split()[0].replace(",", ""))


@pytest.fixture(scope="module")
def opened(browser: Any, small_audit: dataedge.Audit) -> Opened:
    return Opened(browser, small_audit.directory / "report.html")


def test_charts_are_drawn_without_a_word_or_a_request(
    opened: Opened, small_audit: dataedge.Audit
) -> None:
    places = opened.page.locator("[data-chart]")
    assert places.count() >= 5
    assert opened.page.locator("[data-chart] svg").count() == places.count()
    points = opened.page.locator("[data-chart=edge_map] svg .mark-symbol.role-mark path")
    assert points.count() == small_audit.edge.n
    assert opened.said == []
    assert len(opened.asked) == 1


def test_the_verdict_stands_first(opened: Opened, small_audit: dataedge.Audit) -> None:
    label = small_audit.verdict.label.upper().replace("_", " ")
    assert opened.page.locator("h1").inner_text().startswith(label)
    assert opened.page.title().startswith(label)


def test_search_view_and_sorting(opened: Opened, small_audit: dataedge.Audit) -> None:
    page = opened.page
    assert opened.items() == 120
    words = (THINGS[0], PLACES[0])
    holding = [
        t
        for (t,) in small_audit.sql("select texts[1] from items").fetchall()
        if all(w in t for w in words)
    ]
    page.fill("#search", " ".join(words).upper())
    assert opened.items() == len(holding)
    page.fill("#search", "")
    view, ids = next((v, ids) for v, ids in small_audit.report.views.items() if ids)
    page.select_option("#view", view)
    assert opened.items() == len(ids)
    page.select_option("#view", "")
    page.get_by_role("button", name="row", exact=True).click()
    rows = [int(t) for t in page.locator("#table tbody tr td:first-child").all_inner_texts()]
    assert rows == sorted(rows)
    assert page.locator("#table th[aria-sort=ascending]").count() == 1
    assert len(rows) == 50
    page.click("#more")
    assert page.locator("#table tbody tr").count() == 100


def test_a_selection_on_the_map_filters_the_table(
    browser: Any, small_audit: dataedge.Audit
) -> None:
    opened = Opened(browser, small_audit.directory / "report.html")
    page = opened.page
    zone = page.locator("[data-chart=edge_map] svg .background").first
    zone.scroll_into_view_if_needed()
    box = zone.bounding_box()
    judged = small_audit._sample().judged()
    within = [r for r in judged if r["without"] > 0.5 and r["with"] > 0.5]
    assert 0 < len(within) < len(judged)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] + 20, box["y"] - 20, steps=4)
    page.mouse.up()
    page.get_by_text(f"{len(within)} items", exact=True).wait_for()
    assert page.locator("#table tbody tr").count() == len(within)
    page.click("#clear")
    page.locator("#clear").wait_for(state="hidden")
    assert opened.items() == 120


def test_a_zone_is_chosen_without_a_mouse(browser: Any, small_audit: dataedge.Audit) -> None:
    opened = Opened(browser, small_audit.directory / "report.html")
    zones = opened.page.locator("#zone option").all_inner_texts()[1:]
    found = []
    for zone in zones:
        opened.page.select_option("#zone", zone)
        found.append(opened.items())
    assert sum(found) == small_audit.edge.n
    assert all(found)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_no_serious_barrier(browser: Any, small_audit: dataedge.Audit, mode: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    opened = Opened(browser, small_audit.directory / "report.html", mode=mode)
    found = Axe().run(opened.page).response["violations"]
    worst = [
        (v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")
    ]
    assert worst == []


def test_a_narrow_screen_does_not_scroll_sideways(
    browser: Any, small_audit: dataedge.Audit
) -> None:
    opened = Opened(browser, small_audit.directory / "report.html", width=360)
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert opened.said == []


def test_nothing_of_a_hostile_dataset_runs(browser: Any, hostile_audit: dataedge.Audit) -> None:
    opened = Opened(browser, hostile_audit.directory / "report.html")
    page = opened.page
    for point in page.locator("[data-chart=edge_map] .mark-symbol.role-mark path").all()[:3]:
        point.hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    page.click("#more")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 3
    assert opened.said == []
    assert len(opened.asked) == 1
    text = page.locator("body").inner_text()
    assert "<script>window.hacked=1</script>" in text
    assert not any(c in text for c in "\u202e\u202c\u2028\x07\x1b")


def test_the_policy_of_the_page_is_kept_by_the_browser(opened: Opened) -> None:
    """Were markup of the data not escaped, it still could neither run nor ask for anything."""
    refused = opened.page.evaluate(
        """async () => {
          const refused = [];
          document.addEventListener("securitypolicyviolation", (e) => refused.push(e.effectiveDirective));
          const holder = document.createElement("div");
          holder.innerHTML = '<img src="http://127.0.0.1:9/x" onerror="window.hacked = 1">';
          document.body.append(holder);
          const script = document.createElement("script");
          script.textContent = "window.hacked = 1";
          document.body.append(script);
          await fetch("http://127.0.0.1:9/").catch(() => null);
          await new Promise((done) => setTimeout(done, 200));
          holder.remove();
          return [window.hacked ?? null, refused.sort()];
        }"""
    )
    assert refused[0] is None
    assert {"connect-src", "img-src", "script-src-elem"} <= set(refused[1])


def test_a_page_stays_small_whatever_the_items_are(small_audit: dataedge.Audit) -> None:
    rows = [
        {"id": f"{i:016x}", "row": i, "text": "漢<字>" * 60, "target": "標" * 120, "side": "train",
         "views": ["hard"], "without": 0.5, "with": 0.25}
        for i in range(5000)
    ]  # fmt: skip
    from dataedge.report.item_sample import PAIRS

    text = page(small_audit.report, ItemSample(rows, 100_000, PAIRS[0], []))
    assert len(text.encode()) < 3_000_000
    assert "of 100,000 items" in text
