"""Pages in the order of Ids: cheap for small objects, since five of them share one composite call."""

from __future__ import annotations

from collections.abc import Sequence

from sfnb.backup.object_run import ObjectRun
from sfnb.backup.plan import BULK_FROM_ROWS, filter_field, is_filter_refusal
from sfnb.backup.readers.steps import Commit, LeaveOut, Step, Switch, give_up, moment_cursor
from sfnb.backup.units import KeysetPage, KeysetPages, Outcome, RowsRead, TooLarge, Unit
from sfnb.errors import ObjectError


class KeysetReader:
    """One page at a time for each object. It remembers nothing: the cursor has the last Id."""

    def next_units(self, run: ObjectRun) -> Sequence[Unit]:
        # An object that Bulk has refused is read in pages, however large it is.
        large_from = None if run.bulk_refusal else BULK_FROM_ROWS
        page = KeysetPage(run.asks, run.cursor.get("after", ""), large_from)
        return [KeysetPages((page,))]

    def outcome(self, run: ObjectRun, unit: Unit, outcome: Outcome) -> Sequence[Step]:
        if isinstance(outcome, TooLarge):
            run.expected_rows = outcome.total
            return [Switch("bulk2")]
        assert isinstance(outcome, RowsRead)  # noqa: S101 - what a keyset unit brings
        cursor = moment_cursor(run, "keyset", after=outcome.last_id)
        return [Commit(outcome.parts, cursor, outcome.is_done)]

    def refused(self, run: ObjectRun, err: ObjectError) -> Step:
        if err.code == "UNORDERED":
            return Switch("locator", is_restart=True)
        if is_filter_refusal(str(err)):
            lookup = filter_field(str(err), run.schema)
            if lookup is None:
                return LeaveOut(str(err))
            run.parent_field = lookup
            return Switch("by_parent", is_restart=bool(run.progress.parts))
        return give_up(err)

    def forget(self, run: ObjectRun) -> None:
        """Nothing is kept by object that the cursor does not have."""

    def leftovers(self, run: ObjectRun) -> Sequence[Unit]:
        return ()
