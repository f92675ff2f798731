"""Prompts and answers as rows of tokens, and the loss of their answers: what a fine-tune makes smaller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dataedge.models.local.batching import batches, windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dataedge.models.local.batching import Row
    from dataedge.models.local.model import LocalModel

ANSWER_TOKENS = 1_024
"""Answer tokens whose logits over the whole vocabulary are held at once; a longer answer runs alone."""


class Example(NamedTuple):
    """What a tuned model is to say."""

    prompt: str
    answer: str


def rows_of(model: LocalModel, examples: Sequence[Example]) -> list[Row]:
    """Token ids as the model is asked: prompts cut to the context, answers whole."""
    asked = zip(
        model.tokens.prompts([e.prompt for e in examples]),
        model.tokens.continuations([e.answer for e in examples]),
        strict=True,
    )
    context, start = model.capabilities.context, model.tokens.start
    return [
        row
        for owner, (prompt, answer) in enumerate(asked)
        if answer
        for row in windows(owner, prompt, answer, context, start)
    ]


def shuffled(rows: Sequence[Row], batch: int, rng: np.random.Generator) -> Iterator[list[Row]]:
    """Steps of one pass, in random order: rows of like length together, so that little is padded."""
    order = rng.permutation(len(rows))
    found = []
    for start in range(0, len(order), 8 * batch):
        some = sorted(order[start : start + 8 * batch], key=lambda i: len(rows[i].ids))
        found += [some[at : at + batch] for at in range(0, len(some), batch)]
    for at in rng.permutation(len(found)):
        yield [rows[i] for i in found[at]]


def parts(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Rows of a step that are run together: as many as keep the logits of their answers small."""
    part: list[Row] = []
    for row in rows:
        if part and sum(len(r.targets) for r in part) + len(row.targets) > ANSWER_TOKENS:
            yield part
            part = []
        part.append(row)
    yield part


def loss(model: LocalModel, rows: Sequence[Row]) -> Any:
    """Mean nats per answer token, as a tensor that gradients flow through."""
    import torch
    from torch.nn import functional

    forward = model.forward
    width = max(len(row.ids) for row in rows)
    ids = np.zeros((len(rows), width), np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row.ids)] = row.ids
    given = torch.from_numpy(ids).to(forward.device)
    which = np.repeat(np.arange(len(rows)), [len(row.targets) for row in rows])
    where = np.concatenate([np.arange(row.first, row.first + len(row.targets)) for row in rows])
    targets = np.concatenate([np.array(row.targets, np.int64) for row in rows])
    if forward.plain:  # its head alone would not give the logits that are scored
        logits = forward.net(input_ids=given, use_cache=False).logits[which, where]
    else:
        states = forward.body(input_ids=given, use_cache=False).last_hidden_state
        logits = forward.head(states[which, where])
    return functional.cross_entropy(logits.float(), torch.from_numpy(targets).to(forward.device))


def loss_of(model: LocalModel, rows: Sequence[Row]) -> float:
    """The same over many rows, weighted by tokens; 0 where there are none."""
    import torch

    total, tokens = 0.0, 0
    lengths = [len(row.ids) for row in rows]
    with torch.inference_mode():
        for group in batches(lengths, model.batch_tokens, 64):
            some = [rows[i] for i in group]
            n = sum(len(row.targets) for row in some)
            total, tokens = total + n * float(loss(model, some)), tokens + n
    return total / max(tokens, 1)
