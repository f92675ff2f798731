"""Writes the pages that are made from code: docs/cli.md, docs/report.md, docs/measures.md.

python docs/make_reference.py          # writes them
python docs/make_reference.py --check  # exit 1 where one is not as it would be written
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

from dataedge.cli.app import app
from dataedge.measure import registry
from dataedge.report.model import Report

DOCS = Path(__file__).parent
NOT_SHOWN = ("--help",)
KINDS = {"str": "TEXT", "int": "N", "float": "X"}


def cli_page() -> str:
    """Every command with its arguments and options."""
    root = typer.main.get_command(app)
    lines = [
        "# Commands",
        "",
        "Made from the code by `python docs/make_reference.py`. Options of `audit` and `plan` can stand in",
        "`dataedge.toml` beside the data, with `_` for `-`, or in the environment as `DATAEDGE_` and their name.",
    ]
    for name, command in _commands("dataedge", root):
        lines += ["", f"## {name}", "", (command.help or "").strip(), ""]
        rows = [row for p in command.params if (row := _parameter(p))]
        if rows:
            lines += ["| | |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


def _commands(prefix: str, command: Any) -> list[tuple[str, Any]]:
    inside = getattr(command, "commands", None)
    if not inside:
        return [(prefix, command)]
    return [found for name, c in inside.items() for found in _commands(f"{prefix} {name}", c)]


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"| `{parameter.metavar or parameter.name.upper()}` | {_cell(parameter.help)} |"
    if parameter.opts[0] in NOT_SHOWN or parameter.hidden:
        return ""
    named = ", ".join(parameter.opts)
    if not parameter.is_flag:
        kind = parameter.type_descriptor.annotation.__name__
        named += f" {parameter.metavar or KINDS.get(kind, kind.upper())}"
    return f"| `{named}` | {_cell(parameter.help)} |"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")


def report_page() -> str:
    """Every field of report.json."""
    schema = Report.model_json_schema()
    lines = [
        "# report.json",
        "",
        "Made from the code by `python docs/make_reference.py`; `dataedge schema` prints the JSON Schema. A field",
        "that was not measured is null, and says why in `status` and `reason`. Intervals are of 95 %.",
    ]
    for name, part in {"Report": schema, **schema["$defs"]}.items():
        lines += ["", f"## {name.removesuffix('Model')}", "", _cell(part.get("description")), ""]
        lines += ["| field | type | |", "|---|---|---|"]
        lines += [
            f"| `{field}` | {_type(spec)} | {_cell(spec.get('description'))} |"
            for field, spec in part.get("properties", {}).items()
        ]
    return "\n".join(lines) + "\n"


def _type(spec: dict[str, Any]) -> str:
    if "$ref" in spec:
        name = spec["$ref"].rpartition("/")[2].removesuffix("Model")
        return f"[{name}](#{name.lower()})"
    if "anyOf" in spec:
        return " or ".join(_type(s) for s in spec["anyOf"])
    if "enum" in spec:
        return ", ".join(f"`{v}`" for v in spec["enum"])
    if "const" in spec:
        return f"`{spec['const']}`"
    if spec.get("type") == "array":
        return f"list of {_type(spec.get('items', {}))}"
    if spec.get("type") == "object" and isinstance(spec.get("additionalProperties"), dict):
        return f"name → {_type(spec['additionalProperties'])}"
    return str(spec.get("type", "any"))


PAGES = {"cli.md": cli_page, "report.md": report_page, "measures.md": registry.page}


def main() -> None:
    """Write the pages, or check them."""
    stale = []
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        sys.exit(f"not as the code has it: {', '.join(stale)}; run python docs/make_reference.py")


if __name__ == "__main__":
    main()
