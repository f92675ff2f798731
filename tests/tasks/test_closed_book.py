"""Which items are asked to be said, and when none are; with a base model that is a table."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from dataedge.engine.local import Engine
from dataedge.errors import AuditError
from dataedge.figures import Figure
from dataedge.items import Dataset, Item, Task
from dataedge.models.endpoint.model import EndpointModel
from dataedge.models.lazy import LazyModel, ModelAbilities
from dataedge.prepare.splits import split
from dataedge.progress import Progress
from dataedge.prompt.library import load_probes
from dataedge.prompt.templates import Strategy
from dataedge.prompt.workspace import Workspace
from dataedge.store import Store
from dataedge.tasks.closed_book import NAMES, closed_book
from dataedge.tasks.generate import warned
from dataedge.verdict.decision import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

N = 200
PROBES = load_probes()


class Table:
    """Says the answer of even questions; its tokens are words."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.options: list[dict[str, Any]] = []

    def generate(self, prompts: Any, max_tokens: int, **options: Any) -> list[str]:
        self.prompts += prompts
        self.options += [{"max_tokens": max_tokens, **options}] * len(prompts)
        numbers = [int(p.rsplit("number ", 1)[1].split()[0]) for p in prompts]
        return [f" it is {i}" if i % 2 == 0 else " who knows" for i in numbers]

    def cut(self, prompts: Any, behind: Any) -> list[bool | None]:
        return [False] * len(prompts)

    def tokenize(self, texts: Any) -> list[np.ndarray]:
        return [np.arange(len(t.split())) for t in texts]


def made(target: Any) -> Dataset:
    items = tuple(Item((f"number {i}",), target(i), i + 1) for i in range(N))
    return Dataset("d", Task.GENERATE, items, N, {"prompt": "p", "response": "r"})


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Any]:
    model = Table()
    opener: Any = lambda _: model  # noqa: E731
    lazy_model = LazyModel("table", "1", opener)
    lazy_model.proven = abilities = ModelAbilities(True, True, True, False, 512, ())
    vectors = np.ones((N, 2), np.float32)
    with Store(tmp_path / "s") as store:
        engine = Engine(store, Progress(quiet=True))

        def make(target: Any, **facts_: Any) -> tuple[Workspace, Table]:
            data = made(target)
            sides = split(data, np.arange(N), probe_items=160, seed=0)
            given = replace(abilities, **facts_)
            own = (PROBES["respond"], data, sides, np.arange(N), vectors, (vectors,), 0, PROBES)
            return Workspace(engine, lazy_model, given, *own), model

        yield make


ZERO = Strategy(PROBES["respond"].templates[0])
FOUR = replace(ZERO, shots="random", k=4)
RUNGS = {"zero_shot": ZERO, "without_data": FOUR}


def test_what_is_said_on_a_sample_of_evaluation_items(workspace: Any) -> None:
    s, model = workspace(lambda i: f"It is {i}.")
    found = closed_book(s, RUNGS).figures
    assert tuple(found) == NAMES
    assert (found["exact_match"].n, found["knowledge"].n) == (48, 32)
    assert found["exact_match_zero_shot"].detail["strategy"] == ZERO.name
    assert found["exact_match"].detail["strategy"] == FOUR.name
    known = found["knowledge"].detail
    assert known["HighlyKnown"] + known["Unknown"] == 32
    asked = {int(p.rsplit("number ", 1)[1].split()[0]) for p in model.prompts}
    assert asked <= set(s.evaluation.tolist())
    assert {o["stop"] for o in model.options} == {("\n",)}
    assert {o["max_tokens"] for o in model.options} == {3 + 2}
    contexts = {p.rsplit("Question", 1)[0] for p in model.prompts if p.count("Question") == 5}
    assert len(contexts) == 4  # three of its own beside the ladder's


def test_answers_that_are_too_long_are_left_out(workspace: Any) -> None:
    s, model = workspace(lambda i: f"It is {i}." if i % 3 else "word " * 40)
    closed_book(s, {"zero_shot": ZERO, "without_data": ZERO})
    asked = {int(p.rsplit("number ", 1)[1].split()[0]) for p in model.prompts}
    assert all(i % 3 for i in asked)
    s, model = workspace(lambda i: f"It is\n{i}.")
    closed_book(s, {"zero_shot": ZERO, "without_data": ZERO})
    assert model.options[-1]["stop"] == ("\n\n",)


def test_every_prompting_rung_has_its_exact_match_and_every_item_its_category(
    workspace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, _ = workspace(lambda i: f"It is {i}.")
    near = replace(ZERO, shots="retrieved", k=4)
    found = closed_book(s, {**RUNGS, "few_shot": FOUR, "retrieved": near, "learned": ZERO})
    assert set(found.rungs) == {"zero_shot", "few_shot", "without_data", "retrieved"}
    assert found.rungs["few_shot"] == found.rungs["without_data"] == found.figures["exact_match"]
    beside = found.beside({"retrieved": Figure(1.0), "learned": Figure(1.0)})
    assert beside["retrieved"].detail["exact_match"]["value"] == found.rungs["retrieved"].value
    assert beside["learned"] == Figure(1.0)
    column = found.column(N)
    assert sum(c is not None for c in column) == 32
    for i, category in enumerate(column):
        assert category in (None, "Unknown" if i % 2 else "HighlyKnown")
    monkeypatch.setattr("dataedge.tasks.closed_book.RETRIEVED_TOKENS", 50)
    assert "too long" in closed_book(s, {**RUNGS, "retrieved": near}).rungs["retrieved"].reason


def test_an_answer_on_a_line_of_its_own_is_heard(workspace: Any) -> None:
    """What a template puts before the response is part of the prompt, or the stop ends it at once."""
    s, model = workspace(lambda i: f"It is {i}.")
    below = replace(ZERO, template=ZERO.template.model_copy(update={"answer": "\n{response}"}))
    found = closed_book(s, {"zero_shot": below, "without_data": below})
    assert all(p.endswith("Answer:\n") for p in model.prompts)
    assert (
        found.figures["exact_match"].value == closed_book(s, RUNGS).figures["exact_match"].value > 0
    )


def test_the_warning_goes_with_the_advice_to_fine_tune() -> None:
    unknown = Figure(0.9, 0.8, 1.0, 40, "share", reason="90% are Unknown")
    tune = Verdict("edge", None, "fine_tune", ("edge.",))
    assert warned(tune, unknown).why == ("edge.", "Take care: 90% are Unknown.")
    assert warned(tune, Figure.missing("responses are long")) == tune
    assert warned(tune, Figure(0.1)) == warned(tune, None) == tune
    stop = replace(tune, advice="stop")
    assert warned(stop, unknown) == stop


def test_nothing_is_asked_where_responses_are_long(workspace: Any) -> None:
    s, model = workspace(lambda i: "word " * 30)
    found = closed_book(s, RUNGS).figures
    assert {f.status for f in found.values()} == {"skipped"}
    assert all("long" in f.reason for f in found.values())
    assert not model.prompts


def test_a_server_is_asked_for_no_draws(workspace: Any) -> None:
    s, model = workspace(lambda i: f"It is {i}.", remote=True)
    found = closed_book(s, RUNGS).figures
    assert found["exact_match"].status == "ok"
    assert found["knowledge"].status == "skipped"
    assert "server" in found["knowledge"].reason
    assert len(model.prompts) == 2 * 48
    server: Any = object.__new__(EndpointModel)
    server.id = "openai/x"
    with pytest.raises(AuditError, match="none is drawn"):
        server.generate(["a"], 4, temperature=0.5)
