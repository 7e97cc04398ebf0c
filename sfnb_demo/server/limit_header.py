"""``Sforce-Limit-Info``: its forms, and how old the number in it is."""

from __future__ import annotations

import math
from zlib import crc32

RECORDED_AGE_S = 53.0
"""
The median age of the number in recorded answers of real orgs, at four calls a second. All: 31 to 78
s.
"""

_YOUNGEST, _OLDEST = 31 / RECORDED_AGE_S, 78 / RECORDED_AGE_S


def header_age_s(
    number: int, at_s: float, *, median_s: float = RECORDED_AGE_S, has_wobble: bool = True
) -> float:
    """
    How many seconds ago the number in a call's answer was true.

    In recorded runs the age wanders over a minute or so, and differs by seconds from one answer to
    the next, as if several servers answered in turn, each with a count of its own age. So the
    number goes back in two of five answers, by up to 48 calls.

    Args:
        number: the call's number; the same number and time give the same age.
        at_s: the org's clock.
        median_s: the median age; 0: the number is exact.
        has_wobble: False: always the median.
    """
    if median_s <= 0 or not has_wobble:
        return max(median_s, 0.0)
    wander = 0.15 * math.sin(at_s * math.tau / 67) + 0.08 * math.sin(at_s * math.tau / 29 + 1)
    draw = crc32(str(number).encode())
    noise = 0.16 * ((draw & 0xFFFF) / 0xFFFF + (draw >> 16) / 0xFFFF - 1)
    return median_s * min(max(1 + wander + noise, _YOUNGEST), _OLDEST)


def limit_header(used: int, most: int, form: str) -> str | None:
    """
    The value of ``Sforce-Limit-Info``. Some clients read only the short form. None: no header.
    """
    if form == "gone":
        return None
    if form == "garbled":
        return f"api-usage={used}//{most}??"
    if form == "extended":
        return f"api-usage={used}/{most}; per-app-api-usage=17/250(appName=sfnb)"
    return f"api-usage={used}/{most}"
