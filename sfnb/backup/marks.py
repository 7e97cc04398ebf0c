"""
By which field the changed rows of an object can be found, and how its deletions come to light. Pure.

The choice rests on describe's flags and is a hint: the org may still refuse the filter, then the
object is read in full; and counts have to agree, whatever found the changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sfnb.backup.plan import choose_reader
from sfnb.model import ObjectSchema

OVERLAP = timedelta(minutes=15)
"""
A window begins so long before the watermark: a long transaction commits rows whose stamps lie in
the past. Salesforce lets a transaction run for 10 minutes.
"""


@dataclass(frozen=True, slots=True)
class ChangeMark:
    """
    How an object's changes are known.

    Args:
        field: the stamp that a query may filter by; empty: none can.
        has_lists: ``/updated`` and ``/deleted`` answer for it (``replicateable``).
        is_binned: its deleted rows lie in the recycle bin first, where a query sees them.
    """

    field: str
    has_lists: bool
    is_binned: bool

    @property
    def is_known(self) -> bool:
        """Whether anything but a full reading tells what has changed."""
        return bool(self.field) or self.has_lists


def choose_mark(schema: ObjectSchema) -> ChangeMark:
    """
    The change mark of an object by its describe.

    - ``SystemModstamp`` moves with every change, by users and by the system.
    - ``LastModifiedDate`` moves with users' changes; it is taken only where there is no
      SystemModstamp at all (shares).
    - ``CreatedDate`` does for rows that are never changed (history): there is no other stamp, and
      describe says that the object is not updateable.
    """
    flags: Mapping[str, Any] = schema.raw
    has_lists = flags.get("replicateable") is True
    is_binned = schema.has("IsDeleted") and flags.get("undeletable") is not False
    return ChangeMark(_stamp(schema), has_lists and _has_stamp(schema), is_binned)


def _has_stamp(schema: ObjectSchema) -> bool:
    """``/updated`` goes by SystemModstamp, or LastModifiedDate (REST guide, Get Updated)."""
    return schema.has("SystemModstamp") or schema.has("LastModifiedDate")


def _stamp(schema: ObjectSchema) -> str:
    if choose_reader(schema, None) in ("by_parent", "locator"):
        return ""  # its rows can only be asked for by parent, or not in an order
    filterable = {field.name for field in schema.fields if field.is_filterable}
    if "SystemModstamp" in filterable:
        return "SystemModstamp"
    if schema.has("SystemModstamp"):
        return ""  # a stamp that cannot be asked for moves without the others
    if "LastModifiedDate" in filterable:
        return "LastModifiedDate"
    is_append_only = schema.raw.get("updateable") is False and not schema.has("LastModifiedDate")
    return "CreatedDate" if "CreatedDate" in filterable and is_append_only else ""


def window_where(field: str, since: datetime) -> str:
    """The condition that rows changed at or after ``since`` meet."""
    return f"{field} >= {since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


OF_THE_VIEWER = frozenset({"LastViewedDate", "LastReferencedDate"})
"""
What this user has looked at last: no stamp moves with it, and it is none of the org's data (object
reference, standard fields).
"""


def computed_fields(describe: Mapping[str, Any]) -> list[str]:
    """Fields that the org computes: their values change and no stamp moves."""
    fields = describe.get("fields")
    listed = fields if isinstance(fields, list) else []
    return [str(f.get("name")) for f in listed if isinstance(f, dict) and f.get("calculated")]
