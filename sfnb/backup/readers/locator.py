"""A query cursor, page by page: for objects whose Ids the org cannot sort or compare."""

from __future__ import annotations

from collections.abc import Sequence

from sfnb.backup.object_run import ObjectRun
from sfnb.backup.readers.steps import Commit, Step, give_up, moment_cursor
from sfnb.backup.units import LocatorPage, Outcome, RowsRead, Unit
from sfnb.errors import ObjectError


class LocatorReader:
    """
    One page at a time; the cursor has the next page's address.

    The org keeps a query cursor for two days (REST guide, Query). One that is gone starts the object again.
    """

    def next_units(self, run: ObjectRun) -> Sequence[Unit]:
        return [LocatorPage(run.name, run.asks, run.cursor.get("next", ""))]

    def outcome(self, run: ObjectRun, unit: Unit, outcome: Outcome) -> Sequence[Step]:
        assert isinstance(outcome, RowsRead)  # noqa: S101 - what a locator unit brings
        cursor = moment_cursor(run, "locator", next=outcome.next_path)
        return [Commit(outcome.parts, cursor, outcome.is_done)]

    def refused(self, run: ObjectRun, err: ObjectError) -> Step:
        return give_up(err)

    def forget(self, run: ObjectRun) -> None:
        """Nothing is kept by object that the cursor does not have."""

    def leftovers(self, run: ObjectRun) -> Sequence[Unit]:
        return ()
