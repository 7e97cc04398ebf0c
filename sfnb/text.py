"""
How moments, spans, numbers and tables read, everywhere: command line, screen, report, messages.

English whatever the machine's language, so that a line in a log, a chart and a report say the same
thing in the same way. ``zone`` None is the machine's time zone. JSON has its own form (ISO 8601 in
UTC).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, tzinfo

from sfnb.errors import CallerError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
PERCENT_FORM = r"\s*([0-9]{1,3})\s*%?\s*"
"""Only the digits people type: int() would also take "5_0" and other scripts' digits."""

SAY_UTF8 = "Set LC_ALL=C.UTF-8 or PYTHONUTF8=1"
"""What to do where ``is_unicode`` is false."""

MONTHS = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


def is_unicode(text: str) -> bool:
    """
    Whether a path or an argument can be written as UTF-8. Python makes those that its locale cannot
    read into lone surrogates, which no file, no database and no Delta table takes.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def moment(at: datetime | None, zone: tzinfo | None = None) -> str:
    """``Tue 3 Nov, 14:05``; "never" for None."""
    if at is None:
        return "never"
    return f"{day(at, zone)}, {at.astimezone(zone):%H:%M}"


def zoned_moment(at: datetime | None, zone: tzinfo | None = None) -> str:
    """``Tue 3 Nov, 14:05 CET``; "never" for None."""
    if at is None:
        return "never"
    return f"{moment(at, zone)} {at.astimezone(zone):%Z}".rstrip()


def dated_moment(at: datetime, zone: tzinfo | None = None) -> str:
    """``3 Nov 2026, 14:05``: with the year, for what may be old."""
    local = at.astimezone(zone)
    return f"{local.day} {MONTHS[local.month - 1]} {local.year}, {local:%H:%M}"


def day(at: datetime, zone: tzinfo | None = None) -> str:
    """``Tue 3 Nov``."""
    local = at.astimezone(zone)
    return f"{DAYS[local.weekday()]} {local.day} {MONTHS[local.month - 1]}"


def second(at: datetime, zone: tzinfo | None = None) -> str:
    """``14:05:09``, for lines of one run."""
    return f"{at.astimezone(zone):%H:%M:%S}"


def day_second(at: datetime, zone: tzinfo | None = None) -> str:
    """``Tue 3 Nov, 14:05:09``, for lines that may be of several days."""
    return f"{day(at, zone)}, {second(at, zone)}"


def zone_name(zone: tzinfo) -> str:
    """``Europe/Berlin``, ``UTC``, or ``UTC+01:00`` where the zone has no name."""
    name = str(zone).removeprefix("Etc/")
    return "UTC" if name in ("UTC", "UCT", "Zulu", "GMT") else name


def span(seconds: float) -> str:
    """``40 s``, ``12 min``, ``3 h 10 min``, ``2 days``."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{round(hours / 24)} days"


def count(number: int | None, noun: str = "", plural: str = "") -> str:
    """
    ``12,345``, ``1 row``, ``2 rows``, ``3 queries``; a question mark for a number nobody knows
    (None, below 0).
    """
    text = "?" if number is None or number < 0 else f"{number:,}"
    if not noun:
        return text
    return f"{text} {noun if number == 1 else plural or noun + 's'}"


def records(total: int, deleted: int) -> str:
    """``84,841 records, 927 in the recycle bin``: everywhere, the total includes the bin."""
    bin_text = f", {deleted:,} in the recycle bin" if deleted else ""
    return f"{count(total, 'record')}{bin_text}"


def percent(part: float, whole: float) -> str:
    """``88.7 %``; a question mark where the whole is unknown."""
    return f"{100 * part / whole:.1f} %" if whole > 0 else "?"


def parse_percent(text: str) -> int:
    """
    The limit percent that a person typed: ``60``, `` 60 %``.

    Raises:
        CallerError: it is not a whole number from 1 to 100; nothing is guessed.
    """
    found = re.fullmatch(PERCENT_FORM, text)
    if found and 1 <= int(found[1]) <= 100:
        return int(found[1])
    raise CallerError(percent_refusal(text))


def percent_refusal(text: str) -> str:
    """What is said of a text that is not a limit percent."""
    what = f"“{text.strip()[:40]}” is not a percentage" if text.strip() else "The field is empty"
    return f"{what}. Enter a whole number from 1 to 100."


def table(
    titles: Sequence[str], rows: Iterable[Sequence[object]], *, right: Collection[int] = ()
) -> str:
    """
    Columns as wide as their widest cell, for a terminal; no blanks at the end of a line.

    Args:
        right: numbers of the columns whose cells stand at the right.
    """
    lines = [[str(cell) for cell in line] for line in (titles, *rows)]
    widths = [max(_width(line[n]) for line in lines) for n in range(len(titles))]
    return "\n".join(
        "  ".join(
            _padded(cell, widths[n], is_right=n in right) for n, cell in enumerate(line)
        ).rstrip()
        for line in lines
    )


def _padded(cell: str, width: int, *, is_right: bool) -> str:
    blanks = " " * (width - _width(cell))
    return blanks + cell if is_right else cell + blanks


def _width(text: str) -> int:
    """
    Places on a terminal: most East Asian letters take two, signs that combine with a letter none.
    """
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )
