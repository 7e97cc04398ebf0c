"""A query cursor, page by page: for objects whose Ids the org cannot sort or compare."""

from __future__ import annotations

from collections.abc import Sequence

from sfnb.backup.object_run import ObjectRun
from sfnb.backup.readers.steps import Commit, Restart, Step, give_up, moment_cursor
from sfnb.backup.unit_outcomes import Counted, Outcome, RowsRead
from sfnb.backup.units import AbortJob, CountRows, LocatorPage, Unit
from sfnb.errors import ObjectError, ResultsGone


class LocatorReader:
    """
    One page at a time; the cursor has the next page's address and the org's count of all pages.

    The org keeps a query cursor for two days (REST guide, Query). One that is gone starts the
    object again.
    """

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}
        self._in_doubt: dict[str, RowsRead] = {}

    def next_units(self, run: ObjectRun) -> Sequence[Unit]:
        if run.name in self._in_doubt:
            return [CountRows(run.name, run.asks.where)]
        groups = run.way.spread(run.asks.fields)
        return [LocatorPage(run.name, run.asks, run.cursor.get("next", ""), groups)]

    def outcome(self, run: ObjectRun, unit: Unit, outcome: Outcome) -> Sequence[Step]:
        if isinstance(outcome, Counted):
            return self._counted(run, outcome.rows)
        assert isinstance(outcome, RowsRead)  # noqa: S101 - what a locator unit brings
        total = self._total(run, outcome)
        rows = run.progress.rows + run.progress.deleted + outcome.rows
        seen = self._seen.setdefault(run.name, set())
        if (total is not None and rows > total) or outcome.next_path in seen - {""}:
            raise ResultsGone(f"{run.name}: pages repeat; the org counts {total} rows.")
        seen.add(outcome.next_path)
        if outcome.is_done and total is not None and rows < total:
            self._in_doubt[run.name] = outcome
            return ()
        return [self._commit(run, outcome, total)]

    def _total(self, run: ObjectRun, page: RowsRead) -> int | None:
        """The count of the first page: later ones repeat it."""
        known: int | None = run.cursor.get("total")
        return page.total if known is None else known

    def _counted(self, run: ObjectRun, rows: int) -> Sequence[Step]:
        """
        The cursor had fewer rows than it had counted: right, if as many were deleted meanwhile.
        """
        page = self._in_doubt.pop(run.name)
        read = run.progress.rows + run.progress.deleted + page.rows
        if rows > read:
            return [Restart(f"{run.name}: the org counts {rows:,} rows and sent {read:,}.")]
        return [self._commit(run, page, read)]

    def _commit(self, run: ObjectRun, page: RowsRead, total: int | None) -> Step:
        cursor = moment_cursor(run, "locator", next=page.next_path, total=total)
        return Commit(page.parts, cursor, page.is_done, total)

    def refused(self, run: ObjectRun, err: ObjectError) -> Step:
        if run.name in self._in_doubt:
            del self._in_doubt[run.name]
            return Restart(f"{run.name}: fewer rows came than announced ({err}).")
        return give_up(err)

    def forget(self, run: ObjectRun) -> None:
        self._in_doubt.pop(run.name, None)
        self._seen.pop(run.name, None)

    def leftovers(self, run: ObjectRun) -> Sequence[AbortJob]:
        return ()
