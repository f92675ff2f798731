"""Sentence embedders by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from dataedge.errors import AuditError
from dataedge.models import embedded, hub, weights
from dataedge.models.cache import folder_digest

_HUB_ID = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?")
OWNER = "sentence-transformers"
"""Whose a hub id without an owner is."""
_ELSEWHERE = "Name a sentence-transformers folder on this machine: --embedder st/<path>"


def embedder_identity(spec: str) -> tuple[str, str]:
    """Id and revision of an embedder, without loading it.

    Args:
        spec: `embedded`, or `st/<path or hub id>`.

    Returns:
        Its id, and a SHA-256 over the files that are loaded, or the commit of one on the hub.

    Raises:
        AuditError: the spec names no embedder, or a hub that cannot be reached.
    """
    where, name = _find(spec)
    folder = Path(where)
    if not folder.is_dir():
        return name, hub.commit(where, f"--embedder {spec}", _hint(spec))
    source = weights.in_folder(folder, f"--embedder {spec}")
    weights.check_embedder(source)
    parts = weights.modules(source) if "modules.json" in source.names("") else []
    return name, folder_digest(folder, [part for _, part in parts])


def embedder_notes(spec: str) -> tuple[str, ...]:
    """What the user should know of how an embedder was found."""
    fallen_back = spec == "embedded" and embedded.embedder_folder() is None
    return (embedded.embedder_missing(),) if fallen_back else ()


def open_embedder(spec: str) -> Any:
    """Load it as a SentenceTransformer; only safetensors are read, and no code is run.

    Raises:
        AuditError: it cannot be read, or the hub cannot be reached.
    """
    from dataedge.models.local.opening import quiet

    where, _ = _find(spec)
    _, revision = embedder_identity(spec)
    there = Path(where).is_dir()
    if not there:
        weights.check_embedder(weights.on_hub(where, revision, f"--embedder {spec}"))
    from sentence_transformers import SentenceTransformer

    try:
        with quiet():
            return SentenceTransformer(
                where,
                revision=None if there else revision,
                device=None,
                model_kwargs={"use_safetensors": True},
                trust_remote_code=False,
            )
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AuditError(
            f"--embedder {spec}: {where} cannot be read as an embedder ({reason})",
            hint=_hint(spec),
        ) from error


def _hint(spec: str) -> str:
    return embedded.EMBEDDER_INSTALL if spec == "embedded" else _ELSEWHERE


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
            hint="Use --embedder embedded or --embedder st/<path or hub id>",
        )
    path = Path(rest).expanduser()
    if path.exists():
        if not any((path / file).is_file() for file in ("modules.json", "config.json")):
            raise AuditError(
                f"--embedder {spec}: {path} is not an embedder: it has no modules.json or config.json",
                hint="Name the folder of a sentence-transformers model: --embedder st/<path>",
            )
        return str(path), f"st/{path.resolve().name}"
    if not _HUB_ID.fullmatch(rest):
        raise AuditError(
            f"--embedder {spec}: no folder {rest}, and it cannot be a hub id",
            hint="Use --embedder st/<path of a folder> or --embedder st/<owner>/<name>",
        )
    name = rest if "/" in rest else f"{OWNER}/{rest}"
    return name, name
