"""The claim's four terms: is the data new to the model, enough, clean, and well defined?

Each has one answer, one sentence, and the one figure that it rests on. Where an interval reaches from
one answer to its opposite, the answer is `unknown`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from dataedge.figures import Figure
from dataedge.measure.definedness import Defined
from dataedge.verdict.edge_rule import surely_above, surely_below

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dataedge.verdict.decision import Verdict

TermId = Literal["new", "enough", "clean", "defined"]
Answer = Literal["yes", "partly", "no", "unknown"]

NAMES: dict[TermId, str] = {
    "new": "new to the model",
    "enough": "enough of it",
    "clean": "clean",
    "defined": "well defined",
}
_KNOWN = (0.25, 0.75)
"""Share known already: up to the first it is new, from the second on it is not."""
_UNCLEAN = (0.03, 0.10)
"""Share of wrong labels or defective responses: up to the first it is clean, from the second on not."""
_SHARE_DEFINED = (0.1, 0.5)
"""Share of the output's information that the input was shown to tell: from the second on it is defined."""
_AGREED = 0.1
"""Disagreement of the same input's outputs that is surely below this speaks for a defined task."""
NONE = Figure.missing("not measured")


@dataclass(frozen=True)
class Term:
    """One term of the claim.

    Attributes:
        id: new, enough, clean or defined.
        answer: yes, partly, no or unknown.
        sentence: what was found, in plain words.
        figure: what the answer rests on.
        of: what that figure is.
        beside: what else was found, which the figure does not count.
    """

    id: TermId
    answer: Answer
    sentence: str
    figure: Figure
    of: str
    beside: str = ""


def four_terms(
    measures: Mapping[str, Figure], verdict: Verdict, *, delta: float, misspelt: int = 0
) -> list[Term]:
    """All four, in the order of the claim.

    Args:
        measures: of the report: known_share, label_noise, response_defects, definedness,
            disagreement.
        verdict: with its limits.
        delta: smallest gain worth having, in the unit of the edge.
        misspelt: rows whose label is another one in a second spelling.
    """
    return [
        new_to_the_model(measures.get("known_share", NONE)),
        enough_of_it(verdict, delta=delta),
        with_misspelt(clean(measures, verdict, delta=delta), misspelt),
        well_defined(measures, verdict, delta=delta),
    ]


def new_to_the_model(known: Figure) -> Term:
    """How much of what the input tells about the output the base model has before it sees the data."""
    grade = _grade(known, _KNOWN)
    sentence = {
        "low": "The base model has little of what the input tells, even with the best prompt.",
        "middle": "The base model has part of what the input tells, without the data.",
        "high": "The base model has most of what the input tells, without the data.",
        "": _between(known, "of what the input tells is known to the base model without the data")
        or f"It is unclear how much of what the input tells the base model has{_because(known)}.",
    }[grade]
    answers: dict[str, Answer] = {"low": "yes", "middle": "partly", "high": "no", "": "unknown"}
    return Term("new", answers[grade], sentence, known, "share that the model has already")


def enough_of_it(verdict: Verdict, *, delta: float) -> Term:
    """Whether twice as much would still gain δ."""
    gain = verdict.limits.get("volume", NONE)
    of = "gain of twice the train items"
    if surely_below(gain, delta):
        return Term("enough", "yes", "Twice as much would gain less than δ.", gain, of)
    if verdict.label == "edge":
        more = (
            "twice as much would gain more"
            if surely_above(gain, delta)
            else "it is unclear whether twice as much would gain more"
        )
        return Term("enough", "partly", f"Enough for an edge; {more}.", gain, of)
    if surely_above(gain, delta):
        return Term("enough", "no", "Twice as much would gain more than δ.", gain, of)
    sentence = f"It is unclear whether twice as much would gain δ{_because(gain)}."
    return Term("enough", "unknown", sentence, gain, of)


