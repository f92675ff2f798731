"""A base model behind an OpenAI-compatible server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from dataedge.errors import AuditError, ExitCode
from dataedge.models.base import MAX_CONTEXT, Capabilities, Scored
from dataedge.models.capability_tests import SENTENCE
from dataedge.models.endpoint import label_tokens, parsing
from dataedge.models.endpoint.asking import CHAT, START, Asker
from dataedge.models.endpoint.capability_tests import TOLERANCE, Proven, ask_next, prove
from dataedge.models.endpoint.client import Client, RefusedError
from dataedge.models.endpoint.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from dataedge.models.endpoint.capability_tests import Given
    from dataedge.models.endpoint.connection import Connection

ECHO_AT_MOST = 8
"""Labels that are sent in full per prompt; of more, those that the likeliest next tokens put first."""


class EndpointModel:
    """Asks a server over the interface of OpenAI, after proving what it can do.

    Log-probabilities of given text come from `echo` or from vLLM's `prompt_logprobs` where they
    pass the capability tests; those of labels from their tokens' where one can name these; labels
    otherwise from the likeliest next tokens, or from what is written.
    Every answer is checked against the text that was sent, and a fixed sentence is asked again with
    every call: a server that changes is not believed any longer.

    Args:
        connection: where; checked for consent before anything is sent.
        directory: of the audit, where answers are kept over a crash.

    Raises:
        AuditError: no consent, no connection, or nothing that could be used.
    """

    def __init__(self, connection: Connection, directory: Path | None = None) -> None:
        self.connection = connection
        self.id, self.revision = connection.id, connection.revision
        self.client = Client(connection, Journal(directory, self.revision))
        self.ask = Asker(self.client)
        self._settled = False
        self._pool = ThreadPoolExecutor(max_workers=connection.concurrency)
        try:
            self.proven: Proven = prove(self.client, self._prove_given)
            self._require_route()
            self.ask = Asker(self.client, self.proven)
            self.capabilities = self._capabilities()
            self._first_answer = self._ask_fixed_sentence()
        except BaseException:
            self.close()
            raise

    def _require_route(self) -> None:
        if self.proven.route is None:
            raise AuditError(
                f"{self.connection.base_url}: {' '.join(self.proven.notes)}",
                hint="Check --base-url and the name in --model openai/<name>",
                code=ExitCode.NO_CONCLUSION,
            )

    def _capabilities(self) -> Capabilities:
        given, width = self.proven.given, self.proven.width
        return Capabilities(
            token_logprobs=given is not None,
            full_vocabulary=False,
            generation=True,
            chat=self.proven.both and given is None and not width,
            context=MAX_CONTEXT,  # taken to fit; servers do not say
            notes=self.proven.notes,
            choices="logprobs" if given or self.proven.named else "likeliest" if width else "text",
            remote=True,
            doubted=self.proven.doubted,
        )

    @property
    def usage(self) -> dict[str, int]:
        """Requests and tokens so far, by the server's count."""
        return asdict(self.client.usage)

    def close(self) -> None:
        """Let go of the connection."""
        self._pool.shutdown()
        if self._settled:
            self.client.journal.clear()
        self.client.close()

    # -- what BaseModel asks -------------------------------------------------------------------

    def score(
        self,
        prefixes: Sequence[str],
        continuations: Sequence[str],
    ) -> list[Scored]:
        """Score continuations[i] given prefixes[i]; tokens are numbered by their text.

        Raises:
            AuditError: the server gives no log-probabilities, or no longer those it gave.
            UnreadableError: what it returned for a text does not belong to that text.
        """
        way = self.proven.given
        if way is None:
            raise AuditError(
                f"{self.id} gives no usable log-probabilities of given text: "
                + " ".join(self.proven.notes),
                hint="Name another model: --model",
                code=ExitCode.NO_CONCLUSION,
            )
        found = self._all(
            lambda pair: self.ask.score_given(way, *pair), zip(prefixes, continuations, strict=True)
        )
        self._check_unchanged()
        return found

    def score_choices(
        self,
        prompts: Sequence[str],
        choices: Sequence[str],
    ) -> NDArray[np.float64]:
        """Log-probability of every choice after every prompt, in nats, shape (n, K).

        By their tokens where the server tells how likely a named one is. By their text where that
        is proven, all of them if they are few, else those that the likeliest next tokens put first;
        by these tokens alone otherwise, which leaves the unlikely ones with an upper bound; else 4
        for the choice that was written and 0 for the others.
        """
        told = self._by_tokens(prompts, choices)
        if told is not None:
            return told
        few = len(choices) <= ECHO_AT_MOST or not self.proven.width
        everything = np.tile(np.arange(len(choices)), (len(prompts), 1))
        if self.proven.given is not None and few:
            return self._in_full(prompts, choices, everything)
        rows = self._all(lambda prompt: self.ask.choose(prompt, choices), prompts)
        sums = np.array(rows).reshape(len(prompts), len(choices))
        if self.proven.given is None:
            self._check_unchanged()
            return sums
        # the likeliest in full; the others stay behind all of these
        best = np.argsort(-sums, axis=1, kind="stable")[:, :ECHO_AT_MOST]
        exact = self._in_full(prompts, choices, best)
        bounded: NDArray[np.float64] = np.minimum(sums, exact.min(axis=1, keepdims=True))
        np.put_along_axis(bounded, best, exact, axis=1)
        return bounded

    def _by_tokens(
        self, prompts: Sequence[str], choices: Sequence[str]
    ) -> NDArray[np.float64] | None:
        """Scores by tokens that are named; None where the server does not take them, or not these."""
        named = self.proven.named
        if named is None:
            return None
        try:
            labels = self._all(lambda c: label_tokens.behind_anchor(self.client, c), choices)
            told = self._all(lambda p: self.ask.choose_named(named, p, labels), prompts)
        except (parsing.UnreadableError, RefusedError):
            return None
        self._check_unchanged()
        return np.array(told).reshape(len(prompts), len(choices))

    def _in_full(
        self, prompts: Sequence[str], choices: Sequence[str], picked: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Log-probabilities of some choices' whole text after each prompt, shape of `picked`."""
        pairs = [(p, choices[k]) for p, row in zip(prompts, picked, strict=True) for k in row]
        flat = self.score([p for p, _ in pairs], [c for _, c in pairs])
        sums = np.array([one.logprobs.sum() for one in flat])
        return np.asarray(sums.reshape(picked.shape), dtype=np.float64)

    def generate(
        self,
        prompts: Sequence[str],
        max_tokens: int,
        stop: Sequence[str] = (),
        *,
        temperature: float = 0.0,
        seed: int = 0,  # noqa: ARG002
    ) -> list[str]:
        """Continuations, cut at the first stop string; see `BaseModel.generate`.

        Raises:
            AuditError: a temperature is given: servers do not draw the same twice.
        """
        if temperature:
            raise AuditError(
                f"{self.id}: only the likeliest answer is asked of a server, none is drawn",
                hint="Name a model on this machine: --model",
            )
        texts = self._all(lambda prompt: self.ask.write(prompt, max_tokens), prompts)
        self._check_unchanged()
        return [_cut(text, stop) for text in texts]

    def cut(self, prompts: Sequence[str], behind: Sequence[str] | int) -> list[bool | None]:
        """Whether each prompt lost its first tokens.

        False for choices and texts that were scored by their text, which came back whole with its prompt.
        Otherwise None: servers do not tell, and some cut in silence.
        """
        by_text = self.proven.given is not None and self.proven.named is None
        spelt = by_text and not isinstance(behind, int)
        return [False if spelt else None] * len(prompts)

    def chat(self, user: str) -> str:
        """The prompt that is sent as a user's turn; the server fills in its template."""
        return CHAT + user

    def tokenize(self, texts: Sequence[str]) -> list[NDArray[np.int64]]:
        """Tokens of each text, numbered by their text; zeros, as many as counted, where unknown."""
        if self.proven.given is None:
            return [np.zeros(n, np.int64) for n in self.count_tokens(texts)]
        scored = self.score([START] * len(texts), list(texts))
        return [one.tokens for one in scored]

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text as the server counts them, its own frame included: shape (n,)."""
        counts = self._all(self.ask.count, texts)
        self._check_unchanged()
        return np.array(counts, dtype=np.int64)

    def _prove_given(
        self, way: Given, prefixes: Sequence[str], continuations: Sequence[str]
    ) -> list[Scored]:
        pairs = zip(prefixes, continuations, strict=True)
        return [self.ask.score_given(way, *pair, again=True) for pair in pairs]

    # -- all of them ---------------------------------------------------------------------------

    def _all(self, ask: Callable[[Any], Any], asked: Iterable[Any]) -> list[Any]:
        """Answers in order, several under way at once; the first failure is raised at the end."""
        if self._settled:  # what the last call returned is in the store by now
            self.client.journal.clear()
        self._settled = False
        waiting = [self._pool.submit(ask, one) for one in asked]
        answers: list[Any] = []
        failure: Exception | None = None
        for future in waiting:
            try:
                answers.append(future.result())
            except AuditError:
                for other in waiting:
                    other.cancel()
                raise
            except Exception as error:  # noqa: BLE001  # the others' answers are kept meanwhile
                failure = failure or error
        if failure is not None:
            raise failure
        return answers

    def _ask_fixed_sentence(self) -> NDArray[np.float64]:
        """What the server makes of a fixed sentence, by the means that are in use."""
        if self.proven.given is not None:
            first, rest = SENTENCE.split(" ", 1)
            scored = self.ask.score_given(self.proven.given, first, " " + rest, again=True)
            return np.asarray(scored.logprobs)
        if self.proven.width:
            route = self.proven.route or "completions"
            rows = self.ask.believable(ask_next(self.client, route, self.proven.width))
            if not rows:
                raise parsing.UnreadableError("asked for the likeliest tokens, it returned none")
            return np.array([piece.logprob or 0.0 for piece in rows[0][:3]])
        return np.zeros(0)  # text alone varies with what else a server has to do

    def _check_unchanged(self) -> None:
        """Ask the sentence again.

        Raises:
            AuditError: the answer is another than at the start.
        """
        try:
            now = self._ask_fixed_sentence()
        except parsing.UnreadableError as error:
            raise self._changed(str(error)) from error
        apart = now.shape != self._first_answer.shape or np.abs(now - self._first_answer).max(
            initial=0.0
        )
        if apart > 2 * TOLERANCE:
            raise self._changed("it answers a fixed sentence differently")
        self._settled = True

    def _changed(self, why: str) -> AuditError:
        self.client.forget()
        return AuditError(
            f"{self.connection.base_url} has changed while it was asked: {why}",
            hint="Make sure that it serves one model, then run the same `dataedge` command again; the "
            "answers of this call are not used",
            code=ExitCode.NO_CONCLUSION,
        )


def _cut(text: str, stop: Sequence[str]) -> str:
    """Text up to the first stop string."""
    ends = [text.index(s) for s in stop if s in text]
    return text[: min(ends)] if ends else text
