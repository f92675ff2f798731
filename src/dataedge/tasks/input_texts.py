"""The inputs alone: how the learner sees them, and what the base model makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.figures import Figure
from dataedge.learner import item_features
from dataedge.measure import novelty
from dataedge.prompt.scores import Likelihood, ask_likelihood
from dataedge.prompt.templates import MAX_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataedge.engine import Step
    from dataedge.prompt.workspace import Workspace


def input_surprisal(workspace: Workspace) -> Figure:
    """How surprising the evaluation items' texts are, clipped as in prompts, in bits per byte."""
    if workspace.abilities.no_bits:
        return Figure.missing(workspace.abilities.no_bits, "bits/byte")
    texts = [workspace.dataset.items[i].text[:MAX_CHARACTERS] for i in workspace.evaluation]
    answers = ask_likelihood(
        workspace.engine, Likelihood(workspace.lazy_model), [""] * len(texts), texts
    )
    bits = np.array([np.nan if a is None else a.bits for a in answers])
    size = np.array([len(t.encode("utf-8", "replace")) for t in texts], float)
    return novelty.surprisal(
        bits,
        size,
        workspace.clusters[workspace.evaluation],
        seed=workspace.seed,
        what="input texts",
    )


def describe(
    workspace: Workspace, step: Step, choose: Callable[..., str], **given: Any
) -> item_features.Description:
    """What the learner is to see of the items, settled on the train side.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        step: under which the choice is kept.
        choose: of `learner/item_features.py`, candidates → the name of one of them.
        given: what it looks at beside the train side: labels or numbers.
    """
    candidates = item_features.Candidates(
        workspace.by_text, [i.text for i in workspace.dataset.items]
    )
    side = {
        "train": workspace.splits.train,
        "clusters": workspace.clusters,
        "seed": workspace.seed,
        **given,
    }
    name = workspace.engine.once(
        step, {**candidates.inputs, **side}, lambda _: choose(candidates.blocks, **side)
    )
    return item_features.Description(name, candidates)
