from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 - the library whose threads are counted
from threadpoolctl import threadpool_info

from dataedge.engine.threads import SMALL, one_thread, one_thread_where_small


def threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize("items", [1, SMALL])
def test_small_problems_are_solved_by_one_thread_and_no_others(items: int) -> None:
    before = threads()
    with one_thread_where_small(items):
        assert threads() == {1}
        np.linalg.svd(np.eye(3))
    assert threads() == before


def test_many_items_keep_all_threads() -> None:
    before = threads()
    with one_thread_where_small(SMALL + 1):
        assert threads() == before


def test_what_stays_small_has_one_thread_within_many_and_within_one() -> None:
    before = threads()
    with one_thread_where_small(SMALL + 1):
        with one_thread():
            assert threads() == {1}
        assert threads() == before
    with one_thread_where_small(1):
        with one_thread():
            assert threads() == {1}
        assert threads() == {1}
    assert threads() == before
