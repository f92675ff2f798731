"""How far a real fine-tune may fall from what the proxy learner predicts, added to an interval.

`fine_tunes.json` holds what the benchmark `edge` found: datasets were audited, the model was then really
fine-tuned on them, and the difference, tuned − predicted, has a predictive distribution for a dataset that
was not among them. It is a table of measurements, fitted again whenever arms are added; no weight in it was
set by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dataedge.figures import Figure
from dataedge.items import Task
from dataedge.ladder.rungs import BALANCED, BITS
from dataedge.widened_intervals import Measured, carried

if TYPE_CHECKING:
    from dataedge.widened_intervals import Carried

Gain = Literal["tuning_gain", "edge"]
BEYOND = 2.0
"""Times as far, and without the mean, for a model, a task or a number of rows that no arm had. A rule,
and not a measurement."""
ROWS = 4.0
"""Times fewer or more train rows than the arms had, up to which the table holds."""
LIKE = {Task.CORPUS: Task.GENERATE}
"""Tasks without arms of their own, and whose arms are taken for them."""
UNITS = {"accuracy": ("accuracy", BALANCED), BITS: (BITS,)}
"""Units of gains by that of the arms: where labels count alike, an error of the same size is taken."""


class Ends(NamedTuple):
    """Of an interval."""

    low: float | None
    high: float | None


_NONE = Ends(None, None)


@dataclass(frozen=True)
class Predicted(Measured):
    """A figure whose interval is that of a fine-tune.

    Attributes:
        measurement: the interval of the measurement alone.
        arms: fine-tunes that the rest was measured on.
        sources: datasets these are from.
        beyond: why the table was stretched; empty where it was not.
    """

    measurement: Ends = _NONE
    arms: int = 0
    sources: int = 0
    beyond: str = ""


@dataclass(frozen=True)
class FineTuneError:
    """Tuned − predicted, for a dataset that is not among the arms.

    Attributes:
        mean: of the predictive distribution, in the unit of the gain.
        low: lower end of its central 95 %.
        high: upper end.
        arms: fine-tunes it was measured on.
        sources: datasets these are from.
        beyond: why it was stretched; empty where it was not.
    """

    mean: float
    low: float
    high: float
    arms: int
    sources: int
    beyond: str = ""

    def added_to(self, figure: Figure, bounds: tuple[float, float]) -> Figure:
        """The figure with the interval of a fine-tune, both sources of luck being independent.

        The value stays what was measured. Each end moves by the mean, and to the root of the sum of
        squared distances (Zou & Donner 2008), as in `widened_intervals.widened`.

        Args:
            figure: with the interval of the measurement.
            bounds: of the unit.

        Example:
            >>> found = FineTuneError(0.0, -0.06, 0.06, 20, 7).added_to(Figure(0.1, 0.02, 0.18), (-1, 1))
            >>> round(found.low, 3), round(found.high, 3), round(carried(found).fine_tune, 2)
            (0.0, 0.2, 0.36)
        """
        if figure.value is None or figure.low is None or figure.high is None:
            return figure
        below, above = figure.value - figure.low, figure.high - figure.value
        less, more = self.mean - self.low, self.high - self.mean
        low = figure.value + self.mean - float(np.hypot(below, less))
        high = figure.value + self.mean + float(np.hypot(above, more))
        own = (less**2 + more**2) / max(less**2 + more**2 + below**2 + above**2, 1e-12)
        shown = {f.name: getattr(figure, f.name) for f in fields(Figure)}
        ends = {
            "low": max(min(low, figure.value), bounds[0]),
            "high": min(max(high, figure.value), bounds[1]),
        }
        shares: Carried = carried(figure).beside(own)
        return Predicted(
            **{**shown, **ends},
            carried=shares,
            measurement=Ends(figure.low, figure.high),
            arms=self.arms,
            sources=self.sources,
            beyond=self.beyond,
        )


def error_of(gain: Gain, task: Task, unit: str, model: str, rows: int) -> FineTuneError | None:
    """What the table says of a gain; None where no arm of such a task was fine-tuned.

    Args:
        gain: tuning_gain, or the edge.
        task: of the dataset.
        unit: of the gain.
        model: id of the base model.
        rows: train items.
    """
    whole = _table()
    lines = whole["tasks"].get(LIKE.get(task, task).value, {})
    line = lines.get(gain) or lines.get("tuning_gain")
    if line is None or unit not in UNITS[line["unit"]]:
        return None
    fewest, most = line["rows"]
    beyond = [
        *([f"no arm was of {task.value}"] if task in LIKE else []),
        *([f"no arm was of {model}"] if model not in whole["models"] else []),
        *(
            []
            if fewest / ROWS <= rows <= most * ROWS
            else [f"the arms had {fewest:,} to {most:,} train rows"]
        ),
    ]
    mean, low, high = line["mean"], line["low"], line["high"]
    if beyond:
        mean, reach = 0.0, BEYOND * max(-low, high)
        low, high = -reach, reach
    return FineTuneError(mean, low, high, line["arms"], line["sources"], "; ".join(beyond))


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    text = files("dataedge.verdict").joinpath("fine_tunes.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def measurement(figure: Figure) -> Ends:
    """The interval of the measurement alone."""
    return figure.measurement if isinstance(figure, Predicted) else Ends(figure.low, figure.high)
