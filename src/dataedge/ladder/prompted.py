"""The three prompting rungs that every ladder of free answers has in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dataedge.prompt import panel
from dataedge.prompt.panel import FINALISTS
from dataedge.prompt.search import Trial, successive_halving
from dataedge.prompt.templates import Strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataedge.ladder.outcome import Outcome
    from dataedge.prompt.templates import Shots
    from dataedge.prompt.workspace import Workspace

_RUNGS: tuple[tuple[str, Shots], ...] = (
    ("zero_shot", "none"),
    ("few_shot", "random"),
    ("retrieved", "retrieved"),
)


@dataclass(frozen=True)
class Prompted:
    """What prompting reached.

    Attributes:
        outcomes: rung → what it reached on the evaluation items.
        chosen: rung → the strategy that development items put first.
        missing: rung → why it was not reached.
        trials: every strategy that was tried, on development items.
        finalists: rung → the strategies that were tried on all development items, best first.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    chosen: dict[str, Strategy] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    trials: list[dict[str, Any]] = field(default_factory=list)
    finalists: dict[str, list[Strategy]] = field(default_factory=dict)


def run_prompted(
    workspace: Workspace,
    attempt: Callable[[Strategy, int], Trial[Strategy]],
    report: Callable[[Strategy], Outcome],
    *,
    sign: int = 1,
) -> Prompted:
    """Choose a strategy per rung on development items and report it on evaluation items.

    The two best templates without demonstrations go on to random ones, each with a draw of its own,
    the best to retrieved ones.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        attempt: a strategy's result on the first m development items.
        report: a chosen strategy's outcome.
        sign: −1 where the recorded figure is better when lower.
    """
    found = Prompted()
    best = [Strategy(t) for t in workspace.probe.templates if workspace.usable(t)]
    for rung, shots in _RUNGS:
        candidates = best
        if shots == "random":
            candidates = panel.random_shots_of(workspace, best)
        elif shots == "retrieved":
            candidates = panel.retrieved(workspace, best[0])
        if not candidates:
            found.missing[rung] = "no demonstrations fit the model's context"
            continue
        ranked, tried = successive_halving(
            candidates, attempt, len(workspace.development), FINALISTS[rung]
        )
        found.trials.extend(t.record(rung, sign=sign) for t in tried.values())
        found.finalists[rung] = [t.candidate for t in ranked[: FINALISTS[rung]]]
        found.chosen[rung] = ranked[0].candidate
        found.outcomes[rung] = report(found.chosen[rung])
        if shots == "none":
            best = found.finalists[rung]
    return found
