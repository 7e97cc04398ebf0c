"""Objects that require a filter, read through their parents' types or through lists of their Ids."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sfnb.backup.filters import is_filter_refusal, parent_types
from sfnb.backup.object_run import ObjectRun, RunState
from sfnb.backup.plan import PARENTS_PER_QUERY, QUERIES_PER_CALL
from sfnb.backup.readers.steps import Commit, Step, Switch, give_up, moment_cursor
from sfnb.backup.unit_outcomes import IdsRead, Outcome, RowsRead
from sfnb.backup.units import NO_PARENT, AbortJob, ParentIds, ParentsPage, Unit
from sfnb.errors import ObjectError


class ByParentReader:
    """
    Where the org takes the type of parents as a filter, one query has the rows of all parents of a
    type. Elsewhere it takes their Ids. These come from the snapshot where it has them complete,
    else from the org, in pages. Where the lookup may be empty, the rows without a parent come last.

    Args:
        runs: all objects of the snapshot: a parent that is still being read is waited for.
        stored_ids: the Ids that the snapshot has of an object. Those in the recycle bin are parents
            too: their children are there with them.
    """

    def __init__(
        self, runs: Mapping[str, ObjectRun], stored_ids: Callable[[str], list[str]]
    ) -> None:
        self._runs = runs
        self._stored_ids = stored_ids
        self._ids: dict[str, list[str]] = {}
        self._listed: dict[str, list[str]] = {}
        self._lister: dict[str, str] = {}
        self._all: dict[str, list[str]] = {}

    def next_units(self, run: ObjectRun) -> Sequence[Unit]:
        lookup = run.parent_field or ""
        if run.is_typed:
            types = self._all[run.name] = list(parent_types(run.schema, lookup))
            of_type = f"{lookup.removesuffix('Id')}.Type"
            return [self._page(run, of_type, self._next(run, types, size=1))]
        parents = next(f.reference_to for f in run.schema.fields if f.name == lookup)
        if any(self._is_awaited(parent, run) for parent in parents):
            return ()
        for parent in parents:
            if parent not in self._ids and (unit := self._listing(parent, run)) is not None:
                return [unit]
        return [self._page(run, lookup, self._slices(parents, run))]

    @staticmethod
    def _page(run: ObjectRun, lookup: str, slices: tuple[tuple[str, ...], ...]) -> Unit:
        return ParentsPage(run.name, run.asks, lookup, slices, run.way.spread(run.asks.fields))

    def _is_awaited(self, parent: str, run: ObjectRun) -> bool:
        """
        Whether the parent's Ids will be here soon. Objects read by parent do not wait for one
        another's rows.
        """
        lister = self._runs.get(self._lister.get(parent, run.name), run)
        if lister is not run and lister.is_open and parent not in self._ids:
            return True
        there = self._runs.get(parent, run)
        return there is not run and there.is_open and there.reader != "by_parent"

    def _listing(self, parent: str, run: ObjectRun) -> Unit | None:
        there = self._runs.get(parent)
        if there is not None and there.state is RunState.COMPLETE:
            self._ids[parent] = sorted(self._stored_ids(parent))
            return None
        self._lister[parent] = run.name
        so_far = self._listed.get(parent, [])
        return ParentIds(run.name, parent, so_far[-1] if so_far else "")

    def _slices(self, parents: Sequence[str], run: ObjectRun) -> tuple[tuple[str, ...], ...]:
        if run.name not in self._all:
            self._all[run.name] = sorted({i for parent in parents for i in self._ids[parent]})
            if any(f.is_nillable for f in run.schema.fields if f.name == run.parent_field):
                self._all[run.name].append(NO_PARENT)
        size = 1 if run.is_single else PARENTS_PER_QUERY
        return self._next(run, self._all[run.name], size=size)

    @staticmethod
    def _next(run: ObjectRun, ids: Sequence[str], *, size: int) -> tuple[tuple[str, ...], ...]:
        """The next five slices after those of the cursor."""
        start = bisect_right(ids, run.cursor.get("after", ""))
        now = ids[start : start + size * QUERIES_PER_CALL]
        # By itself: a refusal of this query is none of the others'.
        now = now[: now.index(NO_PARENT)] if NO_PARENT in now[1:] else now
        return tuple(tuple(now[at : at + size]) for at in range(0, len(now), size))

    def outcome(self, run: ObjectRun, unit: Unit, outcome: Outcome) -> Sequence[Step]:
        if isinstance(unit, ParentIds):
            assert isinstance(outcome, IdsRead)  # noqa: S101 - what this unit brings
            listed = self._listed.setdefault(unit.parent, [])
            listed += outcome.ids
            if outcome.is_done:
                self._ids[unit.parent] = self._listed.pop(unit.parent)
            return ()
        assert isinstance(unit, ParentsPage) and isinstance(outcome, RowsRead)  # noqa: S101
        last = unit.slices[-1][-1] if unit.slices else ""
        is_done = not unit.slices or last == self._all[run.name][-1]
        # Each row belongs to one parent, so the counts of all queries add up to the object's.
        count = run.cursor.get("count", 0) + (outcome.total or 0)
        if run.is_typed and is_done and not count and run.record_count:
            # The org's statistic has some: nothing may be stored as all there is.
            return [self._by_ids(run)]
        if is_done:
            self._compare_statistic(run, sum(part.rows for part in outcome.parts))
        return [Commit(outcome.parts, self._cursor(run, last, count), is_done, count)]

    @staticmethod
    def _cursor(run: ObjectRun, last: str, count: int) -> dict[str, Any]:
        return moment_cursor(
            run,
            "by_parent",
            after=last,
            field=run.parent_field,
            count=count,
            single=run.is_single,
            typed=run.is_typed,
        )

    @staticmethod
    def _compare_statistic(run: ObjectRun, rows: int) -> None:
        """
        The queries' counts prove what they brought, not that the parents lead to all rows. The
        org's statistic is too old and too rough to prove that, but it can speak against it.
        """
        known = run.expected_rows if run.record_count is None else run.record_count
        found = run.progress.rows + rows
        if known and found < known:
            run.note(
                f"The org's statistic, which may be a day old, counts {known:,} records; {found:,} "
                "were found through their parents."
            )

    def refused(self, run: ObjectRun, err: ObjectError) -> Step:
        if run.is_typed:
            return self._by_ids(run)
        ids, after = self._all.get(run.name, []), run.cursor.get("after", "")
        if ids[bisect_right(ids, after) :] == [NO_PARENT]:
            run.note(f"The org does not tell its rows without a {run.parent_field}: {err}")
            count = run.cursor.get("count", 0)
            self._compare_statistic(run, 0)
            return Commit((), self._cursor(run, NO_PARENT, count), is_done=True, org_count=count)
        if is_filter_refusal(str(err)) and not run.is_single:
            # It takes no list of parents: one at a time, then.
            run.is_single = True
            return Switch("by_parent")
        return give_up(err)

    def _by_ids(self, run: ObjectRun) -> Step:
        """The types of its parents do not give its rows: their Ids have to."""
        run.is_typed = False
        self._all.pop(run.name, None)
        return Switch("by_parent", is_restart=bool(run.cursor.get("after")))

    def forget(self, run: ObjectRun) -> None:
        """Nothing is kept by object that the cursor does not have."""

    def leftovers(self, run: ObjectRun) -> Sequence[AbortJob]:
        return ()