def clean(measures: Mapping[str, Figure], verdict: Verdict, *, delta: float) -> Term:
    """How many labels are wrong, or how many responses are defective."""
    labels = measures.get("label_noise", NONE)
    by_label = labels.value is not None
    rate = labels if by_label else measures.get("response_defects", labels)
    what = "labels are wrong" if by_label else "responses have a defect"
    of = "share of labels that are wrong" if by_label else "share of responses with a defect"
    if surely_above(verdict.limits.get("label_quality", NONE), delta):
        sentence = "Leaving out the suspect labels gains more than δ."
        return Term("clean", "no", sentence, rate, of)
    grade = _grade(rate, _UNCLEAN)
    sentence = {
        "low": f"Hardly any {what}.",
        "middle": f"Some {what}.",
        "high": f"Many {what}.",
        "": _between(rate, f"of {what}") or f"It is unclear how many {what}{_because(rate)}."
        if rate.value is not None
        else f"It could not be measured how clean it is{_because(rate)}.",
    }[grade]
    answers: dict[str, Answer] = {"low": "yes", "middle": "partly", "high": "no", "": "unknown"}
    return Term("clean", answers[grade], sentence, rate, of)


def with_misspelt(term: Term, misspelt: int) -> Term:
    """The term where rows have a label in a second spelling: what is to be mended is not called clean."""
    if not misspelt:
        return term
    rows = "1 row has" if misspelt == 1 else f"{misspelt:,} rows have"
    beside = f"{rows} a label in a second spelling"
    answer: Answer = "partly" if term.answer == "yes" else term.answer
    return replace(term, answer=answer, sentence=f"{term.sentence} {beside}.", beside=beside)


def well_defined(measures: Mapping[str, Figure], verdict: Verdict, *, delta: float) -> Term:
    """Whether the input settles the output.

    That little was learned is no evidence that it does not: with few rows, a fully determined output
    looks undetermined. `no` needs the same input with different outputs, or a curve that ends.
    """
    open_ = verdict.limits.get("definedness", NONE)
    if surely_above(open_, delta):
        answer: Answer = "no" if verdict.limited_by == "definedness" else "partly"
        shown = str(open_.detail.get("shown_by", "the same input has several outputs"))
        sentence = f"{shown[0].upper()}{shown[1:]}."
        return Term("defined", answer, sentence, open_, "gain out of reach of any data")
    defined, apart = measures.get("definedness", NONE), measures.get("disagreement", NONE)
    of = "information that the input gives about the output"
    share = defined.share if isinstance(defined, Defined) else 0.0
    if defined.value is not None and surely_above(defined, 0.0) and share >= _SHARE_DEFINED[1]:
        sentence = f"What was learned settles about {share:.0%} of the output."
        return Term("defined", "yes", sentence, defined, of)
    if surely_below(apart, _AGREED):
        sentence = "Rows with the same input have the same output."
        return Term("defined", "yes", sentence, apart, "share of pairs that differ")
    if defined.value is not None and surely_above(defined, 0.0) and share >= _SHARE_DEFINED[0]:
        sentence = f"What was learned settles about {share:.0%} of the output."
        return Term("defined", "partly", sentence, defined, of)
    sentence = (
        f"It could not be measured whether the input determines the output{_because(defined)}."
        if defined.value is None
        else f"What was learned settles about {share:.0%} of the output, but it may be none: too few items "
        "were asked to say."
        if share >= _SHARE_DEFINED[0]
        else "The learner explains little of the output, which alone does not show that many outputs "
        "are acceptable."
    )
    return Term("defined", "unknown", sentence, defined, of)


def _grade(figure: Figure, cuts: tuple[float, float]) -> Literal["low", "middle", "high", ""]:
    """Where a value lies; "" where there is none, or its interval reaches over both cuts."""
    if figure.value is None or figure.status != "ok":
        return ""
    low, high = figure.low, figure.high
    if low is not None and high is not None and low < cuts[0] and high > cuts[1]:
        return ""
    if figure.value <= cuts[0]:
        return "low"
    return "high" if figure.value >= cuts[1] else "middle"


def _between(figure: Figure, what: str) -> str:
    """That an interval is too wide for an answer; nothing where something else is the matter."""
    if figure.status != "ok" or figure.low is None or figure.high is None:
        return ""
    # an estimate can miss a share by so much that it leaves 0 to 1
    low, high = max(figure.low, 0.0), min(figure.high, 1.0)
    return f"Between {low:.0%} and {high:.0%} {what}, too wide a range to say."


def _because(figure: Figure) -> str:
    return f": {figure.reason}" if figure.value is None and figure.reason else ""
