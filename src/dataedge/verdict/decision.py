"""The verdict: is there an edge, what limits it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dataedge.verdict.advice import Advice, advise, signed
from dataedge.verdict.edge_rule import FEWEST_CLUSTERS, Evidence, Label
from dataedge.verdict.fine_tune_error import Predicted
from dataedge.verdict.limits import Limit, named
from dataedge.widened_intervals import carried

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataedge.figures import Figure

LACKS: tuple[Limit, ...] = ("novelty", "volume", "label_quality", "definedness")


@dataclass(frozen=True)
class Verdict:
    """What the audit concludes.

    Attributes:
        label: edge, no_edge or inconclusive.
        limited_by: what would have to change for a larger edge; `unexplained` where much is left to
            gain and none of the four was shown to keep it back; None where little is left.
        advice: the next step.
        why: sentences, the first of which is the verdict in one line.
        limits: recoverable gain per limit, with what is unexplained.
        flag: the flag that the advice names; empty for none.
        delta: smallest gain worth having that was applied, in the unit of the edge.
    """

    label: Label
    limited_by: Limit | None
    advice: Advice
    why: tuple[str, ...]
    limits: Mapping[Limit, Figure] = field(default_factory=dict)
    flag: str = ""
    delta: float = 0.0


def decide(evidence: Evidence) -> Verdict:
    """Apply the rules of the method (section 1, Verdict) to the figures."""
    label = evidence.label
    limited = named(evidence.limits, evidence.delta)
    row = advise(evidence)
    why = (*_why(evidence, label, limited), row.sentence(evidence))
    return Verdict(
        label, limited, row.advice, why, evidence.limits, row.flag(evidence), evidence.delta
    )


def _why(e: Evidence, label: Label, limited: Limit | None) -> tuple[str, ...]:
    head = {
        "edge": "This data gives an edge",
        "no_edge": "This data gives no edge worth having",
        "inconclusive": "Inconclusive",
    }[label]
    counted = " for the task itself" if e.counts_task else ""
    gained = f"{signed(e.edge, e.unit)}{counted} over the best prompting without it"
    sentences = [f"{head}: {gained} (δ {e.delta:g})."]
    if e.edge.value is not None:
        sentences.append(carried(e.edge).sentence)
    if isinstance(e.edge, Predicted):
        sentences.append(_measurement(e.edge, e.unit))
    if e.beside is not None:
        sentences.append(f"In the other unit: {signed(e.beside, e.beside.unit)}.")
    if e.parts:
        shown = "; ".join(f"{name} {signed(figure, e.unit)}" for name, figure in e.parts.items())
        total = f", {signed(e.total, e.unit)} in all" if e.total is not None else ""
        sentences.append(f"The gain in parts: {shown}{total}.")
    if e.ngrams is not None:
        sentences.append(f"N-grams of the train side have {signed(e.ngrams, e.unit)} of it.")
    sentences.append(
        f"Tuning gain over the best prompting, retrieval included: {signed(e.tuning_gain, e.unit)}."
    )
    if label == "inconclusive" and e.edge.value is not None:
        sentences += _unsettled(e)
    if limited:
        sentences.append(_limited(limited, e))
    return tuple(sentences)


def _measurement(edge: Predicted, unit: str) -> str:
    """The narrower interval, and what the wider one rests on."""
    alone = replace(edge, low=edge.measurement.low, high=edge.measurement.high)
    stretched = f", twice as far since {edge.beyond}" if edge.beyond else ""
    return (
        f"The measurement alone: {signed(alone, unit)}; the rest is what {edge.arms} real fine-tunes on "
        f"{edge.sources} datasets showed{stretched}."
    )


def _unsettled(e: Evidence) -> list[str]:
    """Why nothing is concluded, and how many items would do."""
    needed = e.items_needed
    if e.below:
        return [
            f"The held-out items form {e.clusters} independent groups. To conclude that there is "
            f"no edge takes {FEWEST_CLUSTERS} (about {needed:,} items, now {e.edge.n})."
        ]
    sentences = []
    if e.total is not None and e.open is e.total:
        sentences.append(
            f"As a whole the data may cost more than it gains: {signed(e.total, e.unit)}."
        )
    if e.open is e.over_chance:
        over = signed(e.over_chance, e.unit)
        sentences.append(f"It is not certain that the data brings it above chance: {over}.")
    sentences.append(
        f"About {needed:,} evaluation items (now {e.open.n}) would settle it with a power of 80 %, if the "
        "gain found is the true one."
        if needed
        else "No reasonable number of items settles it: the gain found lies too close to δ for what else "
        f"its interval carries ({1.0 - carried(e.open).held_out:.0%} of its variance is not theirs)."
        if carried(e.open).held_out < 1.0
        else "The gain found lies so close to δ that no reasonable number of items settles it."
    )
    return sentences


def _limited(limit: Limit, e: Evidence) -> str:
    figure = e.limits[limit]
    gain = signed(figure, e.unit)
    return {
        "novelty": f"Limited by novelty: the base model has {gain} over chance without the data, more "
        "than is left to gain.",
        "volume": f"Limited by volume: twice the train items would gain {gain}.",
        "label_quality": f"Limited by label quality: leaving out the suspect train labels gains {gain}.",
        "definedness": f"Limited by definedness: {figure.detail.get('shown_by', '')}, which puts "
        f"{gain} out of reach of any data.",
        "unexplained": f"Unexplained: a perfect score would be {gain} higher, and {_no_reason(e)}.",
    }[limit]


def _no_reason(e: Evidence) -> str:
    """What was measured, and was not shown to keep the rest back."""
    measured = [name.replace("_", " ") for name in LACKS if name in e.limits]
    if len(measured) < 2:
        return " ".join(measured or ["nothing"]) + " alone was measured, and does not explain it"
    *some, last = measured
    return f"neither {', '.join(some)} nor {last} was shown to be the reason"
