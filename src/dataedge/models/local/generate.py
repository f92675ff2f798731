"""Generation for a batch of prompts: the likeliest token at each step, or a drawn one."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.models.local.batching import Row
    from dataedge.models.local.forward import Forward
    from dataedge.models.local.prefix import SharedPrefix
    from dataedge.models.tokens import Tokens


def continue_rows(
    forward: Forward,
    tokens: Tokens,
    rows: Sequence[Row],
    prefix: SharedPrefix | None,
    max_tokens: int,
    stop: Sequence[str],
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """Continue each row until it ends, meets a stop string or has `max_tokens`.

    Args:
        forward: the network.
        tokens: its tokenizer.
        rows: prompts, each starting with the prefix if there is one.
        prefix: what was run beforehand.
        max_tokens: tokens to add at most.
        stop: strings that end an answer; they are not part of it.
        temperature: of the draws; 0 takes the likeliest token.
        seed: of the draws.
    """
    skip = prefix.length if prefix is not None else 0
    width = max(len(row.ids) for row in rows) - skip
    count = len(rows)
    ids = torch.zeros((count, width), dtype=torch.long)
    seen = torch.ones((count, skip + width), dtype=torch.long)
    for i, row in enumerate(rows):
        gap = width - (len(row.ids) - skip)
        ids[i, gap:] = torch.tensor(row.ids[skip:])
        seen[i, skip : skip + gap] = 0
    ids, seen = ids.to(forward.device), seen.to(forward.device)
    positions = (seen.cumsum(1) - 1).clamp(min=0)[:, skip:]
    cache = prefix.grown(count) if prefix is not None else None
    answers: list[list[int]] = [[] for _ in rows]
    going = set(range(count))
    for step in range(max_tokens):
        out, cache = forward.step(ids, positions, seen, cache)
        if temperature > 0:
            out = out / temperature
            for i in going:
                out[i] += _gumbel(seed, rows[i].ids, step, out.shape[1]).to(out.device)
        best = out.argmax(dim=-1)
        for i in sorted(going):
            answers[i].append(int(best[i]))
            if int(best[i]) in tokens.ends or _stopped(tokens, answers[i], stop):
                going.discard(i)
        if not going:
            break
        ids = best[:, None]
        positions = positions[:, -1:] + 1
        seen = torch.cat([seen, seen.new_ones((count, 1))], dim=1)
    return [_text(tokens, answer, stop) for answer in answers]


def _gumbel(seed: int, prompt: Sequence[int], step: int, size: int) -> torch.Tensor:
    """Noise that turns the likeliest token into a draw (Gumbel 1954), shape (vocabulary,).

    It depends on the seed, the prompt and the step alone, not on the other rows of a batch.
    """
    key = f"{seed} {step} ".encode() + np.asarray(prompt, np.int64).tobytes()
    rng = np.random.default_rng(int.from_bytes(sha256(key).digest()[:16], "little"))
    return torch.from_numpy(rng.gumbel(size=size).astype(np.float32))


def _stopped(tokens: Tokens, answer: list[int], stop: Sequence[str]) -> bool:
    """Whether the newest tokens complete a stop string (looked for in the last few only)."""
    if not stop:
        return False
    reach = max(len(s.encode()) for s in stop) + 1  # a token is at least one byte
    tail = str(tokens.tokenizer.decode(answer[-reach:], skip_special_tokens=True))
    return any(s in tail for s in stop)


def _text(tokens: Tokens, answer: list[int], stop: Sequence[str]) -> str:
    kept: list[Any] = []
    for token in answer:
        if token in tokens.ends:
            break
        kept.append(token)
    text = str(tokens.tokenizer.decode(kept, skip_special_tokens=True))
    cuts = [text.index(s) for s in stop if s in text]
    return text[: min(cuts)] if cuts else text
