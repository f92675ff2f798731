"""A reason to fine-tune, and the figures that all four rest on. Nothing else decides them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from dataedge.verdict.costs import Prices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.figures import Figure
    from dataedge.ladder.prompt_curve import PromptCurve
    from dataedge.prompt.latency import Request
    from dataedge.verdict.decision import Verdict

Answer = Literal["supported", "not_supported", "unknown"]


@dataclass(frozen=True)
class Reason:
    """One reason, whether the data supports it, and why.

    Attributes:
        id: prompting_ceiling, prompting_impractical, data_edge or latency_and_cost.
        answer: supported, not_supported or unknown.
        why: a sentence.
        evidence: the figures behind it.
    """

    id: str
    answer: Answer
    why: str
    evidence: dict[str, Any]


@dataclass(frozen=True)
class Grounds:
    """The figures that the reasons rest on.

    Attributes:
        verdict: on the edge.
        edge: with the data − without it.
        tuning: learned − the best prompting.
        counted: what of that is a reason to tune; `tuning` itself, or its task part.
        curve: prompting over the number of demonstrations.
        request: tokens and seconds with the best prompt and with the bare one.
        prices: as given.
        delta: smallest gain worth having.
        context: tokens that the audit puts into a prompt.
        own_context: tokens that the model itself takes; 0 where nobody tells.
        covered: share of evaluation items whose answer stands among the nearest train items.
        data_tokens: of all distinct items.
        tried: what each strategy reached on development items.
    """

    verdict: Verdict
    edge: Figure
    tuning: Figure
    counted: Figure
    curve: PromptCurve
    request: Request
    delta: float
    context: int
    own_context: int = 0
    prices: Prices = field(default_factory=Prices)
    covered: float | None = None
    data_tokens: float | None = None
    tried: Sequence[dict[str, Any]] = ()
