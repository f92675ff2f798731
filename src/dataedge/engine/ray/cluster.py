"""Where workers run and with what, and the connection to it."""

from __future__ import annotations

import os
import signal
import socket
from dataclasses import dataclass, field
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any, NamedTuple

from dataedge.engine.ray.worker import first_line
from dataedge.errors import AuditError

if TYPE_CHECKING:
    from dataedge.engine import Opens

_START = "Start the cluster (`ray start --head`) and name its head: --ray-address HOST:6379"


@dataclass(frozen=True)
class Share:
    """What one worker takes of the cluster.

    Attributes:
        cpus: cores, also the threads of its linear algebra.
        gpus: of which a part may be asked for.
    """

    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True)
class Cluster:
    """Where workers run, and with what.

    Attributes:
        address: of the head, `host:port`; None for the one that `RAY_ADDRESS` names, or a cluster of
            this machine alone.
        shares: what a worker takes, by what it opens.
        workers: at most; None for as many as the cluster has room for.
    """

    address: str | None = None
    shares: dict[Opens, Share] = field(default_factory=dict)
    workers: int | None = None


class Connection(NamedTuple):
    """A cluster to work on.

    Attributes:
        ray: the module.
        address: of the head.
        ours: whether it was connected here, and is to be let go.
    """

    ray: Any
    address: str
    ours: bool


def connected(address: str | None) -> Connection:
    """Connect to a cluster, or start one of this machine alone.

    Raises:
        AuditError: nothing answers there, or this process is connected to another one.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    # what Ray says of lost workers would stand on stdout, where report.json may go
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")
    import ray

    wanted = address or os.environ.get("RAY_ADDRESS") or "local"
    if ray.is_initialized():
        found = ray.get_runtime_context().gcs_address
        if wanted not in ("local", found):
            raise AuditError(
                f"--ray-address {wanted}: this process is connected to the cluster at {found}",
                hint=f"Call `ray.shutdown()` first, or name --ray-address {found}",
            )
        return Connection(ray, found, ours=False)
    if wanted != "local":
        check_answers(wanted)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=wanted,
            namespace="dataedge",
            include_dashboard=False if wanted == "local" else None,
            log_to_driver=False,
            logging_level="error",
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise AuditError(f"--ray-address {wanted}: {first_line(error)}", hint=_START) from error
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray has put its own there
    return Connection(ray, ray.get_runtime_context().gcs_address, ours=True)


def check_answers(address: str) -> None:
    """Whether something listens there: Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise AuditError(
            f"--ray-address {address}: {error.strerror or error}"
            if isinstance(error, OSError)
            else f"--ray-address {address}: it is not of the form HOST:PORT",
            hint=_START,
        ) from error
