"""Stages that ask the base model. A unit is what is asked, so nothing is asked twice.

Every answer is stored with whether the beginning of its prompt was `cut` so that it fits the model's
context: true, false, or null where the model cannot tell or an older store does not say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from dataedge.engine import unit_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.engine import Opens
    from dataedge.engine.local import Engine
    from dataedge.models.lazy import LazyModel


class Ask:
    """What the stages below share: they open the model when there is something to ask."""

    version = 2
    batch_size = 64
    opens: Opens = "base_model"

    def __init__(self, lazy_model: LazyModel) -> None:
        self.lazy_model = lazy_model

    @property
    def stays_here(self) -> bool:
        """A server counts its answers for the process that asks it."""
        return self.lazy_model.proven is None or self.lazy_model.proven.remote

    def params(self) -> dict[str, Any]:
        """Answers depend on the model."""
        return self.lazy_model.params()

    def setup(self) -> None:
        """Open the model."""
        _ = self.lazy_model.model


class Choices(Ask):
    """Stage: prompt → log-probability of every choice (nats), as far as the model tells them."""

    name = "choices"

    def __init__(self, lazy_model: LazyModel, choices: Sequence[str]) -> None:
        super().__init__(lazy_model)
        self.choices = tuple(choices)

    def params(self) -> dict[str, Any]:
        """Answers depend on the model and on the choices, in their order."""
        return {**super().params(), "choices": self.choices}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Columns unit, prompt → unit, scores, cut."""
        prompts = batch["prompt"].to_pylist()
        scores = self.lazy_model.model.score_choices(prompts, self.choices)
        cut = self.lazy_model.model.cut(prompts, self.choices)
        return pa.record_batch(
            {
                "unit": batch["unit"],
                "scores": pa.array(list(scores), pa.list_(pa.float64())),
                "cut": pa.array(cut, pa.bool_()),
            }
        )


class Likelihood(Ask):
    """Stage: (prefix, continuation) → tokens of the continuation and their log-probabilities."""

    name = "likelihood"
    batch_size = 32

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Columns unit, prefix, continuation → unit, tokens, logprobs, prompt_tokens, cut."""
        scored = self.lazy_model.model.score(
            batch["prefix"].to_pylist(), batch["continuation"].to_pylist()
        )
        return pa.record_batch(
            {
                "unit": batch["unit"],
                "tokens": pa.array([s.tokens for s in scored], pa.list_(pa.int64())),
                "logprobs": pa.array([s.logprobs for s in scored], pa.list_(pa.float64())),
                "prompt_tokens": pa.array([s.prompt_tokens for s in scored], pa.int64()),
                "cut": pa.array([s.cut for s in scored], pa.bool_()),
            }
        )


class Generate(Ask):
    """Stage: prompt → continuation.

    Args:
        lazy_model: the base model.
        max_tokens: to add at most.
        options: `stop`, `temperature`, `seed` of the model's `generate`, where they are not its
            defaults.
    """

    name = "generate"
    batch_size = 16

    def __init__(self, lazy_model: LazyModel, max_tokens: int, **options: Any) -> None:
        super().__init__(lazy_model)
        self.max_tokens = max_tokens
        self.options = options

    def params(self) -> dict[str, Any]:
        """Answers depend on the model, on how long it may go on, and on the options."""
        return {**super().params(), "max_tokens": self.max_tokens, **self.options}

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Columns unit, prompt → unit, text, cut."""
        prompts = batch["prompt"].to_pylist()
        texts = self.lazy_model.model.generate(prompts, self.max_tokens, **self.options)
        cut = self.lazy_model.model.cut(prompts, self.max_tokens)
        return pa.record_batch(
            {
                "unit": batch["unit"],
                "text": pa.array(texts, pa.string()),
                "cut": pa.array(cut, pa.bool_()),
            }
        )


