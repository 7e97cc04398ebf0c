"""Which process holds a ticket or a lease, and whether it still lives."""

from __future__ import annotations

import hashlib
import os
import platform
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Owner:
    """
    A process: its host, pid, and the second in which it started (pids are used again, so a pid
    alone proves nothing).

    ``host`` also names the machine, because hosts of a team may have one name, and the pid namespace
    where there are such (Linux containers): a pid means nothing outside.
    """

    host: str
    pid: int
    pid_started_s: int


def this_process() -> Owner:
    """The calling process; right after a fork, too."""
    return _owner_of(os.getpid())


@lru_cache(maxsize=4)
def _owner_of(pid: int) -> Owner:
    return Owner(_host(), pid, _started_s(psutil.Process(pid)))


def _host() -> str:
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:  # not Linux
        namespace = ""
    return " ".join(filter(None, (platform.node() or "localhost", namespace, _machine())))


@lru_cache(maxsize=1)
def _machine() -> str:
    """A mark of this machine; empty where it has none. Its number itself is not for others' eyes."""
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            number = Path(path).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if number:
            return hashlib.sha256(f"sfnb {number}".encode()).hexdigest()[:12]
    return ""


def _started_s(process: psutil.Process) -> int:
    return int(process.create_time())


def is_alive(owner: Owner) -> bool | None:
    """
    Whether the owner still runs; None when it belongs to another host, so that nobody here can
    tell.
    """
    here = this_process()
    if owner == here:
        return True
    if owner.host != here.host:
        return None
    try:
        process = psutil.Process(owner.pid)
        # Linux reckons the start from the boot time, which a correction of the clock moves a
        # little.
        return (
            abs(_started_s(process) - owner.pid_started_s) <= 2
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
