"""What requests cost at the prices that the user gives. No price is built in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from dataedge.prompt.latency import Request


@dataclass(frozen=True)
class Prices:
    """What the user says that tokens and tuning cost, in a currency of their own; None where not said.

    Attributes:
        read: of a million tokens read.
        written: of a million tokens written.
        tuned_read: of a million tokens that a tuned model reads; `read` if None.
        tuned_written: of a million tokens that it writes; `written` if None.
        tuning: of the fine-tune, once.
    """

    read: float | None = None
    written: float | None = None
    tuned_read: float | None = None
    tuned_written: float | None = None
    tuning: float | None = None


class Cost(NamedTuple):
    """What a thousand requests cost, and when tuning has paid.

    Attributes:
        prompt: with the best prompt.
        tuned: with the bare prompt of a tuned model.
        break_even: requests that pay for the fine-tune; None where none do or its price is not known.
    """

    prompt: float
    tuned: float
    break_even: float | None


def cost(request: Request, prices: Prices) -> Cost | None:
    """What a thousand requests cost at the prices given; None without any or without counts."""
    if request.prompt_tokens is None or request.bare_tokens is None:
        return None
    if prices.read is None and prices.written is None:
        return None
    read, written = prices.read or 0.0, prices.written or 0.0
    tuned_read = read if prices.tuned_read is None else prices.tuned_read
    tuned_written = written if prices.tuned_written is None else prices.tuned_written
    prompt = (request.prompt_tokens * read + request.answer_tokens * written) / 1e3
    tuned = (request.bare_tokens * tuned_read + request.answer_tokens * tuned_written) / 1e3
    pays = prices.tuning is not None and prompt > tuned
    return Cost(prompt, tuned, 1e3 * (prices.tuning or 0.0) / (prompt - tuned) if pays else None)
