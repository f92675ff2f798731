"""What the audit needs of a base model, whoever runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from dataedge.models.precision import Precision


MAX_CONTEXT = 4096
"""Tokens of prompt and continuation that are used, however many more a model takes."""
ChoiceScores = Literal["logprobs", "likeliest", "text", "none"]


@dataclass(frozen=True)
class Capabilities:
    """What a model was shown to be able to do, by the capability tests at the start.

    Attributes:
        token_logprobs: log-probabilities of given text, token by token.
        full_vocabulary: the whole next-token distribution (local weights only).
        generation: greedy text generation.
        chat: has a chat template.
        context: tokens that fit, prompt and continuation together.
        notes: why something was degraded, one sentence each.
        choices: how labels are scored: by the log-probabilities of their text; by those of the
            likeliest next tokens; or by the text that is written, which gives no probabilities.
        remote: asked over a connection, where every question has its price.
        doubted: something that it offers did not pass its proof; another time it may.
        precision: float32 or bfloat16 for weights on this machine, empty for a server's.
        scatter_nats: how far that moves a label's summed log-probability from float32's, root mean
            square; None where it was not measured, as for float32 itself.
        changed_answers: share of decisions between two labels that this turns round.
        own_context: tokens that the model itself takes, of which `context` are used; 0 where nobody
            tells.
    """

    token_logprobs: bool
    full_vocabulary: bool
    generation: bool
    chat: bool
    context: int
    notes: tuple[str, ...] = ()
    choices: ChoiceScores = "logprobs"
    remote: bool = False
    doubted: bool = False
    precision: Precision | Literal[""] = ""
    scatter_nats: float | None = None
    changed_answers: float | None = None
    own_context: int = 0


@dataclass(frozen=True)
class Scored:
    """A continuation as the model saw it.

    Attributes:
        tokens: shape (t,), token ids of the continuation.
        logprobs: shape (t,), natural-log probability of each given everything before it.
        prompt_tokens: how many tokens stood before it.
        cut: the first of these were dropped, so that the rest fits the context.
    """

    tokens: NDArray[np.int64]
    logprobs: NDArray[np.float64]
    prompt_tokens: int
    cut: bool = False


@dataclass(frozen=True)
class Moments:
    """A text as the model saw it, with what it expected at each place.

    Attributes:
        logprobs: shape (t,), natural-log probability of each token given those before it.
        mean: shape (t,), expectation of that under the model's own prediction, Σ p log p.
        std: shape (t,), its standard deviation under the same.
    """

    logprobs: NDArray[np.float64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]


class BaseModel(Protocol):
    """A base model that can be asked. See `models/local/model.py` for the reference."""

    id: str
    revision: str
    capabilities: Capabilities

    def score(
        self,
        prefixes: Sequence[str],
        continuations: Sequence[str],
    ) -> list[Scored]:
        """Score continuations[i] given prefixes[i]."""
        ...

    def score_choices(
        self,
        prompts: Sequence[str],
        choices: Sequence[str],
    ) -> NDArray[np.float64]:
        """Summed natural-log probability of every choice after every prompt: shape (n, K)."""
        ...

    def generate(
        self,
        prompts: Sequence[str],
        max_tokens: int,
        stop: Sequence[str] = (),
        *,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """Continuations, cut at the first stop string.

        Args:
            prompts: n of them.
            max_tokens: to add to each at most.
            stop: strings that end an answer; they are not part of it.
            temperature: 0 for the likeliest token at each step, else tokens are drawn.
            seed: of the draws; one prompt's are the same whatever it is asked beside.
        """
        ...

    def cut(self, prompts: Sequence[str], behind: Sequence[str] | int) -> list[bool | None]:
        """Whether each prompt loses its first tokens, so that the rest fits the context.

        Args:
            prompts: n of them, as given to `score_choices` or `generate`.
            behind: what has to fit behind them: choices, or so many tokens that are written.

        Returns:
            Per prompt; None where nobody can know.
        """
        ...

    def chat(self, user: str) -> str:
        """The text of a one-turn conversation up to where the assistant's answer starts."""
        ...

    def tokenize(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Token ids of each text on its own."""
        ...


@runtime_checkable
class FullVocabulary(Protocol):
    """What a model with `capabilities.full_vocabulary` can be asked besides."""

    def moments(self, texts: Sequence[str]) -> list[Moments]:
        """Whole texts with mean and deviation of the log-probability over the vocabulary."""
        ...
