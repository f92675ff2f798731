"""The Python interface: run an audit, open one. The command calls the same functions."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError, DamagedError, ExitCode
from dataedge.files import write_whole
from dataedge.finished_audit import PAGE, REPORT, Audit, open  # noqa: A004
from dataedge.runs import BEFORE

if TYPE_CHECKING:
    from dataedge.config import AuditConfig, Count, Dtype, EngineName, TaskName
    from dataedge.items import Dataset
    from dataedge.report.model import Report

__all__ = ["Audit", "audit", "open", "read"]


def audit(
    source: Any,
    *,
    out: str | Path | None = None,
    model: str | None = None,
    dtype: Dtype | None = None,
    base_url: str | None = None,
    send_to: str | None = None,
    concurrency: int | None = None,
    timeout: float | None = None,
    price_in: float | None = None,
    price_out: float | None = None,
    price_tuned_in: float | None = None,
    price_tuned_out: float | None = None,
    price_tuning: float | None = None,
    embedder: str | None = None,
    probe_items: int | None = None,
    probes: str | Path | None = None,
    limit: int | None = None,
    seed: int | None = None,
    task: TaskName | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    prompt_column: str | None = None,
    response_column: str | None = None,
    group_column: str | None = None,
    time_column: str | None = None,
    delta: float | None = None,
    delta_balanced: float | None = None,
    delta_r2: float | None = None,
    target: float | None = None,
    count: Count | None = None,
    pilot: float | None = None,
    save_adapter: str | None = None,
    exposure: bool | None = None,
    control: str | Path | None = None,
    engine: EngineName | None = None,
    ray_address: str | None = None,
    ray_workers: int | None = None,
    ray_cpus: float | None = None,
    ray_gpus: float | None = None,
    ray_embed_cpus: float | None = None,
    ray_embed_gpus: float | None = None,
    fresh: bool = False,
    quiet: bool = True,
) -> Audit:
    """Audit a dataset and return what was found.

    What was asked of a model before, in an earlier or interrupted run into the same directory,
    is not asked again. What is None is taken from the environment (`DATAEDGE_<NAME>`), from
    `dataedge.toml` beside the data, or else is the default named here.

    Args:
        source: a path (file or directory), a hub id, a `datasets.Dataset`, or a DataFrame.
        out: directory of the audit; `audits/<name of the data>` by default.
        model: the base model: `embedded` (the default), `hf/<path or hub id>`, `gguf/<path>`, or
            `openai/<name>` for a server at `base_url`.
        dtype: precision of weights on this machine: `auto` (the default), `float32`, `bfloat16`.
        base_url: where an OpenAI-compatible server listens, up to and including `/v1`.
        send_to: the host that the data's texts may be sent to, where it is not this machine.
        concurrency: requests to a server that are under way at once, 1 to 256; 4 by default.
        timeout: seconds after which a request counts as lost and is tried again; 120 by default.
        price_in: what a million tokens cost that a server reads, in a currency of your own.
        price_out: what a million tokens cost that it writes, in the same currency.
        price_tuned_in: what a million tokens cost that a tuned model reads; `price_in` by default.
        price_tuned_out: what a million tokens cost that it writes; `price_out` by default.
        price_tuning: what the fine-tune costs, once; the report says after how many requests it
            has paid.
        embedder: what makes the vectors: `embedded` (the default) or `st/<path or hub id>`.
        probe_items: held-out items that the model is asked about, 20 to 100,000: a quarter to
            choose prompts on, the rest to report on; 400 by default.
        probes: file or directory with probes of your own.
        limit: audit a sample of so many distinct items, at least 20; all of them by default.
        seed: of every draw, 0 or more; 0 by default.
        task: `classify`, `multilabel`, `number`, `generate` or `corpus`; by default inferred from the
            columns.
        text_column: column with the text; two texts are separated by a comma.
        label_column: column with the label; annotators' columns are separated by commas.
        prompt_column: column with the prompt, or with a chat's messages.
        response_column: column with the response.
        group_column: column that says which rows belong together (a customer, a document): no
            group is on two sides of a split, and intervals draw whole groups.
        time_column: column with a number or an ISO date: the latest rows are held out.
        delta: smallest gain worth having, in accuracy or bits per byte, 0 to 1; 0.02 by default.
        delta_balanced: the same in balanced accuracy, which counts where more than 80 % of the rows
            have one label, and where rows have several; 0.05 by default.
        delta_r2: the same in R², which counts where the label is a number; 0.05 by default.
        target: accuracy, above 0 and up to 1, that `examples_needed` refers to; `delta` above the
            best prompt without the data by default.
        count: what of a gain counts for prompts and responses: `task` (the default) or `total`,
            which counts style as well.
        pilot: minutes that a real fine-tune of the base model may take, judged on the same held-out
            items. By default texts have a short one where it fits two minutes; 0: none.
        save_adapter: folder for the pilot's adapters, as peft reads them.
        exposure: test whether the base model has seen the dataset; False by default.
        control: path to rows of the same source that the model cannot have seen; implies
            `exposure`.
        engine: `local`, or `ray` to embed and to ask on a cluster.
        ray_address: head of the cluster, `host:port`; the one that the environment names, or one of
            this machine alone, if not given.
        ray_workers: workers at most; as many as there is room for by default.
        ray_cpus: cores of a worker that asks the base model; 1 by default.
        ray_gpus: its GPUs, or a part of one; 0 by default.
        ray_embed_cpus: cores of a worker that embeds; `ray_cpus` by default.
        ray_embed_gpus: its GPUs; `ray_gpus` by default.
        fresh: forget what the directory holds first.
        quiet: no progress on stderr.

    Raises:
        AuditError: with a message that names the place and a hint that mends it.
    """
    options = {k: v for k, v in locals().items() if k not in ("source", "fresh", "quiet")}
    from dataedge.config import make_config
    from dataedge.engine.ray import check_engine
    from dataedge.progress import Progress

    _stay_private()
    path = Path(source) if isinstance(source, str | os.PathLike) else None
    config, passed = make_config(options, path if path and path.exists() else None)
    out = Path(config.out) if config.out else Path("audits") / _name(source)
    started = time.perf_counter()
    check_engine(config, passed)
    dataset = _checked(read(source, config), source, config)
    reading = time.perf_counter() - started
    if not config.out and not fresh:
        require_own(out, dataset)

    from importlib.metadata import version

    from dataedge.pilot.checkpoint import remove_all
    from dataedge.pipeline import run
    from dataedge.salvage import mended
    from dataedge.store import FILE, Store

    if fresh:
        _forget(out)
    with mended(out / FILE), Store(out) as store:
        before = _shown(out)
        shown_run = None if before is None else str(before.get("run", BEFORE))
        store.begin_run(version("dataedge"), config.model_dump(mode="json"), shown_run)
        report = run(dataset, config, passed, store, Progress(quiet=quiet), reading)
        store.finish_run()
        same = before is not None and _same_but_for_times(before, report)
        if not same:
            (out / PAGE).unlink(missing_ok=True)  # of two runs that differ, no page beside a report
        _put_in_place(report, out)
        store.drop_other_runs()
        remove_all(out)  # of a fine-tune that was broken off, and is not wanted any more
    done = Audit(out, report)
    return done if same and (out / PAGE).is_file() else _with_page(done)


def _same_but_for_times(before: dict[str, Any], report: Report) -> bool:
    """Whether an earlier report says what this one says, so that its page need not be made again."""
    from dataedge.report.model import without_timings

    return bool(without_timings(before) == without_timings(report.model_dump(mode="json")))


def _with_page(audit: Audit) -> Audit:
    """The audit, its page written."""
    path = audit.directory / PAGE
    try:
        write_whole(path, audit.html())
    except OSError as error:
        raise AuditError(
            f"{path}: {error.strerror or error}; the audit itself is whole",
            hint=f"Write the page elsewhere: `dataedge report {audit.directory} --html FILE`",
            code=ExitCode.NO_CONCLUSION,
        ) from error
    return audit


def _shown(out: Path) -> dict[str, Any] | None:
    """The report of a directory, by whatever version; None without one."""
    try:
        report = json.loads((out / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report if isinstance(report, dict) else None


def require_own(out: Path, dataset: Dataset) -> None:
    """Raise AuditError where a folder that nobody named holds the audit of another dataset, still there.

    Args:
        out: audits/<name of the data>.
        dataset: this one; the same rows under another path are no other dataset.
    """
    found, path = (_shown(out) or {}).get("dataset"), dataset.path
    if not isinstance(found, dict) or found.get("fingerprint") == dataset.fingerprint:
        return
    told = str(found.get("path", ""))
    before = Path(told).expanduser()
    if told and before.exists() and before.resolve() != Path(path).expanduser().resolve():
        raise AuditError(
            f"{out}: holds the audit of {before}, which this one of {path} would take the place of",
            hint=f"Name another folder for this one: --out {out}-2",
        )


def _put_in_place(report: Report, out: Path) -> None:
    """Write the report whole, in the place of the last one: from here on the new run is shown."""
    write_whole(out / REPORT, report.model_dump_json(indent=2) + "\n")


def read(source: Any, config: AuditConfig) -> Dataset:
    """Load the dataset of a configuration."""
    from dataedge.load import READING, load

    reading = {name: getattr(config, name) for name in READING}
    return load(source, limit=config.limit, seed=config.seed, **reading)


def _checked(dataset: Dataset, source: Any, config: AuditConfig) -> Dataset:
    """The dataset with a note on what `dataedge check` calls an error; data from a hub is not read again."""
    from dataclasses import replace

    from dataedge.check.run import check
    from dataedge.load import READING

    if isinstance(source, str) and not Path(source).expanduser().exists():
        return dataset
    checked = check(source, {name: getattr(config, name) for name in READING})
    errors = [f"{f.name} ({len(f.rows):,})" for f in checked.found if f.level == "error" and f.rows]
    if not errors:
        return dataset
    what = f"{', '.join(errors)}; `dataedge check` lists them"
    note = f"{dataset.path}: rows that a fine-tune would trip over: {what}"
    return replace(dataset, notes=(note, *dataset.notes))


def _forget(out: Path) -> None:
    """Delete what an audit's directory holds, unless another process is writing there."""
    from dataedge.models.endpoint.journal import FILE as ANSWERS
    from dataedge.pilot.checkpoint import remove_all
    from dataedge.salvage import WORKPLACE
    from dataedge.store import FILE, Store

    try:
        Store(out).close()
    except DamagedError:
        pass
    except AuditError as error:
        if error.code is ExitCode.NO_CONCLUSION:  # in use; a broken file may go
            raise
    # the report first: without one, whatever is left of the rest is an audit that was interrupted
    for file in (
        out / REPORT,
        out / PAGE,
        *out.glob(f"{FILE}.wal*"),
        *out.glob(f"{FILE}.damaged*"),
        out / FILE,
        out / ANSWERS,
    ):
        file.unlink(missing_ok=True)
    remove_all(out)
    shutil.rmtree(out / WORKPLACE, ignore_errors=True)


def _name(source: Any) -> str:
    from dataedge.config import name_of

    if isinstance(source, str | os.PathLike):
        return name_of(str(source))
    return type(source).__name__.lower()


def _stay_private() -> None:
    """No library reports home."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")
