"""A dataset's rows as a model would have met them, and the stage that reads them whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from dataedge.engine import unit_id
from dataedge.errors import AuditError
from dataedge.items import Task
from dataedge.models.base import FullVocabulary, Moments
from dataedge.prompt.scores import Ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.engine.local import Engine
    from dataedge.items import Dataset

LONGEST = 4_000
"""Characters of a row that are read."""


def row_texts(dataset: Dataset) -> list[str]:
    """Rows as text: passages as they stood, a prompt with its response on the next line.

    Labels are left out: how a published file set them is not known.
    """
    if dataset.task is Task.CORPUS:
        return [(i.text + i.target)[:LONGEST] for i in dataset.items]
    if dataset.task is Task.GENERATE:
        return [f"{i.text}\n{i.target}"[:LONGEST] for i in dataset.items]
    return [i.text[:LONGEST] for i in dataset.items]


def load_control(path: str, dataset: Dataset) -> Dataset:
    """Read a control set by the columns of the dataset that it stands beside.

    Raises:
        AuditError: the control cannot be read that way.
    """
    from dataedge.load import load

    named = {k: v if isinstance(v, str) else ",".join(v) for k, v in dataset.columns.items()}
    try:
        return load(
            path,
            task=dataset.task,
            text_column=named.get("text"),
            label_column=named.get("label"),
            prompt_column=named.get("prompt"),
            response_column=named.get("response"),
        )
    except AuditError as error:
        raise AuditError(
            f"--control {path}: {error.message}",
            hint=f"Give --control rows with the columns of {dataset.path}. {error.hint}",
            code=error.code,
        ) from error


class TextMoments(Ask):
    """Stage: text → log-probability of its tokens, with mean and deviation over the vocabulary."""

    name = "moments"
    version = 1
    batch_size = 32

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Columns unit, text → unit, logprobs, means, deviations."""
        model = self.lazy_model.model
        if not isinstance(model, FullVocabulary):
            raise TypeError(f"{self.lazy_model.id} does not show its whole vocabulary")
        found = model.moments(batch["text"].to_pylist())
        numbers = pa.list_(pa.float64())
        return pa.record_batch(
            {
                "unit": batch["unit"],
                "logprobs": pa.array([m.logprobs for m in found], numbers),
                "means": pa.array([m.mean for m in found], numbers),
                "deviations": pa.array([m.std for m in found], numbers),
            }
        )


def ask_moments(engine: Engine, stage: TextMoments, texts: Sequence[str]) -> list[Moments | None]:
    """One reading per text, None where the model failed on it."""
    inputs = pa.table({"unit": [unit_id(t) for t in texts], "text": list(texts)})
    table = engine.run(stage, inputs)
    columns = [table[name].to_pylist() for name in ("logprobs", "means", "deviations")]
    return [
        None if parts[0] is None else Moments(*(np.asarray(p, np.float64) for p in parts))
        for parts in zip(*columns, strict=True)
    ]


def sample(n: int, size: int, seed: int) -> NDArray[np.int64]:
    """At most `size` of n positions at random, in order."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:size])
