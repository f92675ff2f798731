"""A report built from figures with known values, without an audit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.config import AuditConfig
from dataedge.engine.local import StageRecord
from dataedge.figures import Figure
from dataedge.items import Dataset, Item, Task
from dataedge.models.lazy import ModelAbilities
from dataedge.prepare.prepared import PreparedData
from dataedge.prepare.splits import Splits
from dataedge.report.build import build
from dataedge.verdict.decision import Verdict
from dataedge.verdict.reasons import Reason
from dataedge.verdict.result import AuditResult, TaskResult
from dataedge.verdict.terms import Term

if TYPE_CHECKING:
    from dataedge.report.model import Report

N = 120


def dataset() -> Dataset:
    items = tuple(Item((f"text {i}",), ("no", "yes")[i % 2], i + 1) for i in range(N))
    roles = {"text": "question", "label": "answer"}
    return Dataset("some.csv", Task.CLASSIFY, items, N + 7, roles, ("7 rows repeat another",))


def task_result() -> TaskResult:
    """A ladder of two rungs and one that was not reached, an edge of twelve points."""
    ladder = {
        "chance": Figure(0.5, 0.4, 0.6, 60, "accuracy", detail={"how": "always 'yes'"}),
        "zero_shot": Figure(
            0.6,
            0.5,
            0.7,
            60,
            "accuracy",
            detail={"how": "plain/given/zero-shot", "cut_share": 0.25},
        ),
        "few_shot": Figure.missing("no demonstrations fit the model's context", "accuracy"),
        "with_data": Figure(0.72, 0.65, 0.79, 60, "accuracy", detail={"is": "learned"}),
    }
    edge = Figure(0.12, 0.05, 0.19, 60, "accuracy")
    verdict = Verdict(
        "edge",
        "volume",
        "fine_tune",
        ("This data gives an edge: +12.0 points.", "Advice: fine-tune on it."),
        {"volume": Figure(0.03, 0.021, 0.04, 60, "accuracy")},
    )
    return TaskResult(
        ladder=ladder,
        edge=edge,
        tuning_gain=Figure(0.04, -0.01, 0.09, 60, "accuracy"),
        verdict=verdict,
        reasons=[Reason("data_edge", "supported", "It gives one.", {"edge": np.float32(0.12)})],
        measures={
            "tokens": Figure(1234.0, n=N, unit="tokens"),
            "label_noise": Figure(0.0312345678, 0.01, 0.05, N, "share"),
            "definedness": Figure.missing("the server tells no probabilities", "bits/item"),
        },
        columns={},
        views={"suspects": np.arange(80)[::-1]},
    )


def result(task: TaskResult | None = None, **changes: Any) -> AuditResult:
    """The audit of which that is the part of the task; `changes` replace its fields."""
    task = task or task_result()
    train, development, evaluation = np.array_split(np.arange(N), 3)
    leaked = np.array([3, 5])
    splits = Splits(train, development, evaluation, leaked, "made", ("two items leaked",))
    one = np.ones((N, 1), np.float32)
    fields: dict[str, Any] = {
        "data": PreparedData(dataset(), one, (one,), None, {}, np.arange(N), splits),
        "abilities": ModelAbilities(
            True, True, True, True, 2048, ("proven",), chat_before="<user>", precision="bfloat16"
        ),
        "task": task,
        "measures": task.measures,
        "terms": (term(),),
        "exposure": {},
    }
    return AuditResult(**{**fields, **changes})


def term() -> Term:
    """The answer to one term of the claim."""
    return Term("new", "partly", "Part of it is new.", Figure(0.4, 0.3, 0.5, 60, "share"), "known")


def report(task: TaskResult | None = None, **changes: Any) -> Report:
    """What `build` makes of it; `changes` replace fields of the result or arguments of `build`."""
    own = {name: changes.pop(name) for name in AuditResult.__annotations__ if name in changes}
    arguments: dict[str, Any] = {
        "config": AuditConfig(seed=3),
        "passed": {"seed": 3},
        "lazy_model": SimpleNamespace(id="hf/model", revision="abc"),
        "usage": {},
        "embedder": SimpleNamespace(id="st/embedder", revision="def", notes=()),
        "records": [StageRecord("choices", done=10, reused=5, seconds=1.23456)],
        "seconds": 12.34567,
        "run": "20260102_030405_a1b2c3",
    }
    return build(result(task, **own), **{**arguments, **changes})
