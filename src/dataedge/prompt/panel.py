"""Which prompts are tried: every template, in both label forms, without and with demonstrations.

Each template is shown demonstrations of its own: independent draws for every number of them, so
that no luck of one draw is in all prompts of a pool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataedge.prompt.templates import Form, Strategy, label_names

if TYPE_CHECKING:
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


def retrieved(workspace: Workspace, base: Strategy) -> list[Strategy]:
    """One template with the nearest train items, at every number of them that fits."""
    return workspace.strategies([base], "retrieved")
