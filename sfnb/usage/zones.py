"""The viewer's time zone."""

from __future__ import annotations

import os
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sfnb.errors import CallerError


def zone_of(name: str | None, *, now: datetime) -> tzinfo:
    """
    The zone of that name (``Europe/Berlin``), or this machine's.

    Where the machine does not tell its zone's name (Windows), its present offset from UTC has to
    do.

    Raises:
        CallerError: there is no such zone.
    """
    if name:
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as err:
            raise CallerError(
                f"there is no time zone {name!r}; name one like Europe/Berlin or UTC."
            ) from err
    for guess in (os.environ.get("TZ", "").removeprefix(":"), _linked_name()):
        if guess:
            try:
                return ZoneInfo(guess)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                continue  # a TZ such as EST5EDT4 is no name; the next guess, or the offset
    return now.astimezone().tzinfo or ZoneInfo("UTC")


def _linked_name() -> str:
    """What ``/etc/localtime`` points to, below ``zoneinfo``."""
    try:
        target = str(Path("/etc/localtime").readlink())
    except OSError:
        return ""
    return target.partition("zoneinfo/")[2]
