"""`dataedge probes`: list what is asked of the base model, check files of one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from dataedge.errors import AuditError

app = typer.Typer(invoke_without_command=True)


@app.callback()
def probes(context: typer.Context) -> None:
    """What is asked of the base model."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("ls")
def ls(
    extra: Annotated[
        str | None, typer.Option("--probes", metavar="DIR", help="Your own, added.")
    ] = None,
) -> None:
    """List the probes."""
    from dataedge.prompt.library import load_probes

    for probe in load_probes(extra).values():
        names = ", ".join(t.name for t in probe.templates)
        typer.echo(
            f"{probe.name} v{probe.version}  {probe.task}, {probe.scoring}  templates {names}"
        )
        typer.echo(f"  {probe.summary}")


@app.command("check")
def check(
    where: Annotated[str, typer.Argument(metavar="FILE|DIR", help="A probe file, or several.")],
) -> None:
    """Check a probe file, or all of a directory; messages name the line."""
    from dataedge.prompt.library import load_probes, probe_files
    from dataedge.prompt.probe import load_probe

    wrong: list[AuditError] = []
    for file in probe_files(where):
        try:
            probe = load_probe(file)
        except AuditError as error:
            wrong.append(error)
        else:
            typer.echo(f"{file}: fine ({probe.name}, {len(probe.templates)} templates)")
    if wrong:
        raise AuditError("\n".join(error.message for error in wrong), hint=wrong[0].hint)
    load_probes(where)  # and beside the built-in ones
