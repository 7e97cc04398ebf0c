"""The queue of units that may start, in the order in which they should."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from sfnb.backup.plan import DESCRIBES_PER_CALL, QUERIES_PER_CALL
from sfnb.backup.units import (
    AbortJob,
    ChangeLists,
    CountRows,
    CreateJob,
    KeysetPages,
    PollJob,
    ResultPage,
    Unit,
)
from sfnb.org.changes import ChangeQuery


class ReadyQueue:
    """
    Bulk jobs first, since the org works on them meanwhile; then pages; then what reads whole
    objects.
    """

    def __init__(self) -> None:
        self._bulk: deque[Unit] = deque()
        self._lists: deque[ChangeLists] = deque()
        self._pages: deque[KeysetPages] = deque()
        self._others: deque[Unit] = deque()

    def __len__(self) -> int:
        return len(self._bulk) + len(self._lists) + len(self._pages) + len(self._others)

    def push(self, units: Iterable[Unit], *, is_alone: bool = False) -> None:
        """
        Queue units of one object.

        Args:
            is_alone: its pages share no call with other objects'.
        """
        for unit in units:
            if isinstance(unit, KeysetPages) and not is_alone:
                # What has begun is finished first, so that a pause leaves few objects partial.
                has_begun = any(page.after for page in unit.pages)
                (self._pages.appendleft if has_begun else self._pages.append)(unit)
            elif isinstance(unit, AbortJob):
                # Before pages of the same object: once those have a cursor, the job has none.
                self._bulk.appendleft(unit)
            elif isinstance(unit, ChangeLists):
                self._lists.append(unit)
            elif isinstance(unit, CreateJob | PollJob | ResultPage):
                self._bulk.append(unit)
            else:
                self._others.append(unit)

    def drop(self, name: str) -> None:
        """Forget what is queued for one object."""
        for queue in (self._bulk, self._others):
            kept = [unit for unit in queue if name not in unit.names or isinstance(unit, AbortJob)]
            queue.clear()
            queue.extend(kept)
        pages = [unit for unit in self._pages if name not in unit.names]
        self._pages.clear()
        self._pages.extend(pages)
        lists = [unit for unit in self._lists if name not in unit.names]
        self._lists.clear()
        self._lists.extend(lists)

    def take(self, pages_in_flight: Callable[[], int], is_busy: Callable[[], bool]) -> Unit | None:
        """
        The unit to start now; None: nothing should start yet.

        Five objects' pages become one unit. Fewer wait while other pages are in flight, since a
        call that carries fewer wastes its places. Counts, which end an object, wait for one another
        as long as anything else is on its way.
        """
        if self._bulk:
            return self._bulk.popleft()
        if self._lists:
            return self._taken_lists()
        is_full = len(self._pages) >= QUERIES_PER_CALL
        if is_full or (self._pages and not pages_in_flight() and not self._may_wait(is_busy)):
            count = min(QUERIES_PER_CALL, len(self._pages))
            taken = [self._pages.popleft() for _ in range(count)]
            return KeysetPages(tuple(page for unit in taken for page in unit.pages))
        return self._others.popleft() if self._others else None

    def _may_wait(self, is_busy: Callable[[], bool]) -> bool:
        """Whether there are counts and samples alone, and more may come."""
        pages = [page for unit in self._pages for page in unit.pages]
        are_counts = all(isinstance(page, CountRows) or page.most for page in pages)
        return are_counts and (bool(self._others) or is_busy())

    def _taken_lists(self) -> ChangeLists:
        """The change lists of as many objects as fit into one call."""
        queries: tuple[ChangeQuery, ...] = ()
        for unit in list(self._lists):
            if len(queries) + len(unit.queries) <= DESCRIBES_PER_CALL:
                queries += unit.queries
                self._lists.remove(unit)
            if len(queries) == DESCRIBES_PER_CALL:
                break
        return ChangeLists(queries)
