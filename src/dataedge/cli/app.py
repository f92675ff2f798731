"""The command: parse, call, print, exit code. Nothing else prints."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dataedge.cli.options import (
    CONFIGURED,
    Debug,
    Details,
    Directory,
    Fresh,
    Json,
    Quiet,
    Source,
    configured,
)
from dataedge.cli.probes import app as probes_app
from dataedge.cli.process import TerminatedError, remember, run_command
from dataedge.cli.shown import print_audit, write_json
from dataedge.errors import AuditError, ExitCode
from dataedge.load import READING

app = typer.Typer(
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(probes_app, name="probes")


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Does this dataset give a real edge over a base model? Measured, with intervals."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"dataedge {installed('dataedge')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
@configured()
def audit(
    source: Source,
    json: Json = None,
    details: Details = False,
    fresh: Fresh = False,
    quiet: Quiet = False,
    debug: Debug = False,
    **options: Any,
) -> None:
    """Audit a dataset: verdict, ladder, measures, reasons, what to do next."""
    remember(debug)
    from dataedge.api import audit as run

    try:
        done = run(source, fresh=fresh, quiet=quiet, **options)
    except KeyboardInterrupt as error:
        ended = isinstance(error, TerminatedError)
        raise AuditError(
            f"{'ended by SIGTERM' if ended else 'interrupted'}; the model's answers so far are kept",
            hint="Go on with: `dataedge " + " ".join(sys.argv[1:]).replace(" --fresh", "") + "`",
            code=ExitCode.TERMINATED if ended else ExitCode.INTERRUPTED,
        ) from error
    print_audit(done, json, details=details)


@app.command()
@configured("delta", "delta_balanced", "delta_r2", "target", "count")
def plan(source: Source, debug: Debug = False, **options: Any) -> None:
    """What an audit would do: rows, tokens, forward passes, time. Asks nothing."""
    remember(debug)
    from dataedge.cli.plan import plan as make_plan

    for line in make_plan(source, options).lines():
        typer.echo(line)


@app.command()
@configured(*(set(CONFIGURED) - set(READING)))
def check(
    source: Source,
    max_tokens: Annotated[
        int | None,
        typer.Option("--max-tokens", metavar="N", min=1, help="How long a row may be [4096]."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
    debug: Debug = False,
    **options: Any,
) -> None:
    """What a fine-tune would trip over, with file and row: seconds, no model. Exit 1 if there is an error."""
    remember(debug)
    import json as json_

    from dataedge.check.run import check as run
    from dataedge.cli.check import lines

    checked = run(source, options, max_tokens)
    if json:
        typer.echo(json_.dumps(checked.as_json(), indent=2, ensure_ascii=False))
    else:
        for line in lines(checked):
            typer.echo(line)
    raise typer.Exit(int(checked.failed))


@app.command()
def report(
    directory: Directory,
    json: Json = None,
    html: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Write the page anew; - for stdout."),
    ] = None,
    png: Annotated[
        str | None, typer.Option("--png", metavar="DIR", help="Write every chart as a PNG file.")
    ] = None,
    svg: Annotated[
        str | None, typer.Option("--svg", metavar="DIR", help="Write every chart as an SVG file.")
    ] = None,
    details: Details = False,
    debug: Debug = False,
) -> None:
    """Print a finished audit again, or write its page or charts."""
    remember(debug)
    from dataedge.api import open as open_audit
    from dataedge.cli.render import write_images, write_page

    found = open_audit(directory)
    written = [
        *([write_page(found, html)] if html else []),
        *(write_images(found, "png", png) if png else []),
        *(write_images(found, "svg", svg) if svg else []),
    ]
    for line in written:
        typer.echo(line, nl=html != "-")
    if not written:
        print_audit(found, json, details=details)
    elif json:
        write_json(found, json)


@app.command()
def gate(
    directory: Directory,
    criteria: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CRITERION]...", help="Such as 'edge.low > 0.02'."),
    ] = None,
    junit: Annotated[
        str | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit file.")
    ] = None,
    github: Annotated[
        bool, typer.Option("--github", help="Append a table to GitHub's step summary.")
    ] = False,
    sarif: Annotated[
        str | None,
        typer.Option("--sarif", metavar="FILE", help="Write suspects by file and line (SARIF)."),
    ] = None,
    debug: Debug = False,
) -> None:
    """Hold an audit against criteria: exit 0 if all pass, 1 if one fails, 3 if one was not measured."""
    remember(debug)
    from dataedge.api import open as open_audit
    from dataedge.cli.gate import hold

    audit = open_audit(directory)
    raise typer.Exit(hold(audit, criteria or [], junit=junit, github=github, sarif=sarif))


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="AUDIT", help="Before, or the smaller model.")],
    second: Annotated[str, typer.Argument(metavar="AUDIT", help="After, or the larger model.")],
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout instead of tables.")] = False,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write it as a page; - for stdout.")
    ] = None,
    debug: Debug = False,
) -> None:
    """Two audits side by side: before and after cleaning, two datasets, two base models."""
    remember(debug)
    from dataedge.api import open as open_audit
    from dataedge.comparison.compare import compare as make_comparison

    found = make_comparison(open_audit(first), open_audit(second))
    if json:
        typer.echo(found.model_dump_json(indent=2))
        return
    if html:
        from dataedge.cli.render import write_comparison

        typer.echo(write_comparison(found, html))
        return
    from dataedge.comparison.terminal import show_comparison

    show_comparison(found, sys.stdout)


@app.command()
def export(
    directory: Directory,
    review: Annotated[
        str | None,
        typer.Option("--review", metavar="FORM", help="Suspects, as csv, label-studio or argilla."),
    ] = None,
    clean: Annotated[
        bool, typer.Option("--clean", help="A copy of the data without what is wrong in it.")
    ] = False,
    recipe: Annotated[
        str | None,
        typer.Option(
            "--recipe",
            metavar="FORM",
            help="A fine-tune with the audit's split, for trl, axolotl or llama-factory.",
        ),
    ] = None,
    evaluation: Annotated[
        str | None,
        typer.Option(
            "--eval",
            metavar="FORM",
            help="The held-out items as an evaluation suite, with the base model's figure as its bar, for "
            "lm-eval, inspect or promptfoo.",
        ),
    ] = None,
    without: Annotated[
        str | None,
        typer.Option(
            "--without",
            metavar="REASONS",
            help="What a clean copy leaves out: duplicates, suspects, defects, near-duplicates "
            "[duplicates,suspects,defects].",
        ),
    ] = None,
    decisions: Annotated[
        str | None,
        typer.Option(
            "--decisions",
            metavar="FILE",
            help="With --clean: the sheet of --review csv, `decision` filled in with keep, drop or the right "
            "label.",
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            metavar="PATH",
            help="Where to write [review.<form>, clean/, recipe/ or evaluation/].",
        ),
    ] = None,
    view: Annotated[
        str, typer.Option("--view", help="suspects, or another view of the audit.")
    ] = "suspects",
    debug: Debug = False,
) -> None:
    """Write suspects to decide on, a cleaned copy of the data, a fine-tune's settings, or an evaluation."""
    remember(debug)
    from dataedge.api import open as open_audit
    from dataedge.cli.export import write_clean, write_review
    from dataedge.export.evaluation import write_evaluation
    from dataedge.export.recipe import write_recipe

    if (bool(review) + clean + bool(recipe) + bool(evaluation)) != 1:
        raise AuditError(
            "one thing is exported at a time",
            hint="Use --review FORM for suspects to decide on, --clean for a copy without them, "
            "--recipe FORM for a fine-tune, or --eval FORM for an evaluation suite",
        )
    if decisions and not clean:
        raise AuditError("--decisions: is what a cleaned copy goes by", hint="Give --clean as well")
    found = open_audit(directory)
    if review:
        typer.echo(write_review(found, review, view, out), nl=out != "-")
    elif clean:
        typer.echo(write_clean(found, without, out, decisions))
    elif recipe:
        typer.echo(write_recipe(found, recipe, Path(out or "recipe")))
    else:
        typer.echo(write_evaluation(found, str(evaluation), Path(out or "evaluation")))


