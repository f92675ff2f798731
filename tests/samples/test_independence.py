"""The tool is made for no sample."""

from __future__ import annotations

from tests.samples.audits import ROOT


def test_nothing_in_src_knows_the_samples() -> None:
    words = ("outfit", "workout", "inhouse", "tarnwick", "skerrow", "query_language")
    for path in (ROOT / "src").rglob("*.py"):
        text = path.read_text(encoding="utf-8").lower()
        docless = text.replace("data/outfits", "")
        for word in words:
            assert word not in docless, f"{path} mentions {word}"
