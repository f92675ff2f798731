"""What a model makes of a text: states of an upper-middle layer, the layers above not run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from dataedge.models.local.batching import batches, windows
from dataedge.models.local.forward import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.models.local.batching import Row
    from dataedge.models.local.forward import Forward
    from dataedge.models.local.runner import Runner

DEPTH = 2 / 3  # of the layers are run


def hidden_states(model: Runner, texts: Sequence[str]) -> NDArray[np.float32]:
    """Mean and last state of each text, in the order given: shape (n, 2 * hidden)."""
    asked = model.tokens.prompts(texts)
    place = {ids: owner for owner, ids in enumerate(dict.fromkeys(asked))}
    context, start = model.capabilities.context, model.tokens.start
    rows = [next(windows(owner, ids, (0,), context, start)) for ids, owner in place.items()]
    found = np.zeros((len(rows), 2 * model.forward.width), dtype=np.float32)
    for group in batches([len(row.ids) for row in rows], model.batch_tokens, MAX_ROWS):
        found[group] = _read_states(model.forward, [rows[i] for i in group])
    return found[[place[ids] for ids in asked]]


def _read_states(forward: Forward, rows: Sequence[Row]) -> NDArray[np.float32]:
    """Mean over the tokens and last token's state of each row, side by side.

    Returns:
        Shape (rows, 2 * hidden).
    """
    layers = _layers(forward.body)
    with _Tap(layers[max(0, round(len(layers) * DEPTH) - 1)]) as tap:
        try:
            forward.states(rows, None, None)
        except _Reached:
            states = tap.states.float()
    lengths = torch.tensor([len(row.ids) for row in rows], device=states.device)
    real = torch.arange(states.shape[1], device=states.device) < lengths[:, None]
    mean = (states * real[..., None]).sum(1) / lengths[:, None]
    last = states[torch.arange(len(rows), device=states.device), lengths - 1]
    return np.asarray(torch.cat([mean, last], dim=1).cpu().numpy(), dtype=np.float32)


class _Reached(Exception):  # noqa: N818
    """The layer that was wanted has run."""


class _Tap:
    """Takes the output of a layer and ends the pass there."""

    def __init__(self, layer: Any) -> None:
        self.layer = layer
        self.states: Any = None

    def __enter__(self) -> Self:
        self.handle = self.layer.register_forward_hook(self._take)
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.remove()

    def _take(self, _layer: Any, _inputs: Any, output: Any) -> None:
        self.states = output[0] if isinstance(output, tuple) else output
        raise _Reached


def _layers(body: Any) -> Any:
    """The list of blocks of a network, whatever it is called there."""
    lists = [m for m in body.modules() if isinstance(m, torch.nn.ModuleList)]
    return max(lists, key=len)