class Tokens(Ask):
    """Stage: text → its token ids."""

    name = "tokens"
    batch_size = 512

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Columns unit, text → unit, tokens."""
        ids = self.lazy_model.model.tokenize(batch["text"].to_pylist())
        return pa.record_batch(
            {"unit": batch["unit"], "tokens": pa.array(ids, pa.list_(pa.int64()))}
        )


class ChoiceAnswers(NamedTuple):
    """What a model makes of the choices behind n prompts.

    Attributes:
        scores: shape (n, K), nats; a row of NaN where it failed on that prompt.
        cut: per prompt whether its beginning was cut, None where that is not known.
    """

    scores: NDArray[np.float64]
    cut: list[bool | None]


class TextAnswers(NamedTuple):
    """What a model writes behind n prompts.

    Attributes:
        texts: empty where it failed.
        cut: per prompt whether its beginning was cut, None where that is not known.
    """

    texts: list[str]
    cut: list[bool | None]


def cut_share(cut: Sequence[bool | None]) -> float | None:
    """Share of prompts whose beginning was cut, among those of which that is known.

    Example:
        >>> cut_share([True, False, None]), cut_share([None]), cut_share([])
        (0.5, None, None)
    """
    known = [c for c in cut if c is not None]
    return sum(known) / len(known) if known else None


def _cut(table: pa.Table) -> list[bool | None]:
    """The column of that name; unknown in a store that was written before there was one."""
    if "cut" not in table.column_names:
        return [None] * len(table)
    return list(table["cut"].to_pylist())


def ask_choices(engine: Engine, stage: Choices, prompts: Sequence[str]) -> ChoiceAnswers:
    """Ask what the model makes of the stage's choices behind each prompt."""
    table = engine.run(
        stage, pa.table({"unit": [unit_id(p) for p in prompts], "prompt": list(prompts)})
    )
    missing = [np.nan] * len(stage.choices)
    rows = [missing if s is None else s for s in table["scores"].to_pylist()]
    return ChoiceAnswers(np.array(rows).reshape(len(prompts), -1), _cut(table))


@dataclass(frozen=True)
class Answer:
    """One continuation as the base model saw it; bits is None where it failed.

    Attributes:
        tokens: shape (t,).
        logprobs: shape (t,), nats.
        prompt_tokens: tokens before it.
        cut: whether the first of these were dropped, None where that is not known.
    """

    tokens: NDArray[np.int64]
    logprobs: NDArray[np.float64]
    prompt_tokens: int
    cut: bool | None = None

    @property
    def bits(self) -> float:
        """Code length of the continuation in bits."""
        return float(-self.logprobs.sum() / np.log(2))


def ask_likelihood(
    engine: Engine, stage: Likelihood, prefixes: Sequence[str], continuations: Sequence[str]
) -> list[Answer | None]:
    """One answer per pair, None where the model failed on it."""
    units = [unit_id(p, c) for p, c in zip(prefixes, continuations, strict=True)]
    inputs = pa.table(
        {"unit": units, "prefix": list(prefixes), "continuation": list(continuations)}
    )
    table = engine.run(stage, inputs)
    return [
        None
        if logprobs is None
        else Answer(
            np.asarray(tokens, np.int64), np.asarray(logprobs, np.float64), prompt_tokens, cut
        )
        for tokens, logprobs, prompt_tokens, cut in zip(
            table["tokens"].to_pylist(),
            table["logprobs"].to_pylist(),
            table["prompt_tokens"].to_pylist(),
            _cut(table),
            strict=True,
        )
    ]


def ask_tokens(engine: Engine, stage: Tokens, texts: Sequence[str]) -> list[NDArray[np.int64]]:
    """Token ids of each text on its own; none where the tokenizer failed."""
    table = engine.run(stage, pa.table({"unit": [unit_id(t) for t in texts], "text": list(texts)}))
    return [np.asarray(t or [], np.int64) for t in table["tokens"].to_pylist()]


def ask_text(engine: Engine, stage: Generate, prompts: Sequence[str]) -> TextAnswers:
    """Have the model write behind each prompt."""
    table = engine.run(
        stage, pa.table({"unit": [unit_id(p) for p in prompts], "prompt": list(prompts)})
    )
    return TextAnswers([t or "" for t in table["text"].to_pylist()], _cut(table))
