"""The base model of an audit: named without being loaded, its abilities proven once and remembered."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from dataedge.errors import AuditError, ExitCode
from dataedge.items import Task
from dataedge.models import abilities_key, connection, identity, open_configured
from dataedge.models.lazy import LazyModel, ModelAbilities

if TYPE_CHECKING:
    from pathlib import Path

    from dataedge.config import AuditConfig
    from dataedge.items import Dataset
    from dataedge.store import Store


def lazy_base_model(config: AuditConfig, directory: Path | None = None) -> LazyModel:
    """The base model of a configuration, not loaded and nothing asked yet.

    Raises:
        AuditError: there is no such model, or it is elsewhere and nobody agreed to send data there.
    """
    server = connection(config)
    if server is not None:
        server.check_consent()
    name, revision = identity(config)
    return LazyModel(
        name,
        revision,
        lambda precision: open_configured(config, directory, precision),
        (lazy_base_model, (config, directory)),
    )


def prove(
    store: Store, lazy_model: LazyModel, config: AuditConfig, dataset: Dataset
) -> ModelAbilities:
    """What the model can do: proven once per revision, precision and version of this tool.

    A proof that failed is not remembered: what stood in its way may be mended. Nor is one of a version
    that told less, or something else: what it does not say would be taken for a default.
    """
    name = abilities_key(config)
    known = store.get_note(name)
    if known is None or known.keys() != {field.name for field in fields(ModelAbilities)}:
        abilities = lazy_model.abilities()
        _check_answerable(dataset, lazy_model, abilities)
        if not abilities.doubted:
            store.put_note(name, asdict(abilities))
    else:
        abilities = ModelAbilities(**{**known, "notes": tuple(known["notes"])})
        _check_answerable(dataset, lazy_model, abilities)
    lazy_model.proven = abilities
    return abilities


def _check_answerable(dataset: Dataset, lazy_model: LazyModel, abilities: ModelAbilities) -> None:
    """Stop where the model can do nothing that this task could be measured by."""
    if abilities.token_logprobs or (abilities.remote and dataset.task is not Task.CORPUS):
        return
    what = f"{lazy_model.id}: {' '.join(abilities.notes)}"
    if abilities.remote:
        what = f"{dataset.path}: plain text is measured in bits per byte alone, and {abilities.no_bits}"
    raise AuditError(what, hint="Name another base model with --model", code=ExitCode.NO_CONCLUSION)
