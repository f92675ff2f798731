"""The report's form: strict, versioned, readable by those who have an older one."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from dataedge.report.model import SCHEMA_VERSION, TIMINGS, Report, without_timings
from tests.report.made import report


def test_the_schema_describes_every_field_of_a_report() -> None:
    schema = Report.model_json_schema()
    assert schema["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    assert set(report().model_dump()) == set(schema["properties"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"surprise": 1},
        {"schema_version": 99},
        {"status": "fine"},
        {"run": "../../etc"},
    ],
)
def test_what_is_not_in_the_schema_is_refused(wrong: dict[str, object]) -> None:
    data = report().model_dump()
    with pytest.raises(ValidationError):
        Report.model_validate({**data, **wrong})


def test_no_number_may_be_infinite() -> None:
    data = report().model_dump()
    data["edge"]["value"] = float("nan")
    with pytest.raises(ValidationError):
        Report.model_validate(data)


def test_a_report_from_before_later_fields_opens() -> None:
    data = report().model_dump(mode="json")
    for name in ("terms", "exposure", "run"):
        del data[name]
    for name in ("limits", "flag"):
        del data["verdict"][name]
    for name in ("edge", "tuning_gain"):
        del data[name]["carries"]
    data["schema_version"] = 1
    old = Report.model_validate(json.loads(json.dumps(data)))
    assert old.schema_version == SCHEMA_VERSION == 2
    assert (old.terms, old.exposure, old.run, old.verdict.flag) == ([], [], "", "")
    assert old.edge.carries is None


def test_two_runs_differ_in_their_timings_alone() -> None:
    first, second = report().model_dump(), report(seconds=99.0, run="x").model_dump()
    assert first != second
    assert without_timings(first) == without_timings(second)
    changed = report().model_dump()
    changed["edge"]["value"] = 0.5
    assert without_timings(changed) != without_timings(first)
    assert not set(TIMINGS) & set(without_timings(first))
