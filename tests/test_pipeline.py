"""The audit as a whole: each room's result is made once, and nothing changes it afterwards."""

from __future__ import annotations

import copy
import shutil
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dataedge import pipeline
from dataedge.api import read
from dataedge.config import make_config
from dataedge.engine.local import Engine
from dataedge.models.proven import lazy_base_model
from dataedge.prepare.vectors import Embed
from dataedge.progress import Progress
from dataedge.report.build import build
from dataedge.report.model import without_timings
from dataedge.store import Store
from dataedge.verdict.result import AuditResult

if TYPE_CHECKING:
    from pathlib import Path

    import dataedge


def same(one: Any, other: Any) -> bool:
    """Whether two results hold the same values, arrays included."""
    if is_dataclass(one):
        return type(one) is type(other) and all(
            same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one)
        )
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return bool(one == other) or (one != one and other != other)


def test_a_result_is_not_changed_by_what_comes_after_it(
    small_audit: dataedge.Audit, small_dataset: Path, tiny_model: str, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    shutil.copytree(small_audit.directory, out)
    config, passed = make_config(
        {"out": str(out), "model": tiny_model, "probe_items": 40}, small_dataset
    )
    with Store(out) as store:
        store.begin_run("0", {}, None)
        engine, embedder = Engine(store, Progress(quiet=True)), Embed(config.embedder)
        lazy_model = lazy_base_model(config, out)
        result = pipeline.audit(engine, embedder, lazy_model, read(small_dataset, config), config)
        before = copy.deepcopy(result)
        report = build(
            result,
            config=config,
            passed=passed,
            lazy_model=lazy_model,
            usage={},
            embedder=embedder,
            records=list(engine.records.values()),
            seconds=1.0,
        )
    assert same(before, result)
    assert lazy_model.opened is None, "a second run asks nothing"
    told, first = (
        without_timings(report.model_dump()),
        without_timings(small_audit.report.model_dump()),
    )
    for part in ("edge", "tuning_gain", "verdict", "ladder", "measures", "reasons", "terms"):
        assert told[part] == first[part], part


def test_results_cannot_be_assigned_to() -> None:
    result = AuditResult(None, None, None, {}, (), {})  # type: ignore[arg-type]
    with pytest.raises(FrozenInstanceError):
        result.terms = ()  # type: ignore[misc]


@pytest.mark.parametrize("change", ["value", "order", "array", "nan"])
def test_a_change_would_be_seen(change: str) -> None:
    one: dict[str, Any] = {"a": np.array([1.0, np.nan]), "b": (1, float("nan"))}
    other = copy.deepcopy(one)
    assert same(one, other)
    if change == "value":
        other["b"] = (2, float("nan"))
    elif change == "order":
        other = dict(reversed(other.items()))
    elif change == "array":
        other["a"][0] = 2.0
    else:
        other["b"] = (1, 0.0)
    assert not same(one, other)
