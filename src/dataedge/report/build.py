"""From an audit's result to the report model; nothing is computed here."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure
from dataedge.measure.registry import in_order
from dataedge.report import model as m
from dataedge.store import FILE
from dataedge.verdict.cut_prompts import cut_notes
from dataedge.verdict.fine_tune_error import Predicted
from dataedge.verdict.result import VIEW_SIZE
from dataedge.verdict.terms import NAMES
from dataedge.widened_intervals import carried

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataedge.config import AuditConfig
    from dataedge.engine.local import StageRecord
    from dataedge.ladder.rungs import Basis
    from dataedge.models.lazy import LazyModel
    from dataedge.prepare.vectors import Embed
    from dataedge.verdict.result import AuditResult

DIGITS = 6


def build(
    result: AuditResult,
    *,
    config: AuditConfig,
    passed: dict[str, Any],
    lazy_model: LazyModel,
    usage: dict[str, int],
    embedder: Embed,
    records: list[StageRecord],
    seconds: float,
    run: str = "",
) -> m.Report:
    """The report of a run."""
    task, dataset, splits = result.task, result.data.dataset, result.data.splits
    ids = [i.id for i in dataset.items]
    views = {**task.views, "leaked": splits.leaked}
    abilities = result.abilities
    capabilities = {k: v for k, v in asdict(abilities).items() if not k.startswith("chat_")}
    return m.Report(
        status="partial" if any(r.failed for r in records) else "ok",
        tool=m.ToolModel(name="dataedge", version=version("dataedge")),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
        dataset=m.DatasetModel(
            path=dataset.path,
            fingerprint=dataset.fingerprint,
            rows=dataset.rows,
            unique=len(dataset.items),
            task=dataset.task.value,
            columns=dict(dataset.columns),
            splits={
                "source": splits.source,
                "train": len(splits.train),
                "development": len(splits.development),
                "evaluation": len(splits.evaluation),
                "leaked": len(splits.leaked),
            },
            notes=[*task.notes, *dataset.notes, *splits.notes],
        ),
        model=m.ModelModel(
            id=lazy_model.id,
            revision=lazy_model.revision,
            precision=abilities.precision,
            capabilities=plain(capabilities),
            usage=_usage(usage, config),
            notes=cut_notes(task.ladder, abilities.context),
        ),
        embedder=m.EmbedderModel(
            id=embedder.id, revision=embedder.revision, notes=list(embedder.notes)
        ),
        config=m.ConfigModel(passed=plain(passed), effective=config.model_dump(mode="json")),
        stages=[
            m.StageModel(
                name=r.name,
                done=r.done + r.reused,
                failed=r.failed,
                pending=0,
                seconds=round(r.seconds, 3),
            )
            for r in records
        ],
        edge=_edge(task.edge, task.edge_basis, task.parts),
        tuning_gain=_edge(task.tuning_gain, task.tuning_basis, {}),
        verdict=m.VerdictModel(
            label=task.verdict.label,
            limited_by=task.verdict.limited_by,
            advice=task.verdict.advice,
            flag=task.verdict.flag,
            why=list(task.verdict.why),
            limits={
                name: m.FigureModel(**_figure(figure))
                for name, figure in task.verdict.limits.items()
            },
        ),
        terms=[
            m.TermModel(
                id=t.id,
                name=NAMES[t.id],
                answer=t.answer,
                sentence=t.sentence,
                of=t.of,
                beside=t.beside,
                figure=m.FigureModel(**{**_figure(t.figure), "detail": {}}),
            )
            for t in result.terms
        ],
        ladder=[m.RungModel(rung=rung, **_figure(figure)) for rung, figure in task.ladder.items()],
        measures={
            name: m.FigureModel(**_figure(figure))
            for name, figure in in_order(result.measures).items()
        },
        reasons=[
            m.ReasonModel(id=r.id, answer=r.answer, why=r.why, evidence=plain(r.evidence))
            for r in task.reasons
        ],
        exposure=[
            m.ExposureModel.model_validate(
                {"test": test, "power": figure.detail.get("power"), **_figure(figure)}
            )
            for test, figure in result.exposure.items()
        ],
        views={name: [ids[i] for i in positions[:VIEW_SIZE]] for name, positions in views.items()},
        store=FILE,
        run=run,
    )


def _usage(usage: dict[str, int], config: AuditConfig) -> m.UsageModel | None:
    """What a server was asked in all runs into this store, and what that cost."""
    if not usage:
        return None
    cost = None
    if config.price_in is not None or config.price_out is not None:
        read, written = usage["prompt_tokens"], usage["completion_tokens"]
        cost = (read * (config.price_in or 0.0) + written * (config.price_out or 0.0)) / 1e6
    return m.UsageModel(**usage, cost=cost)


def _edge(figure: Figure, basis: Basis, parts: Mapping[str, Figure]) -> m.EdgeModel:
    plain_figure, shares = _figure(figure), carried(figure)
    return m.EdgeModel(
        **{k: plain_figure[k] for k in ("value", "low", "high", "unit", "n")},
        basis=basis,
        measurement=m.EndsModel(**plain(figure.measurement._asdict()))
        if isinstance(figure, Predicted)
        else None,
        carries=m.CarriedModel(**plain(vars(shares)), sentence=shares.sentence),
        parts={name: m.FigureModel(**_figure(part)) for name, part in parts.items()},
    )


def _figure(figure: Figure) -> dict[str, Any]:
    named = {f.name: getattr(figure, f.name) for f in fields(Figure)}
    values: dict[str, Any] = plain({**named, "detail": figure.described})
    return values


def plain(value: Any) -> Any:
    """Values as JSON has them: rounded to six digits, numpy gone, what is not finite null.

    Example:
        >>> plain({"a": np.float32(0.1234567891), "b": (1, float("nan"))})
        {'a': 0.123457, 'b': [1, None]}
    """
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return round(number, DIGITS) if np.isfinite(number) else None
    return value
