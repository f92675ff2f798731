"""What the base model makes of the inputs alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataedge.figures import Figure
from dataedge.measure import novelty
from dataedge.prompt.scores import Likelihood, ask_likelihood
from dataedge.prompt.templates import MAX_CHARACTERS

if TYPE_CHECKING:
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
