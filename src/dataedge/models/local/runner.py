"""What scoring and capability tests need of a local model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from dataedge.models.base import Capabilities, Scored
    from dataedge.models.local.batching import Row
    from dataedge.models.local.forward import Forward
    from dataedge.models.local.prefix import SharedPrefix
    from dataedge.models.tokens import Tokens


class Runner(Protocol):
    """Weights in memory, their tokens, and the passes through them; `LocalModel` is one.

    Attributes:
        tokens: text to tokens.
        forward: forward passes.
        batch_tokens: tokens of a batch, at most.
        share_prefix: run a beginning that many rows share once.
        tree: run choices as a tree.
        capabilities: what it was shown to be able to do.
    """

    tokens: Tokens
    forward: Forward
    batch_tokens: int
    share_prefix: bool
    tree: bool
    capabilities: Capabilities

    def passes(
        self, rows: Sequence[Row], extra: int, *, share: bool = True
    ) -> Iterator[tuple[list[Row], SharedPrefix | None]]:
        """Batches of rows, with what they all start with run beforehand."""

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text on its own: shape (n,)."""

    def score(
        self,
        prefixes: Sequence[str],
        continuations: Sequence[str],
    ) -> list[Scored]:
        """Each continuation given its prefix."""

    def score_choices(
        self,
        prompts: Sequence[str],
        choices: Sequence[str],
    ) -> NDArray[np.float64]:
        """Log-probability of every choice after every prompt: shape (n, K), nats."""

    def chat(self, user: str) -> str:
        """The text of a one-turn conversation up to where the assistant's answer starts."""

    def generate(
        self,
        prompts: Sequence[str],
        max_tokens: int,
    ) -> list[str]:
        """What is written after each prompt, the likeliest token at each step."""
