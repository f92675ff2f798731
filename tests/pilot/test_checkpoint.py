"""A fine-tune that is broken off goes on after its last whole pass, and comes to the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from dataedge.pilot import fine_tune
from dataedge.pilot.checkpoint import FILE, Checkpoint, remove_all
from dataedge.pilot.fine_tune import Trained, fine_tuned
from tests.pilot.test_fine_tune import FAST, examples, model, said

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dataedge.models.local.model import LocalModel

__all__ = ["model"]

TRAIN, HELD, ASKED = examples(40, 0), examples(12, 1), examples(12, 2)


class PowerCutError(Exception):
    """Comes in the middle."""


def tuned(
    model: LocalModel, checkpoint: Checkpoint | None, done: Callable[[int], None]
) -> tuple[Trained, np.ndarray]:
    with fine_tuned(
        model, TRAIN, HELD, FAST, seconds=600, seed=3, done=done, checkpoint=checkpoint
    ) as trained:
        return trained, said(model, ASKED)


def break_off(model: LocalModel, checkpoint: Checkpoint, passes: int) -> None:
    """Begin a fine-tune, and cut the power after so many passes."""
    told: list[int] = []

    def done(n: int) -> None:
        told.append(n)
        if len(told) == passes:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        tuned(model, checkpoint, done)


@pytest.mark.parametrize("passes", range(1, FAST.epochs + 1))
def test_it_goes_on_after_the_last_whole_pass_and_ends_bit_for_bit_the_same(
    model: LocalModel, tmp_path: Path, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, expected = tuned(model, None, lambda _: None)
    kept = Checkpoint(tmp_path / "pilot", "a")
    break_off(model, kept, passes)
    told: list[int] = []
    steps, step = [], fine_tune._step
    monkeypatch.setattr(fine_tune, "_step", lambda *given: steps.append(step(*given)))
    found, answers = tuned(model, kept, told.append)
    assert np.array_equal(answers, expected)
    assert found.losses == whole.losses
    assert (found.epochs, found.best, found.tokens) == (whole.epochs, whole.best, whole.tokens)
    assert told == [1] * FAST.epochs, "passes from before are told as done"
    assert len(steps) == (FAST.epochs - passes) * 5, "no whole pass is run again"


def test_what_belongs_to_another_fine_tune_or_is_damaged_is_not_used(
    model: LocalModel, tmp_path: Path
) -> None:
    path = tmp_path / "pilot"
    break_off(model, Checkpoint(path, "another"), 2)
    _, expected = tuned(model, None, lambda _: None)
    _, found = tuned(model, Checkpoint(path, "this one"), lambda _: None)
    assert np.array_equal(found, expected)
    whole = path.read_bytes()
    for damaged in (
        b"",
        whole[: len(whole) // 2],
        b"\xff" * 100,
        whole.replace(b"epoch", b"hcope"),
    ):
        path.write_bytes(damaged)
        _, found = tuned(model, Checkpoint(path, "this one"), lambda _: None)
        assert np.array_equal(found, expected)


def test_where_nothing_can_be_kept_the_fine_tune_goes_on_without(
    model: LocalModel, tmp_path: Path
) -> None:
    nowhere = Checkpoint(tmp_path / "no" / "such" / "pilot", "a")
    trained, _ = tuned(model, nowhere, lambda _: None)
    assert trained.epochs == FAST.epochs
    assert not list(tmp_path.iterdir())


def test_a_result_that_was_stored_before_leaves_the_file_of_the_one_under_way(
    model: LocalModel, tmp_path: Path
) -> None:
    """A pilot's second fine-tune was broken off: its first one is found in the store when it goes on."""
    path = tmp_path / "pilot"
    break_off(model, Checkpoint(path, "second"), 2)
    Checkpoint(path, "first").remove()
    assert path.is_file()
    path.write_bytes(b"damaged")
    Checkpoint(path, "first").remove()
    assert not path.exists()


def test_what_was_broken_off_is_forgotten_with_the_audit(tmp_path: Path) -> None:
    for name in (FILE, f".{FILE}.123.tmp", "report.json"):
        (tmp_path / name).touch()
    remove_all(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_the_file_goes_with_the_result(model: LocalModel, tmp_path: Path) -> None:
    kept = Checkpoint(tmp_path / "pilot", "a")
    tuned(model, kept, lambda _: None)
    assert [path.name for path in tmp_path.iterdir()] == ["pilot"]
    kept.remove()
    kept.remove()
    assert not list(tmp_path.iterdir())
