"""A finished audit, to look into: its report, its items, and SQL over its store."""

from __future__ import annotations

import difflib
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dataedge.errors import AuditError, DamagedError, ExitCode
from dataedge.report.model import Report

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pandas as pd

    from dataedge.report.item_sample import ItemSample
    from dataedge.report.item_view import ItemView
    from dataedge.report.model import EdgeModel, FigureModel, ReasonModel, TermModel, VerdictModel
    from dataedge.report.plots import Plots
    from dataedge.store import Store

REPORT = "report.json"
PAGE = "report.html"


def open(directory: str | Path) -> Audit:  # noqa: A001
    """Open a finished audit.

    Raises:
        AuditError: there is none in this directory, or its report is from another version.
    """
    from pydantic import ValidationError

    path = Path(directory) / REPORT
    if not path.is_file():
        near = _near(Path(directory))
        if near:
            hint = f"Did you mean the audit `dataedge report {near}`?"
        elif Path(directory).is_file():
            hint = f"That is a file; `dataedge audit {directory}` makes an audit of it"
        else:
            hint = f"Run `dataedge audit DATA --out {directory}`; an interrupted run goes on where it stopped"
        raise AuditError(f"{directory}: no finished audit here ({REPORT} is missing)", hint=hint)
    try:
        return Audit(Path(directory), Report.model_validate_json(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise AuditError(
            f"{path}: not a report of this version ({error.errors()[0]['msg']})",
            hint=f"Run `dataedge audit DATA --out {directory}` again: answers of the model are reused",
            code=ExitCode.NO_CONCLUSION,
        ) from error


def _near(directory: Path) -> Path | None:
    """The finished audit beside it, or in audits/, whose name is its own or much like it."""
    for place in (Path("audits"), directory.parent):
        there = {p.parent.name: p.parent for p in place.glob(f"*/{REPORT}")}
        found = difflib.get_close_matches(directory.stem, there, n=1, cutoff=0.7)
        if found:
            return there[found[0]]
    return None


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
    def terms(self) -> list[TermModel]:
        """The four terms of the claim: new to the model, enough of it, clean, well defined."""
        return self.report.terms

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
        from dataedge.report.item_view import cells

        with self._store() as store, _sql_errors(store):
            chosen = self._chosen(store, view)
            rows = cells(chosen)
            frame: pd.DataFrame = chosen.df()
        for column in ("texts", "target"):
            frame[column] = [row[column] for row in rows]
        return frame

    def view(self, view: str = "suspects", worst: int | None = None) -> ItemView:
        """The same as plain rows, for printing: a table, CSV or JSON lines.

        Args:
            view: as for `items`.
            worst: how many, all if not given.

        Raises:
            AuditError: there is no such view.
        """
        from dataedge.report.item_view import ItemView, cells

        with self._store() as store, _sql_errors(store):
            chosen = self._chosen(store, view, worst)
            return ItemView(view, tuple(chosen.columns), cells(chosen))

    def _chosen(self, store: Store, view: str, worst: int | None = None) -> duckdb.DuckDBPyRelation:
        if view not in self.report.views:
            raise AuditError(
                f"no view {view!r} in this audit",
                hint=f"Choose one with --view: {', '.join(sorted(self.report.views))}",
            )
        query = (
            "select * from items join findings using (item) where item in (select unnest($ids)) "
            "order by list_position($ids, item)"
        )
        return store.con.sql(query, params={"ids": self.report.views[view][:worst]})

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Query the store, read-only: items, findings, response_findings, outcomes, and stage_* of all runs.

        No file, extension or setting beyond the store can be reached, whatever the store holds.
        The relation keeps the file open for reading until it is no longer referred to.

        Raises:
            AuditError: the query is wrong, or asks for more than that.
        """
        store = self._store()
        try:
            with _sql_errors(store):
                return store.con.sql(query)
        except AuditError:
            store.close()
            raise

    @property
    def plot(self) -> Plots:
        """Altair charts: `plot.ladder()`, `plot.edge_map()`, `plot.learning_curve()` and more."""
        from dataedge.report.plots import Plots

        return Plots(self.report, self._sample)

    def html(self) -> str:
        """The whole audit as one page that needs no network; report.html holds it."""
        from dataedge.report.page.render import page

        return page(self.report, self._sample())

    def images(self, form: Literal["png", "svg"]) -> dict[str, bytes]:
        """Every chart as the content of an image file, by name."""
        from dataedge.report.charts import THEMES, charts
        from dataedge.report.page.runtime import image

        drawn = charts(self.report, self._sample())
        return {name: image(spec, THEMES["light"], form) for name, spec in drawn.items()}

    def _sample(self) -> ItemSample:
        from dataedge.report.item_sample import sample_items

        with self._store() as store, _sql_errors(store):
            return sample_items(store, self.report.views)

    def _store(self) -> Store:
        from dataedge.store import Store

        return Store(self.directory, read_only=True, run=self.report.run)

    def __repr__(self) -> str:
        return f"<Audit of {self.report.dataset.path}: {' '.join(self.verdict.why)}>"

    def _repr_html_(self) -> str:
        from dataedge.report.notebook import to_html

        return to_html(self.report)


def json_text(report: Report) -> str:
    """The report as JSON, as in report.json."""
    return json.dumps(report.model_dump(mode="json"), indent=2)


@contextmanager
def _sql_errors(store: Store) -> Iterator[None]:
    """What DuckDB refuses, as a sentence."""
    import duckdb

    from dataedge.store import is_damage

    try:
        yield
    except duckdb.Error as error:
        if is_damage(error):
            raise DamagedError(store.path, store.path.parent) from error
        raise AuditError(
            str(error).splitlines()[0],
            hint="A query in `Audit.sql` reads the tables of this audit and nothing else: "
            + ", ".join(store.tables),
        ) from error
