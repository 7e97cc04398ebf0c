# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""Records changed or deleted in a span of time, as the replication resources report them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sfnb_demo.data.recycle_bin import STAMPS
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.errors import ApiError
from sfnb_demo.soql.names import literal, quote

UPDATED_DAYS = 30
DELETED_DAYS = 15
MAX_IDS = 600_000


class Changes:
    """
    Answers ``/updated`` and ``/deleted`` (REST guide, Get Updated and Get Deleted): whole minutes,
    and only rows that the user sees.

    Args:
        open_since: when the oldest open transaction began. ``latestDateCovered`` stays before it.
    """

    def __init__(
        self,
        storage: Storage,
        clock: Callable[[], datetime],
        open_since: Callable[[], datetime | None],
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._open_since = open_since
        self.replicates_since = datetime.min.replace(tzinfo=UTC)
        self.log_begins = datetime.min.replace(tzinfo=UTC)

    def updated(
        self, obj: ObjectDef, start: datetime, end: datetime, own_rows: str = ""
    ) -> tuple[list[str], datetime]:
        """
        Ids of live rows created or changed, and the moment up to which the list is complete.

        Args:
            own_rows: SQL over the alias ``t``: the rows that the user sees; empty: all.
        """
        low, high = self._span(obj, start, end, UPDATED_DAYS)
        alive = 'NOT t."IsDeleted"' if obj.has("IsDeleted") else "true"
        where = " AND ".join(
            part for part in (self._within(_stamp(obj), low, high), alive, own_rows) if part
        )
        sql = f'SELECT t."Id" FROM {quote(obj.name)} t WHERE {where} ORDER BY 1 LIMIT {MAX_IDS + 1}'
        found = [i for (i,) in self._storage.rows(sql)]
        if len(found) > MAX_IDS:
            raise ApiError(
                "EXCEEDED_ID_LIMIT",
                f"cannot return more than {MAX_IDS} ids, use a shorter span of time",
            )
        return found, high

    def deleted(
        self,
        obj: ObjectDef,
        start: datetime,
        end: datetime,
        own_rows: str = "",
        user_id: str | None = None,
    ) -> tuple[list[tuple[str, datetime]], datetime, datetime]:
        """
        Ids and moments of deletion, the earliest date available, and the moment up to which the
        list is complete.

        Args:
            user_id: the user whose rows are listed; None: one who sees all.
        """
        low, high = self._span(obj, start, end, DELETED_DAYS)
        low = max(low, self.log_begins)
        parts = []
        if obj.has("IsDeleted"):
            stamp = f"t.{quote(_stamp(obj))}"
            where = f'{self._within(_stamp(obj), low, high)} AND t."IsDeleted"'
            where += f" AND {own_rows}" if own_rows else ""
            parts.append(f'SELECT t."Id", {stamp} FROM {quote(obj.name)} t WHERE {where}')
        seen = f" AND coalesce(t.owner, {literal(user_id)}) = {literal(user_id)}" if user_id else ""
        log = f"t.object = {literal(obj.name)} AND {self._within('moment', low, high)}{seen}"
        parts.append(f"SELECT t.id, t.moment FROM _gone t WHERE {log}")
        rows = self._storage.rows(f"{' UNION ALL '.join(parts)} ORDER BY 1")
        return [(i, at.replace(tzinfo=UTC)) for i, at in rows], self.earliest(), high

    def earliest(self) -> datetime:
        """The oldest moment that the log of deletions reaches back to."""
        return max(self._clock() - timedelta(days=DELETED_DAYS), self.log_begins)

    def _span(
        self, obj: ObjectDef, start: datetime, end: datetime, days: int
    ) -> tuple[datetime, datetime]:
        if not (obj.is_replicateable and obj.is_queryable):
            raise ApiError(
                "INVALID_TYPE_FOR_OPERATION", f"object type '{obj.name}' is not replicateable"
            )
        now = self._clock()
        if start >= end:
            raise ApiError("INVALID_REPLICATION_DATE", "startDate must be before endDate")
        if start < self.replicates_since:
            raise ApiError(
                "INVALID_REPLICATION_DATE", "startDate before org replication enabled date"
            )
        if start < now - timedelta(days=days):
            raise ApiError(
                "INVALID_REPLICATION_DATE", f"startDate cannot be more than {days} days ago"
            )
        # An open transaction may still bring rows with older stamps, so the list ends before it.
        limits = [end, now, *filter(None, [self._open_since()])]
        return _minute(start), max(_minute(start), _minute(min(limits)))

    @staticmethod
    def _within(column: str, low: datetime, high: datetime) -> str:
        first, after = (
            f"TIMESTAMP '{m.astimezone(UTC).replace(tzinfo=None).isoformat(sep=' ')}'"
            for m in (low, high)
        )
        return f"t.{quote(column)} >= {first} AND t.{quote(column)} < {after}"


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _stamp(obj: ObjectDef) -> str:
    return next(n for n in STAMPS if obj.has(n))
