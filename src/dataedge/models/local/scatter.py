"""How far a local model's answers in its own precision lie from those in float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dataedge.models.capability_tests import PROSE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.models.local.runner import Runner

MOST_CHANGED = 0.01
"""Share of two-way decisions that a lower precision may turn round."""
MOST_SHIFT = 0.02
"""Nats per token by which it may make text likelier or less likely: .007 bits per byte."""
SHAPES = ((16, 16), (8, 2))
"""(questions asked, of which so many in a call): a batch of another shape rounds otherwise."""
TOPICS = (" weather", " food", " travel", " money", " health", " music")
TEXTS = (
    "It rained all night and the streets were still wet in the morning.",
    "Fry the onions in butter until they are soft, then add the flour.",
    "The train to the coast leaves at nine and takes about three hours.",
    "The bank raised its interest rate by a quarter of a point.",
    "Drink enough water and sleep at least seven hours a night.",
    "The second violins come in too late in the slow movement.",
    "A cold wind from the east will bring snow to the hills.",
    "We had soup, grilled fish and a glass of white wine.",
    "Our hotel was five minutes from the old harbour.",
    "She opened a savings account for each of the children.",
    "The doctor listened to his chest and told him to stay in bed.",
    "He bought a second-hand guitar and learned three chords.",
)


class Answers(NamedTuple):
    """What a model said about a fixed set of questions.

    Attributes:
        choices: shape (n, K), summed log-probability of every topic after every text.
        tokens: shape (t,), log-probability of each token of some prose.
    """

    choices: NDArray[np.float64]
    tokens: NDArray[np.float64]


@dataclass(frozen=True)
class Scatter:
    """How far answers lie from those in float32.

    Attributes:
        nats: root mean square of the difference between summed log-probabilities of labels, what
            all labels of a question and all questions of a label share taken out: that decides
            nothing.
        changed: share of decisions between two labels that it turns round.
        shift: nats per token by which it makes text likelier.
    """

    nats: float
    changed: float
    shift: float

    @property
    def small(self) -> bool:
        """Whether it is small against what is decided."""
        return self.changed <= MOST_CHANGED and abs(self.shift) <= MOST_SHIFT


def answers(model: Runner, questions: int = len(TEXTS), in_a_call: int = len(TEXTS)) -> Answers:
    """Ask the fixed questions.

    Args:
        model: in the precision that is to be measured.
        questions: how many of them.
        in_a_call: so many at once.
    """
    prompts = [f"Text: {text}\nTopic:" for text in TEXTS[:questions]]
    choices = [
        model.score_choices(prompts[start : start + in_a_call], TOPICS)
        for start in range(0, len(prompts), in_a_call)
    ]
    parts = [text.split(" ", 1) for text in PROSE]
    scored = model.score([first for first, _ in parts], [" " + rest for _, rest in parts])
    return Answers(np.concatenate(choices), np.concatenate([one.logprobs for one in scored]))


def scatter(exact: Answers, found: Answers) -> Scatter:
    """How far one set of answers lies from the exact one.

    Where the difference between two labels is normal with a standard deviation d, an error of size
    s turns its sign round with probability arctan(s / d) / π (Sheppard 1899). Both are taken from
    the questions. Where an answer is not finite, every decision counts as changed.

    Args:
        exact: in float32.
        found: to as many of the same questions, the first ones.

    Example:
        >>> exact = Answers(np.eye(3) * 4, np.array([-1.0, -2.0]))
        >>> scatter(exact, exact)
        Scatter(nats=0.0, changed=0.0, shift=0.0)
        >>> scatter(exact, Answers(np.full((3, 3), np.nan), exact.tokens)).small
        False
    """
    if not (np.isfinite(found.choices).all() and np.isfinite(found.tokens).all()):
        return Scatter(float("inf"), 1.0, 0.0)
    wanted = exact.choices[: len(found.choices)]
    nats = _size(found.choices - wanted)
    changed = float(np.arctan2(nats, _size(exact.choices)) / np.pi)
    return Scatter(nats, changed, float((found.tokens - exact.tokens).mean()))


def _size(scores: NDArray[np.float64]) -> float:
    """Root mean square, without what a question's labels share and what a label's questions share."""
    by_row = scores - scores.mean(axis=1, keepdims=True)
    return float(np.sqrt(np.mean(np.square(by_row - by_row.mean(axis=0, keepdims=True)))))


def measure(exact: Answers, model: Runner) -> Scatter:
    """Scatter of the precision that a model runs in now: the larger one of two batch shapes.

    Args:
        exact: its answers in float32.
        model: in the precision that is to be measured.
    """
    found = (scatter(exact, answers(model, *shape)) for shape in SHAPES)
    return max(found, key=lambda one: (one.changed, abs(one.shift)))
