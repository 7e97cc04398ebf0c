"""Salesforce record ids, and the names of objects and fields."""

from __future__ import annotations

import re

from sfnb.errors import CallerError

_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}")
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def to18(record_id: str) -> str:
    """
    The 18-character form of an id of 15 or 18 characters.

    Each of the three added characters says which of five characters are upper case, the first one
    in the lowest bit.
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


def is_record_id(text: object) -> bool:
    """Whether this has the form of an id: 15 or 18 letters and digits."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def is_api_name(name: object) -> bool:
    """
    Whether this can be the name of an object or a field.

    Anything else (a path, a quote, a NUL) would mean something in a query, an address or a file
    name. Salesforce's names have up to 40 characters, with a namespace and a suffix up to 80.
    """
    return isinstance(name, str) and _NAME.fullmatch(name) is not None
