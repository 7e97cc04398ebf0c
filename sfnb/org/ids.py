"""Salesforce record ids."""

from __future__ import annotations

import re

from sfnb.errors import CallerError

_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def to18(record_id: str) -> str:
    """
    The 18-character form of an id of 15 or 18 characters.

    Each of the three added characters tells which of five characters are upper case, the first one in the lowest bit.
    """
    if not _ID.fullmatch(record_id):
        raise CallerError(
            f"{record_id!r} is no Salesforce id: it must have 15 or 18 letters and digits."
        )
    if len(record_id) == 18:
        return record_id
    fives = (record_id[at : at + 5] for at in (0, 5, 10))
    return record_id + "".join(
        _CHECK[sum(1 << k for k, c in enumerate(five) if "A" <= c <= "Z")] for five in fives
    )
