"""Personal data in a row: e-mail addresses, phone numbers, card numbers. Values stay in the row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dataedge.measure.responses.check import Check, Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

_EMAIL = re.compile(
    r"(?<![\w.+%-])[a-z0-9][\w.+%-]{0,63}@(?P<domain>(?:[a-z0-9-]+\.)+[a-z]{2,24})(?![\w-])",
    re.IGNORECASE,
)
_RESERVED = re.compile(
    r"(?:^|\.)(?:example(?:\.(?:com|org|net))?|test|invalid|localhost)$", re.IGNORECASE
)
_PHONE = re.compile(
    r"""(?<![\w+.,/$€£-])(?:
        \+\d{1,3}[ .\-/]?(?:\(\d{1,4}\)[ .\-/]?)?\d{1,5}(?:[ .\-/]?\d{2,5}){1,5}   # +49 30 1234567
      | (?:1[ .-])?\([2-9]\d\d\)\s?\d{3}[ .-]?\d{4}                              # (212) 555-0182
      | (?:1-)?[2-9]\d\d-\d{3}-\d{4} | (?:1\.)?[2-9]\d\d\.\d{3}\.\d{4}           # 212-555-0182
    )(?![\w%-]|[.,]\d)""",
    re.VERBOSE,
)
_PHONE_SAID = re.compile(
    r"""\b(?:tel(?:ephone|efon|éfono)?|phone|mobile|cell|call(?:\ (?:me|us|him|her))?|fax|whatsapp|
        sms|handy|reach\ (?:me|us|him|her))\b(?:\ (?:number|no|nr|is|at|on|under))*[\s.:#]{0,3}
        (?P<number>\(?\d[\d ().\-/]{6,20}\d)(?![\w%])""",
    re.VERBOSE | re.IGNORECASE,
)
_CARD = re.compile(r"(?<![\w.+-])[2-6]\d{3}(?:[ -]?\d){8,15}(?![\w-]|\.\d)")


def check_personal(prompts: Sequence[str], responses: Sequence[str]) -> Check:
    """Rows whose prompt or response holds an address or number that points at a person."""
    found = []
    for i, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        kinds: dict[str, float] = {}
        for text, where in ((prompt, "prompt"), (response, "response")):
            for kind, score in _kinds(text).items():
                kinds[f"{kind} in the {where}"] = score
        if kinds:
            found.append(Finding(i, "personal_data", ", ".join(kinds), max(kinds.values())))
    return Check("personal_data", found, len(responses))


def redact(text: str) -> str:
    """The text with every address or number that `check_personal` finds put out of sight.

    Example:
        >>> redact("Write to jane@corp.de or call (212) 555-0182 about order 17.")
        'Write to [e-mail address] or call [phone number] about order 17.'
    """
    text = _EMAIL.sub("[e-mail address]", text)
    text = _CARD.sub(lambda m: "[card number]" if _is_card(m[0]) else m[0], text)
    text = _PHONE.sub(lambda m: "[phone number]" if 8 <= _digits(m[0]) <= 15 else m[0], text)
    return _PHONE_SAID.sub(
        lambda m: (
            m[0].replace(m["number"], "[phone number]") if 7 <= _digits(m["number"]) <= 15 else m[0]
        ),
        text,
    )


def luhn(digits: str) -> bool:
    """Whether a card number passes its checksum (ISO/IEC 7812-1, annex B).

    Example:
        >>> luhn("4111111111111111"), luhn("4111111111111112")
        (True, False)
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0


def _kinds(text: str) -> dict[str, float]:
    """Kinds of personal data in a text, with a score: .5 for domains reserved for examples."""
    out = {}
    if "@" in text:
        domains = [m["domain"] for m in _EMAIL.finditer(text)]
        if domains:
            real = any(not _RESERVED.search(d) for d in domains)
            out["e-mail address" if real else "e-mail address (reserved domain)"] = (
                1.0 if real else 0.5
            )
    if not re.search(r"\d{2}", text):
        return out
    if any(_is_card(m[0]) for m in _CARD.finditer(text)):
        out["card number"] = 1.0
    if any(8 <= _digits(m[0]) <= 15 for m in _PHONE.finditer(text)) or any(
        7 <= _digits(m["number"]) <= 15 for m in _PHONE_SAID.finditer(text)
    ):
        out["phone number"] = 0.9
    return out


def _is_card(text: str) -> bool:
    """Whether digits pass the checksum; round numbers are sums, not cards."""
    digits = re.sub(r"\D", "", text)
    return luhn(digits) and not digits.endswith("0000")


def _digits(text: str) -> int:
    return sum(c.isdigit() for c in text)
