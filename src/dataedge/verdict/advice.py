"""What to do next: a table of situations, read from the top; the first that applies is taken.

`docs/advice.md` prints it; a test holds the two together, row by row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from dataedge.figures import Figure
from dataedge.ladder.units import ABSOLUTE, BITS, R2
from dataedge.verdict.edge_rule import FEWEST_CLUSTERS, surely_above, surely_below
from dataedge.widened_intervals import carried

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataedge.verdict.edge_rule import Evidence

Advice = Literal[
    "fine_tune", "prompt", "retrieve", "fix_labels", "pilot", "measure_more", "collect_more", "stop"
]  # fmt: skip


MOSTLY = 0.5
"""Share of an interval's variance from which a fine-tune's own luck is most of it."""


@dataclass(frozen=True)
class Row:
    """A situation and what to do in it.

    Attributes:
        situation: in words, as in docs/advice.md.
        advice: the next step.
        applies: whether the evidence is of this situation, those above it not being it.
        sentence: the advice, with the figures it rests on.
        flag: the flag that the advice names; empty for none.
    """

    situation: str
    advice: Advice
    applies: Callable[[Evidence], bool]
    sentence: Callable[[Evidence], str]
    flag: Callable[[Evidence], str] = lambda _: ""


def advise(evidence: Evidence) -> Row:
    """The first row of the table that applies."""
    return next(row for row in TABLE if row.applies(evidence))


_SAID = {BITS: (1, "bits per byte", 3), R2: (1, "of R²", 3)}


def signed(figure: Figure, unit: str) -> str:
    """A gain with its interval, in words.

    Example:
        >>> from dataedge.figures import Figure
        >>> signed(Figure(0.12, 0.05, 0.2, 300, "accuracy"), "accuracy")
        '+12.0 points of accuracy [+5.0, +20.0]'
    """
    if figure.value is None:
        return f"not measured ({figure.reason})"
    if unit == ABSOLUTE:
        return f"mean absolute error {_lower(figure)}"
    scale, name, digits = _SAID.get(unit, (100, f"points of {unit}", 1))
    text = f"{figure.value * scale:+.{digits}f} {name}"
    if figure.low is None or figure.high is None:
        return text
    return f"{text} [{figure.low * scale:+.{digits}f}, {figure.high * scale:+.{digits}f}]"


def _lower(figure: Figure) -> str:
    """How far an error falls, or rises where the value is below 0."""
    value = figure.value or 0.0
    word, sign = ("lower", 1) if value >= 0 else ("higher", -1)
    ends = (figure.low, figure.high)[::sign]
    shown = ", ".join(f"{sign * end:.4g}" for end in ends if end is not None)
    return f"{word} by {abs(value):.4g}" + (f" [{shown}]" if shown else "")


def _gain(e: Evidence, name: Literal["label_quality", "volume"]) -> Figure:
    return e.limits.get(name, Figure.missing("not measured", e.unit))


def _volume_would_do(e: Evidence) -> bool:
    gain = _gain(e, "volume")
    if e.label != "no_edge" or not surely_above(gain, e.delta):
        return False
    return (e.edge.value or 0.0) + (gain.value or 0.0) > e.delta


def _retrieval_does(e: Evidence) -> bool:
    tuning = e.tuning_gain.value
    less = tuning is not None and tuning < e.delta
    return e.label == "edge" and surely_above(e.retrieved, e.delta) and less


def _one_prompt(e: Evidence) -> Figure:
    """What tuning gains over the prompt whose tokens are counted."""
    return e.one_prompt or e.tuning_gain


def _cheaper(e: Evidence) -> bool:
    no_worse = all(surely_above(gain, -e.delta) for gain in (e.tuning_gain, _one_prompt(e)))
    return e.label == "edge" and no_worse and e.next_steps.saves_tokens


def _open(e: Evidence) -> bool:
    return e.label in ("inconclusive", "edge")


def _pilot_tells(e: Evidence) -> bool:
    if not _open(e) or not e.next_steps.pilot or e.clusters < FEWEST_CLUSTERS:
        return False
    return not e.next_steps.more or carried(e.open).fine_tune >= MOSTLY


def _only_tuning_tells(e: Evidence) -> bool:
    """Whether neither items nor a pilot from here would do."""
    enough = _open(e) and e.clusters >= FEWEST_CLUSTERS and e.items_needed is None
    return enough and carried(e.open).fine_tune >= MOSTLY


def _question(e: Evidence) -> str:
    """What is open, for the rows that leave it open."""
    return "whether tuning adds to it" if e.label == "edge" else "whether there is an edge"


def _measure_more(e: Evidence) -> str:
    said = (
        f"Advice: measure more to find out {_question(e)}: run again with --probe-items "
        f"{e.probe_items} (now {e.next_steps.asked} held-out items)."
    )
    if e.items_needed is not None:
        return said
    if e.clusters >= FEWEST_CLUSTERS:
        return f"{said} That narrows the interval, and need not settle it."
    return (
        f"{said} These form {e.clusters} independent groups: too few to judge even a real fine-tune by, "
        f"which takes {FEWEST_CLUSTERS}."
    )


def _collect_more(e: Evidence) -> str:
    if e.too_few_rows:
        return (
            "Advice: collect more, or leave it: what was measured speaks against an edge, and to conclude "
            f"that there is none takes {FEWEST_CLUSTERS} independent groups of held-out items, which these "
            "rows do not have."
        )
    return f"Advice: collect more: there are too few rows to find out {_question(e)}."


TABLE: tuple[Row, ...] = (
    Row(
        "leaving the suspect train labels out gains more than δ, by the lower end",
        "fix_labels",
        lambda e: surely_above(_gain(e, "label_quality"), e.delta),
        lambda e: (
            "Advice: fix the suspect labels first: "
            f"{signed(_gain(e, 'label_quality'), e.unit)} without them."
        ),
    ),
    Row(
        "edge, and the tuning gain's lower end is above δ",
        "fine_tune",
        lambda e: e.label == "edge" and surely_above(e.tuning_gain, e.delta),
        lambda _: "Advice: fine-tune on it.",
    ),
    Row(
        "edge, tuning is not worse by δ than prompting, nor than the best single prompt (lower ends above "
        "−δ), and that prompt takes at least 1.5 times the tokens of a tuned model's",
        "fine_tune",
        _cheaper,
        lambda e: (
            f"Advice: fine-tune on it: {signed(_one_prompt(e), e.unit)} over the best single prompt, with "
            f"{e.next_steps.tuned_prompt_tokens:.0f} tokens a request instead of "
            f"{e.next_steps.best_prompt_tokens:.0f}."
        ),
    ),
    Row(
        "edge, retrieved − without_data has its lower end above δ, and the tuning gain is below δ",
        "retrieve",
        _retrieval_does,
        lambda e: (
            f"Advice: use the data by retrieval: that gains {signed(e.retrieved, e.unit)}, and tuning "
            "adds less than δ to it."
        ),
    ),
    Row(
        "no edge, and twice the train items would gain more than δ, by the lower end, enough for one",
        "collect_more",
        _volume_would_do,
        lambda e: (
            "Advice: collect more: twice the train items are expected to gain "
            f"{signed(_gain(e, 'volume'), e.unit)}."
        ),
    ),
    Row(
        "no edge, and the base model without the data is above chance by δ, by the lower end",
        "prompt",
        lambda e: e.label == "no_edge" and surely_above(e.known, e.delta),
        lambda _: "Advice: prompt; fine-tuning on this would not pay.",
    ),
    Row(
        "no edge otherwise: nothing found that could be recovered",
        "stop",
        lambda e: e.label == "no_edge",
        lambda e: (
            "Advice: stop: the data does not bring it above chance."
            if surely_below(e.over_chance, e.delta)
            else "Advice: stop: neither prompting nor this data solves the task, and nothing was found "
            "that could be improved."
        ),
    ),
    Row(
        "inconclusive, or an edge of which it is open whether tuning adds to it; a pilot fits an hour, there "
        "are at least 60 clusters, and no rows are left to ask or most of what is open is how far a "
        "fine-tune falls from what is predicted",
        "pilot",
        _pilot_tells,
        lambda e: (
            f"Advice: run a pilot to find out {_question(e)}: `--pilot` fine-tunes this model on "
            "training rows and judges it on the same held-out items."
        ),
        lambda _: "--pilot",
    ),
    Row(
        "the same; most of what is open is how far a fine-tune falls from what is predicted, and no number "
        "of held-out items settles it",
        "pilot",
        _only_tuning_tells,
        lambda e: (
            f"Advice: only a real fine-tune tells {_question(e)}; more held-out items would not. Tune on "
            "a part of the training rows, with `--pilot` and more minutes or where the model is served, and "
            "judge it on the same held-out items: `dataedge export --recipe` and `--eval` write both."
        ),
    ),
    Row(
        "the same otherwise; rows are left to ask, and make 60 clusters where these are missing to say that "
        "there is no edge",
        "measure_more",
        lambda e: _open(e) and e.next_steps.more and not e.too_few_rows,
        _measure_more,
        lambda e: f"--probe-items {e.probe_items}",
    ),
    Row(
        "the same otherwise; no rows are left, or too few",
        "collect_more",
        _open,
        _collect_more,
    ),
)
