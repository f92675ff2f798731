"""How surprising a token was, against how surprising the model expected it to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataedge.models.base import Moments
from dataedge.models.local.batching import Row, windows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from numpy.typing import NDArray

    from dataedge.models.local.forward import Forward
    from dataedge.models.local.runner import Runner


def text_moments(model: Runner, texts: Sequence[str]) -> list[Moments]:
    """Log-probabilities of whole texts with the first two moments over the vocabulary.

    Texts stand at the beginning of a sequence, after the model's own start token (or its
    fallback). What Min-K%++ needs: Zhang et al. 2024 (2404.02936), equation 3.

    Args:
        model: its weights are in memory.
        texts: an empty one gets empty arrays.
    """
    start = model.tokens.prompts([""])[0]
    asked = [tuple(ids) for ids in model.tokens.continuations(texts)]
    unique = list(dict.fromkeys(asked))
    found = [np.zeros((3, len(ids))) for ids in unique]
    rows: list[Row] = []
    for owner, ids in enumerate(unique):
        if ids:
            rows += windows(owner, start, ids, model.capabilities.context, model.tokens.start)
    for batch, _ in model.passes(rows, extra=0, share=False):
        for row, values in zip(batch, _read(model.forward, batch), strict=True):
            found[row.owner][:, row.offset : row.offset + values.shape[1]] = values
    by_text = {ids: Moments(*values) for ids, values in zip(unique, found, strict=True)}
    return [by_text[ids] for ids in asked]


def _read(forward: Forward, rows: Sequence[Row]) -> list[NDArray[np.float64]]:
    """Log-probability, mean and deviation of the targets of each row: shape (3, t) per row."""
    counts = [len(row.targets) for row in rows]
    targets = np.concatenate([np.array(row.targets, dtype=np.int64) for row in rows])
    if forward.plain:
        found = np.concatenate([_plain(forward, row) for row in rows], axis=1)
    else:
        states = forward.states(rows, None, None)
        which = np.repeat(np.arange(len(rows)), counts)
        where = np.concatenate([np.arange(r.first, r.first + len(r.targets)) for r in rows])
        found = _over_vocabulary(forward, states[which, where], targets)
    return np.split(found, np.cumsum(counts)[:-1], axis=1)


def _over_vocabulary(
    forward: Forward, states: Any, targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The three figures of each state, the vocabulary going by in blocks: shape (3, n).

    A block gives its largest logit m, s0 = Σ e^(l−m), and the mean and mean square of l − m under
    its own softmax; blocks are put together with weights s0·e^m over their sum.
    """
    import torch

    wanted = torch.from_numpy(targets).to(forward.device)
    picked = torch.zeros(len(targets), device=forward.device)
    parts = []
    with forward.clock(0):
        for low, logits in forward.logits(forward.for_head(states)):
            here = ((wanted >= low) & (wanted < low + logits.shape[1])).nonzero()[:, 0]
            picked[here] = logits[here, wanted[here] - low]
            highest = logits.amax(dim=1)
            shifted = logits.sub_(highest[:, None])
            share = shifted.exp()
            size = share.sum(dim=1)
            first = (share * shifted).sum(dim=1) / size
            second = (share * shifted.square_()).sum(dim=1) / size
            parts.append(torch.stack([highest, size.log(), first, second]).double())
        highest, size, first, second = torch.stack(parts).unbind(dim=1)
        total = torch.logsumexp(highest + size, dim=0)
        share = (highest + size - total).exp()
        offset = highest - total  # log-probability of a block's likeliest token
        mean = (share * (offset + first)).sum(dim=0)
        square = (share * (offset.square() + 2 * offset * first + second)).sum(dim=0)
        std = (square - mean.square()).clamp(min=0).sqrt()
        found = torch.stack([picked.double() - total, mean, std]).cpu().numpy()
    return np.asarray(found)


def _plain(forward: Forward, row: Row) -> NDArray[np.float64]:
    import torch

    with forward.clock(len(row.ids)):
        ids = torch.tensor([row.ids], device=forward.device)
        logits = forward.net(input_ids=ids, use_cache=False).logits[0, row.first :].double()
        logp = logits.log_softmax(dim=-1)
        wanted = torch.tensor(row.targets, device=forward.device)[:, None]
        mean = (logp.exp() * logp).sum(dim=-1)
        std = ((logp.exp() * logp.square()).sum(dim=-1) - mean.square()).clamp(min=0).sqrt()
        found = torch.stack([logp.gather(1, wanted)[:, 0], mean, std]).cpu().numpy()
    return np.asarray(found)
