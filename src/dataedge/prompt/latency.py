"""What a request costs: tokens to read and to write, and measured seconds.

Requests are timed one by one and in turn, as a user waits for them: nothing is shared between them.
A server that keeps the beginning of a prompt in its cache is faster with demonstrations that stay
the same than is measured here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dataedge.engine import Step
from dataedge.positions import positions
from dataedge.prompt.scores import Tokens, ask_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dataedge.prompt.templates import Strategy
    from dataedge.prompt.workspace import Workspace

REQUESTS = 4
"""Requests that are timed with each prompt."""
SENT = 2 * REQUESTS + 1
"""Requests in all: one more is not timed, with what is done once."""
WRITTEN = 8
"""Tokens of an answer that are written for the clock, at most."""
ANSWERS = 64
"""Answers whose tokens are counted."""


@dataclass(frozen=True)
class Seconds:
    """Seconds per request, shape (n,) each, in the same order of items."""

    prompt: NDArray[np.float64]
    bare: NDArray[np.float64]


@dataclass(frozen=True)
class Request:
    """What a request with the best prompt costs, and one with the bare prompt of a tuned model.

    Attributes:
        prompt_tokens: mean tokens to read with the best prompt; None where not counted.
        bare_tokens: with the bare one.
        answer_tokens: mean tokens of an answer.
        seconds: measured; None where nothing was timed.
        written: tokens that were written for the clock.
        prompt: the best prompt's name.
    """

    prompt_tokens: float | None
    bare_tokens: float | None
    answer_tokens: float = 0.0
    seconds: Seconds | None = None
    written: int = 0
    prompt: str = ""

    @property
    def saved(self) -> float | None:
        """Times as many tokens, the answer's among them, with the best prompt."""
        if self.prompt_tokens is None or self.bare_tokens is None:
            return None
        bare = max(self.bare_tokens + self.answer_tokens, 1.0)
        return (self.prompt_tokens + self.answer_tokens) / bare

    @property
    def slower(self) -> tuple[float, float] | None:
        """Times as long with the best prompt: of the medians, and at least (fastest over slowest)."""
        if self.seconds is None or not self.seconds.bare.all():
            return None
        prompt, bare = self.seconds.prompt, self.seconds.bare
        return float(np.median(prompt) / np.median(bare)), float(prompt.min() / bare.max())


LATENCY = Step("request_seconds", 1, (Seconds,))


def request(workspace: Workspace, best: Strategy | None) -> Request:
    """Count and time requests about evaluation items.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        best: the prompt that one would deploy; None where there is none.
    """
    s = workspace
    bare = s.bare_strategy()
    if best is None:
        return Request(None, s.prompt_tokens(bare))
    rows = np.random.default_rng(s.seed).permutation(s.splits.train)
    rows = rows[: WRITTEN if s.abilities.remote else ANSWERS]
    answers = [s.prompter.answer(bare, s.dataset.items[i].target) for i in rows]
    lengths = [len(ids) for ids in ask_tokens(s.engine, Tokens(s.lazy_model), answers)]
    written = int(np.clip(np.median(lengths), 1, WRITTEN))
    seconds = _timed(s, best, bare, written) if s.abilities.generation else None
    return Request(
        s.prompt_tokens(best),
        s.prompt_tokens(bare),
        float(np.mean(lengths)),
        seconds,
        written,
        best.name,
    )


def _timed(workspace: Workspace, best: Strategy, bare: Strategy, written: int) -> Seconds:
    """Read the prompt and write the first tokens, request after request."""
    s = workspace
    few = positions(s.evaluation[:REQUESTS])
    pairs = list(zip(s.prompts(best, few), s.prompts(bare, few), strict=True))
    inputs = {**s.lazy_model.params(), "pairs": [list(p) for p in pairs], "written": written}

    def compute(_: object) -> Seconds:
        model = s.lazy_model.model
        model.generate([pairs[0][1]], 1)  # what is done once, at the first request, is not timed
        spent = []
        for pair in pairs:
            for prompt in pair:
                began = time.perf_counter()
                model.generate([prompt], written)
                spent.append(time.perf_counter() - began)
        return Seconds(np.array(spent[::2]), np.array(spent[1::2]))

    return s.engine.once(LATENCY, inputs, compute)
