"""A server's arrays of log-probabilities, read with suspicion.

Real servers ignore `echo`, return zeros, cut arrays short, shift them by a position, or corrupt
what they have cached. What does not add up to the text that was sent is refused here; what adds up
and is wrong all the same is found by `capability_tests`.
"""

from __future__ import annotations

import math
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.models.base import Scored

if TYPE_CHECKING:
    from collections.abc import Sequence

ABOVE_ZERO = 1e-3  # what rounding may put a log-probability above zero
MANY_ZEROS = 4  # this many certain tokens and not one uncertain: not a language model's answer


class UnreadableError(ValueError):
    """An answer whose arrays cannot belong to the text that was sent."""


class Piece(NamedTuple):
    """A token as the server names it: its text and its log-probability (None for the first)."""

    text: str
    logprob: float | None


def from_echo(choice: dict[str, Any], prompt: str) -> list[Piece]:
    """The prompt's tokens from a completion with `echo` and `logprobs`.

    Raises:
        UnreadableError: no arrays, arrays of different lengths, or other text than was sent.
    """
    found = choice.get("logprobs")
    if not isinstance(found, dict):
        raise UnreadableError("asked to echo the prompt, it returned no log-probabilities")
    tokens, values = found.get("tokens"), found.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(values, list):
        raise UnreadableError("asked to echo the prompt, it returned no log-probabilities")
    if len(tokens) != len(values):
        raise UnreadableError(
            f"it returned {len(values)} log-probabilities for {len(tokens)} tokens"
        )
    return _of_prompt(
        [Piece(str(t), _number(v)) for t, v in zip(tokens, values, strict=True)], prompt
    )


def from_prompt_logprobs(choice: dict[str, Any], prompt: str) -> list[Piece]:
    """The prompt's tokens from vLLM's `prompt_logprobs`, asked for with 0 alternatives.

    Raises:
        UnreadableError: no such array, or other text than was sent.
    """
    found = choice.get("prompt_logprobs")
    if not isinstance(found, list) or not found:
        raise UnreadableError("asked for prompt_logprobs, it returned none")
    pieces = []
    for position in found:
        if position is None:
            pieces.append(Piece("", None))
            continue
        if not isinstance(position, dict) or len(position) != 1:
            raise UnreadableError("its prompt_logprobs do not say which token was in the prompt")
        token = next(iter(position.values()))
        pieces.append(Piece(str(token.get("decoded_token")), _number(token.get("logprob"))))
    # the first token's text is not told: what the others leave of the prompt
    rest = "".join(piece.text for piece in pieces[1:])
    if not prompt.endswith(rest):
        raise UnreadableError("the tokens it returned are not the text that was sent")
    pieces[0] = Piece(prompt[: len(prompt) - len(rest)], pieces[0].logprob)
    return _of_prompt(pieces, prompt)


def _of_prompt(pieces: list[Piece], prompt: str) -> list[Piece]:
    """The pieces that make up the prompt, a start token and what was generated left off."""
    for skip in (0, 1):
        found = _aligned(pieces[skip:], prompt)
        if found is not None:
            return found
    raise UnreadableError("the tokens it returned are not the text that was sent")


def _aligned(pieces: list[Piece], prompt: str) -> list[Piece] | None:
    """The pieces that spell the prompt, or None; tokens of a part of a character become one."""
    found: list[Piece] = []
    broken: list[float] = []
    at = 0
    for text, value in pieces:
        if at == len(prompt) and not broken:
            break
        if _broken(text):
            broken.append(np.nan if value is None else value)
            continue
        start = prompt.find(text, at + 1, at + 4 * len(broken) + len(text)) if broken else at
        if start < 0 or not prompt.startswith(text, start):
            if not broken or at + 4 * len(broken) < len(prompt):
                return None
            start = len(prompt)  # what was broken ends the prompt; this was generated
        if broken:
            found.append(Piece(prompt[at:start], sum(broken)))
            broken, at = [], start
            if at == len(prompt):
                break
        found.append(Piece(text, value))
        at += len(text)
    if broken and at < len(prompt) <= at + 4 * len(broken):
        found.append(Piece(prompt[at:], sum(broken)))
        at = len(prompt)
    return found if at == len(prompt) else None


