"""The order test: rows as they were published, against the same rows shuffled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dataedge.exposure import blind_classifier, power
from dataedge.exposure.permutation import rank_sum_test
from dataedge.exposure.rows import row_texts
from dataedge.figures import Figure
from dataedge.prompt.scores import Likelihood, Tokens, ask_likelihood, ask_tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.engine.local import Engine
    from dataedge.items import Dataset
    from dataedge.models.lazy import LazyModel, ModelAbilities

    Floats = NDArray[np.float64]

SHARD_ROWS = 20
SHARD_TOKENS = 1_000
FEWEST_ROWS = 20
FEWEST_IN_SHARD = 5
SHARDS = 20
SHUFFLES = 9
"""Per shard. More would cost as much again: 9 have 82 % of the information of infinitely many."""
SHARD_EFFECT = 0.80
"""AUROC of a shard that the test is asked to find: twenty rows are more to remember than one."""
IN_ORDER = 0.8
"""Share of rows that must follow on their predecessor for the order to count as published."""


def order_test(
    engine: Engine, lazy_model: LazyModel, abilities: ModelAbilities, dataset: Dataset, *, seed: int
) -> Figure:
    """Are rows likelier in their published order? (Oren et al. 2023, 2310.17623).

    Shards of up to 20 consecutive rows against 9 shuffles of the same rows; under exchangeability
    the rank of the published order is uniform, and the ranks' sum has a law that is computed
    exactly. Oren et al. compare means with a t-test, which needs more shards to be right.
    """
    texts, rows = row_texts(dataset), np.array([i.row for i in dataset.items])
    if len(texts) < FEWEST_ROWS:
        return Figure.missing(f"{len(texts)} rows are too few; {FEWEST_ROWS} are needed", "p")
    if np.mean(np.diff(rows) == 1) < IN_ORDER:
        reason = "the published order is lost: rows were sampled, or repeat one another"
        return Figure.missing(reason, "p")
    shards = consecutive(engine, lazy_model, abilities, texts, rows)
    if isinstance(shards, str):
        return Figure.missing(shards, "p")
    labelled = bool(dataset.labels)
    labels = [i.target if labelled else "" for i in dataset.items]
    shown = np.unique(np.concatenate(shards))
    gate = blind_classifier.order_gate(
        [texts[i] for i in shown], [labels[i] for i in shown], seed=seed
    )
    if reason := blind_classifier.reason_to_refuse(gate):
        sentence = f"the order can be guessed without having seen the data: {reason}"
        return Figure(None, n=len(shards), unit="p", status="refused", reason=sentence, detail=gate)
    scores = ask_orders(engine, lazy_model, texts, shards, seed=seed)
    scores = scores[np.isfinite(scores).all(axis=1)]
    if len(scores) == 0:
        return Figure.missing("the model failed on every shard", "p", "failed")
    ranks = order_ranks(scores, seed=seed)
    return power.concluded(
        rank_sum_test(ranks, SHUFFLES),
        len(ranks),
        power.among_decoys(len(ranks), SHUFFLES, SHARD_EFFECT),
        at=SHARD_EFFECT,
        found="the model finds the published order likelier than shuffles of it: it has met these "
        "rows in this order",
        mean_rank=float(ranks.mean() / SHUFFLES),
        rows_per_shard=len(shards[0]),
        rows=int(sum(map(len, shards))),
    )


def consecutive(
    engine: Engine,
    lazy_model: LazyModel,
    abilities: ModelAbilities,
    texts: Sequence[str],
    rows: NDArray[np.int64],
) -> list[NDArray[np.int64]] | str:
    """At most 20 shards of consecutive rows, spread over the data; or why there are none."""
    sample = [texts[i] for i in np.linspace(0, len(texts) - 1, min(len(texts), 100)).astype(int)]
    lengths = [len(t) + 1 for t in ask_tokens(engine, Tokens(lazy_model), sample)]
    room = min(SHARD_TOKENS, abilities.context - 8)
    size = min(SHARD_ROWS, int(room // max(1.0, float(np.quantile(lengths, 0.9)))))
    if size < FEWEST_IN_SHARD:
        return f"rows are too long: fewer than {FEWEST_IN_SHARD} fit in a shard of {room:,} tokens"
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    shards = [
        run[start : start + size]
        for run in np.split(np.arange(len(rows)), breaks)
        for start in range(0, len(run) - size + 1, size)
    ]
    if not shards:
        return f"no {size} rows follow one another without a gap"
    return [
        shards[i] for i in np.linspace(0, len(shards) - 1, min(SHARDS, len(shards))).astype(int)
    ]


def ask_orders(
    engine: Engine,
    lazy_model: LazyModel,
    texts: Sequence[str],
    shards: Sequence[NDArray[np.int64]],
    *,
    seed: int,
) -> Floats:
    """Log-probability of each shard as published (column 0) and shuffled: shape (s, 1 + 9)."""
    rng = np.random.default_rng(seed)
    asked = []
    for shard in shards:
        orders = [shard, *(rng.permutation(shard) for _ in range(SHUFFLES))]
        asked += ["\n".join(texts[i] for i in order) for order in orders]
    answers = ask_likelihood(engine, Likelihood(lazy_model), [""] * len(asked), asked)
    found = [np.nan if a is None else float(a.logprobs.sum()) for a in answers]
    return np.array(found).reshape(len(shards), 1 + SHUFFLES)


def order_ranks(scores: Floats, *, seed: int) -> NDArray[np.int64]:
    """How many shuffles the published order stands above, ties broken by lot: shape (s,)."""
    first, others = scores[:, :1], scores[:, 1:]
    tied = (others == first).sum(axis=1)
    lot = np.random.default_rng(seed).integers(0, tied + 1)
    return np.asarray((others < first).sum(axis=1) + lot, np.int64)
