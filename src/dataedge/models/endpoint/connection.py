"""Where an endpoint is, and whether anything may be sent there."""

from __future__ import annotations

import hashlib
import ipaddress
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from openai import OpenAI

KEY = "OPENAI_API_KEY"
RETRIES = 5
"""Tries after the first, half a second to eight apart, or as long as the server asks for."""


@dataclass(frozen=True)
class Connection:
    """An OpenAI-compatible server.

    Attributes:
        model: what the server calls the model.
        base_url: up to and including /v1.
        send_to: the host that the user named in consent; loopback needs none.
        concurrency: requests under way at once.
        timeout: seconds after which a request counts as lost.
        retries: tries after the first.
    """

    model: str
    base_url: str
    send_to: str | None = None
    concurrency: int = 4
    timeout: float = 120.0
    retries: int = RETRIES

    @property
    def id(self) -> str:
        """As the report names it."""
        return f"openai/{self.model} at {self.host}"

    @property
    def host(self) -> str:
        """The host's name, lower case."""
        return (urlsplit(self.base_url).hostname or "").casefold()

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine."""
        return is_loopback(self.host)

    @property
    def revision(self) -> str:
        """Identity of what is asked: 64 hex digits over URL and model name.

        A server does not tell which weights it runs; that they are still the same is seen from a
        sentence that is asked again in every run.
        """
        return hashlib.sha256(f"{self.base_url.rstrip('/')}\n{self.model}".encode()).hexdigest()

    def check_address(self) -> None:
        """Refuse what is no address of a server, or would show a secret in the report.

        Raises:
            AuditError: with what an address looks like.
        """
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not self.host:
            raise AuditError(
                f"--base-url {self.base_url}: not the address of a server",
                hint="Write it like this: --base-url http://localhost:8000/v1",
            )
        if parts.username or parts.password or parts.query:
            raise AuditError(
                "--base-url holds a user, a password or a query, which would end up in the report",
                hint=f"Leave it out of --base-url; the key is read from the environment: `export {KEY}=…`",
            )

    @property
    def consented(self) -> bool:
        """Whether the data may be sent there: to this machine, or where the user said so."""
        return self.loopback or (self.send_to or "").casefold() == self.host

    def check_consent(self) -> None:
        """Refuse a host elsewhere that `send_to` does not name; nothing was sent yet.

        Raises:
            AuditError: with the flag that consents.
        """
        if self.consented:
            return
        named = f"--send-to names {self.send_to}" if self.send_to else "--send-to was not given"
        raise AuditError(
            f"{self.host} is not this machine, and {named}: nothing was sent",
            hint=f"Use --send-to {self.host} if the data's texts may go there. "
            "`dataedge plan` shows how much",
        )

    def open(self) -> OpenAI:
        """A client that goes to this host and nowhere else.

        Redirects are not followed, and what goes to this machine takes no proxy.

        Raises:
            AuditError: see `check_address` and `check_consent`.
        """
        self.check_address()
        self.check_consent()
        from openai import DefaultHttpxClient, Omit, OpenAI

        platform = ("Lang", "Package-Version", "OS", "Arch", "Runtime", "Runtime-Version")
        headers: Any = {f"X-Stainless-{part}": Omit() for part in (*platform, "Async")}
        return OpenAI(
            api_key=os.environ.get(KEY) or "none",
            base_url=self.base_url,
            max_retries=self.retries,
            timeout=self.timeout,
            default_headers=headers,
            http_client=DefaultHttpxClient(follow_redirects=False, trust_env=not self.loopback),
        )


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine.

    Example:
        >>> is_loopback("localhost"), is_loopback("127.0.0.1"), is_loopback("::1")
        (True, True, True)
        >>> is_loopback("127.0.0.1.example.org"), is_loopback("0.0.0.0"), is_loopback("")
        (False, False, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
