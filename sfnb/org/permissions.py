"""What the user may do in the org, as UserPermissionAccess tells it: one record, of the user who asks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from sfnb.errors import QuotaSignal, TransientError
from sfnb.model import JobWarning
from sfnb.org.answers import json_of, mapping_of, mappings_of, text_of
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, SubResponse, fetch_composite

PERMISSIONS: Mapping[str, tuple[str, str]] = {
    "ApiEnabled": ("API Enabled", "nothing can be read"),
    "ViewAllData": ("View All Data", "records of other users are left out"),
    "QueryAllFiles": ("Query All Files", "files of other users are left out"),
    "ViewSetup": (
        "View Setup and Configuration",
        "the org's limits and record counts cannot be read, so jobs pause",
    ),
}
"""What a backup needs, by Salesforce's name of it: its label, and what happens without it."""

SEES_ALL = ("ViewAllData", "QueryAllFiles")
"""Without these the org answers as if the other records and files did not exist; its counts, too."""

PARTIAL_VISIBILITY = "partial_visibility"
"""Code of the warnings that the user may not see all records."""

_MISSING_COLUMN = re.compile(r"No such column '(\w+)'")


def fetch_permissions(
    org: OrgClient,
    names: Sequence[str],
    notes: list[str] | None = None,
    *,
    beside: Sequence[SubRequest] = (),
    answers: list[SubResponse] | None = None,
) -> dict[str, bool | None]:
    """
    The user's permissions by Salesforce's name; None where the org does not tell.

    Args:
        names: of ``PERMISSIONS``.
        notes: takes sentences on what could not be asked.
        beside: requests that ride in the same call; ``answers`` takes what they bring.

    Cost: one API call; one more for each permission that the org has no column for.
    """
    notes, answers = [] if notes is None else notes, [] if answers is None else answers
    found: dict[str, bool | None] = dict.fromkeys(names)
    left = list(names)
    # A release may lack one of the columns; the refusal names it; the others are queried without
    # it.
    for _ in names:
        columns = ", ".join(f"Permissions{name}" for name in left)
        asked = query(org, "user", f"SELECT {columns} FROM UserPermissionAccess LIMIT 1")  # noqa: S608  our own names
        user, *others = fetch_composite(org, [asked, *(() if answers else beside)])
        answers += others
        refusal = user.refusal("the user's permissions")
        if refusal is None:
            record = first_record(user, "the user's permissions", notes)
            values = {name: record.get(f"Permissions{name}") for name in left}
            return found | {n: v if isinstance(v, bool) else None for n, v in values.items()}
        if isinstance(refusal, QuotaSignal | TransientError):
            raise refusal
        strange = _MISSING_COLUMN.search(str(refusal))
        name = strange[1].removeprefix("Permissions") if strange else ""
        if name not in left or len(left) == 1:
            notes.append(f"The user's permissions cannot be asked: {refusal}")
            return found
        left.remove(name)
    return found


def visibility_warnings(may: Mapping[str, bool | None]) -> list[JobWarning]:
    """One warning if a permission is missing or not known. ``may``: by Salesforce's name."""
    labels = {key: PERMISSIONS[key][0] for key in SEES_ALL}
    missing = [label for key, label in labels.items() if may.get(key) is False]
    if missing:
        names = " and ".join(missing)
        message = (
            f"The user lacks {names}, so records and files of other users may be missing. "
            "Give the user these permissions in Salesforce Setup, then back up again."
        )
        return [JobWarning(PARTIAL_VISIBILITY, "", message)]
    if may.get("ViewAllData") is None:
        message = (
            "The org did not tell whether the user sees all records. Check in Salesforce Setup that "
            f"the user has {' and '.join(labels.values())}."
        )
        return [JobWarning(PARTIAL_VISIBILITY, "", message)]
    return []


def query(org: OrgClient, reference: str, soql: str) -> SubRequest:
    """A query as a part of a composite call."""
    return SubRequest(reference, org.data_path(f"query?q={quote_plus(soql)}"))


def newest_stamp(org: OrgClient, name: str) -> SubRequest:
    """Asks when a record of an object was changed last, those in the recycle bin included."""
    soql = f"SELECT SystemModstamp FROM {name} ORDER BY SystemModstamp DESC LIMIT 1"  # noqa: S608  our own names
    return SubRequest(f"newest{name}", org.data_path(f"queryAll?q={quote_plus(soql)}"))


def stamp_of(part: SubResponse) -> str:
    """The moment (ISO) that ``newest_stamp`` brought; empty where the org does not tell it."""
    return text_of(first_record(part, "the newest stamp", []).get("SystemModstamp"))


def first_record(part: SubResponse, what: str, notes: list[str]) -> Mapping[str, Any]:
    """The first record of the answer; empty, and a note, where it was refused."""
    refusal = part.refusal(what)
    if isinstance(refusal, QuotaSignal | TransientError):
        raise refusal
    if refusal is not None:
        notes.append(f"Not readable: {refusal}")
        return {}
    answer = mapping_of(json_of(part.body, what=what))
    return next(iter(mappings_of(answer.get("records"))), {})
