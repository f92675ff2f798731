"""The Python interface: run an audit, open one, look into it. The command calls the same functions."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError, ExitCode
from dataedge.report.model import Report

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

    from dataedge.items import Dataset
    from dataedge.report.model import EdgeModel, FigureModel, ReasonModel, VerdictModel
    from dataedge.store import Store

REPORT = "report.json"
READING = ("task", "text_column", "label_column", "prompt_column", "response_column")


def audit(
    source: Any,
    *,
    fresh: bool = False,
    quiet: bool = True,
    **options: Any,
) -> Audit:
    """Audit a dataset and return what was found.

    What was asked of a model before, in an earlier or interrupted run into the same directory,
    is not asked again.

    Args:
        source: a path (file or directory), a hub id, a `datasets.Dataset`, or a DataFrame.
        fresh: forget what the directory holds first.
        quiet: no progress on stderr.
        options: fields of `dataedge.config.AuditConfig`: out, model, dtype, embedder, probe_items, probes,
            limit, seed, task, text_column, label_column, prompt_column, response_column, delta, target,
            count, exposure, control, base_url, send_to, concurrency, timeout, price_in, price_out.

    Raises:
        AuditError: with a message that names the place and a hint that mends it.
    """
    from dataedge.config import make_config
    from dataedge.progress import Progress

    _stay_private()
    path = Path(source) if isinstance(source, str | os.PathLike) else None
    config, passed = make_config(options, path if path and path.exists() else None)
    out = Path(config.out) if config.out else Path("audits") / _name(source)
    dataset = read(source, config)

    from dataedge.stages import run
    from dataedge.store import Store

    if fresh:
        _forget(out)
    with Store(out) as store:
        report = run(dataset, config, passed, store, Progress(quiet=quiet))
    text = report.model_dump_json(indent=2)
    temporary = out / f".{REPORT}.tmp"
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(out / REPORT)
    return Audit(out, report)


def open(directory: str | Path) -> Audit:  # noqa: A001
    """Open a finished audit.

    Raises:
        AuditError: there is none in this directory, or its report is from another version.
    """
    from pydantic import ValidationError

    path = Path(directory) / REPORT
    if not path.is_file():
        raise AuditError(
            f"{directory}: no finished audit here ({REPORT} is missing)",
            hint=f"run `dataedge audit DATA --out {directory}`; an interrupted run goes on where it stopped",
        )
    try:
        return Audit(Path(directory), Report.model_validate_json(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise AuditError(
            f"{path}: not a report of this version ({error.errors()[0]['msg']})",
            hint="run the audit again: answers of the model are reused",
            code=ExitCode.NO_CONCLUSION,
        ) from error


def read(source: Any, config: Any) -> Dataset:
    """Load the dataset of a configuration."""
    from dataedge.load import load

    reading = {name: getattr(config, name) for name in READING}
    return load(source, limit=config.limit, seed=config.seed, **reading)


class Audit:
    """A finished audit.

    Attributes:
        directory: where it is.
        report: the whole report, a pydantic model.
    """

    def __init__(self, directory: Path, report: Report) -> None:
        self.directory = directory
        self.report = report

    @property
    def verdict(self) -> VerdictModel:
        """label, limited_by, advice, why."""
        return self.report.verdict

    @property
    def edge(self) -> EdgeModel:
        """What the data adds over the best prompting without it."""
        return self.report.edge

    @property
    def tuning_gain(self) -> EdgeModel:
        """What learning adds over the best prompting, retrieval included."""
        return self.report.tuning_gain

    @property
    def measures(self) -> dict[str, FigureModel]:
        """Every measure by name."""
        return self.report.measures

    @property
    def reasons(self) -> list[ReasonModel]:
        """The four reasons to fine-tune, answered."""
        return self.report.reasons

    @property
    def ladder(self) -> pd.DataFrame:
        """One row per rung: value, low, high, n, unit, status, how."""
        import pandas as pd

        rows = [
            {**r.model_dump(exclude={"detail"}), "how": r.detail.get("how", "")}
            for r in self.report.ladder
        ]
        columns = ["rung", "value", "low", "high", "n", "unit", "status", "reason", "how"]
        return pd.DataFrame(rows, columns=columns).set_index("rung")

    def items(self, view: str = "suspects") -> pd.DataFrame:
        """The items of a view with everything known of them, most telling first.

        Args:
            view: one of `report.views`: suspects, disputed, responses, edge, known, hard,
                overwritten, leaked.

        Personal data that was found in an item is not shown: `sql` has the text as it is.

        Raises:
            AuditError: there is no such view.
        """
        if view not in self.report.views:
            raise AuditError(
                f"no view {view!r} in this audit",
                hint=f"views: {', '.join(sorted(self.report.views))}",
            )
        order = {item: rank for rank, item in enumerate(self.report.views[view])}
        with self._store() as store:
            query = (
                "select * from items join findings using (item) where item in (select unnest($ids))"
            )
            frame = store.con.sql(query, params={"ids": list(order)}).df()
        frame["texts"] = [list(t) for t in frame["texts"]]
        frame["rank"] = frame["item"].map(order)
        if "defects" in frame:
            _hide_personal(frame)
        ordered: pd.DataFrame = (
            frame.sort_values("rank").drop(columns="rank").reset_index(drop=True)
        )
        return ordered

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Query the store (tables items, findings, response_findings, stage_*), read-only.

        The relation keeps the file open for reading until it is no longer referred to.
        """
        import duckdb

        store = self._store()
        try:
            return store.con.sql(query)
        except duckdb.Error as error:
            raise AuditError(
                str(error).splitlines()[0], hint="tables: " + ", ".join(store.tables)
            ) from error

    def _store(self) -> Store:
        from dataedge.store import Store

        return Store(self.directory, read_only=True)

    def __repr__(self) -> str:
        return f"<Audit of {self.report.dataset.path}: {' '.join(self.verdict.why)}>"

    def _repr_html_(self) -> str:
        from dataedge.report.notebook import to_html

        return to_html(self.report)


def json_text(report: Report) -> str:
    """The report as JSON, as in report.json."""
    return json.dumps(report.model_dump(mode="json"), indent=2)


def _hide_personal(frame: pd.DataFrame) -> None:
    """Addresses and numbers of items in which some were found, replaced by what they are."""
    from dataedge.measure.responses import redact

    found = frame["defects"].fillna("").str.contains("personal_data")
    rows = zip(found, frame["texts"], frame["target"], strict=True)
    kept = [
        ([redact(t) for t in texts], redact(y)) if hit else (texts, y) for hit, texts, y in rows
    ]
    frame["texts"], frame["target"] = [t for t, _ in kept], [y for _, y in kept]


def _forget(out: Path) -> None:
    """Delete what an audit's directory holds, unless another process is writing there."""
    from dataedge.models.endpoint.journal import FILE as ANSWERS
    from dataedge.store import FILE, Store

    try:
        Store(out).close()
    except AuditError as error:
        if error.code is ExitCode.NO_CONCLUSION:  # in use; a broken file may go
            raise
    for file in (out / FILE, out / f"{FILE}.wal", out / REPORT, out / ANSWERS):
        file.unlink(missing_ok=True)


def _name(source: Any) -> str:
    from dataedge.stages import name_of

    if isinstance(source, str | os.PathLike):
        return name_of(str(source))
    return type(source).__name__.lower()


def _stay_private() -> None:
    """No library reports home."""
    for name in ("HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "DISABLE_TELEMETRY"):
        os.environ.setdefault(name, "1")
