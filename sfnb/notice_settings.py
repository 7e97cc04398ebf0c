"""
What people who do not look should know, and when: the table ``[notices]`` of the settings. Pure.

::

    [notices]
    url = "env:SFNB_NOTICE_URL"    # apprise addresses, separated by spaces; or keyring, file:PATH
    kinds = ["paused", "failed"]   # default: all
    quiet = "22:00-07:00"          # nothing is sent then; afterwards one message has it all
    urgent = ["failed"]            # kinds that are sent in quiet hours, too; default: none
    summary_at = "07:00"           # a summary of the last day; default: none
    tz = "Europe/Paris"            # of both; default UTC
    warn_pct = [40, 45]            # say when an org's usage of a budget reaches these percents
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

KINDS = ("paused", "resumed", "completed", "failed", "limit", "usage", "mass_change")
"""What a notice can be about; a summary is set by its time."""

SUMMARY = "summary"

REFERENCE = re.compile(r"keyring|env:[A-Za-z_][A-Za-z0-9_]*|file:.+")
CLOCK_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
QUIET = re.compile(rf"({CLOCK_TIME.pattern})-({CLOCK_TIME.pattern})")

DEFAULT_URL = "env:SFNB_NOTICE_URL"


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """
    As the table says. It holds no secret: an address often has one, so ``url`` names where it is.

    Args:
        quiet: start and end on the wall clock; None: never quiet.
        urgent: the kinds that are sent then, too.
        summary_at: on the wall clock; None: no summary.
    """

    url: str = DEFAULT_URL
    kinds: tuple[str, ...] = KINDS
    quiet: tuple[time, time] | None = None
    urgent: tuple[str, ...] = ()
    summary_at: time | None = None
    tz: str = "UTC"
    warn_pct: tuple[float, ...] = ()

    def is_quiet(self, now: datetime) -> bool:
        """Whether nothing is to be sent now but what is urgent."""
        if self.quiet is None:
            return False
        start, end = self.quiet
        here = now.astimezone(ZoneInfo(self.tz)).time()
        return start <= here < end if start <= end else here >= start or here < end

    def kinds_now(self, now: datetime) -> tuple[str, ...]:
        """The kinds that are to be sent now; a summary waits for the end of quiet hours, too."""
        if not self.is_quiet(now):
            return (*self.kinds, SUMMARY)
        return tuple(kind for kind in self.kinds if kind in self.urgent)

    def summary_day(self, now: datetime) -> datetime | None:
        """The moment of the newest summary that is due; None: there is none."""
        if self.summary_at is None:
            return None
        zone = ZoneInfo(self.tz)
        today = datetime.combine(now.astimezone(zone).date(), self.summary_at, zone)
        return today if today <= now else today - timedelta(days=1)


def parse_notices(table: Mapping[str, Any]) -> NoticeSettings:
    """
    The settings in a table.

    Raises:
        ValueError: one of them is wrong; its arguments are the setting's name and what is expected.
    """
    known = {"url", "kinds", "quiet", "urgent", "summary_at", "tz", "warn_pct"}
    if strange := sorted(set(table) - known):
        raise ValueError(strange[0], f"notices has no setting {strange[0]!r}")
    url = table.get("url", DEFAULT_URL)
    if not isinstance(url, str) or not REFERENCE.fullmatch(url):
        # Not shown: it may be the address itself, with its secret.
        raise ValueError("url", "notices.url must be env:VARIABLE, file:PATH or keyring")
    kinds = _kinds(table, "kinds", KINDS)
    urgent = _kinds(table, "urgent", ())
    tz = table.get("tz", "UTC")
    try:
        ZoneInfo(str(tz))
    except (KeyError, ValueError, OSError) as err:
        raise ValueError("tz", "notices.tz must be a time zone such as Europe/Paris") from err
    quiet = table.get("quiet")
    if quiet is not None and not (isinstance(quiet, str) and QUIET.fullmatch(quiet)):
        raise ValueError("quiet", 'notices.quiet must be a span such as "22:00-07:00"')
    summary_at = table.get("summary_at")
    if summary_at is not None and not (
        isinstance(summary_at, str) and CLOCK_TIME.fullmatch(summary_at)
    ):
        raise ValueError("summary_at", 'notices.summary_at must be a time such as "07:00"')
    warn_pct = table.get("warn_pct", [])
    if not isinstance(warn_pct, list) or not all(_is_percent(one) for one in warn_pct):
        raise ValueError("warn_pct", "notices.warn_pct must be a list of percents from 1 to 100")
    return NoticeSettings(
        url=url,
        kinds=kinds,
        quiet=_span(quiet),
        urgent=urgent,
        summary_at=time.fromisoformat(summary_at) if summary_at else None,
        tz=str(tz),
        warn_pct=tuple(sorted(map(float, warn_pct))),
    )


def _kinds(table: Mapping[str, Any], name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    given = table.get(name, list(default))
    if not isinstance(given, list) or not set(map(str, given)) <= set(KINDS):
        raise ValueError(name, f"notices.{name} must be a list of {', '.join(KINDS)}")
    return tuple(map(str, given))


def _span(text: str | None) -> tuple[time, time] | None:
    if text is None:
        return None
    start, _, end = text.partition("-")
    return time.fromisoformat(start), time.fromisoformat(end)


def _is_percent(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= 100