def _broken(text: str) -> bool:
    """Whether a token holds a part of a character only, as servers show it."""
    return "\ufffd" in text or text.startswith("bytes:")


def continuation(pieces: Sequence[Piece], prefix: str, prompt_tokens: int | None = None) -> Scored:
    """What follows a prefix: stable ids of its tokens, their log-probabilities in nats.

    Raises:
        UnreadableError: a token straddles the prefix's end, or a value is missing, not finite, above
            zero, or every one is zero.
    """
    at, position = 0, 0
    while position < len(pieces) and at < len(prefix):
        at += len(pieces[position].text)
        position += 1
    if at != len(prefix):
        raise UnreadableError("one of its tokens holds the prompt's end and the answer's beginning")
    rest = pieces[position:]
    values = [np.nan if p.logprob is None else p.logprob for p in rest]
    check(values)
    return Scored(
        np.array([token_id(p.text) for p in rest], dtype=np.int64),
        np.minimum(np.array(values, dtype=np.float64), 0.0),
        position if prompt_tokens is None else prompt_tokens,
    )


def check(values: Sequence[float]) -> None:
    """Refuse log-probabilities that no language model gives.

    Raises:
        UnreadableError: with the reason.
    """
    if not all(math.isfinite(v) for v in values):
        raise UnreadableError("it returned log-probabilities that are not finite")
    if any(v > ABOVE_ZERO for v in values):
        raise UnreadableError("it returned log-probabilities above zero")
    if len(values) >= MANY_ZEROS and not any(values):
        raise UnreadableError("it returned zeros for log-probabilities")


def likeliest(choice: dict[str, Any]) -> list[list[Piece]]:
    """Per generated position the likeliest tokens, the one that was written first.

    Reads both forms: completions (`top_logprobs` as a list of mappings) and chat (`content`).
    Positions stop at the first that cannot be read.
    """
    found = choice.get("logprobs")
    if not isinstance(found, dict):
        return []
    if isinstance(found.get("content"), list):
        rows = [_chat_position(entry) for entry in found["content"]]
    else:
        tokens, values = found.get("tokens") or [], found.get("token_logprobs") or []
        tops = found.get("top_logprobs") or [None] * len(tokens)
        rows = [
            [Piece(str(t), _number(v)), *_alternatives(top, str(t))]
            for t, v, top in zip(tokens, values, tops, strict=False)
        ]
    readable: list[list[Piece]] = []
    for row in rows:
        if not row or any(p.logprob is None or not p.logprob <= ABOVE_ZERO for p in row):
            break
        readable.append(row)
    return readable


def _chat_position(entry: Any) -> list[Piece]:
    if not isinstance(entry, dict):
        return []
    own = Piece(str(entry.get("token")), _number(entry.get("logprob")))
    others = entry.get("top_logprobs") or []
    pieces = [Piece(str(o.get("token")), _number(o.get("logprob"))) for o in others]
    return [own, *(p for p in pieces if p.text != own.text)]


def _alternatives(top: Any, own: str) -> list[Piece]:
    if not isinstance(top, dict):
        return []
    return [Piece(str(t), _number(v)) for t, v in top.items() if str(t) != own]


def _number(value: Any) -> float | None:
    """A log-probability as a float; None where there is none, NaN where it is no number."""
    if value is None:
        return None
    return float(value) if isinstance(value, (int, float)) else math.nan


def token_id(text: str) -> int:
    """A number for a token known by its text alone, the same in every run.

    Example:
        >>> token_id(" card") == token_id(" card") != token_id("card")
        True
    """
    data = text.encode("utf-8", "replace")
    return zlib.crc32(data) << 20 | zlib.adler32(data) & 0xFFFFF
