"""Which answers does the base model know? It is asked to say them, and what it says is compared.

Source: Gekhman et al. 2024 (arXiv 2405.05904), who ask with ten 4-shot contexts and 16 samples of
each; here three contexts and four samples in all, so Unknown is somewhat more frequent than there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure, mean_figure
from dataedge.prompt.answer_match import are_short, normalised_match
from dataedge.prompt.scores import Generate, ask_text, cut_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.engine.local import Engine
    from dataedge.models.lazy import LazyModel, ModelAbilities
    from dataedge.prompt.scores import TextAnswers

__all__ = [
    "CATEGORIES",
    "CONTEXTS",
    "ITEMS",
    "RETRIEVED_TOKENS",
    "SAMPLES",
    "SHOTS",
    "ClosedBook",
    "categories",
    "exact_match",
    "knowledge",
    "unasked",
]

CATEGORIES = ("HighlyKnown", "MaybeKnown", "WeaklyKnown", "Unknown")
CONTEXTS = 3
SHOTS = 4
SAMPLES = 4
TEMPERATURE = 0.5
ITEMS = 32
"""Items whose knowledge is told at most: up to seven answers are asked for each."""
FEWEST = 8
MOST_TOKENS = 32
"""Items whose answer takes more than this many tokens are not asked."""

RETRIEVED_TOKENS = 8_000
"""Retrieved demonstrations are run anew for each answer: as many items as that comes to."""


class ClosedBook:
    """Has answers said, through the engine.

    Args:
        engine: runs the generation.
        lazy_model: the base model.
        max_tokens: of an answer.
        one_line: the answers are single lines, so what is said ends with the line.
    """

    def __init__(
        self, engine: Engine, lazy_model: LazyModel, max_tokens: int, *, one_line: bool
    ) -> None:
        self.engine = engine
        self.lazy_model = lazy_model
        self.max_tokens = max_tokens
        self.stop = ("\n",) if one_line else ("\n\n",)

    def right(
        self, prompts: Sequence[str], answers: Sequence[str], **options: Any
    ) -> NDArray[np.bool_]:
        """Whether what is said after each prompt is the answer, shape (n,).

        Args:
            prompts: n of them.
            answers: the true ones.
            options: temperature and seed, for a draw instead of the likeliest.
        """
        return matches(self.say(prompts, **options).texts, answers)

    def say(self, prompts: Sequence[str], **options: Any) -> TextAnswers:
        """What is said after each prompt; options as of `right`."""
        stage = Generate(self.lazy_model, self.max_tokens, stop=self.stop, **options)
        return ask_text(self.engine, stage, prompts)


def matches(said: Sequence[str], answers: Sequence[str]) -> NDArray[np.bool_]:
    """Whether what is said is the answer, shape (n,)."""
    return np.array([normalised_match(s, t) for s, t in zip(said, answers, strict=True)], bool)


def unasked(targets: Sequence[str], abilities: ModelAbilities) -> str:
    """Why answers are not compared word for word; empty where they can be.

    Args:
        targets: the responses of the data.
        abilities: of the model.
    """
    if not are_short(targets):
        return "the responses are long: many wordings of one answer would be right"
    if not abilities.generation:
        return "the model writes no text"
    return ""


def exact_match(
    speaker: ClosedBook,
    prompts: Sequence[str],
    answers: Sequence[str],
    clusters: NDArray[np.int64],
    *,
    seed: int,
    **detail: Any,
) -> Figure:
    """Share of the items whose answer is said, by words or by number.

    Args:
        speaker: says them.
        prompts: n of them.
        answers: the true ones.
        clusters: shape (n,), near-duplicate cluster of each item.
        seed: of the bootstrap.
        detail: kept with the figure.
    """
    if len(prompts) < FEWEST:
        return _too_few(len(prompts))
    said = speaker.say(prompts)
    right = matches(said.texts, answers).astype(np.float64)
    detail["cut_share"] = cut_share(said.cut)
    return mean_figure(right, clusters, unit="share", seed=seed, **detail)


def categories(
    greedy: NDArray[np.bool_], sampled: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Category of each item, a position in `CATEGORIES`, shape (n,).

    HighlyKnown: the likeliest answer is right in every context; MaybeKnown: in some; WeaklyKnown:
    only a drawn one is; Unknown: none.

    Args:
        greedy: shape (contexts, n), whether the likeliest answer is right.
        sampled: shape (samples, n), whether a drawn one is; none is if None.

    Example:
        >>> greedy = np.array([[True, True, False, False], [True, False, False, False]])
        >>> sampled = np.array([[False, False, True, False]])
        >>> [CATEGORIES[k] for k in categories(greedy, sampled)]
        ['HighlyKnown', 'MaybeKnown', 'WeaklyKnown', 'Unknown']
    """
    drawn = np.zeros(greedy.shape[1], bool) if sampled is None else sampled.any(axis=0)
    return np.select([greedy.all(axis=0), greedy.any(axis=0), drawn], [0, 1, 2], 3).astype(np.int64)


def knowledge(
    speaker: ClosedBook,
    contexts: Sequence[Sequence[str]],
    answers: Sequence[str],
    clusters: NDArray[np.int64],
    *,
    seed: int,
) -> tuple[Figure, list[str]]:
    """Share of the answers that are Unknown, with the counts of all four categories.

    Drawn answers are asked only where no likeliest one was right, the contexts in turn.

    Args:
        speaker: says the answers.
        contexts: for each context of demonstrations, the n prompts.
        answers: the n true answers.
        clusters: shape (n,).
        seed: of the draws and the bootstrap.

    Returns:
        The share; where it is above one half, with the sentence that warns. And the category of
        each item, none where too few were asked.
    """
    n = len(answers)
    if n < FEWEST:
        return _too_few(n), []
    greedy = np.array([speaker.right(prompts, answers) for prompts in contexts])
    sampled = np.zeros((SAMPLES, n), bool)
    rest: list[int] = np.flatnonzero(~greedy.any(axis=0)).tolist()
    for turn in range(SAMPLES if len(rest) else 0):
        prompts = contexts[turn % len(contexts)]
        sampled[turn, rest] = speaker.right(
            [prompts[i] for i in rest],
            [answers[i] for i in rest],
            temperature=TEMPERATURE,
            seed=seed + turn,
        )
    found = categories(greedy, sampled)
    counts: dict[str, Any] = {name: int((found == k).sum()) for k, name in enumerate(CATEGORIES)}
    figure = mean_figure(
        (found == CATEGORIES.index("Unknown")).astype(np.float64),
        clusters,
        unit="share",
        seed=seed,
        **counts,
        contexts=len(contexts),
        shots=SHOTS,
        samples=SAMPLES,
        temperature=TEMPERATURE,
    )
    return _warned(figure), [CATEGORIES[k] for k in found]


def _warned(figure: Figure) -> Figure:
    from dataclasses import replace

    if figure.value is None or figure.value <= 0.5:
        return figure
    reason = (
        f"{figure.value:.0%} of the answers are Unknown to the base model; training on Unknown facts "
        "alone lowered held-out accuracy from 37.5 (early stop) to 25.8 (converged), while MaybeKnown "
        "facts kept 43.2 (Gekhman et al. 2024)"
    )
    return replace(figure, reason=reason)


def _too_few(n: int) -> Figure:
    return Figure.missing(f"only {n} items have an answer that is short enough to ask for", "share")
