"""Two audits compared: paired on what both held out, and careful about the rest."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pytest

import dataedge
from dataedge.errors import AuditError


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit that the tests share has 30 held-out items, many of them alike."""
    monkeypatch.setattr("dataedge.comparison.compare.FEWEST", 2)


@pytest.fixture(scope="module")
def other(small_audit: dataedge.Audit, tmp_path_factory: pytest.TempPathFactory) -> dataedge.Audit:
    """The same audit, as if a model of another name had learned every held-out item."""
    out = tmp_path_factory.mktemp("other") / "audit"
    shutil.copytree(small_audit.directory, out)
    report = json.loads((out / "report.json").read_text())
    report["model"]["id"] = "another"
    (out / "report.json").write_text(json.dumps(report))
    with duckdb.connect(str(out / "audit.duckdb")) as con:
        table = f"run_{report['run']}.outcomes"
        con.execute(f"update {table} set gain = 1 where rung in ('learned', 'with_data')")
        con.execute(f"update {table} set gain = 0 where rung = 'prompted'")
    return dataedge.open(out)


def test_an_audit_is_like_itself(small_audit: dataedge.Audit) -> None:
    found = dataedge.compare(small_audit, small_audit)
    assert found.shared == small_audit.edge.n
    assert {d.basis for d in found.ladder} == {"paired"}
    every = [*found.edge, *found.ladder, *found.measures]
    assert {d.value for d in every} <= {0.0, None}
    assert not any(d.sure for d in every)
    assert found.across == []
    assert any("luck" in note for note in found.notes)


def test_outcomes_are_those_of_the_report(small_audit: dataedge.Audit) -> None:
    stored = dict(small_audit.sql("select rung, avg(gain) from outcomes group by rung").fetchall())
    for rung in small_audit.report.ladder:
        if rung.rung in stored:
            assert stored[rung.rung] == pytest.approx(rung.value, abs=1e-6)
    assert {"chance", "without_data", "learned", "with_data"} <= set(stored)


def test_what_is_better_is_found_and_the_models_are_crossed(
    small_audit: dataedge.Audit, other: dataedge.Audit
) -> None:
    found = dataedge.compare(small_audit, other)
    learned = next(d for d in found.ladder if d.name == "learned")
    before = next(r.value for r in small_audit.report.ladder if r.rung == "learned")
    assert learned.value == pytest.approx(1 - before)
    assert [d.name for d in found.across] == [
        "first learned − second prompted",
        "second learned − first prompted",
    ]
    crossed = found.across[0]
    assert crossed.value == pytest.approx(before)
    assert crossed.sure
    assert crossed.first == before
    for row in (*found.edge, *found.ladder):  # the columns are of the same items as the difference
        assert row.basis == "paired"
        assert row.sides[1] - row.sides[0] == pytest.approx(row.value)
    assert crossed.sides[0] - crossed.sides[1] == pytest.approx(crossed.value)


def test_where_lower_is_better_the_columns_are_bits_and_the_difference_a_gain(
    small_audit: dataedge.Audit, other: dataedge.Audit
) -> None:
    """Both audits as if they were judged in bits: what outcomes hold is then a gain, less than nothing."""

    def in_bits(audit: dataedge.Audit) -> dataedge.Audit:
        ladder = [
            r.model_copy(
                update={"unit": "bits/byte", "value": None if r.value is None else -r.value}
            )
            for r in audit.report.ladder
        ]
        edge = audit.report.edge.model_copy(update={"unit": "bits/byte"})
        gain = audit.report.tuning_gain.model_copy(update={"unit": "bits/byte"})
        update = {"ladder": ladder, "edge": edge, "tuning_gain": gain}
        return dataedge.Audit(audit.directory, audit.report.model_copy(update=update))

    found = dataedge.compare(in_bits(small_audit), in_bits(other))
    told = {r.rung: r.value for r in in_bits(small_audit).report.ladder}
    for row in found.ladder:
        assert row.basis == "paired"
        assert row.sides[0] == pytest.approx(told[row.name], abs=1e-6)
        assert row.sides[0] - row.sides[1] == pytest.approx(row.value)
    assert any(row.value for row in found.ladder)


def test_audits_of_earlier_versions_are_taken_as_independent(
    small_audit: dataedge.Audit, tmp_path: Path
) -> None:
    out = tmp_path / "old"
    shutil.copytree(small_audit.directory, out)
    with duckdb.connect(str(out / "audit.duckdb")) as con:
        con.execute(f"drop table run_{small_audit.report.run}.outcomes")
    found = dataedge.compare(dataedge.open(out), small_audit)
    assert found.shared == 0
    assert {d.basis for d in found.ladder} == {"independent"}
    assert "earlier version" in found.notes[0]


def test_different_units_are_refused(small_audit: dataedge.Audit) -> None:
    edge = small_audit.report.edge.model_copy(update={"unit": "bits/byte"})
    text = dataedge.Audit(
        small_audit.directory, small_audit.report.model_copy(update={"edge": edge})
    )
    with pytest.raises(AuditError, match="judged in"):
        dataedge.compare(small_audit, text)


def test_the_command_prints_tables_and_json(
    small_audit: dataedge.Audit, other: dataedge.Audit, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataedge.cli.app import app

    pair = [str(small_audit.directory), str(other.directory)]
    app(["compare", *pair], standalone_mode=False)
    said = capsys.readouterr().out
    for expected in ("What the data gains", "tuning gain", "One model tuned", "shared items"):
        assert expected in said
    app(["compare", *pair, "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["second"]["base_model"] == "another"


def test_a_range_is_no_interval_and_nothing_is_sure_of_it(small_audit: dataedge.Audit) -> None:
    measures = dict(small_audit.report.measures)
    rows = measures["effective_rows"]
    measures["effective_rows"] = rows.model_copy(update={"value": 60.0, "low": 60.0, "high": 60.0})
    report = small_audit.report.model_copy(update={"measures": measures})
    found = dataedge.compare(small_audit, dataedge.Audit(small_audit.directory, report))
    row = next(d for d in found.measures if d.name == "effective_rows")
    assert (row.value, row.low) == (60.0 - rows.value, None)
    assert not row.sure


def test_an_edge_that_was_not_measured_has_no_difference(small_audit: dataedge.Audit) -> None:
    edge = small_audit.report.edge.model_copy(update={"value": None, "low": None, "high": None})
    report = small_audit.report.model_copy(update={"edge": edge})
    found = dataedge.compare(dataedge.Audit(small_audit.directory, report), small_audit)
    assert found.edge[0].value is None
    assert found.edge[0].basis == "none"


def test_few_shared_items_are_not_paired(
    small_audit: dataedge.Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataedge.comparison.compare.FEWEST", 31)
    found = dataedge.compare(small_audit, small_audit)
    assert {d.basis for d in found.ladder} == {"independent"}
    assert "fewer than 31" in found.notes[0]
