"""From a workspace to what was found: one file per task, and what is measured of every dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataedge.items import Task

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.figures import Figure
    from dataedge.prompt.workspace import Workspace
    from dataedge.verdict.result import TaskResult


def find(workspace: Workspace, config: AuditConfig, tokens: Figure) -> TaskResult:
    """What the audit finds of a dataset, by the file of its task; arguments as there."""
    from dataedge.tasks import classify, exact_match, generate

    if workspace.dataset.task is Task.CLASSIFY:
        return classify.find(workspace, config, tokens)
    if workspace.dataset.task is Task.MULTILABEL:
        from dataedge.tasks import multilabel

        return multilabel.find(workspace, config, tokens)
    if workspace.dataset.task is Task.NUMBER:
        from dataedge.tasks import number

        return number.find(workspace, config, tokens)
    if workspace.abilities.no_bits:
        return exact_match.find(workspace, config, tokens)
    return generate.find(workspace, config, tokens)
