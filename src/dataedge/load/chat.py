"""Conversations: chat messages and ShareGPT turns → a prompt and a response."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROLES = {
    "human": "user",
    "user": "user",
    "prompter": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "assistant": "assistant",
    "system": "system",
}
"""Names of roles, and what they are called here."""

Turn = tuple[str, str]
"""Role and content."""


@dataclass(frozen=True)
class Tags:
    """Keys and roles of messages where a dataset has names of its own for them.

    Attributes:
        role: key of the role.
        content: key of the content.
        roles: role as the dataset writes it → user, assistant, system, observation or function_call.

    Example:
        >>> Tags("who", "said", {"client": "user"}).read([{"who": "client", "said": "hi", "id": 1}])
        [{'id': 1, 'role': 'user', 'content': 'hi'}]
    """

    role: str
    content: str
    roles: Mapping[str, str]

    def read(self, cell: Any) -> Any:
        """A message or a list of them with keys and roles that `turns` knows; another cell as it is."""
        if isinstance(cell, dict):
            return self._message(cell) if self.role in cell else cell
        found = listed(cell)
        if found is None or not any(isinstance(m, dict) and self.role in m for m in found):
            return cell
        return [self._message(m) if isinstance(m, dict) else m for m in found]

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        share = (self.role, self.content) == ("from", "value")
        keys = ("from", "value") if share else ("role", "content")
        known = {self.role, self.content, "from", "value", "role", "content"}
        kept = {k: v for k, v in message.items() if k not in known}
        if self.role in message:
            role = message[self.role]
            kept[keys[0]] = self.roles.get(role, role) if isinstance(role, str) else role
        if self.content in message:
            kept[keys[1]] = message[self.content]
        return kept


def listed(value: object) -> list[Any] | None:
    """A list, or the JSON text of one; None for anything else.

    Example:
        >>> listed('[{"role": "user"}]'), listed("[sic]")
        ([{'role': 'user'}], None)
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, list) else None


def turns(value: object) -> list[Turn] | None:
    """A cell's turns, whichever keys they use; None if it is no list of turns.

    Example:
        >>> turns([{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}])
        [('user', 'hi'), ('assistant', 'hello')]
        >>> turns("plain text")
    """
    found = []
    for turn in (given := listed(value) or []):
        if not isinstance(turn, dict):
            return None
        role = turn.get("role") or turn.get("from")
        content = _content(turn.get("content") if "role" in turn else turn.get("value"))
        content = "\n".join(filter(None, (content, *_calls(turn))))
        if not isinstance(role, str):
            return None
        if content:
            found.append((ROLES.get(role.lower(), role.lower()), content))
    return found if given else None


def last_answer(found: Sequence[Turn], before: Sequence[Turn] = ()) -> tuple[str, str] | None:
    """Prompt (all before the last assistant turn, after what stands before) and response (that turn).

    Example:
        >>> last_answer([("user", "hi"), ("assistant", "hello"), ("user", "bye")])
        ('hi', 'hello')
    """
    at = max((i for i, (role, _) in enumerate(found) if role == "assistant"), default=0)
    return (as_prompt(found[:at], before), found[at][1]) if at else None


def as_text(found: Sequence[Turn], speaker: str) -> str:
    """One turn of the speaker is its content; several turns are lines `role: content`.

    Example:
        >>> print(as_text([("system", "be brief"), ("user", "hi")], "user"))
        system: be brief
        user: hi
    """
    if len(found) == 1 and found[0][0] == speaker:
        return found[0][1]
    return "\n".join(f"{role}: {content}" for role, content in found)


def as_prompt(found: Sequence[Turn], before: Sequence[Turn] = ()) -> str:
    """Turns as a prompt.

    Args:
        found: the turns.
        before: what stands before them; a system turn among the turns takes the place of one there.

    Example:
        >>> as_prompt([("user", "hi")])
        'hi'
        >>> print(as_prompt([("user", "hi")], [("system", "be brief")]))
        system: be brief
        user: hi
    """
    own = bool(found) and found[0][0] == "system"
    return as_text([*(t for t in before if not own or t[0] != "system"), *found], "user")


def shared_prompt(chosen: str, rejected: str) -> str:
    r"""The prompt that two whole texts begin with, cut at a turn or between words.

    Example:
        >>> shared_prompt("\n\nHuman: Hi\n\nAssistant: Hello", "\n\nHuman: Hi\n\nAssistant: Hey")
        '\n\nHuman: Hi\n\nAssistant:'
    """
    end = shared_length(chosen, rejected)
    common = chosen[:end]
    marker = "\n\nAssistant:"
    if marker in common:
        return common[: common.rindex(marker) + len(marker)]
    if chosen[end : end + 1].isspace() and rejected[end : end + 1].isspace():
        return common
    words = re.match(r".*\s", common, re.DOTALL)
    return words[0] if words else ""


def shared_length(chosen: Sequence[object], rejected: Sequence[object]) -> int:
    """How many turns, or characters, two conversations or texts begin with.

    Example:
        >>> shared_length([("user", "hi"), ("assistant", "hello")], [("user", "hi"), ("assistant", "hm")])
        1
    """
    pairs = enumerate(zip(chosen, rejected, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(chosen), len(rejected)))


def _calls(turn: dict[str, Any]) -> list[str]:
    """Tool calls of a turn, a line of JSON each, as a model would write them.

    Example:
        >>> _calls({"tool_calls": [{"function": {"name": "find", "arguments": '{"q": "hat"}'}}]})
        ['{"name": "find", "arguments": {"q": "hat"}}']
    """
    calls = turn.get("tool_calls")
    functions = (
        [c.get("function") for c in calls if isinstance(c, dict)] if isinstance(calls, list) else []
    )
    functions.append(turn.get("function_call"))
    return [
        json.dumps(
            {"name": f.get("name"), "arguments": _parsed(f.get("arguments"))}, ensure_ascii=False
        )
        for f in functions
        if isinstance(f, dict)
    ]


def _parsed(arguments: Any) -> Any:
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError):
        return arguments


def _content(value: Any) -> str:
    """A turn's content; a list of parts gives its text parts."""
    if isinstance(value, list):
        parts = [p.get("text") or "" for p in value if isinstance(p, dict)]
        value = "\n".join(p for p in parts if isinstance(p, str) and p)
    return value.strip() if isinstance(value, str) else ""
