"""Cursors of REST queries: where the next page of a result begins."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from itertools import count

from sfnb_demo.data import ids
from sfnb_demo.data.results import QueryResult

CURSOR_LIFE_S = 2 * 86_400
"""Cursors live two days (Winter '23 and later)."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """An open query. It belongs to the session that made it."""

    result: QueryResult
    session_number: int
    made_s: float
    page_rows: int


class Cursors:
    """Cursors by id (prefix 01g); safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._by_id: dict[str, Cursor] = {}

    def keep(self, cursor: Cursor) -> str:
        """Keep a cursor and return its id. Cursors older than two days are dropped on the way."""
        with self._lock:
            for old_id in [
                i for i, c in self._by_id.items() if cursor.made_s - c.made_s > CURSOR_LIFE_S
            ]:
                del self._by_id[old_id]
            cursor_id = ids.make_id("01g", ids.FIRST + next(self._numbers))
            self._by_id[cursor_id] = cursor
            return cursor_id

    def find(self, cursor_id: str, *, now_s: float, session_number: int) -> Cursor | None:
        cursor = self._by_id.get(cursor_id)
        if (
            cursor is None
            or now_s - cursor.made_s > CURSOR_LIFE_S
            or cursor.session_number != session_number
        ):
            return None
        return cursor

    def drop(self, cursor_id: str) -> None:
        with self._lock:
            self._by_id.pop(cursor_id, None)
