"""
Pages in the order of Ids: cheap for small objects, since five of them share one composite call.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sfnb.backup.filters import (
    filter_field,
    is_filter_refusal,
    is_single_refusal,
    offers_type,
    parent_types,
)
from sfnb.backup.object_run import ObjectRun
from sfnb.backup.plan import BULK_FROM_ROWS
from sfnb.backup.readers.steps import (
    Commit,
    LeaveOut,
    Restart,
    Step,
    Switch,
    give_up,
    moment_cursor,
)
from sfnb.backup.unit_outcomes import Counted, Outcome, RowsRead, TooLarge
from sfnb.backup.units import AbortJob, CountRows, KeysetPage, KeysetPages, SplitPage, Unit
from sfnb.errors import ObjectError

_BAD_ID = {"INVALID_QUERY_FILTER_OPERATOR", "MALFORMED_ID", "MALFORMED_QUERY"}
"""How the org refuses an Id that cannot be one (SOQL guide, error codes)."""


_SORT_REFUSAL = re.compile(
    r"\bId\b.{0,20}can ?not be (sorted|filtered)|ORDER BY.{0,40}not (allowed|supported)",
    re.IGNORECASE,
)
"""How the org refuses to sort or compare Ids: ``field 'Id' can not be sorted in a query call``."""


class KeysetReader:
    """
    One page at a time for each object. The cursor has the last Id, and what the org said was left
    after it.

    A page that finds less left than the one before had announced waits until that one is counted
    again.
    """

    def __init__(self) -> None:
        self._in_doubt: dict[str, RowsRead] = {}

    def next_units(self, run: ObjectRun) -> Sequence[Unit]:
        cursor = run.cursor
        if run.name in self._in_doubt:
            return [CountRows(run.name, run.asks.where, cursor.get("from", ""), cursor["after"])]
        if groups := run.way.spread(run.asks.fields):
            return [SplitPage(run.name, run.asks, cursor.get("after", ""), groups)]
        # An object that Bulk has refused is read in pages, however large it is.
        large_from = None if run.bulk_refusal else BULK_FROM_ROWS
        return [KeysetPages((KeysetPage(run.asks, cursor.get("after", ""), large_from),))]

    def outcome(self, run: ObjectRun, unit: Unit, outcome: Outcome) -> Sequence[Step]:
        match outcome:
            case TooLarge():
                run.expected_rows = outcome.total
                return [Switch("bulk2")]
            case Counted():
                return self._counted(run, outcome.rows)
            case RowsRead():
                left = run.cursor.get("left")
                if left is not None and outcome.total is not None and outcome.total < left:
                    self._in_doubt[run.name] = outcome
                    return ()
                return [self._commit(run, outcome)]
        raise AssertionError(f"a keyset reading asked for no {type(outcome).__name__}")

    def _counted(self, run: ObjectRun, rows: int) -> Sequence[Step]:
        """
        Rows that were deleted meanwhile make the count smaller than what was read. More means rows
        were missed.
        """
        page = self._in_doubt.pop(run.name)
        read = run.cursor.get("rows", 0)
        if rows > read:
            why = f"{run.name}: the org counts {rows:,} rows where a page had {read:,}."
            return [Restart(why)]
        return [self._commit(run, page)]

    def _commit(self, run: ObjectRun, page: RowsRead) -> Step:
        before = run.progress.rows + run.progress.deleted
        cursor = moment_cursor(
            run,
            "keyset",
            after=page.last_id,
            **{"from": run.cursor.get("after", "")},
            rows=page.rows,
            left=None if page.total is None else page.total - page.rows,
        )
        count = None if page.total is None else before + page.total
        return Commit(page.parts, cursor, page.is_done, count)

    def refused(self, run: ObjectRun, err: ObjectError) -> Step:
        if run.name in self._in_doubt:
            # The org does not count this object, so nobody can tell whether rows are missing.
            del self._in_doubt[run.name]
            return Restart(f"{run.name}: fewer rows were left than announced ({err}).")
        if run.cursor.get("after") and err.code in _BAD_ID:
            # The last row of the page before was none of this object's.
            return Restart(f"{run.name}: a page ended with a strange Id ({err}).")
        if err.code == "UNORDERED" or _SORT_REFUSAL.search(str(err)):
            return Switch("locator", is_restart=True)
        if is_filter_refusal(str(err)):
            lookup = filter_field(str(err), run.schema)
            if lookup is None:
                return LeaveOut(str(err))
            run.parent_field = lookup
            run.is_single = is_single_refusal(str(err))
            has_types = bool(parent_types(run.schema, lookup))
            run.is_typed = has_types and offers_type(str(err), lookup)
            return Switch("by_parent", is_restart=bool(run.progress.parts))
        return give_up(err)

    def forget(self, run: ObjectRun) -> None:
        self._in_doubt.pop(run.name, None)

    def leftovers(self, run: ObjectRun) -> Sequence[AbortJob]:
        return ()
