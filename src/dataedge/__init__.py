"""dataedge: does a dataset give a real edge over a base model?

Example:
    >>> import dataedge
    >>> audit = dataedge.audit("data/outfits")            # doctest: +SKIP
    >>> audit.verdict.label, audit.verdict.advice         # doctest: +SKIP
    ('edge', 'fine_tune')
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataedge.api import Audit, audit, open  # noqa: A004
    from dataedge.comparison.compare import compare
    from dataedge.errors import AuditError
    from dataedge.export.clean import clean
    from dataedge.report.model import Report
    from dataedge.report.model import VerdictModel as Verdict

__all__ = ["Audit", "AuditError", "Report", "Verdict", "audit", "clean", "compare", "open"]

# Threads that wait for each other spin by default; on a machine that does anything else besides,
# small passes then take ten times as long. OpenMP reads this when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_HOME = {
    "Audit": ("dataedge.api", "Audit"),
    "audit": ("dataedge.api", "audit"),
    "clean": ("dataedge.export.clean", "clean"),
    "compare": ("dataedge.comparison.compare", "compare"),
    "open": ("dataedge.api", "open"),
    "AuditError": ("dataedge.errors", "AuditError"),
    "Report": ("dataedge.report.model", "Report"),
    "Verdict": ("dataedge.report.model", "VerdictModel"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that `dataedge --help` stays quick."""
    if name not in _HOME:
        raise AttributeError(f"module 'dataedge' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOME[name]
    return getattr(import_module(module), attribute)
