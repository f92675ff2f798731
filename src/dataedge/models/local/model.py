"""A base model in this process: weights read by transformers, forward passes shared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.errors import AuditError, ExitCode
from dataedge.models.base import MAX_CONTEXT, Capabilities, Scored
from dataedge.models.local.batching import Row, batches, common_prefix, windows
from dataedge.models.local.choices import choose
from dataedge.models.local.forward import Forward
from dataedge.models.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from dataedge.models.base import Moments
    from dataedge.models.local.prefix import SharedPrefix

BATCH_TOKENS = 512  # per thread; more is no faster and takes more memory
MAX_BATCH_TOKENS = 8192
MIN_SAVING = 64  # tokens that a shared prefix must save before it is run apart


class LocalModel:
    """A causal language model whose weights are in memory.

    Every request is run at most once; requests that start alike share that start's keys and
    values; choices share their prompt and each other's beginnings; the head runs only where a
    token is predicted. Results do not depend on what else is in the call (1e-3 in fp32).

    Args:
        net: a transformers causal language model.
        tokenizer: its tokenizer.
        id: what the model is called.
        revision: what identifies its weights.
        notes: what the user should know about how it was opened.
        max_context: tokens of prompt and continuation to use, at most.
        prove: prove the capabilities first; without it all are taken for granted.

    Attributes:
        forward_tokens: tokens run so far, padding included.
        forward_seconds: time spent in forward passes so far.
    """

    def __init__(
        self,
        net: Any,
        tokenizer: Any,
        *,
        id: str,  # noqa: A002
        revision: str,
        notes: Sequence[str] = (),
        max_context: int = MAX_CONTEXT,
        prove: bool = True,
    ) -> None:
        self.id, self.revision = id, revision
        self.tokens = Tokens(tokenizer)
        self.forward = Forward(net)
        self.batch_tokens = min(MAX_BATCH_TOKENS, BATCH_TOKENS * self.forward.lanes)
        self.share_prefix = True
        self.tree = True
        config = net.config.get_text_config()
        context = int(getattr(config, "max_position_embeddings", max_context))
        self.capabilities = Capabilities(
            token_logprobs=True,
            full_vocabulary=True,
            generation=True,
            chat=bool(tokenizer.chat_template),
            context=min(context, max_context),
            notes=tuple(notes),
            precision="float32" if self.forward.exact else "bfloat16",
            own_context=context,
        )
        if prove:
            from dataedge.models import capability_tests as hand

            hand.prove(self)

    def use_bfloat16(self, *, insist: bool = False, measure: bool = True) -> bool:
        """Run in bfloat16 from now on, where that changes little.

        Args:
            insist: even where it changes much.
            measure: find out how much (`scatter.py`); otherwise it is taken for granted.

        Returns:
            Whether it is to stay so. Where not, the model is of no more use: read it again.
        """
        from dataedge.models.local import scatter

        if not (measure and self.capabilities.token_logprobs):
            self.forward.use_bfloat16()
            self.capabilities = replace(self.capabilities, precision="bfloat16")
            return True
        with self.forward.in_float32():
            exact = scatter.answers(self)
        self.forward.use_bfloat16()
        found = scatter.measure(exact, self)
        self.capabilities = replace(
            self.capabilities,
            precision="bfloat16",
            scatter_nats=found.nats,
            changed_answers=found.changed,
        )
        return found.small or insist

    @property
    def forward_tokens(self) -> int:
        """Tokens run through the model so far, padding included."""
        return self.forward.tokens

    @property
    def forward_seconds(self) -> float:
        """Seconds spent in forward passes so far."""
        return self.forward.seconds

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text on its own: shape (n,)."""
        return np.array([len(ids) for ids in self.tokens.plain(texts)], dtype=np.int64)

    def tokenize(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Token ids of each text on its own."""
        return [np.array(ids, dtype=np.int64) for ids in self.tokens.plain(texts)]

    def score(
        self,
        prefixes: Sequence[str],
        continuations: Sequence[str],
    ) -> list[Scored]:
        """Score continuations[i] given prefixes[i]."""
        self.require_logprobs()
        requests = list(
            zip(
                self.tokens.prompts(prefixes),
                self.tokens.continuations(continuations),
                strict=True,
            )
        )
        unique = list(dict.fromkeys(requests))
        values = [np.zeros(len(continuation)) for _, continuation in unique]
        rows: list[Row] = []
        context, start = self.capabilities.context, self.tokens.start
        for owner, (prompt, continuation) in enumerate(unique):
            if continuation:
                rows += windows(owner, prompt, continuation, context, start)
        cut = {row.owner for row in rows if row.cut}
        for batch, prefix in self.passes(rows, extra=0):
            for row, found in zip(batch, self.forward.read_rows(batch, prefix), strict=True):
                values[row.owner][row.offset : row.offset + len(found)] = found
        by_request = {
            request: Scored(
                np.array(request[1], dtype=np.int64), value, len(request[0]), cut=owner in cut
            )
            for owner, (request, value) in enumerate(zip(unique, values, strict=True))
        }
        return [by_request[request] for request in requests]

    def score_choices(
        self,
        prompts: Sequence[str],
        choices: Sequence[str],
    ) -> NDArray[np.float64]:
        """Summed natural-log probability of every choice after every prompt: shape (n, K)."""
        self.require_logprobs()
        return choose(self, prompts, choices)

    def generate(
        self,
        prompts: Sequence[str],
        max_tokens: int,
        stop: Sequence[str] = (),
        *,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[str]:
        """Continuations, cut at the first stop string; see `BaseModel.generate`.

        Raises:
            AuditError: `max_tokens` leave no room for a prompt.
        """
        from dataedge.models.local.generate import continue_rows

        asked = self.tokens.prompts(prompts)
        room = self.capabilities.context - max_tokens
        if room < 1:
            raise AuditError(
                f"{max_tokens:,} tokens to generate leave no room for a prompt in a context of "
                f"{self.capabilities.context:,}",
                hint="Ask for shorter answers or name a model with a longer context: --model",
            )
        unique = list(dict.fromkeys(asked))
        rows = []
        for owner, prompt in enumerate(unique):
            ids = next(windows(owner, prompt, (0,), room, self.tokens.start)).ids
            rows.append(Row(owner, ids, len(ids) - 1, whole=len(ids) == len(prompt)))
        texts = {}
        for batch, prefix in self.passes(rows, extra=max_tokens):
            answers = continue_rows(
                self.forward, self.tokens, batch, prefix, max_tokens, stop, temperature, seed
            )
            texts.update({row.owner: text for row, text in zip(batch, answers, strict=True)})
        by_prompt = {prompt: texts[owner] for owner, prompt in enumerate(unique)}
        return [by_prompt[prompt] for prompt in asked]

    def cut(self, prompts: Sequence[str], behind: Sequence[str] | int) -> list[bool | None]:
        """Whether each prompt loses its first tokens, so that the rest fits the context.

        Args:
            prompts: n of them, as given to `score_choices` or `generate`.
            behind: what has to fit behind them: choices, or so many tokens that are written.
        """
        if isinstance(behind, int):
            follows = behind + 1
        else:
            follows = max([1, *map(len, self.tokens.continuations(behind))])
        return [
            next(windows(0, ids, (0,) * follows, self.capabilities.context, self.tokens.start)).cut
            for ids in self.tokens.prompts(prompts)
        ]

    def chat(self, user: str) -> str:
        """The text of a one-turn conversation up to where the assistant's answer starts."""
        if not self.capabilities.chat:
            raise AuditError(
                f"{self.id} has no chat template",
                hint="Use prompts without one, or name an instruction-tuned model: --model",
            )
        text = self.tokens.tokenizer.apply_chat_template(
            [{"role": "user", "content": user}], tokenize=False, add_generation_prompt=True
        )
        return str(text)

    def moments(self, texts: Sequence[str]) -> list[Moments]:
        """Whole texts with mean and deviation of the log-probability over the vocabulary."""
        from dataedge.models.local.moments import text_moments

        self.require_logprobs()
        return text_moments(self, texts)

    def passes(
        self, rows: Sequence[Row], extra: int, *, share: bool = True
    ) -> Iterator[tuple[list[Row], SharedPrefix | None]]:
        """Batches of rows, with what they all start with run beforehand."""
        whole = [row for row in rows if row.whole]
        shared = common_prefix(whole) if self.share_prefix and share else 0
        if shared * (len(whole) - 1) < MIN_SAVING:
            shared, whole = 0, list(rows)
        prefix = self.forward.prefill(whole[0].ids[:shared]) if shared else None
        yield from self._batches(whole, prefix, shared, extra)
        if shared:
            yield from self._batches([row for row in rows if not row.whole], None, 0, extra)

    def _batches(
        self, rows: Sequence[Row], prefix: SharedPrefix | None, shared: int, extra: int
    ) -> Iterator[tuple[list[Row], SharedPrefix | None]]:
        lengths = [len(row.ids) - shared + extra for row in rows]
        for group in batches(lengths, self.batch_tokens, self.forward.rows_beside(shared)):
            yield [rows[i] for i in group], prefix

    def require_logprobs(self) -> None:
        """Raise AuditError where the capability tests found no log-probabilities to believe."""
        if not self.capabilities.token_logprobs:
            raise AuditError(
                f"{self.id} gives no usable log-probabilities: "
                + " ".join(self.capabilities.notes),
                hint="Name another model: --model",
                code=ExitCode.NO_CONCLUSION,
            )
