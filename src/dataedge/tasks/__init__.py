"""From a workspace to what was found: one file per task, and what is measured of every dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataedge.items import Task

if TYPE_CHECKING:
    from dataedge.config import AuditConfig
    from dataedge.figures import Figure
    from dataedge.prepare.prepared import PreparedData
    from dataedge.prompt.workspace import Workspace
    from dataedge.verdict.result import TaskResult


def find(
    workspace: Workspace, config: AuditConfig, data: PreparedData, tokens: Figure
) -> TaskResult:
    """What the audit finds of a dataset, by the file of its task.

    Args:
        workspace: the data, its sides and vectors, and the base model.
        config: thresholds.
        data: the prepared dataset.
        tokens: of the dataset, for the reasons.
    """
    if workspace.dataset.task is Task.CLASSIFY:
        from dataedge.tasks import classify

        return classify.find(workspace, config, tokens)
    if workspace.abilities.no_bits:
        from dataedge.tasks import exact_match

        return exact_match.find(workspace, config, data, tokens)
    from dataedge.tasks import generate

    return generate.find(workspace, config, data, tokens)
