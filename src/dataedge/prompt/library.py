"""Which probes there are: those that come with dataedge, and the user's own."""

from __future__ import annotations

from pathlib import Path

from dataedge.errors import AuditError
from dataedge.prompt.probe import ENDINGS, Probe, mistake, read_probe

SEARCHED = {
    "classify": "classify",
    "multilabel": "multilabel",
    "number": "number",
    "generate": "respond",
    "corpus": "surprisal",
}
"""Name of the probe that says how each task's prompts are searched."""
OF_THE_SEARCH = ("label_forms", "demonstrations", "calibration", "max_tokens", "items")
"""What the templates of an added probe share with those they join."""


def builtin_directory() -> Path:
    """Where the probes that come with dataedge are: in the wheel, or in the checkout."""
    inside = Path(__file__).parents[1] / "probes"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "probes"


def probe_files(where: str | Path) -> list[Path]:
    """A probe file, or the probe files of a directory in the order of their names.

    Raises:
        AuditError: there are none.
    """
    where = Path(where)
    if where.is_file():
        return [where]
    files = sorted(f for f in where.glob("*") if f.suffix in ENDINGS) if where.is_dir() else []
    if not files:
        raise AuditError(
            f"{where}: no probe files (*.yaml)", hint="Name a directory with probes: --probes DIR"
        )
    return files


def load_probes(extra: str | Path | None = None) -> dict[str, Probe]:
    """The built-in probes by name, with the user's own added or in their place.

    Raises:
        AuditError: with file and line of what is wrong in one of them.
    """
    found: dict[str, Probe] = {}
    for file in probe_files(builtin_directory()):
        probe = read_probe(file)[0]
        found[probe.name] = probe
    return found | _own(extra, found) if extra else found


def _own(extra: str | Path, builtin: dict[str, Probe]) -> dict[str, Probe]:
    own: dict[str, Probe] = {}
    files: dict[str, Path] = {}
    for file in probe_files(extra):
        probe, node = read_probe(file)
        if probe.name in own:
            said = f"{files[probe.name]} has a probe of this name as well"
            raise mistake(file, node, ("name",), said)
        if probe.name in builtin and builtin[probe.name].task != probe.task:
            said = f"the probe {probe.name} that it replaces has task {builtin[probe.name].task}"
            raise mistake(file, node, ("task",), said)
        if probe.name not in builtin:
            if probe.task not in SEARCHED:
                said = f"only a probe that replaces a built-in one can have task {probe.task}"
                raise mistake(file, node, ("task",), said)
            for key in OF_THE_SEARCH:
                if key in probe.model_fields_set:
                    name = SEARCHED[probe.task]
                    said = f"only the templates join those of {name}; to set this, replace {name}"
                    raise mistake(file, node, (key,), said)
        own[probe.name], files[probe.name] = probe, file
    return own


def searched_probe(task: str, probes: dict[str, Probe]) -> Probe:
    """The probe of a task's prompting search, templates of added probes among its own.

    Args:
        task: of `SEARCHED`.
        probes: by name, as loaded.

    Returns:
        The task's probe; a template from another probe is named <probe>.<template>.
    """
    main = probes[SEARCHED[task]]
    joined = [
        template.model_copy(update={"name": f"{probe.name}.{template.name}"})
        for name, probe in probes.items()
        if name not in SEARCHED.values() and probe.task == task
        for template in probe.templates
    ]
    return main.model_copy(update={"templates": (*main.templates, *joined)})
