"""How many threads linear algebra takes.

An audit of a few thousand items solves thousands of small problems. A BLAS that shares each of them
between threads spends most of its time, and more of the processor's, in waiting for these. With one thread
the sums of numpy and scipy also come out the same whatever the machine has. The base model, the embedder
and the search for neighbours have threads of their own and keep them.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

SMALL = 20_000
"""Items up to which one thread is faster, or as fast."""


def one_thread_where_small(items: int) -> AbstractContextManager[object]:
    """One thread of linear algebra in numpy and scipy as long as the context is open.

    Args:
        items: of the dataset; for more than `SMALL` nothing is changed.
    """
    if items > SMALL:
        return nullcontext()
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits
