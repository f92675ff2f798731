"""The ladder: the same held-out items on every rung, and the differences that matter.

edge = with_data − without_data; tuning gain = learned − prompted.
Gains are counted so that higher is better: accuracy as it is, bits per byte with its sign turned.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataedge.figure_arithmetic import summed
from dataedge.figures import Figure, mean_figure
from dataedge.intervals import mean_of_classes, paired_proportions, proportion
from dataedge.ladder.outcome import better, keep
from dataedge.ladder.refits import CONSTANT, Items
from dataedge.ladder.units import BALANCED, BITS, LOWER, PROPORTIONS, R2
from dataedge.positions import positions
from dataedge.widened_intervals import widened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.ladder.outcome import Outcome
    from dataedge.ladder.refits import Refits
    from dataedge.learning_curve.fine_tune_curve import MoreRows
    from dataedge.positions import Positions
    from dataedge.prompt.templates import Strategy
    from dataedge.widened_intervals import Added

RUNGS = (
    "chance",
    "zero_shot",
    "few_shot",
    "without_data",
    "retrieved",
    "prompted",
    "learned",
    "tuned",
    "tuned_all",
    "with_data",
    "repaired",
    "more_data",
)
Basis = Literal["estimated", "measured"]
"""Whether a figure rests on a proxy learner, or on a real fine-tune."""
FINE_TUNED = "tuned"
"""The rung of a pilot: measured, where `learned` is what a proxy predicts."""
ALL_ROWS = "tuned_all"
"""The rung that `tuned` would be with all train rows: a forecast."""
NOT_ALWAYS = (FINE_TUNED, ALL_ROWS, "repaired", "more_data")
"""Rungs that not every audit has."""


@dataclass(frozen=True)
class Repaired(Figure):
    """The rung `repaired`.

    Attributes:
        gain: over `learned`, on the same items, paired.
    """

    gain: Figure | None = None

    @property
    def described(self) -> dict[str, Any]:
        """The detail and the gain."""
        if self.gain is None:
            return dict(self.detail)
        value, low, high = self.gain.value, self.gain.low, self.gain.high
        return {**self.detail, "gain_over_learned": value, "gain_low": low, "gain_high": high}


@dataclass(frozen=True)
class Rungs:
    """A ladder that was run.

    Attributes:
        unit: accuracy, balanced accuracy, exact match, R²; bits/byte or absolute error (lower is better).
        index: shape (n,), which dataset items the evaluation items are.
        weight: shape (n,), what gains are a share of: bytes, squared distances from the mean, or ones.
        clusters: shape (n,), for the bootstrap.
        outcomes: per rung that was reached.
        missing: rung → why it was not.
        seed: of the bootstrap.
        special: rungs that are not measured on these items (repaired, more_data).
        no_bits: why nothing is said in bits, where the base model gives no probabilities.
        classes: shape (n,), label of each evaluation item; None where there are none.
        refits: the same ladder with another train side, other weights and other prompts; None where
            it was not fitted again, and intervals carry the luck of the evaluation items alone.
    """

    unit: str
    index: Positions
    weight: NDArray[np.float64]
    clusters: NDArray[np.int64]
    outcomes: dict[str, Outcome]
    missing: dict[str, str]
    seed: int
    special: dict[str, Figure] = field(default_factory=dict)
    no_bits: str = ""
    classes: NDArray[np.int64] | None = None
    refits: Refits[Any] | None = None
    tuned_counts: bool = True
    """Whether `tuned` is what a fine-tune reaches; otherwise it only stands beside `learned`."""
    more_rows: MoreRows | None = None
    """What `tuned` would gain by the train rows it was not tuned on, or why that is not told; None where
    there are none, or no pilot was run."""

    @property
    def sign(self) -> float:
        """+1 where the unit is better when higher."""
        return -1.0 if self.unit in LOWER else 1.0

    @property
    def n_items(self) -> int:
        """Evaluation items; fewer than rows where each has several labels."""
        return len(np.unique(self.index))

    def _of_items(self, figure: Figure) -> Figure:
        """The figure of so many items, not rows."""
        return replace(figure, n=self.n_items) if figure.n == len(self.index) else figure

    @property
    def n_clusters(self) -> int:
        """Independent groups of evaluation items."""
        return len(np.unique(self.clusters))

    def figure(self, rung: str) -> Figure:
        """A rung's value in the task's own unit, with its interval."""
        if rung in self.special:
            return self.special[rung]
        if rung == ALL_ROWS and self.more_rows:
            return self._on_all_rows(self.more_rows)
        outcome = self.outcomes.get(rung)
        if outcome is None:
            return Figure.missing(self.missing.get(rung, "not reached"), self.unit)
        detail = {
            "how": outcome.how,
            "bits_per_item": None if self.no_bits else float(outcome.bits.sum() / self.n_items),
            "prompt_tokens": outcome.prompt_tokens,
            **outcome.detail,
        }
        values = self.sign * self.counted(outcome)
        if self.unit == BALANCED:
            return self._carrying(self._of_classes(values, paired=False, **detail), rung)
        if self.unit in PROPORTIONS:
            return self._carrying(proportion(values, self.clusters, unit=self.unit, **detail), rung)
        found = mean_figure(
            values, self.clusters, unit=self.unit, seed=self.seed, weights=self.weight, **detail
        )
        return self._carrying(found, rung)

    def difference(self, upper: str, lower: str, **detail: Any) -> Figure:
        """Gain of one rung over another on the same items, with a paired interval."""
        if upper not in self.outcomes or lower not in self.outcomes:
            gone = upper if upper not in self.outcomes else lower
            return Figure.missing(self.missing.get(gone, f"{gone} was not measured"), self.unit)
        difference = self.counted(self.outcomes[upper]) - self.counted(self.outcomes[lower])
        return self._carrying(self.paired(difference, **detail), upper, lower)

    @property
    def forecast_gain(self) -> MoreRows | None:
        """What `tuned` would gain by further rows, where that is told."""
        found = self.more_rows
        return found if found and found.value is not None and found.unit == self.unit else None

    def _on_all_rows(self, more: MoreRows) -> Figure:
        """`tuned` and what it would gain by the train rows it was not tuned on."""
        tuned = self.figure(FINE_TUNED)
        if more.value is None or tuned.value is None:
            return Figure.missing(more.reason or tuned.reason, self.unit, "refused")
        how = f"{self.outcomes[FINE_TUNED].how}; the rest is a forecast"
        detail = {"how": how, **more.described}
        if self.sign < 0:  # smaller is better, down to 0
            value, low, high = more.ends
            more = replace(more, value=-value, low=-high, high=-low)
        bounds = (0.0, np.inf) if self.sign < 0 else self.bounds(None)
        return replace(summed(tuned, more, bounds), detail=detail)

    def _carrying(self, figure: Figure, upper: str, lower: str | None = None) -> Figure:
        """The figure of a rung, or of a difference, with what refits add to its interval."""
        figure, added = self._of_items(figure), self.added(upper, lower)
        return figure if added is None else widened(figure, added, bounds=self.bounds(lower))

    def added(self, upper: str, lower: str | None = None) -> Added | None:
        """Variance that a rung, or a difference of two, has beside that of its items; None if unknown."""
        if self.refits is None:
            return None
        balanced, weight = self.unit == BALANCED, np.ones(len(self.index))
        if self.unit in (BITS, R2):
            weight /= self.weight.mean()
        if balanced and self.classes is not None:
            sizes = np.bincount(self.classes)
            weight = len(weight) / np.count_nonzero(sizes) / sizes[self.classes]
        on = Items(weight, self.clusters, self.classes, balanced)
        return self.refits.variances(upper, lower or CONSTANT, on)

    def bounds(self, lower: str | None) -> tuple[float, float]:
        """What a rung can be, or a difference of two."""
        if self.unit == R2:
            return (-np.inf, 1.0 if lower is None else np.inf)
        most = np.inf if self.unit == BITS else 1.0
        return (0.0 if lower is None else -most, most)

    def counted(self, outcome: Outcome) -> NDArray[np.float64]:
        """The gain per item that the unit counts."""
        if self.unit == BALANCED and outcome.balanced is not None:
            return outcome.balanced
        return outcome.gain

    def _of_classes(self, values: NDArray[np.float64], *, paired: bool, **detail: Any) -> Figure:
        classes = np.zeros(len(values), np.int64) if self.classes is None else self.classes
        return mean_of_classes(
            values, classes, self.clusters, unit=self.unit, paired=paired, **detail
        )

    def paired(self, per_item: NDArray[np.float64], **detail: Any) -> Figure:
        """Mean of a per-item difference (already in gain direction) with its interval."""
        if self.unit == BALANCED:
            return self._of_classes(per_item, paired=True, **detail)
        if self.unit in PROPORTIONS:
            return paired_proportions(per_item, self.clusters, unit=self.unit, **detail)
        return mean_figure(
            per_item, self.clusters, unit=self.unit, seed=self.seed, weights=self.weight, **detail
        )

    def extrapolated(self, upper: str, lower: str, since: str, times: float) -> Figure:
        """What a rung would still have over a lower one that had gained some more.

        Args:
            upper: a rung.
            lower: a rung that is to gain more.
            since: an earlier rung than that.
            times: as much more as this many times what `lower` has over `since`.
        """
        above, below, before = (self.counted(self.outcomes[rung]) for rung in (upper, lower, since))
        left = above - below - times * (below - before)
        if self.unit == BALANCED:
            return self._of_classes(left, paired=True)
        return mean_figure(left, self.clusters, unit=self.unit, seed=self.seed, weights=self.weight)

    def ladder(self) -> dict[str, Figure]:
        """All rungs in order."""
        told = {*self.special, *self.outcomes, *self.missing}
        there = told | ({ALL_ROWS} if self.more_rows else set())
        shown = [r for r in RUNGS if r not in NOT_ALWAYS or r in there]
        return {rung: self.figure(rung) for rung in shown}

    def ladder_beside(self, beside: Rungs) -> dict[str, Figure]:
        """All rungs in order, each with its figure in another unit in its detail."""
        out = self.ladder()
        name = beside.unit.replace(" ", "_")
        for rung in self.outcomes.keys() & out.keys():
            detail = {**out[rung].detail, name: beside.figure(rung).brief}
            out[rung] = replace(out[rung], detail=detail)
        return out

    def on(self, rows: NDArray[np.int64], outcomes: dict[str, Outcome]) -> Rungs:
        """The same ladder on some of its items, with further rungs that were asked about these alone.

        Args:
            rows: of this ladder, shape (m,).
            outcomes: further rungs, of m items each.
        """
        mask = np.zeros(len(self.index), bool)
        mask[rows] = True
        return replace(
            self,
            index=positions(self.index[mask]),
            weight=self.weight[mask],
            clusters=self.clusters[mask],
            outcomes={**keep(self.outcomes, mask), **outcomes},
            special={},
            more_rows=None,
            classes=None if self.classes is None else self.classes[mask],
            refits=None,  # they are of all items
        )

    @property
    def fine_tuned(self) -> str:
        """The rung that says what a fine-tune reaches: measured by a pilot, or predicted."""
        return FINE_TUNED if FINE_TUNED in self.outcomes and self.tuned_counts else "learned"

    @property
    def tuning_basis(self) -> Basis:
        """What the tuning gain rests on: what is forecast of more rows was not measured."""
        measured = self.fine_tuned == FINE_TUNED and self.forecast_gain is None
        return "measured" if measured else "estimated"

    @property
    def best_prompting(self) -> str:
        """The prompting rung, retrieval included, that development items put first."""
        return better(self.outcomes, ("zero_shot", "few_shot", "retrieved"))

    @property
    def best_prompt(self) -> Strategy | None:
        """That rung's prompt."""
        return self.outcomes[self.best_prompting].strategy

    @property
    def shown_prompt(self) -> Strategy | None:
        """The chosen prompt with random demonstrations; the one without where none fit."""
        found = (self.outcomes.get(rung) for rung in ("few_shot", "zero_shot"))
        return next((o.strategy for o in found if o is not None), None)
