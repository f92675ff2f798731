"""The beginning that many rows share, run once."""

from __future__ import annotations

from typing import Any

import torch
from transformers import DynamicCache


class SharedPrefix(DynamicCache):  # type: ignore[misc]
    """Keys and values of tokens that all rows of a batch start with; never grows.

    Args:
        filled: the cache after the prefix was run in a batch of one.
    """

    def __init__(self, filled: Any) -> None:
        super().__init__()
        self._pairs = [(layer.keys, layer.values) for layer in filled.layers]
        self.length: int = int(self._pairs[0][0].shape[2])

    def update(self, key: Any, value: Any, layer_idx: int, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Return the prefix followed by the new keys and values of this layer."""
        rows = key.shape[0]
        k, v = self._pairs[layer_idx]
        keys = torch.cat([k.expand(rows, -1, -1, -1), key], dim=2)
        return keys, torch.cat([v.expand(rows, -1, -1, -1), value], dim=2)

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002
        """Count the tokens of the prefix."""
        return self.length

    def grown(self, rows: int) -> Any:
        """Copy the prefix into an ordinary cache for `rows` sequences, to generate from."""
        cache = DynamicCache()
        for index, (k, v) in enumerate(self._pairs):
            cache.update(k.repeat(rows, 1, 1, 1), v.repeat(rows, 1, 1, 1), index)
        return cache
