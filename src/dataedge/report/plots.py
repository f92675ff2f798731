"""The charts of an audit for notebooks: Altair charts made from the same specifications as the page's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError
from dataedge.report.charts import THEMES, charts

if TYPE_CHECKING:
    from collections.abc import Callable

    import altair as alt

    from dataedge.report.item_sample import ItemSample
    from dataedge.report.model import Report

WIDTH = 560
"""Of a chart, in pixels."""


class Plots:
    """`audit.plot`: one method per chart.

    Attributes:
        report: whose figures are drawn.
        sample: takes the items that are drawn, when they are needed.
    """

    def __init__(self, report: Report, sample: Callable[[], ItemSample]) -> None:
        self.report = report
        self.sample = sample

    def ladder(self) -> alt.LayerChart:
        """What each rung reaches, with its interval."""
        return self._chart("ladder")

    def edge_map(self) -> alt.LayerChart:
        """Each held-out item without the data and with it."""
        return self._chart("edge_map")

    def learning_curve(self) -> alt.LayerChart:
        """What is learned from how many train items, and what is foretold of more."""
        return self._chart("learning_curve")

    def labels(self) -> alt.LayerChart:
        """Which labels are suspected to be which others."""
        return self._chart("labels")

    def novelty(self) -> alt.Chart:
        """What the base model makes of held-out items before it sees the data."""
        return self._chart("novelty")

    def redundancy(self) -> alt.LayerChart:
        """Rows, and what is left of them when those that are alike count once."""
        return self._chart("redundancy")

    def responses(self) -> alt.LayerChart:
        """Defects of responses, by kind."""
        return self._chart("responses")

    def prompt_curve(self) -> alt.LayerChart:
        """What more demonstrations in the prompt give."""
        return self._chart("prompt_curve")

    def _chart(self, name: str) -> Any:
        try:
            import altair as alt
        except ImportError as error:
            raise AuditError(
                "charts in notebooks need the package altair",
                hint="Install it: `pip install 'dataedge[notebook]'`; `dataedge report --png DIR` needs none",
            ) from error
        spec = charts(self.report, self.sample(), only=(name,)).get(name)
        if spec is None:
            drawn = ", ".join(charts(self.report, self.sample()))
            raise AuditError(
                f"there is nothing to draw for {name} in this audit; there is for {drawn}",
                hint="Draw what there is: `dataedge report AUDIT --png DIR`",
            )
        _offline(alt)
        sized = {
            **_still(spec),
            "width": WIDTH,
            "config": {**THEMES["light"], "background": "white"},
        }
        return alt.Chart.from_dict(sized)


RENDERER = "dataedge"


def _still(spec: dict[str, Any]) -> dict[str, Any]:
    """The chart without what a page selects on it: there is no table beside it here."""
    if "layer" not in spec:
        return spec
    layers = []
    for layer in spec["layer"]:
        plain = {key: value for key, value in layer.items() if key != "params"}
        if "params" in layer:
            plain["encoding"] = {**layer["encoding"], "opacity": {"value": 0.8}}
        layers.append(plain)
    return {**spec, "layer": layers}


def _offline(alt: Any) -> None:
    """Show charts without a network: Altair's default fetches what draws them from elsewhere.

    A notebook gets the specification, which JupyterLab draws itself, and a picture for all others.
    A renderer that the user has chosen stays.
    """
    if alt.renderers.active != "default":
        return
    from dataedge.report.page.runtime import svg

    def bundle(spec: dict[str, Any], **_: Any) -> dict[str, Any]:
        mime = f"application/vnd.vegalite.v{alt.SCHEMA_VERSION.lstrip('v').split('.')[0]}+json"
        return {mime: spec, "image/svg+xml": svg(spec), "text/plain": "<chart>"}

    alt.renderers.register(RENDERER, bundle)
    alt.renderers.enable(RENDERER)
