"""How many threads linear algebra takes.

An audit of a few thousand items solves thousands of small problems. A BLAS that shares each of them
between threads spends most of its time, and more of the processor's, in waiting for these. With one thread
the sums of numpy and scipy also come out the same whatever the machine has. The base model, the embedder
and the search for neighbours have threads of their own and keep them. With more items some products are large
enough to be shared, and only what stays small has one thread (`one_thread`).
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

SMALL = 20_000
"""Items up to which one thread is faster, or as fast."""


_one = ContextVar("one thread is in force already", default=False)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of linear algebra in numpy and scipy, for what is small whatever the dataset's size.

    Where other processes are at work too, threads that share an eigendecomposition wait for each other, and
    it takes many times as long as on one.
    """
    if _one.get():
        yield
        return
    from threadpoolctl import threadpool_limits

    token = _one.set(True)
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield
    finally:
        _one.reset(token)


def one_thread_where_small(items: int) -> AbstractContextManager[None]:
    """One thread of linear algebra in numpy and scipy as long as the context is open.

    Args:
        items: of the dataset; for more than `SMALL` nothing is changed.
    """
    return nullcontext() if items > SMALL else one_thread()
