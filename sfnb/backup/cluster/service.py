"""What workers ask the coordinator for: tickets of its gate, and its session. Safe for threads."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from sfnb.backup.cluster.far import FarSpec
from sfnb.backup.cluster.sealing import seal
from sfnb.clock import Clock
from sfnb.model import Reading
from sfnb.org.client import OrgClient
from sfnb.org.session import Session
from sfnb.quota.ledger import Ledger
from sfnb.quota.rows import Ticket
from sfnb.settings import OrgConfig

LEDGER = ("kind_of", "quota_state", "claim_probe", "release_probe")
RENEWAL = ("newest_version", "keep")
"""Of the methods of the ledger and of the renewal, those that are handed on as they are."""

OF_A_WORKER, SESSION = ("take_ticket", "settle_ticket"), ("spec", "newer_session")
"""Those that are the service's own."""


class Service:
    """
    One job's.

    A ticket belongs to the worker that asked until it is settled. The tickets of a worker that is gone
    count as spent: its calls may have reached the org.
    """

    def __init__(self, client: OrgClient, config: OrgConfig, ledger: Ledger, clock: Clock) -> None:
        self._client = client
        self._config = config
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, dict[int, Ticket]] = {}
        self._gone: set[str] = set()
        self._sessions: list[Session] = []

    def answer(self, worker: str, what: str, arguments: Any, options: Any) -> Any:
        """The answer to one question of a worker."""
        if what in OF_A_WORKER:
            return getattr(self, what)(worker, *arguments, **options)
        if what in LEDGER:
            return getattr(self._ledger, what)(*arguments, **options)
        if what in RENEWAL:
            return getattr(self._client.address.renewal, what)(*arguments, **options)
        if what in SESSION:
            return getattr(self, what)(*arguments)
        raise ValueError(f"a worker asked for {what!r}")

    def worker_gone(self, worker: str) -> None:
        """Its calls in flight count as spent, and the gauge is read again before the next call."""
        with self._lock:
            self._gone.add(worker)
            left = self._open.pop(worker, {})
        for ticket in left.values():
            self._ledger.settle_ticket(ticket, (), was_sent=True, rules=self._client.gate.rules)

    # -- the gate

    def take_ticket(self, worker: str, *arguments: Any, **options: Any) -> Any:
        answer = self._ledger.take_ticket(*arguments, **options)
        if isinstance(answer, Ticket):
            with self._lock:
                is_late = worker in self._gone
                if not is_late:
                    self._open.setdefault(worker, {})[answer.number] = answer
            if is_late:  # the worker died while it waited for this ticket: it sends nothing
                self._ledger.settle_ticket(answer, (), was_sent=False, rules=options["rules"])
        return answer

    def settle_ticket(
        self, worker: str, ticket: Ticket, readings: Iterable[Reading], **options: Any
    ) -> None:
        with self._lock:
            self._open.get(worker, {}).pop(ticket.number, None)
        # A worker's clock may be wrong. By ours, the call was sent after its ticket was taken: the
        # earlier a reading, the fewer calls of ours it is taken to include.
        now = self._clock.now()
        timed = [replace(one, sent_at=ticket.taken_at, read_at=now) for one in readings]
        self._ledger.settle_ticket(ticket, timed, **options)

    # -- the session

    def spec(self, public: bytes) -> bytes:
        with self._lock:
            number, session = self._present()
        spec = FarSpec(
            # Where secrets are on this machine is of no use elsewhere.
            replace(self._config, secrets={}, jwt_key=""),
            session,
            number,
            self._client.api_version,
            self._client.gate.rules,
        )
        return seal(pickle.dumps(spec), public)

    def newer_session(self, number: int, public: bytes) -> bytes:
        """The session after that number; the org is logged in to once, however many workers ask."""
        with self._lock:
            present, session = self._present()
            if present == number:
                self._client.address.log_in_again(session)
                present, session = self._present()
        return seal(pickle.dumps((present, session)), public)

    def _present(self) -> tuple[int, Session]:
        session = self._client.open_session
        if not self._sessions or self._sessions[-1] is not session:
            self._sessions = [*self._sessions, session]
        return len(self._sessions) - 1, session
