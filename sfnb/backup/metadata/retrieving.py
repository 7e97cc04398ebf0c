"""One package: asked for, waited for, its zip on disk; or why it failed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO

from sfnb.backup.metadata.package import Member, package_of
from sfnb.errors import ObjectError, OrgUnavailable, TransientError
from sfnb.jobs.work import JobContext
from sfnb.org.client import OrgClient
from sfnb.org.metadata.api import (
    Component,
    RetrieveStatus,
    check_retrieve,
    start_retrieve,
)

FIRST_POLL_S, MOST_POLL_S = 2.0, 20.0
POLL_GROWTH = 1.5
LONGEST_S = 3600.0
"""A retrieve that takes longer is given up; its pieces may be quicker."""

TICK_S = 0.5


@dataclass
class Brought:
    """
    What a retrieve brought.

    Args:
        error: code and message, where it failed as a whole; then there is nothing else.
        archive: its zip, in a temporary file that ends when it is closed.
    """

    error: tuple[str, str] | None = None
    components: Sequence[Component] = ()
    messages: Sequence[tuple[str, str]] = ()
    archive: IO[bytes] | None = None


def retrieve(context: JobContext, members: Sequence[Member], tick: Callable[[], None]) -> Brought:
    """
    The components of one package.

    Cost: 1 API call to start, then polls that grow rarer: about 6 for a minute.

    Raises:
        QuotaSignal, StopSignal, OrgUnavailable: the job has to pause. A retrieve in flight
            is forgotten: its result can be fetched once only, and may be lost with this process.
    """
    try:
        return _once(context, package_of(members), tick)
    except OrgUnavailable:
        raise
    except TransientError as err:
        return Brought(("NO_ANSWER", str(err)))
    except ObjectError as err:  # its result may be gone, too: another retrieve is the answer
        return Brought((err.code or "REFUSED", str(err)))


def _once(context: JobContext, package: dict[str, list[str]], tick: Callable[[], None]) -> Brought:
    org, clock = context.client, context.clock
    retrieve_id = org.retrying(lambda: start_retrieve(org, package))
    wait_s, began_s = FIRST_POLL_S, clock.monotonic()
    while True:
        _wait(context, wait_s, tick)
        archive = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        try:
            status = org.retrying(partial(_poll, org, retrieve_id, archive))
        except BaseException:
            archive.close()
            raise
        if status.is_done and status.error is None:
            archive.seek(0)
            return Brought(None, status.components, status.messages, archive)
        archive.close()
        if status.is_done:
            return Brought(status.error)
        if clock.monotonic() - began_s > LONGEST_S:
            return Brought(("TIMEOUT", "the org has worked on it for an hour"))
        wait_s = min(wait_s * POLL_GROWTH, MOST_POLL_S)


def _wait(context: JobContext, seconds: float, tick: Callable[[], None]) -> None:
    until_s = context.clock.monotonic() + seconds
    while (left_s := until_s - context.clock.monotonic()) > 0:
        tick()
        context.clock.wait(min(TICK_S, left_s), context.stop)


def _poll(org: OrgClient, retrieve_id: str, archive: IO[bytes]) -> RetrieveStatus:
    archive.seek(0)
    archive.truncate()
    return check_retrieve(org, retrieve_id, archive)
