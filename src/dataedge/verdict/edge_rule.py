"""Edge, no edge or inconclusive: the rule, the figures it rests on, and what would settle the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from dataedge.widened_intervals import carried

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataedge.figures import Figure
    from dataedge.verdict.limits import Limit

Label = Literal["edge", "no_edge", "inconclusive"]

FEWEST_CLUSTERS = 60
"""Independent groups of evaluation items below which an edge is never said not to be there."""
SAVED = 1.5
"""Times as many tokens in the best prompt as in a tuned model's from which tokens are saved."""
_POWER = 2.04
"""(1.96 + 0.84)² / 1.96²: as many times the items for a power of 80 %, against one of 50 %."""
MOST_TIMES = 900 * _POWER
"""As many times the items from which no number of them is named."""


@dataclass(frozen=True)
class NextSteps:
    """What could be done next.

    Attributes:
        asked: held-out items now, development and evaluation.
        at_hand: held-out items that `--probe-items` could ask about at most.
        pilot: the weights are on this machine, and a short fine-tune fits an hour.
        best_prompt_tokens: mean tokens per request of the best single prompt; None where not counted.
        tuned_prompt_tokens: of the bare prompt that a tuned model needs.
    """

    asked: int = 0
    at_hand: int = 0
    pilot: bool = False
    best_prompt_tokens: float | None = None
    tuned_prompt_tokens: float | None = None

    @property
    def saves_tokens(self) -> bool:
        """Whether the best prompt is surely longer than a tuned model's."""
        if self.best_prompt_tokens is None or self.tuned_prompt_tokens is None:
            return False
        return self.best_prompt_tokens >= SAVED * self.tuned_prompt_tokens

    @property
    def more(self) -> bool:
        """Whether clearly more rows could be asked about."""
        return self.at_hand >= 1.25 * self.asked


@dataclass(frozen=True)
class Evidence:
    """The figures a verdict rests on.

    Attributes:
        edge: with_data − without_data (its task part for generate).
        tuning_gain: learned − prompted, or tuned − prompted where a pilot measured it.
        over_chance: with_data − chance.
        retrieved: retrieved − without_data.
        known: without_data − chance.
        limits: recoverable gain per limit, in the unit of the edge, see `verdict.limits`.
        delta: smallest gain worth having.
        unit: of the edge.
        clusters: independent groups of evaluation items behind it.
        total: with_data − without_data, where the edge is a part of it: an edge must not be a loss
            as a whole.
        ngrams: what n-grams of the train side have of the gain, for text; within its parts.
        one_prompt: the same over the single prompt that development items put first, whose tokens are
            counted; None where it was not measured.
        next_steps: what could be done next.
        parts: task and style for generate.
        beside: the edge in the other unit, accuracy beside balanced accuracy or the other way round.
        counts_task: the edge is the task part alone.
    """

    edge: Figure
    tuning_gain: Figure
    over_chance: Figure
    retrieved: Figure
    known: Figure
    limits: Mapping[Limit, Figure]
    delta: float
    unit: str
    clusters: int
    next_steps: NextSteps = field(default_factory=NextSteps)
    parts: Mapping[str, Figure] = field(default_factory=dict)
    beside: Figure | None = None
    counts_task: bool = False
    total: Figure | None = None
    ngrams: Figure | None = None
    one_prompt: Figure | None = None

    @property
    def label(self) -> Label:
        """edge, no_edge or inconclusive, by the rules of the method (section 1, Verdict)."""
        if self.edge.value is None or self.edge.low is None or self.edge.high is None:
            return "inconclusive"
        if self.below:
            return "inconclusive" if self.clusters < FEWEST_CLUSTERS else "no_edge"
        above = surely_above(self.edge, self.delta) and surely_above(self.over_chance, self.delta)
        return "edge" if above and not self.may_lose else "inconclusive"

    @property
    def may_lose(self) -> bool:
        """Whether the data may cost as a whole what it gains in the part that counts."""
        return self.total is not None and not surely_above(self.total, 0.0)

    @property
    def below(self) -> bool:
        """Whether the intervals exclude an edge, were they of enough clusters."""
        if self.edge.value is None:
            return False
        loses = self.total is not None and surely_below(self.total, 0.0)
        low = surely_below(self.edge, self.delta) or surely_below(self.over_chance, self.delta)
        return loses or low

    @property
    def open(self) -> Figure:
        """What is not settled: the edge, that chance is beaten, the total, or what tuning adds."""
        if self.label == "edge":
            return self.tuning_gain
        if not surely_above(self.edge, self.delta):
            return self.edge
        if self.total is not None and surely_above(self.over_chance, self.delta):
            return self.total
        return self.over_chance

    @property
    def items_needed(self) -> int | None:
        """Evaluation items that would settle what is open; None where no number does."""
        if self.label == "inconclusive" and self.below:
            return math.ceil(self.edge.n * FEWEST_CLUSTERS / max(self.clusters, 1))
        return items_to_settle(self.open, 0.0 if self.open is self.total else self.delta)

    @property
    def too_few_rows(self) -> bool:
        """Whether all that could be asked about is too few groups to say that there is no edge."""
        most = self.clusters * self.next_steps.at_hand / max(self.next_steps.asked, 1)
        return self.label == "inconclusive" and self.below and most < FEWEST_CLUSTERS

    @property
    def probe_items(self) -> int:
        """What `--probe-items` would have to be for as many evaluation items, as far as rows go."""
        needed, n = self.items_needed, self.open.n or self.edge.n
        if needed is None or not n:
            return self.next_steps.at_hand
        wanted = math.ceil(needed * self.next_steps.asked / n)
        return min(max(wanted, self.next_steps.asked + 1), self.next_steps.at_hand)


def surely_above(figure: Figure, bound: float) -> bool:
    """Whether the whole interval lies above a bound.

    Example:
        >>> from dataedge.figures import Figure
        >>> surely_above(Figure(0.1, 0.03, 0.2), 0.02), surely_above(Figure.missing("none"), 0.0)
        (True, False)
    """
    return figure.status == "ok" and figure.low is not None and figure.low > bound


def surely_below(figure: Figure, bound: float) -> bool:
    """Whether the whole interval lies below a bound."""
    return figure.status == "ok" and figure.high is not None and figure.high < bound


def items_to_settle(figure: Figure, delta: float) -> int | None:
    """Evaluation items with which the interval leaves out δ with a power of 80 %.

    The interval has to be narrower by the square root of r = 2.04 · (half-width / distance to δ)², the
    true gain being the one found. Of its variance only the share s falls with the held-out items, so
    n · s / (1/r − (1 − s)) of them do it; None where value and δ nearly coincide, or where what the train
    side and the prompts leave open is too much already.
    """
    if figure.value is None or figure.low is None or figure.high is None:
        return None
    half, distance = (figure.high - figure.low) / 2, abs(figure.value - delta)
    if half == 0:
        return 0
    falls = carried(figure).held_out
    left = (distance / half) ** 2 / _POWER - (1.0 - falls)
    if falls > MOST_TIMES * left:
        return None
    return math.ceil(figure.n * falls / left - 1e-6)
