"""Probes are data: YAML files that say what is asked of a base model, and how it is scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dataedge.errors import AuditError


class Template(BaseModel):
    """One way to ask: instruction, then demonstrations, then the question."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    """What the report calls it."""
    instruction: str = ""
    """Stands once at the top; may hold {labels}."""
    question: str
    """What is asked of an item; may hold {text} or {prompt}, {label_name}."""
    answer: str
    """How the answer continues the question: holds {label} or {response}."""
    between: str = "\n\n"
    """Between two demonstrations, and before the question."""
    chat: bool = False
    """Put it all in one user turn of the model's chat template."""

    @model_validator(mode="after")
    def _answer_has_its_place(self) -> Template:
        if "{label}" not in self.answer and "{response}" not in self.answer:
            raise ValueError("answer must hold {label} or {response}")
        if "{text}" not in self.question and "{prompt}" not in self.question:
            raise ValueError("question must hold {text} or {prompt}")
        return self


class Demonstrations(BaseModel):
    """How many train items are shown, drawn at random or nearest to the question."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    random: tuple[int, ...] = ()
    retrieved: tuple[int, ...] = ()


class Probe(BaseModel):
    """A probe file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    version: int = Field(ge=1)
    task: Literal["classify", "generate", "corpus", "any"]
    summary: str
    scoring: Literal["choices", "likelihood", "generation"]
    templates: tuple[Template, ...] = Field(min_length=1)
    label_forms: tuple[Literal["given", "humanised"], ...] = ("given",)
    demonstrations: Demonstrations = Demonstrations()
    calibration: tuple[Literal["none", "batch", "contextual"], ...] = ("none",)
    max_tokens: int = Field(default=24, ge=1)
    """Generation only: how far to go on."""
    items: int = Field(default=48, ge=1)
    """Generation only: how many items are asked."""


def builtin_directory() -> Path:
    """Where the probes that come with dataedge are: in the wheel, or in the checkout."""
    inside = Path(__file__).parents[1] / "probes"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "probes"


def load_probe(path: str | Path) -> Probe:
    """Read and check one probe file.

    Raises:
        AuditError: with file and line of what is wrong.
    """
    path = Path(path)
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"))
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AuditError(f"{path}: {error.strerror}", hint="name a probe file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise AuditError(f"{path}{line}: not YAML", hint="check indentation and quotes") from error
    try:
        return Probe.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        number = _line(node, first["loc"])
        raise AuditError(
            f"{path}:{number}: {where}: {first['msg']}",
            hint="compare with the built-in files: `dataedge probes ls`",
        ) from error


def load_probes(extra: str | Path | None = None) -> dict[str, Probe]:
    """The built-in probes by name, with the user's own added or in their place."""
    found: dict[str, Probe] = {}
    for directory in (builtin_directory(), Path(extra) if extra else None):
        if directory is None:
            continue
        files = sorted(directory.glob("*.yaml"))
        if not files:
            raise AuditError(
                f"{directory}: no probe files (*.yaml)", hint="name a directory with probes"
            )
        for file in files:
            probe = load_probe(file)
            found[probe.name] = probe
    return found


def _line(node: Any, location: tuple[int | str, ...]) -> int:
    """The line on which the value at `location` begins (1-based)."""
    line = int(node.start_mark.line) + 1 if node is not None else 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(part)]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
        ):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
