# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""Records changed or deleted in a span of time, as the replication resources report them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.errors import ApiError
from sfnb_demo.soql.names import quote

UPDATED_DAYS = 30
DELETED_DAYS = 15
MAX_IDS = 600_000
_STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")


class Changes:
    """
    Answers ``/updated`` and ``/deleted`` (REST guide, Get Updated and Get Deleted); seconds are
    ignored.
    """

    def __init__(self, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._storage = storage
        self._clock = clock

    def updated(self, obj: ObjectDef, start: datetime, end: datetime) -> tuple[list[str], datetime]:
        """Ids of live rows created or changed, and the moment up to which the list is complete."""
        low, high = self._span(obj, start, end, UPDATED_DAYS)
        where = f"{self._within(obj, low, high)} AND {self._flag(obj, gone=False)}"
        sql = f'SELECT "Id" FROM {quote(obj.name)} WHERE {where} ORDER BY "Id" LIMIT {MAX_IDS + 1}'
        found = [i for (i,) in self._storage.rows(sql)]
        if len(found) > MAX_IDS:
            raise ApiError(
                "EXCEEDED_ID_LIMIT",
                f"cannot return more than {MAX_IDS} ids, use a shorter span of time",
            )
        return found, high

    def deleted(
        self, obj: ObjectDef, start: datetime, end: datetime
    ) -> tuple[list[tuple[str, datetime]], datetime, datetime]:
        """
        Ids and moments of deletion, the earliest date available, and the moment up to which the
        list is complete.
        """
        low, high = self._span(obj, start, end, DELETED_DAYS)
        earliest = self._clock() - timedelta(days=DELETED_DAYS)
        if not obj.has("IsDeleted"):
            return [], earliest, high
        stamp = quote(self._stamp(obj))
        where = f"{self._within(obj, low, high)} AND {self._flag(obj, gone=True)}"
        sql = f'SELECT "Id", {stamp} FROM {quote(obj.name)} WHERE {where} ORDER BY "Id"'
        return [(i, at.replace(tzinfo=UTC)) for i, at in self._storage.rows(sql)], earliest, high

    def _span(
        self, obj: ObjectDef, start: datetime, end: datetime, days: int
    ) -> tuple[datetime, datetime]:
        if not (obj.is_replicateable and obj.is_queryable):
            raise ApiError(
                "INVALID_TYPE_FOR_OPERATION", f"entity type {obj.name} does not support replication"
            )
        now = self._clock()
        low, high = (
            start.replace(second=0, microsecond=0),
            min(end, now).replace(second=0, microsecond=0),
        )
        if end <= start:
            raise ApiError("INVALID_REPLICATION_DATE", "startDate must be before endDate")
        if start < now - timedelta(days=days):
            raise ApiError(
                "INVALID_REPLICATION_DATE", f"startDate cannot be more than {days} days ago"
            )
        return low, max(low, high)

    @staticmethod
    def _stamp(obj: ObjectDef) -> str:
        return next(n for n in _STAMPS if obj.has(n))

    def _within(self, obj: ObjectDef, low: datetime, high: datetime) -> str:
        stamp = quote(self._stamp(obj))
        first, after = (
            f"TIMESTAMP '{m.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
            for m in (low, high)
        )
        return f"{stamp} >= {first} AND {stamp} < {after}"

    @staticmethod
    def _flag(obj: ObjectDef, *, gone: bool) -> str:
        if not obj.has("IsDeleted"):
            return "true"
        return '"IsDeleted"' if gone else 'NOT "IsDeleted"'
