"""One request to an endpoint: retried, counted, and explained when it fails."""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dataedge.errors import AuditError, ExitCode
from dataedge.models.endpoint.connection import KEY
from dataedge.models.endpoint.journal import key

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataedge.models.endpoint.connection import Connection
    from dataedge.models.endpoint.journal import Journal

OWN = ("prompt_logprobs", "logprob_token_ids", "return_tokens_as_token_ids")
"""What vLLM's completions take beside OpenAI's."""
TOKENIZE = "/tokenize"
"""Where vLLM and SGLang number a text's tokens; no model is asked for it."""
KEPT = 4096  # answers remembered, so that a failing neighbour in a batch costs nothing again
AGAIN = "Run the same `dataedge` command again: what was answered so far is kept"


@dataclass
class Usage:
    """What was sent and received, by the server's own count where it gives one.

    Attributes:
        requests: answered requests.
        prompt_tokens: tokens read.
        completion_tokens: tokens written.
        uncounted: answers that came without a count.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0


class RefusedError(ValueError):
    """The server says no to this very request (status 400, 413 or 422)."""


class StatusError(AuditError):
    """The server answers with a status that is no answer.

    Args:
        message: as of `AuditError`.
        hint: as of `AuditError`.
        code: as of `AuditError`.
        status: of HTTP, 401 to 599.
    """

    def __init__(
        self, message: str, hint: str, code: ExitCode = ExitCode.USAGE, *, status: int
    ) -> None:
        super().__init__(message, hint, code)
        self.status = status

    @property
    def absent(self) -> bool:
        """Whether it says that there is no such interface."""
        return self.status in (404, 405, 501)


class Client:
    """Asks one server.

    Args:
        connection: where; nothing is sent before its check has passed.
        journal: keeps answers over a crash.
    """

    def __init__(self, connection: Connection, journal: Journal) -> None:
        self.connection = connection
        self.journal = journal
        self.usage = Usage()
        self._openai = connection.open()
        self._lock = threading.Lock()
        self._answers: OrderedDict[str, dict[str, Any]] = OrderedDict(journal.read())

    def forget(self) -> None:
        """Drop every answer: the server is not believed any longer."""
        self.journal.clear()
        with self._lock:
            self._answers.clear()

    def close(self) -> None:
        """Let go of the connection."""
        self._openai.close()

    def complete(
        self, prompt: str | list[int], *, again: bool = False, **body: Any
    ) -> dict[str, Any]:
        """POST /completions at temperature 0, of a text or its token ids; see `_post`."""
        extra = {name: body.pop(name) for name in OWN if name in body}
        return self._post(
            "completions",
            {"prompt": prompt, "temperature": 0.0, **body},
            extra,
            again,
            _parsed(self._openai.completions.with_raw_response.create),
        )

    def chat(self, user: str, *, again: bool = False, **body: Any) -> dict[str, Any]:
        """POST /chat/completions with one user turn at temperature 0; see `_post`."""
        messages = [{"role": "user", "content": user}]
        return self._post(
            "chat",
            {"messages": messages, "temperature": 0.0, **body},
            {},
            again,
            _parsed(self._openai.chat.completions.with_raw_response.create),
        )

    def other(
        self, path: str, *, again: bool = False, once: bool = False, **body: Any
    ) -> dict[str, Any]:
        """POST to an interface that only some servers have; its whole answer; see `_post`.

        Args:
            path: from the server's root, `/v1/score` say.
            again: ask even if the same was asked before.
            once: do not try again where it fails.
            body: the question, to which the model's name is added.
        """
        client = self._openai.with_options(max_retries=0) if once else self._openai
        root = self.connection.base_url.rstrip("/").removesuffix("/v1")

        def send(extra_body: object, **asked: Any) -> object:  # noqa: ARG001
            return client.post(root + path, body=asked, cast_to=object)

        return self._post(path, body, {}, again, send, read=_whole)

    def _post(
        self,
        kind: str,
        body: dict[str, Any],
        extra: dict[str, Any],
        again: bool,
        send: Callable[..., Any],
        read: Callable[[Any], dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """What is read of an answer, with `usage` in it.

        Args:
            kind: of request.
            body: what the client knows of.
            extra: what only some servers know.
            again: ask even if the same was asked before.
            send: the question → the answer, parsed.
            read: the answer → what is kept of it; its first choice if None.

        Raises:
            RefusedError: the server rejects this request; another may pass.
            AuditError: the server cannot be reached, or answers nothing that can be used.
        """
        asked = key(kind, body, extra)
        with self._lock:
            if not again and asked in self._answers:
                return self._answers[asked]
        found = (read or _choice)(self._call(send, body, extra))
        if not again:
            self.journal.write(asked, found)
        with self._lock:
            self._count(found["usage"], of_a_model=kind != TOKENIZE)
            self._answers[asked] = found
            while len(self._answers) > KEPT:
                self._answers.popitem(last=False)
        return found

    def _call(self, send: Callable[..., Any], body: dict[str, Any], extra: dict[str, Any]) -> Any:
        import openai

        where = self.connection.base_url
        try:
            return send(model=self.connection.model, extra_body=extra or None, **body)
        except openai.APITimeoutError as error:
            raise self._failure(f"no answer within {self.connection.timeout:g} s", error) from error
        except openai.APIConnectionError as error:
            raise self._failure("cannot be reached, or breaks off", error) from error
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            raise RefusedError(self._clean(f"{where} refuses: {error}")) from error
        except openai.APIStatusError as error:
            raise self._status(error) from error
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise self._failure("answers something that is not JSON", error) from error

    def _status(self, error: Any) -> Exception:
        status = int(error.status_code)
        where = self.connection.base_url
        if status == 413:
            return RefusedError(self._clean(f"{where} refuses: {error}"))
        message = f"{where} answers with status {status}, also when asked again"
        hint, code = AGAIN, ExitCode.NO_CONCLUSION
        if status in (401, 403):
            message = f"{where} does not let us in (status {status})"
            hint, code = f"Put the key into the environment: `export {KEY}=…`", ExitCode.USAGE
        elif status == 404:
            message = f"{where}: not found (status 404), model {self.connection.model}"
            hint = (
                "Check --base-url (it ends in /v1 as a rule) and the name in --model openai/<name>"
            )
            code = ExitCode.USAGE
        elif 300 <= status < 400:
            message = f"{where} redirects elsewhere, which is not followed"
            hint = "Name the final address with --base-url, and its host with --send-to"
            code = ExitCode.USAGE
        return StatusError(message, hint, code, status=status)

    def _failure(self, what: str, error: Exception) -> AuditError:
        cause = f" ({type(error).__name__})"
        return AuditError(
            f"{self.connection.base_url} {what}{cause}", hint=AGAIN, code=ExitCode.NO_CONCLUSION
        )

    def _clean(self, text: str) -> str:
        """A server's message without the key, should it repeat that."""
        key = os.environ.get(KEY)
        return (text.replace(key, "…") if key else text)[:300]

    def _count(self, usage: dict[str, Any], *, of_a_model: bool) -> None:
        self.usage.requests += 1
        if not of_a_model:
            return
        counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
        if not isinstance(counts[0], int):
            self.usage.uncounted += 1
        read, written = (int(c) if isinstance(c, int) else 0 for c in counts)
        self.usage.prompt_tokens += read
        self.usage.completion_tokens += written


def _parsed(create: Callable[..., Any]) -> Callable[..., Any]:
    """A raw method of the client as one that returns JSON, not the types that it makes of it."""
    return lambda **asked: json.loads(create(**asked).content)


def _whole(answer: Any) -> dict[str, Any]:
    """An answer with its usage; empty where it is no object."""
    found = dict(answer) if isinstance(answer, dict) else {}
    usage = found.get("usage")
    return {**found, "usage": usage if isinstance(usage, dict) else {}}


def _choice(answer: Any) -> dict[str, Any]:
    """The first choice of an answer, with its usage; empty where it has none."""
    whole = _whole(answer)
    choices = whole.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    return {**(first if isinstance(first, dict) else {}), "usage": whole["usage"]}
