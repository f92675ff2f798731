"""Items to vectors, each distinct text once."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dataedge.engine import check_same, unit_id
from dataedge.errors import AuditError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dataedge.engine import Opens
    from dataedge.engine.local import Engine


TOGETHER = 32
"""Texts in a forward pass: with more of them short ones wait for long ones, with fewer each costs more."""


class Embed:
    """Stage: text → unit-length sentence vector (float32).

    Args:
        spec: `embedded`, or `st/<hub id or path>`.
    """

    name = "embed"
    version = 1
    batch_size = 256
    opens: Opens = "embedder"
    stays_here = False

    def __init__(self, spec: str) -> None:
        from dataedge.models.embedder import embedder_identity, embedder_notes

        self.spec = spec
        self.id, self.revision = embedder_identity(spec)
        self.notes = embedder_notes(spec)
        self._model: Any = None
        self.forward_seconds = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        """Shipped as its name; a process has one, and opens it once."""
        return _in_this_process, (self.spec, self.id, self.revision)

    def params(self) -> dict[str, Any]:
        """Vectors depend on the embedder's weights alone."""
        return {"embedder": self.id, "revision": self.revision}

    def setup(self) -> None:
        """Load the embedder."""
        if self._model is None:
            from dataedge.models.embedder import open_embedder

            self._model = open_embedder(self.spec)

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Columns unit, text → unit, vector."""
        import time

        started = time.perf_counter()
        vectors = self._encode(batch["text"].to_pylist())
        self.forward_seconds += time.perf_counter() - started
        flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
        column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        return pa.record_batch(
            {"unit": batch["unit"], "vector": column.cast(pa.list_(pa.float32()))}
        )

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Texts of as many tokens go through the model together."""
        order = np.argsort(self._lengths(texts), kind="stable")
        found = [
            self._model.encode(
                [texts[i] for i in order[start : start + TOGETHER]],
                batch_size=TOGETHER,
                normalize_embeddings=True,
                show_progress_bar=False,
            )
            for start in range(0, len(order), TOGETHER)
        ]
        return np.concatenate(found)[np.argsort(order)]

    def _lengths(self, texts: list[str]) -> list[int]:
        """Tokens of each text; characters, by which they differ by a quarter, where there are none."""
        from transformers import PreTrainedTokenizerBase

        tokenizer = getattr(self._model, "tokenizer", None)
        if not isinstance(tokenizer, PreTrainedTokenizerBase):
            return [len(text) for text in texts]
        longest = self._model.max_seq_length
        tokens = tokenizer(texts, truncation=longest is not None, max_length=longest)
        return [len(t) for t in tokens["input_ids"]]


@cache
def _in_this_process(spec: str, name: str, revision: str) -> Embed:
    """The stage as a worker has it.

    Raises:
        AuditError: the embedder is not the same one there.
    """
    found = Embed(spec)
    check_same(f"--embedder {spec}", (name, revision), (found.id, found.revision))
    return found


def embed(engine: Engine, stage: Embed, texts: Sequence[str]) -> NDArray[np.float32]:
    """Vectors of texts, shape (n, d), rows of length 1.

    Raises:
        AuditError: the embedder failed on a text; what it did stays stored.
    """
    order = _alike_together([len(t) for t in texts], stage.batch_size)
    inputs = [texts[i] for i in order]
    found = engine.run(stage, pa.table({"unit": [unit_id(t) for t in inputs], "text": inputs}))
    table = found.take(pa.array(np.argsort(order)))
    failed = [(t, e) for t, e in zip(texts, table["error"].to_pylist(), strict=True) if e]
    if failed:
        raise AuditError(
            f"{stage.id} failed on {len(failed):,} texts, first {failed[0][0][:60]!r}: {failed[0][1]}",
            hint="Mend or leave out these rows, or name another --embedder; the rest is kept",
            code=ExitCode.NO_CONCLUSION,
        )
    vectors = table["vector"].combine_chunks()
    width = len(vectors[0])
    flat = vectors.flatten() if hasattr(vectors, "flatten") else vectors.values
    return np.asarray(flat, dtype=np.float32).reshape(len(texts), width)


def _alike_together(lengths: Sequence[int], size: int) -> NDArray[np.int64]:
    """Texts of about one length in each batch, which has less to fill up; batches in no order.

    A progress that began with the longest would tell too long a time.

    Example:
        >>> [int(i) for i in _alike_together([3, 1, 2, 1, 3, 2], 2)]
        [0, 4, 1, 3, 2, 5]
    """
    by_length = np.argsort(np.asarray(lengths), kind="stable")
    blocks = np.array_split(by_length, range(size, len(by_length), size))
    shuffled = np.random.default_rng(0).permutation(len(blocks))
    return np.concatenate([blocks[i] for i in shuffled])
