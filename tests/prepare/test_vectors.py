"""Embedding: each text its own vector whatever shares its batch, and little is filled up."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dataedge.engine.local import Engine
from dataedge.prepare.vectors import Embed, embed
from dataedge.progress import Progress
from dataedge.store import Store

WORDS = ("a", "of", "hat", "warm", "winter", "incomprehensibilities", "x7-Q", "Ünïcödé", "wolle")


@pytest.fixture(scope="module")
def stage() -> Embed:
    found = Embed("embedded")
    found.setup()
    return found


def texts(n: int, longest: int = 30) -> list[str]:
    rng = random.Random(0)
    return [f"{i} " + " ".join(rng.choices(WORDS, k=rng.randint(1, longest))) for i in range(n)]


def embedded(stage: Embed, given: list[str], folder: Path) -> Any:
    with Store(folder) as store:
        return embed(Engine(store, Progress(quiet=True)), stage, given)


def test_vectors_are_those_of_encode_in_the_order_of_the_texts(
    stage: Embed, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    given = [*texts(300), "twice", "words " * 900, "", "twice"]
    found = embedded(stage, given, tmp_path / "o")
    wanted = stage._model.encode(given, normalize_embeddings=True, show_progress_bar=False)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1e-5
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert "longer than" not in capfd.readouterr().err
    assert np.array_equal(embedded(stage, given, tmp_path / "o"), found)


def test_texts_of_as_many_tokens_share_a_pass(
    stage: Embed, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = texts(256)
    shapes = []
    forward = stage._model.forward
    monkeypatch.setattr(
        stage._model,
        "forward",
        lambda features, **more: (
            shapes.append(
                (features["attention_mask"].numel(), int(features["attention_mask"].sum()))
            )
            or forward(features, **more)
        ),
    )

    def filled_up() -> float:
        asked, full = np.sum(shapes, axis=0)
        shapes.clear()
        return float(asked / full)

    stage(pa.record_batch({"unit": given, "text": given}))
    ours = filled_up()
    stage._model.encode(given, show_progress_bar=False)
    theirs = filled_up()
    assert ours - 1.0 < 0.8 * (theirs - 1.0), (ours, theirs)


def test_an_embedder_without_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding

    tokenizer = Embed("embedded")
    tokenizer.setup()
    static = StaticEmbedding(tokenizer._model.tokenizer.backend_tokenizer, embedding_dim=8)
    stage = Embed("embedded")
    monkeypatch.setattr(stage, "_model", SentenceTransformer(modules=[static], device="cpu"))
    given = texts(70)
    found = embedded(stage, given, tmp_path)
    assert np.abs(found - stage._model.encode(given, normalize_embeddings=True)).max() < 1e-5
