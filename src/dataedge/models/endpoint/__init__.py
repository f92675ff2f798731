"""A base model behind an OpenAI-compatible server.

* connection: where it is, and whether anything may be sent there
* client: one request: retries, usage, what went wrong in a sentence
* journal: answers on disk until the store has them
* reading: a server's arrays of log-probabilities → tokens that can be believed
* label_tokens: labels scored by their tokens, where one can name these
* label_scores: labels scored from the likeliest next tokens, or from what was written
* capability_tests: what the server was shown to do
* asking: single questions, by the means that were proven
* model: the base model itself
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataedge.models.endpoint.connection import Connection
    from dataedge.models.endpoint.model import EndpointModel

__all__ = ["Connection", "EndpointModel"]

_HOME = {"Connection": "connection", "EndpointModel": "model"}


def __getattr__(name: str) -> Any:
    """Import when asked for: to check an address takes no numpy."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
