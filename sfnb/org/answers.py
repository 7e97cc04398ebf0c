"""
What an answer says, taken out with care: a server may send anything.

Pure. Each function gives a value of the right type, or says that there is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sfnb.errors import TransientError
from sfnb.org.secrets import clean

MOST = 10**15
"""Above any count of calls, records or bytes of an org, and well within 64 bits."""

MAX_RETRY_AFTER_S = 600.0
"""A server may ask us to wait longer; we ask again after this."""

_WHOLE = re.compile(r"-?[0-9]{1,15}")
_SECONDS = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")


def json_of(body: bytes, *, what: str, kind: str = "") -> Any:
    """
    The value of a JSON text.

    Args:
        what: the call, for the message.
        kind: what the answer says it is (``Content-Type``), for the message.

    Raises:
        TransientError: it is none, is cut off, or is nested so deep that no org sent it.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as err:
        received = clean(kind).split(";", maxsplit=1)[0].strip()[:60] or "something else"
        raise TransientError(f"{what}: expected JSON, received {received}.") from err


def count_of(value: object) -> int | None:
    """A number of things: a whole number, or its digits as text; None when it cannot be one."""
    found = whole_of(value)
    return found if found is not None and found >= 0 else None


def whole_of(value: object) -> int | None:
    """A whole number of either sign, also as its digits or as ``7.0``; None when it is none."""
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not -MOST < value < MOST:
        return None
    return int(value) if value == int(value) else None


def text_of(value: object) -> str:
    """The text; empty when the value is none."""
    return value if isinstance(value, str) else ""


def mapping_of(value: object) -> Mapping[str, Any]:
    """The object; empty when the value is none."""
    return value if isinstance(value, dict) else {}


def mappings_of(value: object) -> list[Mapping[str, Any]]:
    """The objects in a list; empty when the value is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def is_last_page(done: object, following: str | None) -> bool:
    """
    Whether no page of a query's answer follows. Salesforce always says so; a server that says
    nothing at all and names no further page has sent the last one. Whether rows are missing, its
    count tells.
    """
    return done is True or done == "true" or (done is None and not following)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """
    How long the server asks us to wait: seconds, or a date, compared with the answer's own date.

    At most ``MAX_RETRY_AFTER_S``; None when it does not say.
    """
    value = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), MAX_RETRY_AFTER_S)
    try:
        until, now = (_moment(text) for text in (value, headers.get("Date", "")))
        seconds = (until - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """The server's time in an answer's ``Date``, in whole seconds, UTC; None without one."""
    try:
        return _moment(headers.get("Date", "")).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _moment(text: str) -> datetime:
    moment = parsedate_to_datetime(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
