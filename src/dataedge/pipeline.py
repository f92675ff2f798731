"""The audit, from beginning to end.

    load → store → embed → cluster and split → judge labels → rungs the ladder → measure → report

Each step reads what the one before it left. What costs time (vectors, answers of the base model, what
is fitted to them) goes through the engine, which asks the store first; thresholds are applied anew.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.engine import Step
from dataedge.engine.local import Engine
from dataedge.errors import AuditError, ExitCode
from dataedge.figures import Figure
from dataedge.items import Dataset, Task
from dataedge.measure import volume
from dataedge.models.lazy import LazyModel, ModelAbilities
from dataedge.prepare import prepared
from dataedge.prepare.splits import Splits, split
from dataedge.prepare.vectors import Embed, embed
from dataedge.prompt.library import load_probes, searched_probe
from dataedge.prompt.scores import Tokens, ask_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.config import AuditConfig
    from dataedge.progress import Progress
    from dataedge.prompt.workspace import Workspace
    from dataedge.report.model import Report
    from dataedge.store import Store
    from dataedge.verdict.result import Findings

REDUNDANCY = Step("redundancy", 1)
TOKEN_SAMPLE = 20_000
REMOTE_SAMPLE = 64
"""Texts whose tokens are counted: all that a machine has time for, few where each has its price."""


def run(
    dataset: Dataset, config: AuditConfig, passed: dict[str, Any], store: Store, progress: Progress
) -> Report:
    """Audit a loaded dataset into a store.

    Raises:
        AuditError: what the user can mend; what was stored until then stays.
    """
    load_probes(config.probes)  # a mistake in one is told before anything is asked
    lazy_model = lazy_base_model(config, store.path.parent)
    usage = f"usage {lazy_model.id} {lazy_model.revision}"
    before = store.recall(usage)
    try:
        return _run(dataset, config, passed, store, progress, lazy_model, before)
    finally:
        if lazy_model.opened is not None:
            store.remember(usage, lazy_model.usage(before))
            lazy_model.close()


def _run(
    dataset: Dataset,
    config: AuditConfig,
    passed: dict[str, Any],
    store: Store,
    progress: Progress,
    lazy_model: LazyModel,
    used: dict[str, int] | None,
) -> Report:
    from dataedge.report.build import build
    from dataedge.verdict.terms import four_terms

    started = time.perf_counter()
    engine = Engine(store, progress)
    embedder = Embed(config.embedder)

    progress.say(f"{dataset.path}: {len(dataset.items):,} items, task {dataset.task.value}")
    vectors, by_text = prepared.vectors(engine, embedder, dataset)
    levels = prepared.near_duplicates(engine, dataset)
    clusters = prepared.clusters(engine, dataset, levels)
    splits = split(dataset, clusters, probe_items=config.probe_items, seed=config.seed)
    prepared.check_split(dataset, splits, clusters)
    prepared.store_items(store, dataset, splits, clusters)
    abilities = _abilities(store, lazy_model, config, dataset)
    workspace = _workspace(
        engine, lazy_model, abilities, dataset, splits, clusters, vectors, by_text, config
    )
    _check_templates(workspace)
    tokens = _tokens(workspace)
    findings = _findings(workspace, config, tokens)
    _responses(store, engine, embedder, dataset, vectors, findings)
    findings.measures |= _redundancy(engine, dataset, levels, vectors, config.seed)
    findings.measures |= {"class_balance": _class_balance(dataset, config.seed), "tokens": tokens}
    findings.terms = four_terms(findings.measures, findings.verdict, delta=findings.verdict.delta)
    seen = _exposure(engine, lazy_model, abilities, dataset, config)
    report = build(
        dataset=dataset,
        splits=splits,
        config=config,
        passed=passed,
        lazy_model=lazy_model,
        abilities=abilities,
        usage=lazy_model.usage(used),
        embedder=embedder,
        records=list(engine.records.values()),
        findings=findings,
        exposure=seen,
        seconds=time.perf_counter() - started,
        run=store.run,
    )
    store.replace("findings", findings.table(dataset))
    return report


def lazy_base_model(config: AuditConfig, directory: Path | None = None) -> LazyModel:
    """The base model of a configuration, not loaded and nothing asked yet.

    Raises:
        AuditError: there is no such model, or it is elsewhere and nobody agreed to send data there.
    """
    from dataedge.models import connection, identity, open_configured

    server = connection(config)
    if server is not None:
        server.check_consent()
    name, revision = identity(config)
    return LazyModel(
        name, revision, lambda precision: open_configured(config, directory, precision)
    )


def _abilities(
    store: Store, lazy_model: LazyModel, config: AuditConfig, dataset: Dataset
) -> ModelAbilities:
    """What the model can do: proven once per revision, precision and version of this tool.

    A proof that failed is not remembered: what stood in its way may be mended.
    """
    from dataedge.models import proof_name

    name = proof_name(config)
    known = store.recall(name)
    if known is None:
        abilities = lazy_model.abilities()
        _check_answerable(dataset, lazy_model, abilities)
        if not abilities.doubted:
            store.remember(name, asdict(abilities))
    else:
        abilities = ModelAbilities(**{**known, "notes": tuple(known["notes"])})
        _check_answerable(dataset, lazy_model, abilities)
    lazy_model.proven = abilities
    return abilities


def _check_answerable(dataset: Dataset, lazy_model: LazyModel, abilities: ModelAbilities) -> None:
    """Stop where the model can do nothing that this task could be measured by."""
    if abilities.token_logprobs or (abilities.remote and dataset.task is not Task.CORPUS):
        return
    what = f"{lazy_model.id}: {' '.join(abilities.notes)}"
    if abilities.remote:
        what = f"{dataset.path}: plain text is measured in bits per byte alone, and {abilities.no_bits}"
    raise AuditError(what, hint="Name another base model with --model", code=ExitCode.NO_CONCLUSION)


def _check_templates(workspace: Workspace) -> None:
    """Stop where a probe of the user's asks in no way that the model understands."""
    if not any(map(workspace.usable, workspace.probe.templates)):
        raise AuditError(
            f"{workspace.lazy_model.id} has no chat template, and probe {workspace.probe.name!r} asks in no "
            "other way",
            hint="Add a template without `chat: true`, or name an instruction-tuned model: --model",
        )