@app.command()
def items(
    directory: Directory,
    view: Annotated[
        str,
        typer.Option(
            "--view", help="suspects, disputed, responses, edge, known, hard, overwritten, leaked."
        ),
    ] = "suspects",
    worst: Annotated[int, typer.Option("--worst", metavar="N", min=1, help="How many.")] = 20,
    csv: Annotated[bool, typer.Option("--csv", help="CSV with all columns.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON lines with all columns.")] = False,
    debug: Debug = False,
) -> None:
    """Print the items of a view, most telling first: a table on a terminal, CSV into a pipe or file."""
    remember(debug)
    from dataedge.api import open as open_audit

    if csv and jsonl:
        raise AuditError(
            "--csv and --jsonl: only one of them at a time", hint="Leave out --csv or --jsonl"
        )
    chosen = open_audit(directory).view(view, worst)
    if not chosen.rows and not sys.stdout.isatty():
        typer.echo(f"{directory}: no item in the view {view}", err=True)
    if jsonl:
        typer.echo(chosen.jsonl(), nl=False)
    elif csv or not sys.stdout.isatty():
        typer.echo(chosen.csv(), nl=False)
    else:
        from dataedge.report.item_view import show_items

        show_items(chosen, sys.stdout)


@app.command()
def measures(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As a table in Markdown: docs/measures.md.")
    ] = False,
) -> None:
    """List the measures: name, unit, tasks, what each one says and needs."""
    from dataedge.measure import registry

    typer.echo(registry.page() if markdown else "\n".join(registry.lines()), nl=not markdown)


@app.command()
def schema() -> None:
    """Print the JSON Schema of report.json."""
    import json as json_

    from dataedge.report.model import Report

    typer.echo(json_.dumps(Report.model_json_schema(), indent=2))


def main() -> None:
    """Run the command."""
    run_command(app)
