"""Chat messages, checked as the services that fine-tune on them do.

Names as in OpenAI's "Data preparation and analysis for chat model fine-tuning" (cookbook.openai.com) where
it has one: `missing_messages_list`, `message_missing_key`, `message_unrecognized_key`, `unrecognized_role`,
`missing_content`, `example_missing_assistant_message`.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from dataedge.load.chat import ROLES, listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataedge.check.found import Collected

KEYS: Final = frozenset(
    {
        "role", "content", "name", "weight", "train", "refusal", "audio",
        "function_call", "tool_calls", "tool_call_id", "from", "value",
    }
)  # fmt: skip
"""Keys that a message can have, ShareGPT's among them."""
KNOWN_ROLES: Final = frozenset(
    {*ROLES, "tool", "function", "developer", "observation", "function_call"}
)


def check_conversations(column: str, cells: Sequence[Any], into: Collected) -> dict[str, int]:
    """Check a column of conversations.

    Args:
        column: its name.
        cells: one conversation per row: a list of messages, or a JSON text of one.
        into: takes what is found.

    Returns:
        What was counted: messages, messages that are trained on, tool calls.
    """
    counted = {"messages": 0, "messages_trained": 0, "tool_calls": 0}
    for row, cell in enumerate(cells):
        messages = listed(cell)
        if not messages:
            into.add("missing_messages_list", "error", row, f"'{column}' is no list of messages")
            continue
        _conversation(row, column, messages, into, counted)
    return {name: n for name, n in counted.items() if n}


def _conversation(
    row: int, column: str, messages: list[Any], into: Collected, counted: dict[str, int]
) -> None:
    roles: list[str] = []
    trained, called = 0, set[str]()
    for at, message in enumerate(messages):
        where = f"{column}[{at}]"
        if not isinstance(message, dict):
            into.add("data_type", "error", row, f"{where} is no object")
            continue
        role = _role(row, where, message, into)
        roles.append(role)
        calls = _calls(row, where, message, into)
        counted["tool_calls"] += len(calls)
        called |= {str(c["id"]) for c in calls if isinstance(c, dict) and "id" in c}
        answered = message.get("tool_call_id")
        if role == "tool" and answered is not None and str(answered) not in called:
            into.add(
                "tool_answer_without_call", "error", row, f"{where} answers no tool call before it"
            )
        trained += role == "assistant" and _trained(row, where, message, into)
    counted["messages"] += len(messages)
    counted["messages_trained"] += trained
    if "assistant" not in roles:
        into.add(
            "example_missing_assistant_message",
            "error",
            row,
            f"'{column}' has no assistant message",
        )
    elif not trained:
        into.add(
            "no_trained_message",
            "error",
            row,
            f"every assistant message of '{column}' has weight 0",
        )
    elif roles[-1] != "assistant":
        into.add(
            "last_message_not_assistant",
            "warning",
            row,
            f"'{column}' ends with a {roles[-1]} message",
        )
    spoken = [r for r in roles if r in ("user", "assistant")]
    twice = next((a for a, b in pairwise(spoken) if a == b), "")
    if twice and "tool" not in roles:
        into.add("roles_not_alternating", "warning", row, f"two {twice} messages in a row")
    if "system" in roles[1:]:
        into.add("system_not_first", "warning", row, "a system message stands behind others")


def _role(row: int, where: str, message: dict[str, Any], into: Collected) -> str:
    share = "from" in message or "value" in message
    role_key, content_key = ("from", "value") if share else ("role", "content")
    calls = message.get("tool_calls") or message.get("function_call")
    needed = (role_key,) if calls else (role_key, content_key)
    for key in needed:
        if key not in message:
            into.add("message_missing_key", "error", row, f"{where} has no '{key}'")
    for key in message:
        if key not in KEYS:
            into.add("message_unrecognized_key", "warning", row, f"{where} has the key '{key}'")
    given = message.get(role_key)
    role = given.lower() if isinstance(given, str) else ""
    if role_key in message and role not in KNOWN_ROLES:
        into.add("unrecognized_role", "error", row, f"{where} has the role {given!r:.40}")
    content = message.get(content_key)
    if content_key in message and not calls and not _has_text(content):
        into.add("missing_content", "error", row, f"{where}.{content_key} is empty, or is no text")
    return ROLES.get(role, role)


def _has_text(content: Any) -> bool:
    if isinstance(content, list):  # parts: text, images
        return bool(content) and all(isinstance(part, dict) for part in content)
    return isinstance(content, str) and bool(content.strip())


def _calls(row: int, where: str, message: dict[str, Any], into: Collected) -> list[Any]:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        into.add("data_type", "error", row, f"{where}.tool_calls is no list")
        return []
    called = [c.get("function") if isinstance(c, dict) else None for c in calls]
    if message.get("function_call"):
        called.append(message["function_call"])
    for function in called:
        arguments = function.get("arguments") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not function.get("name"):
            into.add("tool_call_without_name", "error", row, f"{where} calls a tool without a name")
        elif not isinstance(arguments, str) or not _is_object(arguments):
            into.add(
                "tool_arguments_not_json",
                "error",
                row,
                f"{where}: the arguments of '{function['name']}' are no JSON text of an object",
            )
    return [*calls, *([message["function_call"]] if message.get("function_call") else [])]


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _trained(row: int, where: str, message: dict[str, Any], into: Collected) -> bool:
    """Whether an assistant message is trained on: `weight` 0 or `train` false leave it out."""
    weight = message.get("weight")
    if weight is not None and weight not in (0, 1):
        into.add("weight_not_0_or_1", "error", row, f"{where}.weight is {weight!r:.20}")
    return weight != 0 and message.get("train") is not False
