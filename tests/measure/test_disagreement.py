from __future__ import annotations

import numpy as np
import pytest

from dataedge.measure.disagreement import of_annotators, of_responses, of_twins


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3])
def test_twins_give_the_chance_that_two_draws_differ(rate: float) -> None:
    """400 inputs in two rows each, labels wrong at this rate: two of them differ with 2 r (1 − r)."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(60):
        inputs = [f"case {i}" for i in range(400)] * 2
        labels = [str(int(x)) for x in rng.random(800) < rate]
        found = of_twins(inputs, labels, [1] * 800)
        held += found.low <= 2 * rate * (1 - rate) <= found.high
    assert held >= 54


def test_other_numbers_and_words_are_other_inputs() -> None:
    inputs = [f"call me at {i}" for i in range(100)]
    labels = ["early" if i < 12 else "late" for i in range(100)]
    assert of_twins(inputs, labels, [1] * 100).value is None
    same = [f"{'CALL me,' if i % 2 else 'call  me'} at {i // 2}!" for i in range(100)]
    assert of_twins(same, ["early"] * 100, [1] * 100).value == 0.0
    copies = of_twins(inputs[:30] * 1, labels[:30], [3] * 30)
    assert (copies.value, copies.n) == (0.0, 30)


def test_annotators_of_one_item_are_compared_and_few_items_say_nothing() -> None:
    rows = [("a", "a", None), ("a", "b", None), ("a", None, None)] * 20
    found = of_annotators(rows)
    assert (found.value, found.n, found.status) == (0.5, 40, "ok")
    assert of_annotators(rows[:9]).status == "underpowered"
    assert of_annotators([("a",), ()]).status == "skipped"


def test_answers_to_one_prompt_are_compared_with_answers_to_others() -> None:
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(200)]
    answer = {i: list(rng.choice(words, 12, replace=False)) for i in range(60)}
    prompts = [f"question {i}" for i in range(60)] * 2
    firm = [" ".join(answer[i]) for i in range(60)]
    firm += [" ".join([*answer[i][:11], "so"]) for i in range(60)]
    loose = firm[:60] + [" ".join(rng.choice(words, 12, replace=False)) for _ in range(60)]
    assert of_responses(prompts, firm, seed=0).high < 0.4
    assert of_responses(prompts, loose, seed=0).low > 0.8
    assert of_responses(prompts[:60], firm[:60], seed=0).status == "skipped"
