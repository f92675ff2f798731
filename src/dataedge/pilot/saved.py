"""The adapters of a pilot as a folder that peft reads: `PeftModel.from_pretrained(base, folder)`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dataedge.errors import AuditError
from dataedge.files import whole_folder
from dataedge.models.embedded import path_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from dataedge.config import AuditConfig
    from dataedge.pilot.recipe import Recipe

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def require_free(folder: Path) -> None:
    """Raise AuditError unless a folder is new, empty, or may hold these very adapters from before."""
    others = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if (folder.exists() and not folder.is_dir()) or others - {CONFIG, WEIGHTS}:
        raise _in_use(folder)


def _in_use(folder: Path) -> AuditError:
    return AuditError(
        f"--save-adapter {folder}: is in use, and nothing is overwritten",
        hint="Name a folder that is new or empty: --save-adapter DIR",
    )


class Place(NamedTuple):
    """Where adapters go.

    Attributes:
        folder: new, empty, or with these adapters.
        base: the model that they belong to, on the hub or where it lies.
    """

    folder: Path
    base: str

    @classmethod
    def of(cls, config: AuditConfig) -> Place | None:
        """None where they are not to be saved."""
        return (
            cls(Path(config.save_adapter), path_of(config.model)) if config.save_adapter else None
        )


def save_adapter(adapter: Mapping[str, NDArray[np.float32]], recipe: Recipe, place: Place) -> None:
    """Write adapters; where they lie there already, nothing is done.

    Args:
        adapter: weights by name, in float32.
        recipe: by which they were trained.
        place: where to.

    Raises:
        AuditError: the folder holds something else, or cannot be written.
    """
    from peft import LoraConfig
    from safetensors.numpy import save, save_file

    folder, weights = place.folder, dict(adapter)
    require_free(folder)
    if (folder / WEIGHTS).is_file():
        if (folder / WEIGHTS).read_bytes() != save(weights):
            raise _in_use(folder)
        return
    targets = sorted({name.split(".lora_")[0].rpartition(".")[2] for name in adapter})
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        target_modules=targets,
        task_type="CAUSAL_LM",
        base_model_name_or_path=place.base,
        inference_mode=True,
    )
    with whole_folder(folder) as made:
        config.save_pretrained(str(made))
        save_file(weights, made / WEIGHTS)