def _redundancy(
    engine: Engine,
    dataset: Dataset,
    levels: dict[float, NDArray[np.int64]],
    vectors: NDArray[np.float32],
    seed: int,
) -> dict[str, Figure]:
    counts = np.array([i.count for i in dataset.items])

    def compute(_: object) -> dict[str, Figure]:
        from dataedge.measure.redundancy import redundancy

        return redundancy(counts, levels[prepared.NEAR], vectors, levels=levels, seed=seed)

    inputs = {"counts": counts, "levels": levels, "vectors": vectors, "seed": seed}
    return engine.once(REDUNDANCY, inputs, compute)


def _responses(
    store: Store,
    engine: Engine,
    embedder: Embed,
    dataset: Dataset,
    vectors: NDArray[np.float32],
    findings: Findings,
) -> None:
    """Defects of free-text responses; the table is empty for a task without any."""
    from dataedge.tasks.response_review import SCHEMA, review_responses

    found = SCHEMA.empty_table()
    if dataset.task is Task.GENERATE:
        responses = embed(engine, embedder, [i.target for i in dataset.items])
        found = review_responses(engine, findings, dataset, vectors, responses)
    store.replace("response_findings", found)


def _workspace(
    engine: Engine,
    lazy_model: LazyModel,
    abilities: ModelAbilities,
    dataset: Dataset,
    splits: Splits,
    clusters: NDArray[np.int64],
    vectors: NDArray[np.float32],
    by_text: tuple[NDArray[np.float32], ...],
    config: AuditConfig,
) -> Workspace:
    from dataedge.prompt.workspace import Workspace

    probes = load_probes(config.probes)
    probe = searched_probe(dataset.task.value, probes)
    return Workspace(
        engine,
        lazy_model,
        abilities,
        probe,
        dataset,
        splits,
        clusters,
        vectors,
        by_text,
        config.seed,
        probes,
    )


def _tokens(workspace: Workspace) -> Figure:
    """Tokens of the distinct items, from a sample where there are very many."""
    items = workspace.dataset.items
    sample = REMOTE_SAMPLE if workspace.abilities.remote else TOKEN_SAMPLE
    rows = np.sort(np.random.default_rng(workspace.seed).permutation(len(items))[:sample])
    texts = [f"{items[i].text} {items[i].target}" for i in rows]
    counts = np.array(
        [len(t) for t in ask_tokens(workspace.engine, Tokens(workspace.lazy_model), texts)]
    )
    return volume.tokens(counts, workspace.clusters[rows], of=len(items), seed=workspace.seed)


def _class_balance(dataset: Dataset, seed: int) -> Figure:
    if dataset.task is not Task.CLASSIFY:
        return Figure.missing("the task has no classes", "share")
    return volume.class_balance([i.target for i in dataset.items if not i.label_missing], seed=seed)


def _exposure(
    engine: Engine,
    lazy_model: LazyModel,
    abilities: ModelAbilities,
    dataset: Dataset,
    config: AuditConfig,
) -> dict[str, Figure]:
    """Whether the base model has seen the dataset, where that was asked for."""
    if not (config.exposure or config.control):
        return {}
    from dataedge.exposure import exposure
    from dataedge.exposure.rows import load_control

    control = load_control(config.control, dataset) if config.control else None
    return exposure(engine, lazy_model, abilities, dataset, control, seed=config.seed)


def _findings(workspace: Workspace, config: AuditConfig, tokens: Figure) -> Findings:
    if workspace.dataset.task is Task.CLASSIFY:
        from dataedge.tasks import classify

        return classify.find(workspace, config, tokens)
    if workspace.abilities.no_bits:
        from dataedge.tasks import exact_match

        return exact_match.find(workspace, config, tokens)
    from dataedge.tasks import generate

    return generate.find(workspace, config, tokens)


def name_of(source: str | Path) -> str:
    """The audit's name for a data path: its last part without the ending."""
    path = Path(source)
    return (path.stem if path.suffix else path.name) or "dataset"
