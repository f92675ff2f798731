"""The audit, from beginning to end.

    prepare → prove the model → ask, learn and conclude → measure → test exposure → report

Each step takes what the ones before it returned, and nothing is changed afterwards. What costs time
(vectors, answers of the base model, what is fitted to them) goes through the engine, which asks the
store first; thresholds are applied anew.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from dataedge import tasks
from dataedge.check.labels import twins
from dataedge.engine.local import StageRecord
from dataedge.engine.ray import engine_of
from dataedge.engine.threads import one_thread_where_small
from dataedge.items import Task
from dataedge.models.proven import lazy_base_model, prove
from dataedge.pilot.run import check_possible
from dataedge.prepare.prepared import item_table, prepare
from dataedge.prepare.vectors import Embed
from dataedge.prompt.library import load_probes
from dataedge.prompt.workspace import Workspace
from dataedge.report.build import build
from dataedge.tasks import every_task
from dataedge.verdict.result import AuditResult
from dataedge.verdict.terms import four_terms
from dataedge.work import work

TIMED = ("read", "prepare", "tables", "prove_model", "conclude", "measure")
"""What an audit does outside of stages, in the order of its steps: named and timed, and always done anew."""
ASKED = ("choices", "likelihood", "generate", "moments")
"""Stages whose units are prompts."""

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.engine.local import Engine
    from dataedge.figures import Figure
    from dataedge.items import Dataset
    from dataedge.models.lazy import LazyModel
    from dataedge.progress import Progress
    from dataedge.report.model import Report
    from dataedge.store import Store


def run(
    dataset: Dataset,
    config: AuditConfig,
    passed: dict[str, Any],
    store: Store,
    progress: Progress,
    read_seconds: float = 0.0,
) -> Report:
    """Audit a loaded dataset into a store.

    Args:
        dataset: the items.
        config: what the audit is to do.
        passed: those options that were given, for the report.
        store: keeps answers, results and tables.
        progress: what a person who waits is told.
        read_seconds: that reading the dataset took.

    Raises:
        AuditError: what the user can mend; what was stored until then stays.
    """
    started = time.perf_counter() - read_seconds
    load_probes(config.probes)  # a mistake in one is told before anything is asked
    check_possible(config, dataset.task)
    engine, embedder = engine_of(config)(store, progress), Embed(config.embedder)
    engine.records["read"] = StageRecord("read", done=1, seconds=read_seconds)
    lazy_model = lazy_base_model(config, store.path.parent)
    usage = f"usage {lazy_model.id} {lazy_model.revision}"
    before = store.get_note(usage)
    try:
        with one_thread_where_small(len(dataset.items)):
            result = audit(engine, embedder, lazy_model, dataset, config)
        return build(
            result,
            config=config,
            passed=passed,
            lazy_model=lazy_model,
            usage=lazy_model.usage(before),
            embedder=embedder,
            records=list(engine.records.values()),
            seconds=time.perf_counter() - started,
            run=store.run,
        )
    finally:
        engine.close()
        if lazy_model.opened is not None:
            store.put_note(usage, lazy_model.usage(before))
            lazy_model.close()


def audit(
    engine: Engine, embedder: Embed, lazy_model: LazyModel, dataset: Dataset, config: AuditConfig
) -> AuditResult:
    """What an audit finds; its tables are stored on the way."""
    seed, store = config.seed, engine.store
    engine.progress.say(f"{dataset.path}: {len(dataset.items):,} items, task {dataset.task.value}")
    with engine.timed("prepare"):
        data = prepare(engine, embedder, dataset, probe_items=config.probe_items, seed=seed)
    with engine.timed("tables"):
        store.replace("items", item_table(data))
    with engine.timed("prove_model"):
        abilities = prove(store, lazy_model, config, dataset)
        workspace = Workspace.of(engine, lazy_model, abilities, data, config)
    held = len(workspace.development) + len(workspace.evaluation)
    expected = work(dataset, config, workspace.probe, held, remote=abilities.remote)
    engine.progress.expect(expected.prompts, ASKED)
    with engine.timed("conclude"):
        tokens = every_task.tokens(workspace)
        found = tasks.find(workspace, config, tokens)
    with engine.timed("measure"):
        measures = {**found.measures, **every_task.measures(engine, data, tokens, seed=seed)}
        terms = four_terms(
            measures, found.verdict, delta=found.verdict.delta, misspelt=misspelt(dataset)
        )
        seen = exposure_tests(workspace, config)
    result = AuditResult(data, abilities, found, measures, tuple(terms), seen)
    with engine.timed("tables"):
        store.replace("findings", result.finding_table())
        store.replace("response_findings", found.responses)
        store.replace("outcomes", found.outcomes)
    return result


def misspelt(dataset: Dataset) -> int:
    """Rows whose label is another one in a second spelling."""
    if dataset.task is not Task.CLASSIFY:
        return 0
    rows: Counter[str] = Counter()
    for item in dataset.items:
        if not item.label_missing:
            rows[item.target] += item.count
    return sum(rows[label] for label in twins(rows))


def exposure_tests(workspace: Workspace, config: AuditConfig) -> dict[str, Figure]:
    """Whether the base model has seen the dataset; empty where that was not asked for."""
    if not (config.exposure or config.control):
        return {}
    from dataedge.exposure import exposure
    from dataedge.exposure.rows import load_control

    asked = workspace.engine, workspace.lazy_model, workspace.abilities, workspace.dataset
    control = load_control(config.control, workspace.dataset) if config.control else None
    return exposure(*asked, control, seed=config.seed)
