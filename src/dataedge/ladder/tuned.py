"""A tuned model as one more voice beside the prompts: what a fine-tune says of held-out responses.

It is trained and asked elsewhere (`pilot/`). Here it stands in a mixture as a prompt does, with a weight
that development items give it: none, where the fine-tune came to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from dataedge.ladder.outcome import better
from dataedge.ladder.rungs import FINE_TUNED
from dataedge.prompt.templates import Strategy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dataedge.ladder.outcome import Outcome
    from dataedge.positions import Positions
    from dataedge.prompt.scores import Answer


class Question(NamedTuple):
    """What a tuned model is asked: how likely is the response of one item behind the prompt of another."""

    response: int
    prompt: int


@dataclass(frozen=True)
class TunedPrompt(Strategy):
    """The bare prompt, asked of a tuned model.

    Attributes:
        said: its answers, which are all known.
        how: the fine-tune in words.
        detail: its figures, for the report.
        whole: it was tuned to the end on nearly all train items.
        rows: train items it was tuned on.
        fewer: the same fine-tuned on fewer rows, from which a learning curve is told; None without one.
        alone: why there is none, where there might be one.
        short: nobody asked for it, and it was asked about responses behind their own prompts alone.
    """

    said: Mapping[Question, Answer] = field(default_factory=dict, compare=False, repr=False)
    how: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    whole: bool = False
    short: bool = False
    rows: int = 0
    fewer: TunedPrompt | None = field(default=None, compare=False, repr=False)
    alone: str = ""

    @property
    def name(self) -> str:
        """For the report."""
        return "tuned"

    def answers(self, indices: Positions, prompts_of: Positions | None) -> Sequence[Answer | None]:
        """What was said of each response, None where it was not asked.

        Args:
            indices: whose response.
            prompts_of: behind whose prompt; their own if None.
        """
        behind = indices if prompts_of is None else prompts_of
        pairs = zip(indices.tolist(), behind.tolist(), strict=True)
        return [self.said.get(Question(*pair)) for pair in pairs]


def with_preference(outcomes: dict[str, Outcome]) -> Outcome:
    """The rung `tuned` with whether development items prefer it to the best prompting, `prompted`.

    Where they do not, nobody who looked at them would deploy it.
    """
    tuned = outcomes[FINE_TUNED]
    preferred = better(outcomes, ("prompted", FINE_TUNED)) == FINE_TUNED
    return replace(tuned, detail={**tuned.detail, "preferred_to_prompting": preferred})
