"""What a model says it can do is believed only after it was seen to do it."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dataedge.models.local.batching import windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from dataedge.models.base import Scored
    from dataedge.models.local.runner import Runner

SENTENCE = (
    "The river rises in the mountains in the north of the country, flows through two large cities "
    "and reaches the sea after about three hundred miles."
)
PROSE = (
    SENTENCE,
    (
        "She put the kettle on, sat down at the kitchen table and opened the letter that had been "
        "lying there since the morning."
    ),
    (
        "To install the package, run the command below in a terminal. If it fails, check that you "
        "have the right version and try again."
    ),
    "Water boils at a lower temperature at high altitude because the pressure of the air is lower.",
)
QUESTION = "Question: What is the capital of France?\nAnswer:"
CHOICES = (" Paris", " Berlin", " Paris, in the north of the country", " Paris, of course")
TOLERANCE = 1e-3  # nats per token between two ways to the same figure, in float32
FAILURES = (RuntimeError, ValueError, TypeError, IndexError, AttributeError, KeyError)
"""What a network raises that cannot be run this way."""
MIN_GAIN = 0.02  # nats per token that a start must gain over none


def why_doubted(
    score: Callable[[Sequence[str], Sequence[str]], list[Scored]],
    count_tokens: Callable[[Sequence[str]], NDArray[np.int64]] | None,
    tolerance: float = 1e-3,
) -> str | None:
    """Why the log-probabilities of a model cannot be believed, or None where they can.

    A fixed sentence must get as many log-probabilities as it has tokens, all finite, none positive
    and not all the same; twice the same ones; and be more probable than the same words shuffled. Without
    `count_tokens` the number of tokens is taken as it comes.
    """
    first, rest = SENTENCE.split(" ", 1)
    rest = " " + rest
    words = rest.split()
    random.Random(0).shuffle(words)  # noqa: S311
    mixed = " " + " ".join(words)
    plain, shuffled = score([first, first], [rest, mixed])
    again = score([first], [rest])[0]
    wanted = len(plain.logprobs) if count_tokens is None else int(count_tokens([rest])[0])
    if len(plain.logprobs) != wanted:
        return f"it returned {len(plain.logprobs)} log-probabilities for {wanted} tokens."
    if not (np.isfinite(plain.logprobs).all() and np.isfinite(shuffled.logprobs).all()):
        return "it returned log-probabilities that are not finite."
    if plain.logprobs.max() > tolerance:
        return "it returned log-probabilities above zero."
    if len(plain.logprobs) > 1 and np.ptp(plain.logprobs) < tolerance:
        return "it returned the same log-probability for every token."
    if (
        plain.logprobs.shape != again.logprobs.shape
        or np.abs(plain.logprobs - again.logprobs).max() > tolerance
    ):
        return "asked twice, it gave different log-probabilities for the same sentence."
    if plain.logprobs.mean() <= shuffled.logprobs.mean() + 0.5:
        return "it finds a sentence no more probable than its words shuffled."
    return None


def prove(model: Runner) -> None:
    """Prove what a local model can do, decide what starts a sequence, degrade with a reason.

    What is proven is the model's structure, so that all of it runs in float32 whatever the weights
    are kept in: there, two ways to the same figure agree to 1e-3. How far a lower precision scatters
    is measured apart (`scatter.py`).

    Sets `model.capabilities`, `model.tree`, `model.share_prefix` and `model.tokens.start`.
    """
    notes = list(model.capabilities.notes)
    try:
        with model.forward.in_float32():
            reason = _prove_scores(model, notes)
    except FAILURES as error:
        reason = f"scoring a sentence failed: {error}"
    if reason:
        notes.append(f"its log-probabilities cannot be used: {reason}")
    generation = _generates(model)
    if not generation:
        notes.append("it does not generate text.")
    chat = model.capabilities.chat and _chats(model)
    if model.capabilities.chat and not chat:
        notes.append("its chat template cannot be filled in.")
    model.capabilities = replace(
        model.capabilities,
        token_logprobs=reason is None,
        full_vocabulary=reason is None,
        generation=generation,
        chat=chat,
        notes=tuple(notes),
    )


def _prove_scores(model: Runner, notes: list[str]) -> str | None:
    """Why its log-probabilities cannot be used, or None; what is degraded is noted."""
    if not _fast_body_is_true(model):
        model.forward.plain = True
        model.tree = model.share_prefix = False
        notes.append("its layers cannot be run apart from its head; scoring is slower.")
    elif not _tree_is_true(model):
        model.tree = model.share_prefix = False
        notes.append("it does not follow a tree mask; choices are scored one by one.")
    if not model.tokens.adds_own:
        model.tokens.start = best_start(model)
    return why_doubted(model.score, model.count_tokens, tolerance=1e-2)


def best_start(model: Runner) -> tuple[int, ...]:
    """What to put before a text when the tokenizer puts nothing: what makes prose likeliest.

    The first word is left out of the comparison, since without a start nothing predicts it.
    """
    kept = model.tokens.start
    texts = [text.split(" ", 1) for text in PROSE]
    means = {}
    for start in model.tokens.candidates().values():
        model.tokens.start = start
        scored = model.score([first for first, _ in texts], [" " + rest for _, rest in texts])
        means[start] = float(np.concatenate([one.logprobs for one in scored]).mean())
    model.tokens.start = kept
    best = max(means, key=lambda start: means[start])
    return best if means[best] > means[()] + MIN_GAIN else ()


def _fast_body_is_true(model: Runner) -> bool:
    """Whether body and head run apart give what the whole network gives."""
    rows = [
        next(windows(0, ids[:1], ids[1:], len(ids), ())) for ids in model.tokens.plain([SENTENCE])
    ]
    try:
        fast = model.forward.read_rows(rows, None)[0]
    except FAILURES:
        return False
    model.forward.plain = True
    whole = model.forward.read_rows(rows, None)[0]
    model.forward.plain = False
    return bool(np.allclose(fast, whole, atol=TOLERANCE, rtol=0.0))


def _tree_is_true(model: Runner) -> bool:
    """Whether a trie behind a shared prefix gives what choices give one by one."""
    endings = ("", " Well.", " Now then.", " Here is another one.")
    prompts = [f"{SENTENCE}{ending}\n{QUESTION}" for ending in endings]
    try:
        fast = model.score_choices(prompts, CHOICES)
    except FAILURES:
        return False
    model.tree = model.share_prefix = False
    slow = model.score_choices(prompts, CHOICES)
    model.tree = model.share_prefix = True
    tokens = model.count_tokens(CHOICES)
    return bool((np.abs(fast - slow) <= TOLERANCE * tokens).all())


def _generates(model: Runner) -> bool:
    try:
        return len(model.generate([QUESTION], 2)) == 1
    except FAILURES:
        return False


def _chats(model: Runner) -> bool:
    from jinja2 import TemplateError

    try:
        return "France" in model.chat(QUESTION)
    except (TemplateError, ValueError, TypeError, KeyError):
        return False
