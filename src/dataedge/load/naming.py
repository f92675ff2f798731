"""Column names that say what a column is for, matched without regard to case."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CHATS = ("messages", "conversations", "conversation", "dialog", "dialogue", "chat")
CHOSEN, REJECTED = "chosen", "rejected"

PROMPTS: dict[str, tuple[str, ...]] = {
    "prompt": ("completion", "response", "output", "answer"),
    "instruction": ("output", "response", "completion", "answer"),
    "question": ("answer", "answers", "response"),
    "query": ("response", "answer"),
    "problem": ("solution",),
    "input": ("output", "response"),
    "user": ("assistant",),
    "human": ("assistant",),
}
"""Name of a prompt → names that its response may have."""

SECOND_INPUTS: dict[str, str] = {"instruction": "input", "question": "context"}
"""Name of a prompt → name of what is read beside it."""

LABELS: tuple[tuple[str, ...], ...] = (
    ("label", "labels", "class", "target", "y", "gold", "gold_label", "label_text", "label_name"),
    (
        *("category", "intent", "sentiment", "topic", "tag", "emotion", "polarity", "stance"),
        *("verdict", "decision", "diagnosis", "priority", "department", "genre"),
    ),
)
"""Names of a label, the plainest first."""

LABEL_LISTS = (
    *("labels", "tags", "topics", "categories", "genres", "emotions", "intents", "classes"),
    *("subjects", "keywords"),
)
"""Names of several labels per row."""

TEXTS: tuple[tuple[str, ...], ...] = (
    ("text", "sentence"),
    (
        *("content", "document", "utterance", "query", "question", "prompt", "input", "review"),
        *("message", "tweet", "post", "comment", "body", "passage", "description", "abstract"),
    ),
)
"""Names of a text to be classified, the plainest first."""

CORPUS_TEXTS = ("text", "content", "document", "article", "body", "passage", "abstract")
"""Names of running text that other columns of text only describe."""

TEXT_PAIRS: tuple[tuple[str, str], ...] = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("sentence_1", "sentence_2"),
    ("sentence_a", "sentence_b"),
    ("text1", "text2"),
    ("text_1", "text_2"),
    ("text_a", "text_b"),
    ("question1", "question2"),
    ("first", "second"),
    ("left", "right"),
    ("a", "b"),
    ("claim", "evidence"),
    ("query", "document"),
    ("query", "passage"),
    ("question", "context"),
    ("question", "passage"),
    ("question", "sentence"),
    ("title", "text"),
    ("title", "body"),
    ("title", "abstract"),
    ("title", "description"),
    ("title", "content"),
    ("subject", "body"),
)
"""Names of two texts that are classified together."""

SPLITS = ("split", "partition", "fold", "subset", "set", "dataset_split", "data_split")

KNOWN = frozenset(
    [
        *(CHOSEN, *CHATS, *SPLITS, *CORPUS_TEXTS),
        *(name for prompt, responses in PROMPTS.items() for name in (prompt, *responses)),
        *(name for tier in (*LABELS, *TEXTS, *TEXT_PAIRS) for name in tier),
    ]
)
"""Every name above."""

_ANNOTATOR = re.compile(
    r"(annotator|annotation|rater|rating|coder|judge|worker|labeller|labeler|label|expert|vote|coach)"
    r"[_\- ]?(\d+|[a-z])"
)


@dataclass(frozen=True)
class Names:
    """A table's column names, looked up without regard to case and outer space.

    Example:
        >>> names = Names.of(["Text", "Label"])
        >>> names.get("text"), names.get("prompt")
        ('Text', None)
    """

    by_key: dict[str, str]

    @classmethod
    def of(cls, names: Iterable[str]) -> Names:
        """The first of several names that differ in case only is the one found."""
        by_key: dict[str, str] = {}
        for name in names:
            by_key.setdefault(name.strip().lower(), name)
        return cls(by_key)

    def get(self, key: str) -> str | None:
        """The column of this name."""
        return self.by_key.get(key)

    def any(self, keys: Sequence[str]) -> list[str]:
        """The columns of these names, in the names' order."""
        return [self.by_key[k] for k in keys if k in self.by_key]

    def pair(self, pairs: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
        """The first pair of names of which both are columns."""
        return next(
            ((self.by_key[a], self.by_key[b]) for a, b in pairs if {a, b} <= self.by_key.keys()),
            None,
        )

    def annotators(self) -> tuple[str, ...]:
        """Columns such as annotator_1, annotator_2 or label_a, label_b, in column order."""
        stems: dict[str, list[str]] = {}
        for key, name in self.by_key.items():
            if found := _ANNOTATOR.fullmatch(key):
                stems.setdefault(found[1], []).append(name)
        groups: list[tuple[str, ...]] = [tuple(names) for names in stems.values() if len(names) > 1]
        return max(groups, key=len, default=())
