"""The four terms of the claim: one answer each, and `unknown` where the interval does not settle it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dataedge.figures import Figure
from dataedge.measure.definedness import Defined
from dataedge.measure.novelty import known_labels
from dataedge.verdict.decision import decide
from dataedge.verdict.terms import NAMES, four_terms, new_to_the_model
from tests.verdict.test_advice import BASE, gain

DELTA = 0.02
VERDICT = decide(BASE)


def share(value: float, half: float = 0.02) -> Figure:
    return Figure(value, value - half, value + half, 300, "share")


def defined(value: float, share: float) -> Defined:
    return Defined(value, value - 0.02, value + 0.02, 300, "bits/item", share=share)


MEASURES = {
    "known_share": share(0.1),
    "label_noise": share(0.01, 0.005),
    "definedness": defined(0.9, 0.7),
    "disagreement": Figure.missing("no two rows have the same input"),
}


def answers(verdict=VERDICT, **measures: Figure) -> list[str]:
    return [t.answer for t in four_terms(MEASURES | measures, verdict, delta=DELTA)]


def limited(label_edge: Figure = BASE.edge, **limits: Figure):
    return decide(replace(BASE, edge=label_edge, limits={**BASE.limits, **limits}))


def test_each_term_has_one_answer_one_sentence_and_one_figure() -> None:
    found = four_terms(MEASURES, VERDICT, delta=DELTA)
    assert [NAMES[t.id] for t in found] == [
        "new to the model", "enough of it", "clean", "well defined",
    ]  # fmt: skip
    assert [t.answer for t in found] == ["yes", "yes", "yes", "yes"]
    for term in found:
        assert term.sentence.count(".") == 1
        assert term.sentence.endswith(".")
        assert term.figure.low <= term.figure.value <= term.figure.high


@pytest.mark.parametrize(
    ("known", "answer"),
    [
        (share(0.1), "yes"),
        (share(0.5), "partly"),
        (share(0.9), "no"),
        (share(0.5, 0.4), "unknown"),
        (Figure.missing("the server tells no probabilities"), "unknown"),
        (replace(share(0.1), status="underpowered", reason="few"), "unknown"),
    ],
)
def test_new(known: Figure, answer: str) -> None:
    assert answers(known_share=known)[0] == answer


@pytest.mark.parametrize(
    ("edge", "volume", "answer"),
    [
        (gain(0.2), gain(0.0), "yes"),
        (gain(0.2), gain(0.1), "partly"),
        (gain(0.2), gain(0.02, 0.05), "partly"),
        (gain(0.0), gain(0.1), "no"),
        (gain(0.0), gain(0.0), "yes"),
        (gain(0.0), gain(0.02, 0.05), "unknown"),
        (gain(0.0), Figure.missing("ill-behaved"), "unknown"),
    ],
)
def test_enough(edge: Figure, volume: Figure, answer: str) -> None:
    assert answers(limited(edge, volume=volume))[1] == answer


@pytest.mark.parametrize(
    ("rate", "answer"),
    [(0.01, "yes"), (0.06, "partly"), (0.2, "no")],
)
def test_clean(rate: float, answer: str) -> None:
    assert answers(label_noise=share(rate, 0.005))[2] == answer
    none = Figure.missing("the task has no labels")
    assert answers(label_noise=none, response_defects=share(rate, 0.005))[2] == answer
    assert answers(label_noise=none)[2] == "unknown"
    assert answers(limited(label_quality=gain(0.05)), label_noise=share(rate, 0.005))[2] == "no"


def test_a_range_too_wide_for_an_answer_is_named() -> None:
    measures = {**MEASURES, "label_noise": share(0.07, 0.05), "known_share": share(0.5, 0.4)}
    new, _, unclean, _ = four_terms(measures, limited(), delta=DELTA)
    assert (new.answer, unclean.answer) == ("unknown", "unknown")
    assert unclean.sentence == "Between 2% and 12% of labels are wrong, too wide a range to say."
    assert new.sentence.startswith("Between 10% and 90% of what the input tells is known")
    far = {**MEASURES, "known_share": share(0.5, 0.9)}
    assert four_terms(far, limited(), delta=DELTA)[0].sentence.startswith("Between 0% and 100% of")
    perhaps = replace(defined(0.3, 0.4), low=-0.1)
    told = four_terms({**MEASURES, "definedness": perhaps}, limited(), delta=DELTA)[3]
    assert told.answer == "unknown"
    assert told.sentence.startswith(
        "What was learned settles about 40% of the output, but it may be none"
    )


def test_little_learned_does_not_make_a_task_undefined() -> None:
    """The old rule said so below 5 %; now it needs the same input with different outputs."""
    assert answers(definedness=defined(0.02, 0.02))[3] == "unknown"
    assert answers(definedness=defined(0.3, 0.3))[3] == "partly"
    assert answers(definedness=defined(0.02, 0.02), disagreement=share(0.03))[3] == "yes"
    shown = replace(gain(0.2), detail={"shown_by": "annotators disagree"})
    assert answers(limited(definedness=shown))[3] == "no"
    assert answers(limited(definedness=shown, volume=gain(0.4)))[3] == "partly"
    verdict = limited(definedness=shown)
    assert four_terms(MEASURES, verdict, delta=DELTA)[3].sentence == "Annotators disagree."


def test_an_answer_and_its_opposite_are_seldom_confused() -> None:
    """Data of which 80 % is known, 12 items: the value alone says `yes, new` far too often."""
    rng, runs = np.random.default_rng(0), 400
    by_value = by_interval = 0
    for run in range(runs):
        chance, saved = np.ones(12), rng.choice([1.0, -5.0], p=[0.967, 0.033], size=12)
        known = known_labels(chance, chance - saved, chance, np.arange(12), seed=run)
        by_value += known.value <= 0.25
        by_interval += new_to_the_model(known).answer == "yes"
    assert by_value / runs > 0.02
    assert by_interval / runs <= 0.02


def test_labels_in_two_spellings_are_not_clean() -> None:
    """A share of wrong labels does not count them: each spelling is a class of its own."""
    clean = {**MEASURES, "label_noise": share(0.01, 0.005)}
    found = four_terms(clean, limited(), delta=DELTA, misspelt=4)[2]
    assert found.answer == "partly"
    assert found.sentence.endswith("4 rows have a label in a second spelling.")
    assert found.beside == "4 rows have a label in a second spelling"
    assert four_terms(clean, limited(), delta=DELTA)[2].answer == "yes"
    many = {**MEASURES, "label_noise": share(0.2, 0.005)}
    assert four_terms(many, limited(), delta=DELTA, misspelt=1)[2].answer == "no"
