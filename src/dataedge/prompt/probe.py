"""Probes are data: YAML files that say what is asked of a base model, and how it is scored."""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from dataedge.errors import AuditError

if TYPE_CHECKING:
    from collections.abc import Iterator

    Location = tuple[int | str, ...]

PLACES = {
    "instruction": ("labels", "label_name"),
    "question": ("text", "named_text", "prompt", "label_name"),
    "answer": ("label", "yes_no", "number", "response"),
}
"""What may stand in braces in each part of a template."""
SCORING = {
    "classify": "choices",
    "multilabel": "choices",
    "number": "choices",
    "generate": "likelihood",
    "corpus": "likelihood",
    "any": "generation",
}
"""How a probe of each task is scored."""
ENDINGS = (".yaml", ".yml")
CHECK = "`dataedge probes check FILE`"
HINT = "See docs/probes.md for how one is written; `dataedge probes ls` lists those that are there"

Count = Annotated[int, Field(ge=1)]


class Template(BaseModel):
    """One way to ask: instruction, then demonstrations, then the question."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1)
    """What the report calls it."""
    instruction: str = ""
    """Stands once at the top; may hold {labels}, {label_name}."""
    question: str
    """What is asked of an item; holds {text}, {named_text} (behind the name of its column) or
    {prompt} (the same as {text}), may hold {label_name}."""
    answer: str
    """How the answer continues the question: holds {label}, {number} or {response}; where a text has
    several labels, {label} and {yes_no}, and stands once for each of them."""
    between: str = "\n\n"
    """Between two demonstrations, and before the question."""
    chat: bool = False
    """Put it all in one user turn of the model's chat template."""

    @field_validator("instruction", "question", "answer")
    @classmethod
    def _places_are_known(cls, text: str, info: ValidationInfo) -> str:
        known = PLACES[str(info.field_name)]
        for place in re.findall(r"\{(\w+)\}", text):
            if place not in known:
                near = difflib.get_close_matches(place, known, n=1)
                meant = f"; did you mean {{{near[0]}}}?" if near else ""
                allowed = ", ".join(f"{{{k}}}" for k in known)
                raise ValueError(f"unknown place {{{place}}}, it may hold {allowed}{meant}")
        return text

    @field_validator("question")
    @classmethod
    def _question_has_its_place(cls, text: str) -> str:
        if not any(place in text for place in ("{text}", "{named_text}", "{prompt}")):
            raise ValueError("it must hold {text}, {named_text} or {prompt}")
        return text

    @field_validator("answer")
    @classmethod
    def _answer_has_its_place(cls, text: str) -> str:
        if not any(place in text for place in ("{label}", "{number}", "{response}")):
            raise ValueError("it must hold {label}, {number} or {response}")
        return text


class Demonstrations(BaseModel):
    """How many train items are shown, drawn at random or nearest to the question."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    random: tuple[Count, ...] = ()
    retrieved: tuple[Count, ...] = ()


class Probe(BaseModel):
    """A probe file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1)
    version: int = Field(ge=1)
    task: Literal["classify", "multilabel", "number", "generate", "corpus", "any"]
    summary: str
    scoring: Literal["choices", "likelihood", "generation"]
    templates: tuple[Template, ...] = Field(min_length=1)
    label_forms: tuple[Literal["given", "humanised"], ...] = Field(default=("given",), min_length=1)
    demonstrations: Demonstrations = Demonstrations()
    calibration: tuple[Literal["none", "batch", "contextual"], ...] = Field(
        default=("none", "batch", "contextual"), min_length=1
    )
    """To classify only, tried on development items. All if not given: without one, a model that
    merely prefers one label looks as if it knew nothing, and the data as if it gave an edge."""
    max_tokens: int = Field(default=24, ge=1)
    """Where text is generated: how far to go on."""
    items: int = Field(default=48, ge=1)
    """Where text is generated: how many items are asked."""


def load_probe(path: str | Path) -> Probe:
    """Read and check one probe file.

    Raises:
        AuditError: with file and line of what is wrong.
    """
    return read_probe(path)[0]


