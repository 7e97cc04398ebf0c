"""The org's budgets, as the header of every answer and ``/limits`` report them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from sfnb.model import LIMIT_KEYS, Api, Reading
from sfnb.org.answers import whole_of

LIMIT_HEADER = "Sforce-Limit-Info"
MAX_HEADER_CHARS = 8192

# The parts come in any order, with others between them, as in
# "api-usage=18/5000; per-app-api-usage=17/250(appName=A)". An app may have any name, even
# "x; api-usage=1/2", so what stands in parentheses is removed first.
_API_USAGE = re.compile(r"\s*api-usage\s*=\s*([0-9]{1,15})\s*/\s*([0-9]{1,15})\s*", re.IGNORECASE)


def parse_limit_header(text: str | None) -> tuple[int, int] | None:
    """
    ``(used, max)`` of the daily API requests, or None when the header does not say so beyond doubt.

    A wrong number would let calls through the threshold; None only costs a look at ``/limits``. So
    anything ambiguous gives None: two different figures, no digits, open parentheses.
    """
    if not text or len(text) > MAX_HEADER_CHARS:
        return None
    bare = _outside_parentheses(text)
    if bare is None:
        return None
    parts = [
        part for part in re.split(r"[;,]", bare) if re.match(r"\s*api-usage\b", part, re.IGNORECASE)
    ]
    matches = [_API_USAGE.fullmatch(part) for part in parts]
    if not matches or not all(matches):
        return None
    found = {(int(match[1]), int(match[2])) for match in matches if match}
    return found.pop() if len(found) == 1 else None


def _outside_parentheses(text: str) -> str | None:
    """What stands in no parentheses; None when they do not come in pairs."""
    depth = 0
    kept: list[str] = []
    for piece in re.split(r"([()])", text):
        depth += (piece == "(") - (piece == ")")
        if depth < 0:
            return None
        if depth == 0 and piece != ")":
            kept.append(piece)
    return "".join(kept) if depth == 0 else None


def parse_limits(body: object, *, sent_at: datetime, read_at: datetime) -> dict[Api, Reading]:
    """
    The readings in an answer of ``/limits``. A budget that is missing or unclear there is missing
    here.

    The keys need the permission View Setup and Configuration; an org without a feature lacks its
    key. Figures of single apps sit inside the entries and are not used. ``Remaining`` is negative
    in an org that may exceed its maximum.
    """
    readings: dict[Api, Reading] = {}
    if not isinstance(body, Mapping):
        return readings
    for api, keys in LIMIT_KEYS.items():
        entry = next((body[key] for key in keys if isinstance(body.get(key), Mapping)), None)
        if entry is None:
            continue
        most, left = whole_of(entry.get("Max")), whole_of(entry.get("Remaining"))
        if most is not None and left is not None and most >= 0 and left <= most:
            readings[api] = Reading(api, most - left, most, sent_at, read_at, "limits")
    return readings
