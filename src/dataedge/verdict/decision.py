"""The verdict: is there an edge, what limits it, and what to do."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from dataedge.verdict.limits import Limit, named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataedge.figures import Figure

Label = Literal["edge", "no_edge", "inconclusive"]
Advice = Literal["fine_tune", "prompt", "retrieve", "fix_labels", "collect_more", "stop"]

FEWEST_CLUSTERS = 60
"""Independent groups of evaluation items below which an edge is never said not to be there."""


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
    """

    label: Label
    limited_by: Limit | None
    advice: Advice
    why: tuple[str, ...]
    limits: Mapping[Limit, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """The figures a verdict rests on.

    Attributes:
        edge: with_data − without_data (its task part for generate).
        tuning_gain: learned − best prompting.
        over_chance: with_data − chance.
        limits: recoverable gain per limit, in the unit of the edge, see `verdict.limits`.
        delta: smallest gain worth having.
        unit: of the edge.
        clusters: independent groups of evaluation items behind it.
        parts: task and style for generate.
        counts_task: the edge is the task part alone.
    """

    edge: Figure
    tuning_gain: Figure
    over_chance: Figure
    limits: Mapping[Limit, Figure]
    delta: float
    unit: str
    clusters: int
    parts: dict[str, Figure]
    counts_task: bool = False


def decide(evidence: Evidence) -> Verdict:
    """Apply the rules of the method (section 1, Verdict) to the figures."""
    label = _label(evidence)
    limited = named(evidence.limits, evidence.delta)
    advice = _advice(evidence, label, limited)
    return Verdict(label, limited, advice, _why(evidence, label, limited, advice), evidence.limits)


def items_to_settle(edge: Figure, delta: float) -> int | None:
    """How many evaluation items would bring the interval's end to δ, at the value found.

    The half-width shrinks with √n; None where value and δ coincide.
    """
    if edge.value is None or edge.low is None or edge.high is None:
        return None
    half, distance = (edge.high - edge.low) / 2, abs(edge.value - delta)
    if distance < half / 30:
        return None
    return math.ceil(edge.n * (half / distance) ** 2 - 1e-6)


def _label(e: Evidence) -> Label:
    if e.edge.value is None or e.edge.low is None or e.edge.high is None:
        return "inconclusive"
    if _below(e):
        return "inconclusive" if _too_few(e) else "no_edge"
    above = e.over_chance.low is not None and e.over_chance.low > e.delta
    return "edge" if e.edge.low > e.delta and above else "inconclusive"


def _not_above_chance(e: Evidence) -> bool:
    """Whether what is reached with the data is surely not above chance by δ."""
    return e.over_chance.high is not None and e.over_chance.high < e.delta


def _too_few(e: Evidence) -> bool:
    return e.clusters < FEWEST_CLUSTERS


def _below(e: Evidence) -> bool:
    """Whether intervals lie where an edge would be excluded, were they of enough items."""
    below = e.edge.high is not None and e.edge.high < e.delta
    return below or (e.edge.value is not None and _not_above_chance(e))


def _unsettled(e: Evidence) -> Figure:
    """What an inconclusive verdict waits for: the edge, or that chance is beaten."""
    settled = e.edge.low is not None and e.edge.low > e.delta
    return e.over_chance if settled else e.edge


def _advice(e: Evidence, label: Label, limited: Limit | None) -> Advice:
    if label == "edge":
        tuned = e.tuning_gain.low is not None and e.tuning_gain.low > 0
        return "fine_tune" if tuned else "retrieve"
    if limited == "label_quality":
        return "fix_labels"
    if limited in ("novelty", "definedness"):
        return "stop" if _not_above_chance(e) else "prompt"
    if label == "inconclusive" or limited == "volume":
        return "collect_more"
    return "prompt"


def _why(e: Evidence, label: Label, limited: Limit | None, advice: Advice) -> tuple[str, ...]:
    head = {
        "edge": "This data gives an edge",
        "no_edge": "This data gives no edge worth having",
        "inconclusive": "Inconclusive",
    }[label]
    counted = " for the task itself" if e.counts_task else ""
    gained = f"{signed(e.edge, e.unit)}{counted} over the best prompting without it"
    sentences = [f"{head}: {gained} (δ {e.delta:g})."]
    if e.parts:
        told = "; ".join(f"{name} {signed(figure, e.unit)}" for name, figure in e.parts.items())
        sentences.append(f"The gain in parts: {told}.")
    sentences.append(
        f"Tuning gain over the best prompting, retrieval included: {signed(e.tuning_gain, e.unit)}."
    )
    if label == "inconclusive" and _below(e):
        needed = math.ceil(e.edge.n * FEWEST_CLUSTERS / max(e.clusters, 1))
        sentences.append(
            f"The held-out items form {e.clusters} independent groups; below {FEWEST_CLUSTERS} it is "
            f"not said that there is no edge (about {needed:,} items, now {e.edge.n})."
        )
    elif label == "inconclusive" and e.edge.value is not None:
        figure = _unsettled(e)
        if figure is e.over_chance:
            over = signed(figure, e.unit)
            sentences.append(f"With the data it is not surely above chance: {over}.")
        more = items_to_settle(figure, e.delta)
        sentences.append(
            f"About {more:,} evaluation items (now {figure.n}) would settle it if the gain stays as it is."
            if more
            else "The gain found lies so close to δ that no reasonable number of items settles it."
        )
    if limited:
        sentences.append(_limited(limited, e.limits[limited], e.unit))
    sentences.append(
        {
            "fine_tune": "Advice: fine-tune on it.",
            "prompt": "Advice: prompt; fine-tuning on this would not pay.",
            "retrieve": "Advice: retrieve from it; tuning adds nothing measurable on top.",
            "fix_labels": "Advice: fix the suspect labels first.",
            "collect_more": "Advice: collect more.",
            "stop": "Advice: stop; neither prompting nor this data gets beyond chance.",
        }[advice]
    )
    return tuple(sentences)


def _limited(limit: Limit, figure: Figure, unit: str) -> str:
    gain = signed(figure, unit)
    return {
        "novelty": f"Limited by novelty: the base model has {gain} over chance without the data, more "
        "than is left to gain.",
        "volume": f"Limited by volume: twice the train items would gain {gain}.",
        "label_quality": f"Limited by label quality: without the suspect train labels, {gain}.",
        "definedness": f"Limited by definedness: {figure.detail.get('shown_by', '')}, which puts "
        f"{gain} out of reach of any data.",
        "unexplained": f"Unexplained: {gain} are missing to a perfect score, and none of novelty, "
        "volume, label quality and definedness was shown to be the reason.",
    }[limit]


def signed(figure: Figure, unit: str) -> str:
    """A gain with its interval, in words.

    Example:
        >>> from dataedge.figures import Figure
        >>> signed(Figure(0.12, 0.05, 0.2, 300, "accuracy"), "accuracy")
        '+12.0 points of accuracy [+5.0, +20.0]'
    """
    if figure.value is None:
        return f"not measured ({figure.reason})"
    scale, name, digits = (
        (1, "bits per byte", 3) if unit == "bits/byte" else (100, f"points of {unit}", 1)
    )
    text = f"{figure.value * scale:+.{digits}f} {name}"
    if figure.low is None or figure.high is None:
        return text
    return f"{text} [{figure.low * scale:+.{digits}f}, {figure.high * scale:+.{digits}f}]"
