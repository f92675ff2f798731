"""A public classification set as a workspace: drawn train rows, and held-out items in two parts."""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

import classification_sets as sets
from dataedge.config import make_config
from dataedge.engine.local import Engine
from dataedge.items import Dataset, Item, Task
from dataedge.models.proven import lazy_base_model
from dataedge.prepare.splits import Splits
from dataedge.prepare.vectors import Embed, embed
from dataedge.progress import Progress
from dataedge.prompt.library import load_probes, searched_probe
from dataedge.prompt.workspace import Workspace

if TYPE_CHECKING:
    from dataedge.models.lazy import LazyModel, ModelAbilities
    from dataedge.store import Store


def workspace(
    store: Store, name: str, rows: int, seed: int, held_out: int, *, draw: int = 0
) -> Workspace:
    """The set, ready to be asked about.

    Args:
        store: keeps answers.
        name: of the set.
        rows: train rows, or all that are not held out where they are fewer.
        seed: of the train rows, and of which quarter of the held-out items is for development.
        held_out: items, the same whatever the seed.
        draw: of classes and of the order of items.
    """
    read = sets.load(name, draw)
    pairs = list(zip(read.texts, read.labels, strict=True))
    held, rest = pairs[:held_out], pairs[held_out:]
    train = random.Random(seed).sample(rest, min(rows, len(rest)))
    items = tuple(Item((text,), label, i + 1) for i, (text, label) in enumerate(train + held))
    order = np.random.default_rng(seed).permutation(held_out) + len(train)
    splits = Splits(
        np.arange(len(train)),
        np.sort(order[: held_out // 4]),
        np.sort(order[held_out // 4 :]),
        np.zeros(0, np.int64),
        "made",
    )
    columns: dict[str, Any] = {"text": "text", "label": read.column}
    dataset = Dataset(name, Task.CLASSIFY, items, len(items), columns)
    config, _ = make_config({}, None)
    model, abilities = base_model()
    engine = Engine(store, Progress(quiet=True))
    vectors = embed(engine, Embed(config.embedder), [i.text for i in items])
    probes = load_probes()
    return Workspace(
        engine,
        model,
        abilities,
        searched_probe("classify", probes),
        dataset,
        splits,
        np.arange(len(items)),
        vectors,
        (vectors,),
        seed,
        probes,
    )


@cache
def base_model() -> tuple[LazyModel, ModelAbilities]:
    """The embedded model, opened once."""
    model = lazy_base_model(make_config({}, None)[0])
    return model, model.abilities()
