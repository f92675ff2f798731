"""Nothing that a dataset can hold ends in a traceback: it is read, or refused with a sentence and a hint."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.load import malformed

BATCH = 50


@pytest.mark.parametrize("start", range(0, 300, BATCH))
def test_malformed_inputs_are_read_or_refused(start: int, tmp_path: Path) -> None:
    """`benchmarks/malformed.py` goes through 10,000 others, with limits of memory and time."""
    kinds: Counter[str] = Counter()
    for number in range(start, start + BATCH):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = malformed.make(folder, number)
        kind, said = malformed.outcome(path)
        kinds[kind] += 1
        assert kind != "crash", f"input {number} ({path.name!r}): {said}"
    assert min(kinds["read"], kinds["refused"]) > BATCH / 5, kinds
    assert not Path("/tmp/was_run").exists()
