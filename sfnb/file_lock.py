"""One process at a time: a lock on a file, given back by the operating system if its holder dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sfnb.clock import Clock, SystemClock
from sfnb.errors import JobError
from sfnb.private import private_file, private_folder

LOOK_S = 0.02

if os.name == "nt":
    import msvcrt

    def _try_lock(number: int) -> None:
        msvcrt.locking(number, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
else:
    import fcntl

    def _try_lock(number: int) -> None:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def file_lock(path: Path, *, patience_s: float, clock: Clock | None = None) -> Iterator[None]:
    """
    Hold the lock; other processes and threads wait for it.

    The file stays: removing it would let two processes hold two locks of one name.

    Args:
        patience_s: how long to wait for the holder.

    Raises:
        JobError: the holder did not give it back in time.
        OSError: the file cannot be created.
    """
    clock = clock or SystemClock()
    private_folder(path.parent)
    with private_file(path).open("r+b") as file:
        deadline = clock.monotonic() + patience_s
        while True:
            try:
                _try_lock(file.fileno())
                break
            except OSError as err:
                if clock.monotonic() >= deadline:
                    raise JobError(
                        f"another process has held {path} for over {patience_s:g} seconds; "
                        "try again, or look for one that hangs."
                    ) from err
            clock.wait(LOOK_S)
        # Closing the file gives the lock back, on both kinds of system.
        yield
