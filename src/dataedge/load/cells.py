"""One cell → text, a response or a conversation, or the reason why it is none."""

from __future__ import annotations

from typing import Any

from dataedge.load import chat
from dataedge.load.table import as_text

_KINDS: dict[type[object], str] = {list: "a list", dict: "an object", bytes: "bytes"}


class UnusableError(Exception):
    """A cell that no item can be made of: its column, and what is wrong with it."""

    def __init__(self, column: str, problem: str) -> None:
        super().__init__(f"column '{column}' {problem}")
        self.column = column


def text_cell(column: str, value: Any, *, dialogue: bool = False) -> str:
    """A cell as text.

    Args:
        column: its name, for the error.
        value: the cell; numbers and dates become text.
        dialogue: a list of chat turns is text as well.

    Raises:
        UnusableError: for an empty cell, a list or object, a NUL byte, half a character.
    """
    if dialogue and (found := chat.turns(value)):
        value = chat.as_prompt(found)
    if value is None:
        raise UnusableError(column, "is empty")
    text = as_text(value)
    if text is None:
        kind = _KINDS.get(type(value), f"a {type(value).__name__}")
        raise UnusableError(column, f"holds {kind}, not text")
    if not text:
        raise UnusableError(column, "is empty")
    if "\0" in text:
        raise UnusableError(column, "holds a NUL byte")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UnusableError(column, "holds half a character (a lone surrogate)") from None
    return text


def answer_cell(column: str, value: Any) -> str:
    """A response: text, the first of several texts, or the last assistant turn of a list.

    Example:
        >>> answer_cell("answers", {"text": ["1066", "in 1066"], "answer_start": [4, 1]})
        '1066'
    """
    if isinstance(value, dict) and "text" in value:
        value = value["text"]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        turns = chat.turns(value) or []
        value = next((content for role, content in reversed(turns) if role == "assistant"), None)
    if isinstance(value, list):
        value = value[0] if value else None
    return text_cell(column, value)


def conversation_cell(column: str, value: Any) -> tuple[str, str]:
    """A list of turns as its prompt and its last answer."""
    if value is None:
        raise UnusableError(column, "is empty")
    found = chat.turns(value)
    if found is None:
        raise UnusableError(column, "is not a list of chat turns with a role and a content")
    answer = chat.last_answer(found)
    if answer is None:
        raise UnusableError(column, "has no assistant turn after a prompt")
    return text_cell(column, answer[0]), text_cell(column, answer[1])
