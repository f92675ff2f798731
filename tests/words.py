"""Words that small datasets of tests are made of."""

from __future__ import annotations

PLACES = [
    "Leeds",
    "York",
    "Hull",
    "Ripon",
    "Selby",
    "Skipton",
    "Thirsk",
    "Malton",
    "Whitby",
    "Filey",
]
THINGS = [
    "card",
    "loan",
    "fee",
    "account",
    "transfer",
    "cash",
    "cheque",
    "note",
    "branch",
    "teller",
]
