"""How far a real fine-tune may fall from what the proxy learner predicts, added to an interval.

`fine_tunes.json` holds what the benchmark `edge` found: datasets were audited, the model was then really
fine-tuned on them, and the difference, tuned − predicted, has a predictive distribution for a dataset that
was not among them. It is a table of measurements, fitted again whenever arms are added; no weight in it was
set by hand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dataedge.figures import Figure
from dataedge.items import Task
from dataedge.ladder.units import BALANCED, BITS
from dataedge.widened_intervals import Measured, carried

if TYPE_CHECKING:
    from dataedge.widened_intervals import Carried

Gain = Literal["tuning_gain", "edge"]
Situation = Literal["learned", "nothing"]
"""Whether what was learned differs from prompting without the data: on that alone, fine-tune and proxy can
lie apart in both directions."""
BEYOND = 2.0
"""Times as far for a model, a task, a number of rows or a gain that no arm had. A rule, and not a
measurement."""
ROWS = 4.0
"""Times fewer or more train rows than the arms had, up to which the table holds."""
GAINS = 1.5
"""Times the largest predicted gain of an arm up to which it holds."""
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
        low: lower end of the central 95 % of its predictive distribution, in the unit of the gain.
        high: upper end.
        arms: fine-tunes it was measured on.
        sources: datasets these are from.
        largest: predicted gain of an arm; beyond it the rest is stretched.
        beyond: why it was stretched; empty where it was not.
    """

    low: float
    high: float
    arms: int
    sources: int
    largest: float = float("inf")
    beyond: str = ""

    def stretched(self, why: str) -> FineTuneError:
        """Twice as far, and as far on both sides."""
        reach = BEYOND * max(-self.low, self.high)
        reasons = "; ".join(filter(None, (self.beyond, why)))
        if self.beyond:
            return replace(self, beyond=reasons)
        return replace(self, low=-reach, high=reach, beyond=reasons)

    def added_to(self, figure: Figure, bounds: tuple[float, float]) -> Figure:
        """The figure with the interval of a fine-tune.

        The value stays what was measured. Each end moves to the root of the sum of two squares (Zou &
        Donner 2008): of the luck of the items, and of how far a fine-tune may lie on that side. What the
        interval carries of the train side, of prompts and of development items is within the second,
        since each arm had its own; it never becomes narrower than the measurement.

        Args:
            figure: with the interval of the measurement.
            bounds: of the unit.

        Example:
            >>> found = FineTuneError(-0.06, 0.06, 20, 7).added_to(Figure(0.1, 0.02, 0.18), (-1, 1))
            >>> round(found.low, 3), round(found.high, 3), round(carried(found).fine_tune, 2)
            (0.0, 0.2, 0.36)
        """
        if figure.value is None or figure.low is None or figure.high is None:
            return figure
        if figure.value > GAINS * self.largest:
            told = f"no arm was predicted to gain more than {self.largest:.3g}"
            wider = replace(self, largest=float("inf")).stretched(told)
            return wider.added_to(figure, bounds)
        items = carried(figure).items
        sides = (
            (figure.value - figure.low, max(-self.low, 0.0)),
            (
                figure.high - figure.value,
                max(self.high, 0.0),
            ),
        )
        below, above = (max(d, float(np.hypot(np.sqrt(items) * d, more))) for d, more in sides)
        whole = below**2 + above**2
        luck = sum(d**2 for d, _ in sides)
        own = max(1.0 - luck / whole, 0.0) if whole else 0.0
        shown = {f.name: getattr(figure, f.name) for f in fields(Figure)}
        ends = {
            "low": max(figure.value - below, bounds[0]),
            "high": min(figure.value + above, bounds[1]),
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


def error_of(
    gain: Gain, situation: Situation, task: Task, unit: str, model: str, rows: int
) -> FineTuneError | None:
    """What the table says of a gain; None where no arm of such a task was fine-tuned.

    Args:
        gain: tuning_gain, or the edge.
        situation: what the proxy came to.
        task: of the dataset.
        unit: of the gain.
        model: id of the base model.
        rows: train items.
    """
    whole = _table()
    lines = whole["tasks"].get(LIKE.get(task, task).value, {})
    line = lines.get(gain, {}).get(situation) or lines.get(gain, {}).get("learned")
    if line is None or unit not in UNITS[line["unit"]]:
        return None
    fewest, most = line["rows"]
    found = FineTuneError(line["low"], line["high"], line["arms"], line["sources"], line["largest"])
    if task in LIKE:
        found = found.stretched(f"no arm was of {task.value}")
    if model not in whole["models"]:
        found = found.stretched(f"no arm was of {model}")
    if not fewest / ROWS <= rows <= most * ROWS:
        found = found.stretched(f"the arms had {fewest:,} to {most:,} train rows")
    return found


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    text = files("dataedge.verdict").joinpath("fine_tunes.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def measurement(figure: Figure) -> Ends:
    """The interval of the measurement alone."""
    return figure.measurement if isinstance(figure, Predicted) else Ends(figure.low, figure.high)
