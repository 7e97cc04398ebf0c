"""Memory that nobody uses any more, given back to the system."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

import pyarrow as pa


def give_back_memory() -> None:
    """
    Give back what Arrow's allocator and the C library keep for later. Between two steps of a job
    of which each needs much: else the second one's comes on top of the first one's.
    """
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library than glibc
            ctypes.CDLL(None).malloc_trim(0)
