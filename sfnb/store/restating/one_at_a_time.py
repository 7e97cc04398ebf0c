"""One prune or erasure of an org's store at a time, also in an object store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sfnb.clock import Clock
from sfnb.errors import CallerError
from sfnb.store.compaction.compact import alone
from sfnb.store.files import Files

LOCK = ".restating.lock"
"""In an object store; on a disk the operating system locks, see ``alone``."""

LOST = timedelta(hours=6)
"""So long a lock counts whose holder nobody here can look for: it is another host's."""

BUSY = "another process compacts, prunes or erases in this org's store now."


@contextmanager
def restating(files: Files, clock: Clock) -> Iterator[None]:
    """
    Be the only one that rewrites this store.

    Args:
        files: the org's folder.

    Cost: in an object store three requests.

    Raises:
        CallerError: another process does so now.
    """
    if files.local is not None:
        with alone(files, clock) as is_alone:
            if not is_alone:
                raise CallerError(f"{BUSY} Wait for it, then run this again.")
            yield
        return
    _take(files, clock)
    try:
        yield
    finally:
        files.delete(LOCK)


def _take(files: Files, clock: Clock) -> None:
    from sfnb.state.owner import this_process

    me = this_process()
    mine = {
        "host": me.host,
        "pid": me.pid,
        "pid_started_s": me.pid_started_s,
        "at": clock.now().isoformat(),
    }
    for _ in range(2):
        if files.put_new(LOCK, json.dumps(mine).encode()):
            return
        held = files.read(LOCK)
        if held is not None and _is_held(json.loads(held), clock):
            break
        files.delete(LOCK)
    raise CallerError(f"{BUSY} Wait for it, then run this again.")


def _is_held(lock: dict[str, object], clock: Clock) -> bool:
    """Whether its holder may still be at work."""
    from sfnb.state.owner import Owner, is_alive

    owner = Owner(str(lock["host"]), int(str(lock["pid"])), int(str(lock["pid_started_s"])))
    alive = is_alive(owner)
    if alive is None:
        return clock.now() - datetime.fromisoformat(str(lock["at"])) < LOST
    return alive
