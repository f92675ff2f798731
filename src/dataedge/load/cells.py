"""One cell → text, a response or a conversation, or the reason why it is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from dataedge.load import chat
from dataedge.load.table import as_text

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """A response: text, the first of several texts, or the last assistant turn of one or a list.

    Example:
        >>> answer_cell("answers", {"text": ["1066", "in 1066"], "answer_start": [4, 1]})
        '1066'
    """
    if isinstance(value, dict) and "text" in value:
        value = value["text"]
    if isinstance(value, dict) and (content := chat.turns([value])):
        value = content[0][1] if content[0][0] == "assistant" else None
    if isinstance(value, list) and value and isinstance(value[0], dict):
        turns = chat.turns(value) or []
        value = next((content for role, content in reversed(turns) if role == "assistant"), None)
    if isinstance(value, list):
        value = value[0] if value else None
    return text_cell(column, value)


def conversation_cell(column: str, value: Any, before: Sequence[chat.Turn] = ()) -> tuple[str, str]:
    """A list of turns as its prompt and its last answer; `before` stands before them."""
    found = turns_cell(column, value)
    answer = chat.last_answer(found, before)
    if answer is None:
        raise UnusableError(column, "has no assistant turn after a prompt")
    return text_cell(column, answer[0]), text_cell(column, answer[1])


def turns_cell(column: str, value: Any) -> list[chat.Turn]:
    """A list of turns."""
    if value is None:
        raise UnusableError(column, "is empty")
    found = chat.turns(value)
    if found is None:
        raise UnusableError(column, "is not a list of chat turns with a role and a content")
    return found


def history_cell(column: str, value: Any) -> list[chat.Turn]:
    """Earlier rounds, a prompt and a response each, as turns.

    Example:
        >>> history_cell("history", [["hi", "hello"]])
        [('user', 'hi'), ('assistant', 'hello')]
    """
    if value is None or value == "":
        return []
    rounds = chat.listed(value)
    if rounds is None or not all(isinstance(r, list) and len(r) == 2 for r in rounds):
        raise UnusableError(column, "is not a list of rounds, a prompt and a response each")
    return [
        (role, text_cell(column, text))
        for asked in rounds
        for role, text in zip(("user", "assistant"), asked, strict=True)
        if text
    ]


class Preference(NamedTuple):
    """A prompt, the response that was preferred, and the other one."""

    prompt: str
    chosen: str
    rejected: str


def preference_cells(columns: tuple[str, str], chosen: Any, rejected: Any) -> Preference:
    """Two whole conversations or two whole texts: what both begin with is the prompt.

    Args:
        columns: names of the two.
        chosen: cell of the first, a list of turns or a text.
        rejected: cell of the second, of the same kind.

    Raises:
        UnusableError: they do not differ, have no beginning in common, or no response after it.

    Example:
        >>> preference_cells(("chosen", "rejected"), "Is it so? It is.", "Is it so? Hardly.")
        Preference(prompt='Is it so?', chosen='It is.', rejected='Hardly.')
    """
    if chat.turns(chosen) or chat.turns(rejected):
        both = turns_cell(columns[0], chosen), turns_cell(columns[1], rejected)
        at = chat.shared_length(*both)
        prompt = chat.as_prompt(both[0][:at])
        rests = [found[at:] for found in both]
        good, bad = (chat.as_text(rest, "assistant") for rest in rests)
        if good != bad and at and any(r and r[0][0] in ("user", "system") for r in rests):
            raise UnusableError(columns[0], f"differs from '{columns[1]}' before the response")
    else:
        whole = text_cell(columns[0], chosen), text_cell(columns[1], rejected)
        shared = chat.shared_prompt(*whole)
        prompt = shared.strip()
        good, bad = (text[len(shared) :].strip() for text in whole)
    if good == bad:
        raise UnusableError(columns[0], f"is the same as '{columns[1]}'")
    if not prompt:
        raise UnusableError(columns[0], f"has no prompt in common with '{columns[1]}'")
    for column, response in zip(columns, (good, bad), strict=True):
        if not response:
            raise UnusableError(column, "has no response after the prompt")
    return Preference(
        text_cell(columns[0], prompt), text_cell(columns[0], good), text_cell(columns[1], bad)
    )
