"""Conversations: chat messages and ShareGPT turns → a prompt and a response."""

from __future__ import annotations

import json
from typing import Any

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


def turns(value: object) -> list[Turn] | None:
    """A cell's turns, whichever keys they use; None if it is no list of turns.

    Example:
        >>> turns([{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}])
        [('user', 'hi'), ('assistant', 'hello')]
        >>> turns("plain text")
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return None
    if not isinstance(value, list) or not value:
        return None
    found = []
    for turn in value:
        if not isinstance(turn, dict):
            return None
        role = turn.get("role") or turn.get("from")
        content = _content(turn.get("content") if "role" in turn else turn.get("value"))
        content = "\n".join(filter(None, (content, *_calls(turn))))
        if not isinstance(role, str):
            return None
        if content:
            found.append((ROLES.get(role.lower(), role.lower()), content))
    return found


def last_answer(found: list[Turn]) -> tuple[str, str] | None:
    """Prompt (all before the last assistant turn) and response (that turn).

    Example:
        >>> last_answer([("user", "hi"), ("assistant", "hello"), ("user", "bye")])
        ('hi', 'hello')
    """
    at = max((i for i, (role, _) in enumerate(found) if role == "assistant"), default=0)
    return (as_prompt(found[:at]), found[at][1]) if at else None


def as_prompt(found: list[Turn]) -> str:
    """One user turn is its content; several turns are lines `role: content`.

    Example:
        >>> print(as_prompt([("system", "be brief"), ("user", "hi")]))
        system: be brief
        user: hi
    """
    if len(found) == 1 and found[0][0] == "user":
        return found[0][1]
    return "\n".join(f"{role}: {content}" for role, content in found)


def shared_prompt(chosen: str, rejected: str) -> str:
    r"""The prompt that two whole conversations begin with, cut at a turn or a word.

    Example:
        >>> shared_prompt("\n\nHuman: Hi\n\nAssistant: Hello", "\n\nHuman: Hi\n\nAssistant: Hey")
        '\n\nHuman: Hi\n\nAssistant:'
    """
    end = next(
        (i for i, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b),
        min(len(chosen), len(rejected)),
    )
    common = chosen[:end]
    marker = "\n\nAssistant:"
    if marker in common:
        return common[: common.rindex(marker) + len(marker)]
    cut = max(common.rfind("\n"), common.rfind(" "))
    return common[: cut + 1] if cut >= 0 else ""


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
    except ValueError:
        return arguments


def _content(value: Any) -> str:
    """A turn's content; a list of parts gives its text parts."""
    if isinstance(value, list):
        parts = [p.get("text") or "" for p in value if isinstance(p, dict)]
        value = "\n".join(p for p in parts if isinstance(p, str) and p)
    return value.strip() if isinstance(value, str) else ""
