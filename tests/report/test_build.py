"""The report holds the figures as they are: nothing is computed, lost or rounded away."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dataedge.config import AuditConfig
from dataedge.engine.local import StageRecord
from dataedge.figures import Figure
from dataedge.ladder.rungs import Repaired
from dataedge.measure.definedness import Defined
from dataedge.report.model import Report
from dataedge.widened_intervals import Carried, Measured
from tests.report.made import N, dataset, report, task_result, term


def test_every_figure_arrives_with_its_interval_or_its_reason() -> None:
    made = report()
    chance, zero, few, _ = made.ladder
    assert (chance.value, chance.low, chance.high, chance.n) == (0.5, 0.4, 0.6, 60)
    assert zero.detail["how"] == "plain/given/zero-shot"
    assert (few.value, few.status) == (None, "skipped")
    assert "no demonstrations" in few.reason
    assert (made.edge.value, made.edge.low, made.edge.high) == (0.12, 0.05, 0.19)
    assert made.edge.basis == "estimated"
    assert made.tuning_gain.low == -0.01
    assert made.verdict.limits["volume"].low == 0.021
    assert made.measures["label_noise"].value == 0.031235
    assert list(made.measures) == ["label_noise", "definedness", "tokens"]
    assert made.reasons[0].evidence == {"edge": 0.12}


def test_what_an_interval_carries_is_told() -> None:
    """Of an edge from refits its shares, of one from evaluation items alone just that."""
    alone = report().edge.carries
    assert alone is not None
    assert (alone.items, alone.train_side, "alone" in alone.sentence) == (1.0, 0.0, True)
    shares = Carried(0.6, 0.2, 0.15, 0.05)
    edge = Measured(0.12, 0.05, 0.19, 60, "accuracy", carried=shares)
    told = report(task=replace(task_result(), edge=edge)).edge.carries
    assert told is not None
    assert told.model_dump() == {**vars(shares), "sentence": shares.sentence}


def test_the_dataset_is_described_as_it_was_read() -> None:
    data = report().dataset
    assert (data.rows, data.unique, data.task) == (N + 7, N, "classify")
    assert data.fingerprint == dataset().fingerprint
    assert data.columns == {"text": "question", "label": "answer"}
    assert [data.splits[s] for s in ("train", "development", "evaluation", "leaked")] == [
        40,
        40,
        40,
        2,
    ]
    assert data.notes == ["7 rows repeat another", "two items leaked"]


def test_views_hold_the_first_fifty_ids_in_order_and_the_leaked_ones() -> None:
    ids = [item.id for item in dataset().items]
    views = report().views
    assert views["suspects"] == [ids[i] for i in range(79, 29, -1)]
    assert views["leaked"] == [ids[3], ids[5]]


def test_a_cut_prompt_is_told_and_the_chat_template_is_not() -> None:
    model = report().model
    assert model.notes == [
        "zero_shot: 25 % of the prompts did not fit the context of 2,048 tokens; their beginnings were "
        "cut, what stands before the item's text first, then the start of that text."
    ]
    assert model.capabilities["context"] == 2048
    assert not any(name.startswith("chat_") for name in model.capabilities)


def test_failed_units_make_the_report_partial() -> None:
    assert report().status == "ok"
    made = report(records=[StageRecord("choices", done=9, reused=5, failed=1)])
    assert made.status == "partial"
    assert (made.stages[0].done, made.stages[0].failed) == (14, 1)


@pytest.mark.parametrize(
    ("prices", "cost"), [({}, None), ({"price_in": 2.0}, 6.0), ({"price_in": 2.0, "price_out": 10.0}, 7.0)]
)  # fmt: skip
def test_what_a_server_was_asked_costs_what_the_prices_say(
    prices: dict[str, float], cost: float | None
) -> None:
    usage = {
        "requests": 9,
        "prompt_tokens": 3_000_000,
        "completion_tokens": 100_000,
        "uncounted": 0,
    }
    asked = report(usage=usage, config=AuditConfig(**prices)).model.usage
    assert asked is not None
    assert (asked.requests, asked.cost) == (9, cost)
    assert report().model.usage is None


def test_numbers_that_are_none_become_null_and_the_json_reads_back() -> None:
    odd = Figure(0.5, unit="accuracy", detail={"curve": [1.0, float("nan")], "far": float("inf")})
    made = report(replace(task_result(), ladder={"chance": odd}))
    text = made.model_dump_json()
    assert made.ladder[0].detail == {"curve": [1.0, None], "far": None}
    assert "NaN" not in text
    assert Report.model_validate(json.loads(text)) == made


def test_what_a_kind_of_figure_knows_besides_stands_in_its_detail() -> None:
    gain = Figure(0.03, 0.01, 0.05, 60, "accuracy")
    ladder = {"repaired": Repaired(0.7, 0.6, 0.8, 60, "accuracy", detail={"how": "h"}, gain=gain)}
    measures = {"definedness": Defined(0.4, 0.3, 0.5, 60, "bits/item", share=0.25)}
    made = report(replace(task_result(), ladder=ladder, measures=measures))
    assert made.ladder[0].detail == {
        "how": "h", "gain_over_learned": 0.03, "gain_low": 0.01, "gain_high": 0.05,
    }  # fmt: skip
    assert made.measures["definedness"].detail == {"share": 0.25}
    answered = replace(term(), figure=measures["definedness"])
    assert report(terms=(answered,)).terms[0].figure.detail == {}
