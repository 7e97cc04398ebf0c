"""
Transactions that are open: their rows carry the moment of their writing, and become visible later.

A backup that reads in between does not see them, although their SystemModstamp already lies behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """
    Args:
        began: the SystemModstamp that its rows will have.
        ends: when its rows become visible.
        is_known: ``latestDateCovered`` stays before it, as Salesforce documents.
    """

    began: datetime
    ends: datetime
    commit: Callable[[], None]
    is_known: bool = True


class LateCommits:
    """The open transactions of one org; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[OpenTransaction] = []

    def add(self, transaction: OpenTransaction) -> None:
        with self._lock:
            self._open.append(transaction)

    def commit(self, now: datetime | None) -> int:
        """Commit what ends by now, oldest end first; None: everything. How many were committed."""
        if not self._open:
            return 0
        with self._lock:
            due = [t for t in self._open if now is None or t.ends <= now]
            for transaction in sorted(due, key=lambda t: t.ends):
                transaction.commit()
                self._open.remove(transaction)
        return len(due)

    def oldest(self) -> datetime | None:
        """When the oldest transaction that is known to be open began; None if none is."""
        with self._lock:
            return min((t.began for t in self._open if t.is_known), default=None)

    def __len__(self) -> int:
        return len(self._open)
