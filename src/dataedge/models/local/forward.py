"""Forward passes of a local model: the body over padded rows, the head only where it is read."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional
from transformers import DynamicCache

from dataedge.models.local.prefix import SharedPrefix
from dataedge.models.precision import multiply_in_bfloat16, native_precision, widened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from dataedge.models.local.batching import Row
    from dataedge.models.trie import Trie

VOCABULARY_BLOCK = 4096  # columns of logits held at once
MAX_ROWS = 512
CUDA_LANES = 16
KV_BYTES = 256 * 2**20  # keys and values of one layer, prefix included, held at once


class Forward:
    """A network and what was spent on it.

    Attributes:
        exact: all weights are float32.
        lanes: how much it runs at once, in threads of a processor.
        plain: run the whole network instead of body and head apart (slow; any architecture).
        width: numbers in a hidden state.
        tokens: tokens run through the body so far, padding included.
        seconds: wall time spent in forward passes so far.
    """

    def __init__(self, net: Any) -> None:
        self.net = net
        self.body = net.base_model
        self.head = net.get_output_embeddings()
        self.device = next(net.parameters()).device
        self.lanes = CUDA_LANES if self.device.type == "cuda" else torch.get_num_threads()
        self.exact = all(p.dtype == torch.float32 for p in net.parameters())
        self.plain = False
        self.tokens = 0
        self.seconds = 0.0
        self._wide = False
        self.dtype = self._state_dtype()
        self.width = int(net.config.get_text_config().hidden_size)
        self.kv_tokens = max(1, KV_BYTES // (2 * self.width * self.dtype.itemsize))

    def _state_dtype(self) -> Any:
        with torch.inference_mode():
            one = torch.zeros((1, 1), dtype=torch.long, device=self.device)
            return self.body(input_ids=one, use_cache=False).last_hidden_state.dtype

    def use_bfloat16(self) -> None:
        """Run in bfloat16 from now on; what the weights held beyond that is lost."""
        if self.device.type == "cuda":
            self.net.to(torch.bfloat16)
        else:
            multiply_in_bfloat16(self.net, native=native_precision() == "bfloat16")
        self.exact = False
        self.dtype = self._state_dtype()

    @contextmanager
    def in_float32(self) -> Iterator[None]:
        """Run in float32 inside, whatever the weights are kept in."""
        if self.exact:
            yield
            return
        kept = self.dtype
        with widened(self.net):
            self.dtype, self._wide = torch.float32, True
            try:
                yield
            finally:
                self.dtype, self._wide = kept, False

    @contextmanager
    def clock(self, tokens: int) -> Iterator[None]:
        """Count the tokens and the time of a pass; no gradients inside."""
        begin = time.perf_counter()
        try:
            with torch.inference_mode():
                yield
                if self.device.type == "cuda":
                    torch.cuda.synchronize()
        finally:
            self.seconds += time.perf_counter() - begin
            self.tokens += tokens

    def prefill(self, ids: Sequence[int]) -> SharedPrefix:
        """Run the tokens that many rows start with."""
        cache = DynamicCache()
        with self.clock(len(ids)):
            tensor = torch.tensor([list(ids)], device=self.device)
            self.body(input_ids=tensor, past_key_values=cache, use_cache=True)
        return SharedPrefix(cache)

    def states(self, rows: Sequence[Row], trie: Trie | None, prefix: SharedPrefix | None) -> Any:
        """Run rows, each followed by the nodes of the trie: shape (rows, longest, hidden).

        Rows are filled up on the right, where no real token sees the filling.
        """
        skip = prefix.length if prefix is not None else 0
        lengths = [len(row.ids) - skip for row in rows]
        nodes = len(trie.tokens) if trie else 0
        width = max(lengths) + nodes
        ids = np.zeros((len(rows), width), dtype=np.int64)
        positions = np.tile(np.arange(width) + skip, (len(rows), 1))
        for i, (row, n) in enumerate(zip(rows, lengths, strict=True)):
            ids[i, :n] = row.ids[skip:]
            if trie:
                ids[i, n : n + nodes] = trie.tokens
                positions[i, n : n + nodes] = skip + n - 1 + trie.depth
                positions[i, n + nodes :] = skip
        extra: dict[str, Any] = {"use_cache": False}
        if trie is not None or prefix is not None:
            extra["attention_mask"] = self._mask(lengths, width, skip, trie)
            extra["position_ids"] = torch.from_numpy(positions).to(self.device)
        if prefix is not None:
            extra |= {"past_key_values": prefix, "use_cache": True}
        with self.clock(ids.size):
            out = self.body(
                input_ids=torch.from_numpy(ids).to(self.device),
                **extra,
            )
        return out.last_hidden_state

    def _mask(self, lengths: Sequence[int], width: int, skip: int, trie: Trie | None) -> Any:
        """Additive mask, shape (rows or 1, 1, width, skip + width): 0 where a token may look."""
        causal = np.tril(np.ones((width, width), dtype=np.bool_))
        if trie is None:
            inside = causal[None]
        else:
            inside = np.repeat(causal[None], len(lengths) if len(set(lengths)) > 1 else 1, axis=0)
            for i, n in enumerate(lengths[: len(inside)]):
                stop = n + len(trie.tokens)
                inside[i, n:stop, n:stop] = trie.visible
        seen = np.concatenate([np.ones((*inside.shape[:2], skip), dtype=np.bool_), inside], axis=2)
        allowed = torch.from_numpy(seen)[:, None].to(self.device)
        mask = torch.zeros(allowed.shape, dtype=self.dtype, device=self.device)
        return mask.masked_fill_(~allowed, torch.finfo(self.dtype).min)

    def read_rows(self, rows: Sequence[Row], prefix: SharedPrefix | None) -> list[Any]:
        """Log-probabilities of the targets of each row: one array of shape (t,) per row."""
        if self.plain:
            return [self._read_plain(row) for row in rows]
        skip = prefix.length if prefix is not None else 0
        states = self.states(rows, None, prefix)
        counts = [len(row.targets) for row in rows]
        which = np.repeat(np.arange(len(rows)), counts)
        where = np.concatenate(
            [np.arange(row.first - skip, row.first - skip + len(row.targets)) for row in rows]
        )
        targets = np.concatenate([np.array(row.targets, dtype=np.int64) for row in rows])
        found = self.logprobs(states[which, where], np.arange(len(targets)), targets)
        return np.split(found, np.cumsum(counts)[:-1])

    def _read_plain(self, row: Row) -> NDArray[np.float64]:
        with self.clock(len(row.ids)):
            ids = torch.tensor([row.ids], device=self.device)
            logits = self.net(input_ids=ids, use_cache=False).logits[0, row.first :].float()
            wanted = torch.tensor(row.targets, device=self.device)[:, None]
            picked = logits.log_softmax(dim=-1).gather(1, wanted)[:, 0]
            return np.asarray(picked.double().cpu().numpy())

    def read_tree(
        self, rows: Sequence[Row], trie: Trie, prefix: SharedPrefix | None
    ) -> NDArray[np.float64]:
        """Log-probability of every edge of the trie after every row: shape (rows, e)."""
        skip = prefix.length if prefix is not None else 0
        states = self.states(rows, trie, prefix)
        sources = len(trie.tokens) + 1
        last = np.array([len(row.ids) - skip - 1 for row in rows])
        where = (last[:, None] + np.arange(sources)).ravel()
        which = np.repeat(np.arange(len(rows)), sources)
        edges = (np.arange(len(rows))[:, None] * sources + trie.edge_source).ravel()
        targets = np.tile(trie.edge_token, len(rows))
        found = self.logprobs(states[which, where], edges, targets)
        return found.reshape(len(rows), -1)

    def step(self, ids: Any, positions: Any, seen: Any, cache: Any) -> tuple[Any, Any]:
        """One step of generation: logits of shape (rows, vocabulary) after the last token."""
        with self.clock(ids.numel()):
            out = self.body(
                input_ids=ids,
                position_ids=positions,
                attention_mask=seen,
                past_key_values=cache if cache is not None else DynamicCache(),
                use_cache=True,
            )
            return self.head(out.last_hidden_state[:, -1]).float(), out.past_key_values

    def rows_beside(self, prefix: int) -> int:
        """How many rows may look at a prefix of so many tokens within the memory allowed."""
        return max(1, min(MAX_ROWS, int(self.kv_tokens) // max(1, prefix)))

    def logprobs(
        self, states: Any, sources: NDArray[np.int64], targets: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Log-probability of each target as its source predicts it.

        The vocabulary goes by in blocks that stay in the processor's cache, so that memory grows
        neither with the vocabulary nor with what is not read. In bfloat16 a logit of 20 is off by
        0.06: the targets' logits and the largest of every block are taken again in float32.

        Args:
            states: shape (n, hidden), the body's output where it is read.
            sources: shape (e,), the state that predicts each target.
            targets: shape (e,), token ids.

        Returns:
            Shape (e,), natural logarithms.
        """
        index = torch.from_numpy(sources).to(self.device)
        wanted = torch.from_numpy(targets).to(self.device)
        sums = []
        with self.clock(0):
            states = self.for_head(states)
            picked = self._exact(states[index], wanted)
            for low, logits in self.logits(states):
                rough, best = logits.max(dim=1)
                exact = self._exact(states, best + low)
                shares = logits.sub_(rough[:, None]).exp_().sum(dim=1) - 1.0
                sums.append(shares.add_((exact - rough).exp_()).log_().add_(rough))
            total = torch.logsumexp(torch.stack(sums), dim=0)
            found = (picked - total[index]).double().cpu().numpy()
        return np.asarray(found)

    def for_head(self, states: Any) -> Any:
        """States in the precision that the head multiplies in."""
        if self._wide or self.exact:
            return states.float()
        return states.to(torch.bfloat16).to(self.head.weight.dtype)

    def logits(self, states: Any) -> Iterator[tuple[int, Any]]:
        """The vocabulary by blocks: (first token, logits of shape (n, block) in float32)."""
        weight, bias = self.head.weight, getattr(self.head, "bias", None)
        for low in range(0, len(weight), VOCABULARY_BLOCK):
            block = slice(low, low + VOCABULARY_BLOCK)
            part = weight[block].to(states.dtype)
            offset = None if bias is None else bias[block].to(states.dtype)
            yield low, functional.linear(states, part, offset).float()

    def _exact(self, states: Any, tokens: Any) -> Any:
        """Logit of one token per state in float32, shape (n,)."""
        weight, bias = self.head.weight, getattr(self.head, "bias", None)
        logits = (states.float() * weight[tokens].float()).sum(dim=1)
        return logits if bias is None else logits + bias[tokens].float()
