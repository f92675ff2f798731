"""Charts are valid Vega-Lite, show what the report holds, and are left out where there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import dataedge
from dataedge.report.charts import CHARTS, charts
from dataedge.report.charts.item_map import LOSS_ZONES, SHARE_ZONES, edge_map, zones
from dataedge.report.item_sample import PAIRS, ItemSample, sample_items
from dataedge.report.plots import Plots
from dataedge.store import Store


def row(without: float, with_: float, **more: object) -> dict[str, object]:
    return {
        "id": f"{without}{with_}", "row": 1, "text": "a", "target": "b", "side": "evaluation",
        "views": [], "without": without, "with": with_, **more,
    }  # fmt: skip


def test_every_chart_of_an_audit_is_valid_and_named(small_audit: dataedge.Audit) -> None:
    pytest.importorskip("altair")
    drawn = charts(small_audit.report, small_audit._sample())
    assert {"ladder", "edge_map", "novelty", "learning_curve", "redundancy"} <= set(drawn)
    for name in CHARTS:
        plot = getattr(Plots, name)
        if name in drawn:
            assert plot(small_audit.plot).to_dict()["width"] > 0  # altair checks against the schema
        else:
            with pytest.raises(dataedge.AuditError, match="nothing to draw"):
                plot(small_audit.plot)


def test_a_chart_in_a_notebook_fetches_nothing(small_audit: dataedge.Audit) -> None:
    for name in charts(small_audit.report, small_audit._sample()):
        shown = getattr(small_audit.plot, name)()._repr_mimebundle_()
        assert any("vegalite" in kind for kind in shown)
        assert "<svg" in shown["image/svg+xml"]
        assert "text/html" not in shown


def test_the_ladder_has_the_reports_figures(small_audit: dataedge.Audit) -> None:
    spec = charts(small_audit.report, small_audit._sample(), only=("ladder",))["ladder"]
    shown = {r["rung"]: (r["value"], r["low"], r["high"]) for r in spec["data"]["values"]}
    found = {r.rung: (r.value, r.low, r.high) for r in small_audit.report.ladder}
    assert shown["prompting"] == found["without_data"]
    assert shown["learning from the data"] == found["learned"]


def test_zones_of_shares_and_of_losses() -> None:
    share = ItemSample(
        [row(0.2, 0.9), row(0.8, 0.9), row(0.8, 0.1), row(0.2, 0.1), row(0.2, 0.1)], 5, PAIRS[0], []
    )
    assert zones(share) == dict(zip(SHARE_ZONES, (1, 1, 1, 2)))
    rows = [row(3.0, 1.0), row(1.0, 0.5), row(3.0, 4.0), row(1.0, 2.0), row(2.0, 2.0)]
    loss = ItemSample(rows, 5, PAIRS[2], [])
    assert zones(loss) == dict.fromkeys(LOSS_ZONES, 1)
    chart = edge_map(loss)
    assert chart is not None
    points = chart["datasets"]["points"]
    assert sorted(p["y"] for p in points) == [-1.0, -1.0, 0.0, 0.5, 2.0]  # bits saved


def test_nothing_is_drawn_of_nothing(small_audit: dataedge.Audit) -> None:
    empty = ItemSample([], 0, None, [])
    assert {"edge_map", "novelty", "labels"}.isdisjoint(charts(small_audit.report, empty))
    assert zones(empty) == {}


def test_a_sample_holds_views_first_and_labels_in_proportion(small_audit: dataedge.Audit) -> None:
    with Store(small_audit.directory, read_only=True, run=small_audit.report.run) as store:
        whole = sample_items(store, small_audit.report.views)
        some = sample_items(store, {"hard": small_audit.report.views["known"][:3]}, most=63)
    assert len(whole.rows) == whole.of == 120
    assert len(some.rows) == 63
    assert some.of == 120
    assert {r["id"] for r in some.rows[:3]} == set(small_audit.report.views["known"][:3])
    assert [r["side"] for r in some.rows[3:33]].count("evaluation") >= 27
    rest = [r["target"] for r in some.rows[33:]]
    share = [r["target"] for r in whole.rows].count("cold") / 120
    assert abs(rest.count("cold") / len(rest) - share) < 0.1
    assert whole.pair == PAIRS[0]
    assert len(whole.judged()) == small_audit.edge.n


def test_images_are_written(small_audit: dataedge.Audit, tmp_path: Path) -> None:
    from dataedge.cli.render import write_images, write_page

    png = write_images(small_audit, "png", str(tmp_path / "png"))
    svg = write_images(small_audit, "svg", str(tmp_path / "svg"))
    assert len(png) == len(svg) >= 5
    assert all(Path(f).read_bytes().startswith(b"\x89PNG") for f in png)
    assert all("<svg" in Path(f).read_text() for f in svg)
    assert write_page(small_audit, "-") == small_audit.html()
    (tmp_path / "file").write_text("")
    with pytest.raises(dataedge.AuditError, match="file"):
        write_page(small_audit, str(tmp_path / "file" / "report.html"))


def test_a_rung_in_another_unit_has_no_bar(small_audit: dataedge.Audit) -> None:
    """Where balanced accuracy is the headline, what was judged in accuracy stands in the table alone."""
    ladder = [
        r.model_copy(update={"unit": "balanced accuracy"} if r.rung != "more_data" else {})
        for r in small_audit.report.ladder
    ]
    edge = small_audit.report.edge.model_copy(update={"unit": "balanced accuracy"})
    report = small_audit.report.model_copy(update={"ladder": ladder, "edge": edge})
    drawn = charts(report, small_audit._sample(), only=("ladder", "learning_curve"))
    names = [r["rung"] for r in drawn["ladder"]["data"]["values"]]
    assert "learning from the data" in names
    assert not any("forecast" in name for name in names)
    assert "forecast" not in str(drawn["learning_curve"])


def test_a_map_of_many_items_says_of_how_many(small_audit: dataedge.Audit) -> None:
    from dataedge.report.page.sections import map_sentence

    rows = [{**row(0.2, 0.9), "id": f"{i:05d}"} for i in range(3000)]
    said = map_sentence(ItemSample(rows, 3000, PAIRS[0], []))
    assert said.startswith("Of 2,500 held-out items (of 3,000): 2,500 learned")
    assert "cut at one half" in said


def test_what_the_bars_are_is_said_as_it_is(small_audit: dataedge.Audit) -> None:
    from dataedge.report.page.sections import ladder_sentence

    said = ladder_sentence(small_audit.report)
    n = next(r.n for r in small_audit.report.ladder if r.rung == "with_data")
    assert f"same {n} held-out items" in said
    shown = {r.rung for r in small_audit.report.ladder if r.value is not None}
    assert ("forecast" in said) == ("more_data" in shown)
    assert "green" not in said
    bare = small_audit.report.model_copy(update={"ladder": small_audit.report.ladder[:1]})
    assert "held-out" not in ladder_sentence(bare)
