"""A base model by name: what it was shown to do, and opened when it is first asked something."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from dataedge.engine import check_same
from dataedge.errors import AuditError, ExitCode
from dataedge.models.base import Capabilities

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataedge.models.base import BaseModel
    from dataedge.models.precision import Precision

_MARK = "\u241fUSER\u241f"


@dataclass(frozen=True)
class ModelAbilities(Capabilities):
    """What is known of a model without opening it again; proven once, kept in the store.

    Attributes:
        chat_before: what the model's chat template puts before a user's words.
        chat_after: what it puts behind them, up to where the answer starts.
    """

    chat_before: str = ""
    chat_after: str = ""

    @property
    def no_bits(self) -> str:
        """Why nothing can be said in bits of given text; empty where it can."""
        if self.token_logprobs:
            return ""
        return "the model's server gives no log-probabilities of given text that could be used"


class LazyModel:
    """A base model that is opened when it is first asked something.

    Args:
        id: as the report names it.
        revision: hash of its weights.
        opener: opens it, in the precision that was settled before or in any if that is empty.
        named: what makes another of it where a stage is shipped to, and its arguments.
    """

    def __init__(
        self,
        id: str,  # noqa: A002
        revision: str,
        opener: Callable[[Precision | Literal[""]], BaseModel],
        named: tuple[Callable[..., LazyModel], tuple[Any, ...]] | None = None,
    ) -> None:
        self.id = id
        self.revision = revision
        self._opener = opener
        self._named = named
        self._model: BaseModel | None = None
        self.proven: ModelAbilities | None = None
        self.load_seconds = 0.0

    def __reduce__(self) -> tuple[Any, ...]:
        """Shipped as its name and what it was shown to do; a process has one, and opens it once."""
        if self._named is None:
            raise TypeError(f"{self.id} was opened by hand and cannot be shipped")
        return _in_this_process, (*self._named, self.id, self.revision, self.proven)

    @property
    def model(self) -> BaseModel:
        """The open model."""
        if self._model is None:
            started = time.perf_counter()
            opened = self._opener(self.proven.precision if self.proven else "")
            self.load_seconds += time.perf_counter() - started
            _check_unchanged(self.proven, opened)
            self._model = opened
        return self._model

    def copy(self, precision: Precision) -> BaseModel:
        """Another one, of its own, in a precision of its own."""
        return self._opener(precision)

    @property
    def opened(self) -> BaseModel | None:
        """The model if it had to be opened, else None."""
        return self._model

    def usage(self, before: dict[str, int] | None) -> dict[str, int]:
        """Requests and tokens of a server, those of earlier runs added; empty for other models."""
        now: dict[str, int] = getattr(self._model, "usage", {})
        return {
            name: (before or {}).get(name, 0) + now.get(name, 0) for name in now or before or {}
        }

    def close(self) -> None:
        """Let go of a server's connection."""
        close = getattr(self._model, "close", None)
        if close is not None:
            close()

    def abilities(self) -> ModelAbilities:
        """Open the model and write down what it was shown to do."""
        model = self.model
        before = after = ""
        if model.capabilities.chat:
            before, _, after = model.chat(_MARK).partition(_MARK)
        proven = asdict(model.capabilities)
        proven["notes"] = tuple(proven["notes"])
        return ModelAbilities(**proven, chat_before=before, chat_after=after)

    def params(self) -> dict[str, Any]:
        """What every answer depends on; the precision of weights on this machine is part of it."""
        precision = (self.proven or self.abilities()).precision
        return {"model": self.id, "revision": self.revision} | (
            {"precision": precision} if precision else {}
        )


@cache
def _in_this_process(
    make: Callable[..., LazyModel],
    arguments: tuple[Any, ...],
    name: str,
    revision: str,
    proven: ModelAbilities | None,
) -> LazyModel:
    """The model as a worker has it.

    Raises:
        AuditError: it is not the same one there.
    """
    found = make(*arguments)
    check_same(f"--model {name}", (name, revision), (found.id, found.revision))
    found.proven = proven
    return found


def _check_unchanged(proven: ModelAbilities | None, model: BaseModel) -> None:
    """A server must still do what it did when the audit began; weights on this machine do."""
    if proven is None or not proven.remote:
        return
    now = model.capabilities
    if (proven.choices, proven.token_logprobs) != (now.choices, now.token_logprobs):
        raise AuditError(
            f"{model.id} does not answer as it did when this audit began (labels by "
            f"{proven.choices}, now by {now.choices}): {' '.join(now.notes)}",
            hint="Put the server back as it was, or begin anew with --fresh",
            code=ExitCode.NO_CONCLUSION,
        )
