"""Charts are valid Vega-Lite, show what the report holds, and are left out where there is nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import dataedge
from dataedge.report.charts import CHARTS, LOSS_ZONES, SHARE_ZONES, charts, edge_map, zones
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
    shown = small_audit.plot.ladder()._repr_mimebundle_()
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
    loss = ItemSample([row(3.0, 1.0), row(1.0, 0.5), row(3.0, 4.0), row(1.0, 2.0)], 4, PAIRS[2], [])
    assert zones(loss) == dict.fromkeys(LOSS_ZONES, 1)
    chart = edge_map(loss)
    assert chart is not None
    points = chart["layer"][2]["data"]["values"]
    assert [p["y"] for p in points] == [2.0, 0.5, -1.0, -1.0]  # bits saved


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
