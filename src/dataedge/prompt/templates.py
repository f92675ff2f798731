"""From items to prompts: a template filled in, its labels in one of two forms."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

from dataedge.items import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.items import Dataset, Item
    from dataedge.models.lazy import ModelAbilities
    from dataedge.prompt.probe import Template

MAX_CHARACTERS = 6000
"""Longer texts are clipped in prompts (about 1,500 tokens); bytes are counted after clipping."""
YES_NO = ("no", "yes")
"""Whether a label applies, as it is said."""
Shots = Literal["none", "random", "retrieved"]
Form = Literal["given", "humanised"]


@dataclass(frozen=True)
class Strategy:
    """A way to prompt: everything a prompt engineer may choose."""

    template: Template
    form: Form = "given"
    shots: Shots = "none"
    k: int = 0
    draw: int = 0
    """Which of several independent draws of random demonstrations."""

    @property
    def name(self) -> str:
        """Short, unique within a probe: chat/humanised/random-8, or random-8-draw-2."""
        shots = "zero-shot" if self.shots == "none" else f"{self.shots}-{self.k}"
        shots += f"-draw-{self.draw + 1}" if self.draw else ""
        return f"{self.template.name}/{self.form}/{shots}"


def bare_strategy(templates: Sequence[Template]) -> Strategy:
    """The prompt that a tuned model needs: the shortest template, nothing shown.

    Args:
        templates: at least one; those of a chat only where there is no other.
    """
    usable = [t for t in templates if not t.chat] or list(templates)
    return Strategy(min(usable, key=lambda t: len(t.instruction)))


_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_JOINTS = re.compile(r"[_\-./]+")
_PLACE = re.compile(r"\{(\w+)\}")


@lru_cache(maxsize=4096)
def humanise(label: str) -> str:
    """A label as one would say it.

    Example:
        >>> humanise("card_arrival"), humanise("lostOrStolenCard"), humanise("yes")
        ('card arrival', 'lost or stolen card', 'yes')
    """
    spaced = _JOINTS.sub(" ", _CAMEL.sub(" ", label)).strip()
    return spaced.lower() if spaced else label


def label_names(labels: Sequence[str], form: str) -> tuple[str, ...]:
    """Labels in the form they are shown in; as given where two would become one."""
    if form == "given":
        return tuple(labels)
    human = tuple(humanise(label) for label in labels)
    return human if len(set(human)) == len(labels) else tuple(labels)


class Prompter:
    """Writes prompts for one dataset and one model.

    Args:
        dataset: gives column names, used as field names where an item has two texts.
        abilities: of the model (chat frame).
    """

    def __init__(self, dataset: Dataset, abilities: ModelAbilities) -> None:
        self.abilities = abilities
        self._questions: dict[tuple[str, tuple[str, ...]], str] = {}
        self.labels = dataset.labels
        self.several = dataset.task is Task.MULTILABEL
        self._given = {i.target: i.labels for i in dataset.items} if self.several else {}
        shown = {form: label_names(self.labels, form) for form in get_args(Form)}
        self._listed = {form: ", ".join(names) for form, names in shown.items()}
        self._said = {
            form: dict(zip(self.labels, names, strict=True)) for form, names in shown.items()
        }
        columns = dataset.columns.get("text", ())
        self.fields = (columns,) if isinstance(columns, str) else tuple(columns)
        self.text_name = humanise(self.fields[0]).capitalize() if self.fields else "Text"
        label = dataset.columns.get("label", "label")
        self.label_name = humanise(label if isinstance(label, str) else "label").capitalize()

    def _input(self, texts: Sequence[str]) -> str:
        clipped = [t[:MAX_CHARACTERS] for t in texts]
        if len(clipped) == 1:
            return clipped[0]
        names = (
            self.fields
            if len(self.fields) == len(clipped)
            else [f"text {i + 1}" for i in range(len(clipped))]
        )
        return "\n".join(
            f"{humanise(n).capitalize()}: {t}" for n, t in zip(names, clipped, strict=True)
        )

    def _question(self, template: Template, texts: Sequence[str]) -> str:
        key = (template.question, tuple(texts))
        if key not in self._questions:  # every item is asked in many ways, and shown in more
            self._questions[key] = self._written(template, texts)
        return self._questions[key]

    def _written(self, template: Template, texts: Sequence[str]) -> str:
        text = self._input(texts)
        named = text if len(texts) > 1 else f"{self.text_name}: {text}"
        return _fill(
            template.question,
            text=text,
            prompt=text,
            named_text=named,
            label_name=self.label_name,
        )

    def answer(self, strategy: Strategy, target: str) -> str:
        """The continuation that is scored for a target (label, number or response).

        Where there are several labels it is not scored but shown: a line for each.
        """
        if self.several:
            given = self._given[target]
            return "".join(self.line(strategy, label, label in given) for label in self.labels)
        if self.labels:
            return _fill(strategy.template.answer, label=self._said[strategy.form][target])
        text = target[:MAX_CHARACTERS]
        return _fill(strategy.template.answer, response=text, number=text)

    def line(self, strategy: Strategy, label: str, applies: bool) -> str:
        """What says of one of several labels whether it applies."""
        said = YES_NO[applies]
        return _fill(strategy.template.answer, label=self._said[strategy.form][label], yes_no=said)

    def choices(self, strategy: Strategy) -> tuple[str, ...]:
        """The continuation for every label, in label order; no and yes for each of several."""
        if self.several:
            return tuple(
                self.line(strategy, label, yes) for label in self.labels for yes in (False, True)
            )
        return tuple(self.answer(strategy, label) for label in self.labels)

    def prompt(self, strategy: Strategy, texts: Sequence[str], shots: Sequence[Item] = ()) -> str:
        """The whole prompt: instruction, demonstrations, question."""
        return self.ask(strategy, self.demonstrations(strategy, shots), texts)

    def demonstrations(self, strategy: Strategy, shots: Sequence[Item]) -> str:
        """Items with their answers, and what stands before the question."""
        template = strategy.template
        return "".join(
            self._question(template, shot.texts)
            + self.answer(strategy, shot.target)
            + template.between
            for shot in shots
        )

    def ask(self, strategy: Strategy, demonstrations: str, texts: Sequence[str]) -> str:
        """The prompt behind demonstrations that were written before."""
        template = strategy.template
        body = demonstrations + self._question(template, texts)
        listed = self._listed[strategy.form]
        body = _fill(template.instruction, labels=listed, label_name=self.label_name) + body
        if template.chat:
            return self.abilities.chat_before + body + self.abilities.chat_after
        return body


def _fill(pattern: str, **values: str) -> str:
    """Put values in their {places}; braces inside of values stay as they are."""
    return _PLACE.sub(lambda m: values.get(m.group(1), m.group(0)), pattern)
