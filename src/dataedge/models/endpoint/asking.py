"""Single questions to a server, each answer checked before it is a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.models.base import Scored
from dataedge.models.endpoint import label_scores, label_tokens, parsing
from dataedge.models.endpoint.capability_tests import Proven, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.models.endpoint.capability_tests import Given
    from dataedge.models.endpoint.client import Client

START = "\n"
"""What stands in the place of an empty prompt: the first token must follow something."""
CHAT = "\u241fchat\u241f"
"""In front of a prompt that is to be sent as a user's turn."""
CHOICE_TOKENS = 12
"""Tokens to write when a label is asked for, at most; about one for three letters of the longest."""


class Asker:
    """Asks one question at a time, by the means that were proven.

    Args:
        client: of the server.
        proven: what it can do; nothing until it was shown.
    """

    def __init__(self, client: Client, proven: Proven | None = None) -> None:
        self.client = client
        self.proven = proven or Proven(None, None, 0, None, both=False, notes=())

    def score_given(
        self, way: Given, prefix: str, continuation: str, *, again: bool = False
    ) -> Scored:
        """A continuation as the server scores it, by one of the ways to ask for that.

        Raises:
            UnreadableError: what came back does not belong to this text.
        """
        if not continuation:
            return Scored(np.zeros(0, np.int64), np.zeros(0), 0)
        prefix = prefix or START
        whole = prefix + continuation
        if way == "echo":
            choice = self.client.complete(whole, max_tokens=1, echo=True, logprobs=1, again=again)
            pieces = parsing.from_echo(choice, whole)
        else:
            choice = self.client.complete(whole, max_tokens=1, prompt_logprobs=0, again=again)
            pieces = parsing.from_prompt_logprobs(choice, whole)
        return parsing.continuation(pieces, prefix)

    def choose(self, prompt: str, choices: Sequence[str]) -> NDArray[np.float64]:
        """Scores of all choices after a prompt, shape (K,); see `label_scores`."""
        width = self.proven.width
        if not width:
            return label_scores.written(choices, self.write(prompt, CHOICE_TOKENS))
        longest = max(len(choice) for choice in choices)
        tokens = min(CHOICE_TOKENS, 1 + -(-longest // 3))
        if self.proven.route == "chat":

            def turn(beginning: str) -> list[list[parsing.Piece]]:
                return [] if beginning else self._likeliest_chat(prompt, tokens)

            return label_scores.score(choices, turn, loose=True)
        return label_scores.score(
            choices, lambda beginning: self._likeliest(prompt + beginning, tokens)
        )

    def choose_named(
        self, way: label_tokens.Named, prompt: str, labels: Sequence[tuple[int, ...]]
    ) -> NDArray[np.float64]:
        """Scores of all labels after a prompt by their tokens, shape (K,); see `label_tokens`."""
        ids = label_tokens.tokenize(self.client, prompt or START, start=True)

        def ask(
            paths: Sequence[tuple[int, ...]], tokens: Sequence[Sequence[int]]
        ) -> list[dict[int, float]]:
            return label_tokens.nexts(self.client, way, ids, paths, tokens)

        return label_tokens.score(labels, ask, at_once=way == "score")

    def _likeliest(self, prompt: str, tokens: int) -> list[list[parsing.Piece]]:
        width = self.proven.width
        return self.believable(self.client.complete(prompt, max_tokens=tokens, logprobs=width))

    def _likeliest_chat(self, prompt: str, tokens: int) -> list[list[parsing.Piece]]:
        asked: dict[str, Any] = {"logprobs": True, "top_logprobs": self.proven.width}
        return self.believable(self.client.chat(prompt, max_tokens=tokens, **asked))

    @staticmethod
    def believable(choice: dict[str, Any]) -> list[list[parsing.Piece]]:
        """The likeliest tokens per position; none where the answer ended at once.

        Raises:
            UnreadableError: there are none, or they cannot be true.
        """
        rows = parsing.likeliest(choice)
        if not rows and text_of(choice) == "":
            return []  # it ended at once, and servers tell nothing of that
        if not rows:
            raise parsing.UnreadableError("asked for the likeliest tokens, it returned none")
        for row in rows:
            values = [p.logprob or 0.0 for p in row]
            if np.exp(values).sum() > 1.01 or (len(values) > 2 and len(set(values)) == 1):
                raise parsing.UnreadableError("it returned likeliest tokens that cannot be true")
        return rows

    def write(self, prompt: str, max_tokens: int) -> str:
        """What the server writes behind a prompt.

        Raises:
            UnreadableError: no text came back.
        """
        as_chat = prompt.startswith(CHAT) or self.proven.route == "chat"
        prompt = prompt.removeprefix(CHAT)
        ask = self.client.chat if as_chat else self.client.complete
        text = text_of(ask(prompt, max_tokens=max_tokens))
        if text is None:
            raise parsing.UnreadableError("asked to write, it returned no text")
        return text

    def count(self, text: str) -> int:
        """Tokens of a text as the server counts them, or a quarter of its bytes."""
        ask = self.client.chat if self.proven.route == "chat" else self.client.complete
        counted = ask(text or START, max_tokens=1)["usage"].get("prompt_tokens")
        return counted if isinstance(counted, int) else -(-len(text.encode()) // 4)
