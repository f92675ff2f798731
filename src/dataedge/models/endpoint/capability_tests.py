"""What a server was shown to do. Its word is not taken for anything."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataedge.errors import AuditError
from dataedge.models.capability_tests import QUESTION, SENTENCE, why_doubted
from dataedge.models.endpoint import label_tokens, parsing
from dataedge.models.endpoint.client import RefusedError, StatusError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dataedge.models.base import Scored
    from dataedge.models.endpoint.client import Client
    from dataedge.models.endpoint.label_tokens import Named

Given = Literal["echo", "prompt_logprobs"]
Route = Literal["completions", "chat"]
TOLERANCE = 0.15
"""Nats by which a server may differ from itself: batches of other sizes round otherwise."""
WIDTHS = (20, 5)
"""Likeliest tokens to ask for: what vLLM and most others give, and what the original interface gave."""
CUTS = (3, 7, 12, 18)
"""Words of the sentence behind which the next token is generated and looked up again."""


@dataclass(frozen=True)
class Proven:
    """What an endpoint can do.

    Attributes:
        route: which of the two interfaces generates text.
        given: how log-probabilities of given text are had, or None.
        width: likeliest next tokens that are told, 0 for none.
        named: how log-probabilities of next tokens that one names were had, or None.
        both: the chat interface is there beside the other.
        notes: why something is not used, one sentence each.
        doubted: something is there and did not pass; another time it may.
    """

    route: Route | None
    given: Given | None
    width: int
    named: Named | None
    both: bool
    notes: tuple[str, ...]
    doubted: bool = False


def prove(
    client: Client,
    score: Callable[[Given, Sequence[str], Sequence[str]], list[Scored]],
) -> Proven:
    """Ask a dozen fixed questions, none of which holds anything of the data.

    Args:
        client: of the server.
        score: log-probabilities of continuations, by one of the ways to have them.
    """
    notes: list[str] = []
    completes = _answers(lambda: client.complete(QUESTION, max_tokens=4))
    chats = _answers(lambda: client.chat(QUESTION, max_tokens=4))
    route: Route | None = "completions" if completes else "chat" if chats else None
    if route is None:
        return Proven(None, None, 0, None, both=False, notes=("it does not generate text.",))
    if route == "chat":
        notes.append("it has no /completions; every prompt is sent as a user's turn.")
    width, why = _width(client, route)
    if not width:
        notes.append(f"it tells no likeliest next tokens: {why}.")
    given: Given | None = None
    doubted = False
    ways: tuple[Given, ...] = ("echo", "prompt_logprobs")
    for way in ways if completes else ():
        try:
            reason = _doubt_given(client, way, score, width)
        except RefusedError as error:
            reason = f"{error}."
        else:
            doubted = doubted or reason is not None
        if reason is None:
            given, doubted = way, False
            break
        notes.append(f"log-probabilities by {way} are not used: {reason}")
    named, why = _named(client) if completes and width else (None, "")
    if why:
        notes.append(f"log-probabilities of named tokens are not used: {why}.")
    both = completes and chats
    return Proven(route, given, width, named, both=both, notes=tuple(notes), doubted=doubted)


def _named(client: Client) -> tuple[Named | None, str]:
    """(how log-probabilities of named tokens are had, or None; why not, where it offers them)."""
    why = ""
    ways: tuple[Named, ...] = ("logprob_token_ids", "score")
    try:
        label_tokens.tokenize(client, SENTENCE, start=True, once=True)
    except (parsing.UnreadableError, RefusedError, AuditError):
        return None, ""  # a proxy may answer anything beside the interfaces that it is for
    for way in ways:
        try:
            doubt = _doubt_named(client, way)
        except (parsing.UnreadableError, RefusedError, AuditError):
            continue
        if doubt is None:
            return way, ""
        why = doubt
    return None, why


def _doubt_named(client: Client, way: Named) -> str | None:
    """Why log-probabilities of named tokens cannot be believed.

    The token that it writes must be as likely when it is named, and likelier than others; and a
    beginning must count the same as a part of the prompt and behind it.
    """
    words = SENTENCE.split(" ")
    others = [label_tokens.behind_anchor(client, w)[0] for w in (" xylophone", " seventeen")]
    compared = 0
    for cut in CUTS:
        prefix = " ".join(words[:cut])
        choice = client.complete(prefix, max_tokens=1, logprobs=1, again=True)
        rows, text = parsing.likeliest(choice), text_of(choice) or ""
        if not rows or not text.strip() or not text.isascii():
            continue
        ids = label_tokens.tokenize(client, prefix, start=True)
        whole = label_tokens.tokenize(client, prefix + text, start=True)
        if whole[:-1] != ids:
            continue
        wanted = [whole[-1], *others]
        told = label_tokens.nexts(client, way, ids, [()], [wanted], again=True)[0]
        behind = label_tokens.nexts(client, way, ids[:-1], [(ids[-1],)], [wanted], again=True)[0]
        given = rows[0][0].logprob or 0.0
        if abs(given - told[whole[-1]]) > TOLERANCE:
            return (
                f"it writes {text!r} with log-probability {given:.2f}, and tells {told[whole[-1]]:.2f} "
                "when it is asked for that token"
            )
        if abs(told[whole[-1]] - behind[whole[-1]]) > 2 * TOLERANCE:
            return "a beginning counts otherwise behind the prompt than in it"
        if told[whole[-1]] < max(told[t] for t in others if t != whole[-1]):
            return "it finds what it writes itself less likely than words at random"
        compared += 1
    return None if compared else "nothing that it writes could be compared"


def _answers(ask: Callable[[], dict[str, Any]]) -> bool:
    """Whether an interface is there and writes text."""
    try:
        return text_of(ask()) is not None
    except RefusedError:
        return False
    except StatusError as error:
        if error.absent:
            return False
        raise


def text_of(choice: dict[str, Any]) -> str | None:
    """What was written, in either form of answer; None where nothing was."""
    if isinstance(choice.get("text"), str):
        return str(choice["text"])
    message = choice.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return content if isinstance(content, str) else None


def _width(client: Client, route: Route) -> tuple[int, str]:
    """(how many likeliest tokens are told, or 0; why not)."""
    why = "it returns none"
    for width in WIDTHS:
        try:
            rows = [parsing.likeliest(ask_next(client, route, width)) for _ in range(2)]
        except RefusedError as error:
            why = str(error).splitlines()[0][:120]
            continue
        if not rows[0] or len(rows[0][0]) < 2:
            continue
        reason = _doubt_row(rows[0][0], rows[1])
        if reason is None:
            return width, ""
        why = reason
    return 0, why


def ask_next(client: Client, route: Route, width: int) -> dict[str, Any]:
    """What follows a fixed beginning, with the likeliest tokens; it must not be the end of it."""
    if route == "chat":
        return client.chat(QUESTION, max_tokens=2, logprobs=True, top_logprobs=width, again=True)
    beginning = " ".join(SENTENCE.split(" ")[: CUTS[-1]])
    return client.complete(beginning, max_tokens=2, logprobs=width, again=True)


def _doubt_row(row: list[parsing.Piece], again: list[list[parsing.Piece]]) -> str | None:
    """Why the likeliest tokens of a position cannot be believed."""
    values = [p.logprob or 0.0 for p in row]
    if np.exp(values).sum() > 1.01:
        return "their probabilities add up to more than one"
    if len({round(v, 6) for v in values}) == 1:
        return "they are all equally likely"
    if values[0] < max(values) - TOLERANCE:
        return "what it writes is not the likeliest of them"
    if not again or abs((again[0][0].logprob or 0.0) - values[0]) > TOLERANCE:
        return "asked twice, it tells different ones"
    return None


def _doubt_given(
    client: Client,
    way: Given,
    score: Callable[[Given, Sequence[str], Sequence[str]], list[Scored]],
    width: int,
) -> str | None:
    """Why log-probabilities of given text cannot be believed, or None where they can."""

    def plainly(prefixes: Sequence[str], continuations: Sequence[str]) -> list[Scored]:
        return score(way, prefixes, continuations)

    try:
        reasons = [why_doubted(plainly, None, tolerance=TOLERANCE)]
        reasons.append(_doubt_positions(client, plainly, width))
        return " ".join(reason for reason in reasons if reason) or None
    except parsing.UnreadableError as error:
        return f"{error}."
    except StatusError as error:
        if error.status >= 500:
            return f"{error.message}."
        raise


def _doubt_positions(
    client: Client, score: Callable[[Sequence[str], Sequence[str]], list[Scored]], width: int
) -> str | None:
    """Compare given text with generated text: the same token must be as likely both ways.

    Finds arrays that are finite, plausible and shifted by a position. Where generation tells no
    log-probabilities, what is generated must at least be likelier than what is not.
    """
    words = SENTENCE.split(" ")
    others = [" xylophone", " seventeen", " Nevertheless"]
    for cut in CUTS:
        prefix = " ".join(words[:cut])
        asked: dict[str, Any] = {"logprobs": width} if width else {}
        choice = client.complete(prefix, max_tokens=1, again=True, **asked)
        text = text_of(choice) or ""
        if not text.strip() or not text.isascii():
            continue
        found = score([prefix] * (1 + len(others)), [text, *others])
        sums = [float(one.logprobs.sum()) for one in found]
        rows = parsing.likeliest(choice) if width else []
        if rows and len(found[0].logprobs) == 1:
            given = rows[0][0].logprob or 0.0
            if abs(given - sums[0]) > 2 * TOLERANCE:
                return (
                    f"it writes {text!r} with log-probability {given:.2f}, and gives {sums[0]:.2f} "
                    "when the same stands in the prompt: its positions are shifted or its cache is "
                    "corrupt."
                )
        elif sums[0] < max(sums[1:]):
            return "it finds what it writes itself less likely than words at random."
    return _doubt_cache(score)


def _doubt_cache(score: Callable[[Sequence[str], Sequence[str]], list[Scored]]) -> str | None:
    """A beginning that was read before must not change what follows."""
    rng = random.Random(1)  # noqa: S311
    words = SENTENCE.split(" ")
    rng.shuffle(words)
    prefix = " ".join(words)
    first = score([prefix], [" and reaches the sea."])[0].logprobs
    score([prefix, prefix], [" in the mountains.", " of the country."])
    again = score([prefix], [" and reaches the sea."])[0].logprobs
    if first.shape != again.shape or np.abs(first - again).max() > TOLERANCE:
        return "asked again behind the same beginning, it gives other log-probabilities."
    return None
