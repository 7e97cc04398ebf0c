"""
How a process gives back memory that is free.

A backup's rows come and go on several threads. Allocators keep what each of them once had: a process
that holds 40 MB of rows may take 400 MB of a small machine.
"""

from __future__ import annotations

import os
import sys

ARENAS = 2
"""Heaps of the C library. It makes eight for each core otherwise, and keeps what is free in them."""

LARGE_BYTES = 1 << 17
"""
A block of this size is the machine's again once it is free. glibc begins with this size and raises
it with each larger block, up to 32 MB; what is set stays.
"""

_MALLOPT = {  # mallopt(3): the name in the environment, the number of the option, its value
    "MALLOC_ARENA_MAX": (-8, ARENAS),
    "MALLOC_MMAP_THRESHOLD_": (-3, LARGE_BYTES),
    "MALLOC_TRIM_THRESHOLD_": (-1, LARGE_BYTES),
}

_ARROW = "ARROW_DEFAULT_MEMORY_POOL"
"""
Arrow's own allocator, mimalloc, gives back only what the asking thread has freed, and four threads
read.
"""


def give_back_free_memory() -> None:
    """
    Have this process, and those that it starts, give back what is free. What the environment says
    already stays as it is.

    Call it before Arrow is imported and before threads are started. Where the C library is not glibc
    (macOS, Windows, Alpine), nothing happens.
    """
    if sys.platform != "linux":
        return
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    for name, (option, value) in _MALLOPT.items():
        if name not in os.environ:
            mallopt(option, value)
            os.environ[name] = str(value)
    os.environ.setdefault(_ARROW, "system")
