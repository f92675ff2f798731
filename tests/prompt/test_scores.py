"""Answers are stored with whether their prompt was cut, by the model's own tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from dataedge.engine.local import Engine
from dataedge.models.lazy import LazyModel
from dataedge.progress import Progress
from dataedge.prompt.scores import (
    Choices,
    Generate,
    Likelihood,
    ask_choices,
    ask_likelihood,
    ask_text,
)
from dataedge.store import Store
from tests.models import tiny

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTEXT = 48
LONG = " ".join(tiny.TEXT)
PROMPTS = [LONG, "Where is my card?", LONG + LONG, "fee"]
CUT = [True, False, True, False]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Store(tmp_path) as store:
        yield Engine(store, Progress(quiet=True))


@pytest.fixture
def lazy_model() -> LazyModel:
    return LazyModel("tiny", "0", lambda _: tiny.model(context=CONTEXT))


def stored(engine: Engine, stage: str) -> list[bool | None]:
    return [c for (c,) in engine.store.con.sql(f"select cut from stage_{stage}").fetchall()]


def test_choices_likelihood_and_generate_store_it(engine: Engine, lazy_model: LazyModel) -> None:
    assert ask_choices(engine, Choices(lazy_model, tiny.LABELS), PROMPTS).cut == CUT
    assert ask_text(engine, Generate(lazy_model, 4), PROMPTS).cut == CUT
    answers = ask_likelihood(engine, Likelihood(lazy_model), PROMPTS, [" card"] * 4)
    assert [a.cut for a in answers if a] == CUT
    for stage in ("choices", "generate", "likelihood"):
        assert sorted(c for c in stored(engine, stage) if c is not None) == sorted(CUT)


def test_what_fits_is_not_cut(engine: Engine, lazy_model: LazyModel) -> None:
    fitting = [p for p, cut in zip(PROMPTS, CUT, strict=True) if not cut]
    assert ask_choices(engine, Choices(lazy_model, tiny.LABELS), fitting).cut == [False, False]
    assert ask_text(engine, Generate(lazy_model, 4), fitting).cut == [False, False]
    text = ask_likelihood(engine, Likelihood(lazy_model), ["", "fee"], [" " + LONG] * 2)
    assert [len(a.tokens) > CONTEXT for a in text if a] == [True, True], "read in windows"
    assert [a.cut for a in text if a] == [False, False]


def test_an_older_store_does_not_know(engine: Engine, lazy_model: LazyModel) -> None:
    stage = Choices(lazy_model, tiny.LABELS)
    before = ask_choices(engine, stage, PROMPTS)
    answers = ask_likelihood(engine, Likelihood(lazy_model), PROMPTS[:1], [" card"])
    said = ask_text(engine, Generate(lazy_model, 4), PROMPTS[:2])
    for table in ("choices", "likelihood", "generate"):
        engine.store.con.execute(f"alter table stage_{table} drop column cut")
    done = engine.records["choices"].done
    again = ask_choices(engine, stage, PROMPTS)
    np.testing.assert_array_equal(again.scores, before.scores)
    assert again.cut == [None] * 4
    assert engine.records["choices"].done == done, "nothing was asked"
    old = ask_likelihood(engine, Likelihood(lazy_model), PROMPTS[:1], [" card"])
    assert old[0] is not None
    assert answers[0] is not None
    assert (old[0].bits, old[0].cut) == (answers[0].bits, None)
    assert ask_text(engine, Generate(lazy_model, 4), PROMPTS[:2]) == (said.texts, [None, None])
    more = ask_choices(engine, stage, [*PROMPTS, LONG[1:]])
    assert more.cut == [None, None, None, None, True]


def test_a_prompt_that_failed_is_not_known_to_be_cut(engine: Engine, lazy_model: LazyModel) -> None:
    stage = Choices(lazy_model, tiny.LABELS)
    ask_choices(engine, stage, PROMPTS[:2])
    failed = pa.table({"unit": ["u"], "error": ["ValueError: bad"]})
    engine.store.put_rows("choices", "another key", failed)
    assert stored(engine, "choices").count(None) == 1
