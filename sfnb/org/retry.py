"""Trying again. It stands outside the gate, so each try is counted."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from sfnb.clock import Clock
from sfnb.errors import OrgUnavailable, QuotaSignal, StopSignal, TransientError

T = TypeVar("T")

MAX_TRIES = 6
FIRST_WAIT_S = 1.0
MAX_WAIT_S = 60.0


class GaugeUnreadable(TransientError):
    """
    The quota could not be read just now. If that lasts, the job pauses: it never calls blindly
    (P1).
    """

    api = "api"


class TriesSpent(TransientError):
    """All tries failed. A ``retry`` further out does not repeat it."""


class StillUnavailable(TriesSpent, OrgUnavailable):
    """All tries met an org that is away; the last one did for certain."""


def wait_before(attempt: int, *, jitter: float, retry_after_s: float | None = None) -> float:
    """
    Seconds to wait after this failed try (1: the first): 1, 2, 4 … at most 60, each cut by up to
    half.

    Args:
        jitter: 0 to 1, random: many workers that failed together do not come back together.
        retry_after_s: what the server asked for; never waited less than.
    """
    usual = min(FIRST_WAIT_S * 2.0 ** (attempt - 1), MAX_WAIT_S) * (1 - jitter / 2)
    return max(usual, min(retry_after_s or 0.0, 600.0))


def retry(
    clock: Clock, stop: threading.Event | None, fn: Callable[[], T], *, tries: int = MAX_TRIES
) -> T:
    """
    What ``fn`` returns, tried at most ``tries`` times while it fails for a moment.

    Raises:
        TriesSpent: all tries failed; the last failure. StillUnavailable where the org was away
            then.
        QuotaSignal: when all tries failed because the quota could not be read.
        StopSignal: ``stop`` was set while waiting.
    """
    for attempt in range(1, tries + 1):
        try:
            return fn()
        except TriesSpent:
            raise
        except TransientError as err:
            if attempt == tries:
                if isinstance(err, GaugeUnreadable):
                    raise QuotaSignal(
                        err.api,
                        used=-1,
                        in_flight=0,
                        maximum=-1,
                        threshold=-1,
                        reason=f"{err} Pausing until it can be read.",
                    ) from err
                spent = StillUnavailable if isinstance(err, OrgUnavailable) else TriesSpent
                raise spent(f"{err} Tried {tries} times.") from err
            jitter = random.random()  # noqa: S311  spreads load, guards nothing
            if clock.wait(
                wait_before(attempt, jitter=jitter, retry_after_s=err.retry_after_s), stop
            ):
                raise StopSignal("pause") from err
    raise AssertionError("unreachable: tries is at least 1")