def read_probe(path: str | Path) -> tuple[Probe, yaml.Node]:
    """A probe with the YAML it was read from, for the lines of further mistakes.

    Raises:
        AuditError: with file and line of what is wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except OSError as error:
        raise AuditError(
            f"{path}: {error.strerror}", hint="Name a probe file: `dataedge probes check FILE`"
        ) from error
    except UnicodeDecodeError as error:
        raise AuditError(
            f"{path}: not UTF-8",
            hint="Save the file as UTF-8, then run `dataedge probes check` on it",
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # 2020-13-45 is a ValueError
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise AuditError(
            f"{path}{line}: not YAML",
            hint="Check indentation and quotes, then run `dataedge probes check` on it",
        ) from error
    if node is None:
        raise AuditError(f"{path}:1: the file is empty", hint=HINT)
    for location, message in _repeated(node):
        raise mistake(path, node, location, message)
    try:
        probe = Probe.model_validate(data)
    except ValidationError as error:
        first = _telling(error.errors())
        raise mistake(path, node, first["loc"], _in_words(first)) from error
    for location, message in _contradictions(probe):
        raise mistake(path, node, location, message)
    return probe, node


def mistake(path: Path, node: yaml.Node, location: Location, message: str) -> AuditError:
    """The error for what is wrong at a place in a file: file, line, place, what."""
    where = ".".join(str(part) for part in location) or "the file"
    return AuditError(f"{path}:{line_of(node, location)}: {where}: {message}", hint=HINT)


def _telling(found: list[Any]) -> Any:
    """The first mistake; a misspelt key before the one that is missing for it."""
    lacking = {e["loc"][:-1] for e in found if e["type"] == "missing"}
    misspelt = (e for e in found if e["type"] == "extra_forbidden" and e["loc"][:-1] in lacking)
    return next(misspelt, found[0])


def _in_words(error: Any) -> str:
    """What pydantic found, with the key that was probably meant."""
    if error["type"] == "missing":
        return "missing"
    if error["type"] != "extra_forbidden":
        return str(error["msg"]).removeprefix("Value error, ")
    parents: dict[Any, type[BaseModel]] = {
        "templates": Template,
        "demonstrations": Demonstrations,
    }
    parent = parents.get(error["loc"][0], Probe) if len(error["loc"]) > 1 else Probe
    key = str(error["loc"][-1])
    near = difflib.get_close_matches(key, parent.model_fields, n=1)
    return "unknown key" + (
        f"; did you mean {near[0]}?" if near else f"; known are {', '.join(parent.model_fields)}"
    )


def _contradictions(probe: Probe) -> Iterator[tuple[Location, str]]:
    """What is wrong between one part of a probe and another."""
    if probe.scoring != SCORING[probe.task]:
        yield ("scoring",), f"a probe of task {probe.task} is scored by {SCORING[probe.task]}"
    several = {"classify": ("label",), "multilabel": ("label", "yes_no"), "number": ("number",)}
    places = several.get(probe.task, ("response",))
    seen: set[str] = set()
    for i, template in enumerate(probe.templates):
        if template.name in seen:
            yield ("templates", i, "name"), f"there is another template {template.name!r}"
        seen.add(template.name)
        for message in _places(probe.task, template.answer, places):
            yield ("templates", i, "answer"), message
        if "label" not in places and ("{labels}" in template.instruction):
            yield ("templates", i, "instruction"), f"task {probe.task} has no {{labels}}"
        for part in ("instruction", "question") if places == ("response",) else ():
            if "{label_name}" in getattr(template, part):
                yield ("templates", i, part), f"task {probe.task} has no {{label_name}}"


def _places(task: str, answer: str, wanted: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with the places of an answer."""
    for place in PLACES["answer"]:
        there = f"{{{place}}}" in answer
        if place in wanted and not there:
            yield f"for task {task} it must hold {{{place}}}"
        elif there and place not in wanted:
            yield f"task {task} has no {{{place}}}"


def _repeated(node: yaml.Node, at: Location = ()) -> Iterator[tuple[Location, str]]:
    """Keys that stand twice in one mapping: YAML would silently take the last."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                line = key.start_mark.line + 1
                yield (*at, name), f"stands there twice, the second time on line {line}"
            seen.add(name)
            yield from _repeated(value, (*at, name))
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            yield from _repeated(value, (*at, i))


def line_of(node: Any, location: Location) -> int:
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
