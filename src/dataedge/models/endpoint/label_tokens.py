"""Labels scored token by token, where a server tells how likely any token is that one names.

Two servers do. vLLM's completions take `logprob_token_ids`: the log-probabilities of these tokens,
whatever the likeliest ones are. SGLang's `/v1/score` takes token ids behind a query and its items. Both
read a prompt from their cache where it was sent before, which vLLM's `prompt_logprobs` does not, and
both number tokens as their `/tokenize` does. A label's log-probability is the sum over its tokens.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dataedge.models.endpoint.client import TOKENIZE
from dataedge.models.endpoint.parsing import ABOVE_ZERO, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from dataedge.models.endpoint.client import Client

    Path = tuple[int, ...]
    Nexts = Callable[[Sequence[Path], Sequence[Sequence[int]]], list[dict[int, float]]]

Named = Literal["logprob_token_ids", "score"]
"""How the log-probabilities of named tokens are asked for."""
ANCHOR = "Answer:"
"""What labels are put behind to see which tokens they are there."""
EXACT = 8
"""Choices that are followed to their end: all of them if they are no more, else the likeliest."""
AT_ONCE = 128
"""Tokens that vLLM lets one name at once."""
MOST = 64
"""Beginnings that are asked about, per prompt, where each takes a request of its own."""
LEAST = 1e-45
"""The probability that stands for none, so that its logarithm is a number."""


def tokenize(client: Client, text: str, *, start: bool, once: bool = False) -> list[int]:
    """A text's token ids, as the server numbers them.

    Args:
        client: of the server.
        text: not empty.
        start: with the tokens that it puts in front of a prompt.
        once: do not try again where it fails.

    Raises:
        UnreadableError: what came back is no list of tokens.
    """
    found = client.other(TOKENIZE, once=once, prompt=text, add_special_tokens=start).get("tokens")
    if not isinstance(found, list) or not found or not all(type(t) is int for t in found):
        raise UnreadableError("asked for a text's tokens, it returned none")
    return list(found)


def behind_anchor(client: Client, label: str) -> Path:
    """The tokens of a label where it continues a prompt.

    Args:
        client: of the server.
        label: with its leading space.

    Raises:
        UnreadableError: its first letters and the prompt's last ones make a token together.
    """
    anchor = tokenize(client, ANCHOR, start=True)
    whole = tokenize(client, ANCHOR + label, start=True)
    if whole[: len(anchor)] != anchor or len(whole) == len(anchor):
        raise UnreadableError("a label's tokens cannot be told from those of the prompt")
    return tuple(whole[len(anchor) :])


def nexts(
    client: Client,
    way: Named,
    prompt: Sequence[int],
    paths: Sequence[Path],
    tokens: Sequence[Sequence[int]],
    *,
    again: bool = False,
) -> list[dict[int, float]]:
    """Log-probabilities of named tokens behind a prompt and a beginning.

    Args:
        client: of the server.
        way: to ask.
        prompt: its token ids.
        paths: beginnings behind it; the empty one is the prompt itself.
        tokens: per path, those that are asked about.
        again: ask even if the same was asked before.

    Returns:
        Per path, token → log-probability in nats.

    Raises:
        UnreadableError: one is missing, or is none.
    """
    if way == "score":
        return _by_score(client, prompt, paths, tokens, again=again)
    return [
        _by_completion(client, [*prompt, *path], wanted, again=again)
        for path, wanted in zip(paths, tokens, strict=True)
    ]


def _by_completion(
    client: Client, ids: Sequence[int], wanted: Sequence[int], *, again: bool
) -> dict[int, float]:
    found: dict[int, float] = {}
    for start in range(0, len(wanted), AT_ONCE):
        some = list(wanted[start : start + AT_ONCE])
        choice = client.complete(
            list(ids),
            max_tokens=1,
            logprobs=1,
            logprob_token_ids=some,
            return_tokens_as_token_ids=True,
            again=again,
        )
        told = choice.get("logprobs")
        tops = told.get("top_logprobs") if isinstance(told, dict) else None
        row = tops[0] if isinstance(tops, list) and tops and isinstance(tops[0], dict) else {}
        found |= {token: _checked(row.get(f"token_id:{token}")) for token in some}
    return found


def _by_score(
    client: Client,
    prompt: Sequence[int],
    paths: Sequence[Path],
    tokens: Sequence[Sequence[int]],
    *,
    again: bool,
) -> list[dict[int, float]]:
    wanted = list(dict.fromkeys(token for each in tokens for token in each))
    answer = client.other(
        "/v1/score",
        query=list(prompt),
        items=[list(path) for path in paths],
        label_token_ids=wanted,
        apply_softmax=False,
        again=again,
        once=again,  # a proof is not worth waiting for
    )
    rows: Any = answer.get("scores")
    if not isinstance(rows, list) or len(rows) != len(paths):
        raise UnreadableError("asked for the probabilities of tokens, it returned none")
    found = []
    for row, each in zip(rows, tokens, strict=True):
        if not isinstance(row, list) or len(row) != len(wanted):
            raise UnreadableError("asked for the probabilities of tokens, it returned others")
        known = dict(zip(wanted, row, strict=True))
        found.append({token: _checked(_log(known[token])) for token in each})
    return found


def _log(probability: Any) -> float | None:
    if isinstance(probability, bool) or not isinstance(probability, int | float):
        return None
    return math.log(max(probability, LEAST)) if probability >= 0 else math.nan


def _checked(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableError("asked for the log-probability of a token, it returned none")
    if not math.isfinite(value) or value > ABOVE_ZERO:
        raise UnreadableError("it returned a log-probability that cannot be one")
    return min(float(value), 0.0)


def score(labels: Sequence[Path], ask: Nexts, *, at_once: bool) -> NDArray[np.float64]:
    """Log-probability of each label (nats), shape (K,).

    Beginnings are followed from the likeliest on, until the likeliest labels are known to their end.
    The others get what their beginning has, and no more than the last of these.

    Args:
        labels: their tokens; none is empty.
        ask: log-probabilities of tokens behind beginnings, as `nexts` returns them.
        at_once: one request answers for any number of beginnings.

    Example:
        >>> table = {(): {1: -0.5, 2: -1.0}, (1,): {3: -0.1, 4: -2.5}}
        >>> score([(1, 3), (1, 4), (2,)], lambda paths, _: [table[p] for p in paths], at_once=False)
        array([-0.6, -3. , -1. ])
    """
    inner = {label[:i] for label in labels for i in range(len(label))}
    tokens = {
        path: sorted(
            {c[len(path)] for c in labels if c[: len(path)] == path and len(c) > len(path)}
        )
        for path in inner
    }
    reached: dict[Path, float] = {(): 0.0}
    if at_once:
        paths = sorted(inner, key=len)
        told = dict(zip(paths, ask(paths, [tokens[p] for p in paths]), strict=True))
        for path in paths:
            for token, value in told[path].items():
                reached[*path, token] = reached[path] + value
        return np.array([reached[label] for label in labels])
    wanted = min(len(set(labels)), EXACT)
    ends = set(labels)
    waiting: list[tuple[float, Path]] = [(0.0, ())]
    for _ in range(MOST if len(ends) > EXACT else len(inner)):
        whole = sorted((reached[c] for c in ends if c in reached), reverse=True)
        if not waiting or (len(whole) >= wanted and whole[wanted - 1] >= -waiting[0][0]):
            break
        path = heapq.heappop(waiting)[1]
        for token, value in ask([path], [tokens[path]])[0].items():
            reached[*path, token] = reached[path] + value
            if (*path, token) in inner:
                heapq.heappush(waiting, (-reached[*path, token], (*path, token)))
    best = sorted((reached[c] for c in ends if c in reached), reverse=True)[:wanted]
    return np.array([_of(label, reached, min(best, default=0.0)) for label in labels])


def _of(label: Path, reached: dict[Path, float], behind: float) -> float:
    """A label's own log-probability, or what it may have at most behind those that were followed."""
    if label in reached:
        return reached[label]
    known = next(label[:i] for i in range(len(label), -1, -1) if label[:i] in reached)
    return min(reached[known], behind)
