"""Which prompts are tried: every template, in both label forms, without and with demonstrations.

Each template is shown demonstrations of its own: independent draws for every number of them, so
that no luck of one draw is in all prompts of a pool. Free answers are dearer: there, the two best
templates are shown demonstrations, each in one draw.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from dataedge.prompt.search import successive_halving
from dataedge.prompt.templates import Form, Strategy, label_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dataedge.prompt.search import Trial
    from dataedge.prompt.workspace import Workspace

POOLED = 2
"""Numbers of demonstrations, the largest that fit, at which every template is tried."""
FINALISTS = {"zero_shot": 2, "few_shot": 2, "retrieved": 1}
"""So many prompts of each kind are tried on all development items and pooled."""


def sizes(templates: int, label_forms: int, random: int, retrieved: int) -> dict[str, int]:
    """How many prompts of each kind there are.

    Args:
        templates: that the model can be asked in.
        label_forms: that differ.
        random: numbers of random demonstrations that fit.
        retrieved: numbers of retrieved ones that fit.

    Example:
        >>> sizes(5, 2, 3, 3)
        {'zero_shot': 10, 'few_shot': 11, 'retrieved': 3}
    """
    pooled = min(random, POOLED)
    return {
        "zero_shot": templates * label_forms,
        "few_shot": random - pooled + templates * pooled,
        "retrieved": retrieved,
    }


def forms(workspace: Workspace) -> tuple[Form, ...]:
    """Label forms that differ from each other; as one says them comes first."""
    names, wanted = workspace.dataset.labels, workspace.probe.label_forms
    if label_names(names, "humanised") == names:
        return wanted[:1]
    return tuple(sorted(wanted, key=lambda form: form != "humanised"))


def zero_shot(workspace: Workspace) -> list[Strategy]:
    """Every template in every form, nothing shown."""
    usable = [t for t in workspace.probe.templates if workspace.usable(t)]
    return [Strategy(t, form) for form in forms(workspace) for t in usable]


def few_shot(workspace: Workspace) -> list[Strategy]:
    """Every template with random demonstrations, in the first form.

    The smaller numbers of demonstrations are tried with one template, for the curve over k.
    """
    form = forms(workspace)[0]
    usable = [t for t in workspace.probe.templates if workspace.usable(t)]
    counts = workspace.shot_counts("random")
    found = [Strategy(usable[0], form, "random", k) for k in counts[:-POOLED]]
    draw = 0
    for k in counts[-POOLED:]:
        for template in usable:
            found.append(Strategy(template, form, "random", k, draw))
            draw += 1
    return found


def random_shots_of(workspace: Workspace, bases: Sequence[Strategy]) -> list[Strategy]:
    """Each prompt with every number of random demonstrations, in a draw of its own."""
    return [
        replace(base, shots="random", k=k, draw=draw)
        for k in workspace.shot_counts("random")
        for draw, base in enumerate(bases)
    ]


def retrieved(workspace: Workspace, base: Strategy) -> list[Strategy]:
    """One template with the nearest train items, at every number of them that fits."""
    return workspace.strategies([base], "retrieved")


class Finalists(NamedTuple):
    """The prompts of each rung that development items put first.

    Attributes:
        pools: rung → prompts, best first.
        missing: rung → why there are none.
        trials: per prompt that was tried: rung, k, shots, mean gain on development items, their number.
    """

    pools: dict[str, list[Strategy]]
    missing: dict[str, str]
    trials: list[dict[str, Any]]

    @property
    def without_data(self) -> list[Strategy]:
        """Those that are shown nothing, or random train items."""
        return [m for rung in ("zero_shot", "few_shot") for m in self.pools.get(rung, [])]


def finalists(
    workspace: Workspace, attempt: Callable[[Strategy, int], Trial[Strategy]], rungs: int = 3
) -> Finalists:
    """Choose prompts for zero_shot, few_shot and retrieved by successive halving.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        attempt: a prompt's result on the first m development items.
        rungs: how many of the three, in this order.
    """
    found = Finalists({}, {}, [])
    for rung, candidates_of in (
        ("zero_shot", zero_shot),
        ("few_shot", few_shot),
        ("retrieved", lambda s: retrieved(s, found.pools["zero_shot"][0])),
    )[:rungs]:
        candidates = candidates_of(workspace)
        if not candidates:
            found.missing[rung] = "no demonstrations fit the model's context"
            continue
        ranked, tried = successive_halving(
            candidates, attempt, len(workspace.development), FINALISTS[rung]
        )
        found.trials.extend(t.record(rung) for t in tried.values())
        found.pools[rung] = [t.candidate for t in ranked[: FINALISTS[rung]]]
    return found
