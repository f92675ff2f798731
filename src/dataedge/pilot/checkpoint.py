"""How far a fine-tune has got, in one file: one that was broken off goes on after its last whole pass."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILE = "pilot.safetensors"
"""Beside the store, while a fine-tune is under way."""


@dataclass
class Course:
    """How a fine-tune has gone until now.

    Attributes:
        epochs: passes that are to be run.
        epoch: passes that were run.
        step: steps that were made.
        tokens: that were trained on.
        seconds: that it took.
        losses: of development items, before the first pass and after each.
        best: the pass of the least loss.
    """

    epochs: int
    epoch: int = 0
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    best: int = 0


@dataclass(frozen=True)
class Trainee:
    """What training changes.

    Attributes:
        weights: of the adapters, as they are.
        kept: those of the best pass, changed in place.
        optimiser: AdamW over the weights.
        rng: of the order of rows.
    """

    weights: Sequence[Any]
    kept: Sequence[Any]
    optimiser: Any
    rng: np.random.Generator


class Checkpoint:
    """A file with weights, moments and counts, written after every pass.

    What cannot be written is not kept, and what cannot be read is not used: the fine-tune is then run from
    its beginning, and comes to the same.

    Args:
        path: where it lies.
        key: of all that the fine-tune depends on; the file of another one is not read.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key

    def write(self, course: Course, trainee: Trainee) -> None:
        """Put the file in the place of the one before."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        tensors = {}
        for at, (weight, kept) in enumerate(zip(trainee.weights, trainee.kept, strict=True)):
            moments = trainee.optimiser.state[weight]
            tensors[f"weight {at}"] = weight.detach().contiguous()
            tensors[f"kept {at}"] = kept.contiguous()
            tensors[f"mean {at}"] = moments["exp_avg"].contiguous()
            tensors[f"square {at}"] = moments["exp_avg_sq"].contiguous()
        told = {
            "key": self.key,
            "course": json.dumps(asdict(course)),
            "order": json.dumps(trainee.rng.bit_generator.state),
        }
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        try:
            save_file(tensors, temporary, told)
            temporary.replace(self.path)
        except (OSError, SafetensorError):  # the disk is full, or cannot be written
            temporary.unlink(missing_ok=True)

    def read(self, trainee: Trainee) -> Course | None:
        """Put weights, moments and the order of rows back as they were.

        Returns:
            None where there is nothing to go on from; the trainee is then as it was.
        """
        from safetensors import SafetensorError, safe_open

        told = self._told()
        if told.get("key") != self.key:
            return None
        try:
            with safe_open(self.path, "pt") as file:
                found = [
                    [file.get_tensor(f"{name} {at}") for at in range(len(trainee.weights))]
                    for name in ("weight", "kept", "mean", "square")
                ]
            course = Course(**json.loads(told["course"]))
            order = np.random.default_rng()
            order.bit_generator.state = json.loads(told["order"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):  # damaged
            return None
        if any(
            tensor.shape != weight.shape
            for some in found
            for tensor, weight in zip(some, trainee.weights, strict=True)
        ):
            return None
        _restore(trainee, found, course.step)
        trainee.rng.bit_generator.state = order.bit_generator.state
        return course

    def remove(self) -> None:
        """When the fine-tune's result is stored; the file of another one stays."""
        if self._told().get("key", self.key) == self.key:
            self.path.unlink(missing_ok=True)

    def _told(self) -> dict[str, str]:
        """What stands beside the tensors; nothing where there is no file, or it is damaged."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, "pt") as file:
                return dict(file.metadata() or {})
        except (OSError, SafetensorError):
            return {}


def remove_all(folder: Path) -> None:
    """Remove what fine-tunes that were broken off have left in an audit's folder."""
    for path in (folder / FILE, *folder.glob(f".{FILE}.*.tmp")):
        path.unlink(missing_ok=True)


def _restore(trainee: Trainee, found: Sequence[Sequence[Any]], step: int) -> None:
    import torch

    with torch.no_grad():
        for weight, kept, now, best, mean, square in zip(
            trainee.weights, trainee.kept, *found, strict=True
        ):
            weight.copy_(now)
            kept.copy_(best)
            trainee.optimiser.state[weight] = {
                "step": torch.tensor(float(step)),
                "exp_avg": mean.to(weight.device, copy=True),
                "exp_avg_sq": square.to(weight.device, copy=True),
            }
