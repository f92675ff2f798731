"""Sentence embedders by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dataedge.errors import AuditError
from dataedge.models import embedded
from dataedge.models.cache import folder_digest

_HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")


def embedder_identity(spec: str) -> tuple[str, str]:
    """Id and revision of an embedder, without loading it.

    Args:
        spec: `embedded`, or `st/<path or hub id>`.

    Raises:
        AuditError: the spec names no embedder.
    """
    where, name = _find(spec)
    folder = Path(where)
    return (name, folder_digest(folder)) if folder.is_dir() else (name, "hub")


def open_embedder(spec: str) -> Any:
    """Load it as a SentenceTransformer; code from its folder is never run.

    Raises:
        AuditError: it cannot be read, or the hub cannot be reached.
    """
    from dataedge.models.opening import quiet

    where, _ = _find(spec)
    from sentence_transformers import SentenceTransformer

    try:
        with quiet():
            return SentenceTransformer(where, device=None, trust_remote_code=False)
    except Exception as error:
        there = Path(where).is_dir()
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AuditError(
            f"--embedder {spec}: {where} cannot be read as an embedder ({reason})"
            if there
            else f"--embedder {spec}: {where} is not on this machine and the hub cannot be reached",
            hint=embedded.EMBEDDER_INSTALL
            if spec == "embedded"
            else "name a sentence-transformers folder on this machine: --embedder st/<path>",
        ) from error


def _find(spec: str) -> tuple[str, str]:
    if spec == "embedded":
        folder = embedded.embedder_folder()
        if folder is not None:
            return str(folder), "embedded/all-MiniLM-L6-v2"
        return embedded.EMBEDDER_HUB, embedded.EMBEDDER_HUB
    kind, _, rest = spec.partition("/")
    if kind != "st" or not rest:
        raise AuditError(
            f"--embedder {spec}: no such kind of embedder",
            hint="name embedded or st/<path or hub id>",
        )
    path = Path(rest).expanduser()
    if path.exists():
        if not (path / "config.json").is_file():
            raise AuditError(
                f"--embedder {spec}: {path} is not an embedder: it has no config.json",
                hint="name the folder of a sentence-transformers model",
            )
        return str(path), f"st/{path.resolve().name}"
    if not _HUB_ID.fullmatch(rest):
        raise AuditError(
            f"--embedder {spec}: no folder {rest}, and it cannot be a hub id",
            hint="--embedder st/<path of a folder> or st/<owner>/<name>",
        )
    return rest, rest
