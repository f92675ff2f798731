"""What is remembered of a model's abilities: whole proofs, and nothing that an earlier version left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dataedge.api import read
from dataedge.config import make_config
from dataedge.models import abilities_key
from dataedge.models.proven import lazy_base_model, prove
from dataedge.store import Store

if TYPE_CHECKING:
    from pathlib import Path


def test_a_proof_that_tells_less_is_made_anew(
    tiny_model: str, small_dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a"
    config, _ = make_config({"out": str(out), "model": tiny_model}, small_dataset)
    dataset, name = read(small_dataset, config), abilities_key(config)
    with Store(out) as store:
        first = lazy_base_model(config, out)
        found = prove(store, first, config, dataset)
        assert found.own_context > 0
        second = lazy_base_model(config, out)
        assert prove(store, second, config, dataset) == found
        assert second.opened is None, "remembered"
        earlier = {k: v for k, v in store.get_note(name).items() if k != "own_context"}
        store.put_note(name, earlier)
        third = lazy_base_model(config, out)
        assert prove(store, third, config, dataset) == found
        assert third.opened is not None
        store.put_note(name, {**earlier, "own_context": 1, "of_another_version": True})
        assert prove(store, lazy_base_model(config, out), config, dataset) == found
