"""An org by what is stored of it: shown at once, logged in only when the org itself has to be asked."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING

from sfnb.connection import Connection
from sfnb.errors import QuotaSignal, SfnbError
from sfnb.installation import Installation
from sfnb.quota.gate import Gate

if TYPE_CHECKING:
    from sfnb.org.client import OrgClient

FRESH = timedelta(minutes=5)
"""A reading of the org's use younger than this is not requested again when a place is opened."""

EVENT_LOG_EVERY = timedelta(hours=1)
"""Salesforce writes a log file an hour; reading more often brings nothing and costs a call each time."""

RETRY_S = 60.0
"""So long an org that could not be asked is left alone, unless a person presses a button."""


class LocalOrg(Connection):
    """
    A registered org. Safe for threads.

    Attributes:
        problem: why the org could not be asked the last time, as a sentence; empty: it could.
        is_asking: whether it is being asked now.
    """

    def __init__(self, installation: Installation, name: str) -> None:
        self.config = installation.settings.org(name)
        self.settings = installation.settings
        self.state = installation.state
        self.clock = installation.clock
        self.problem = ""
        self.is_asking = False
        self._open = ExitStack()
        self._installation = installation
        self._lock = threading.Lock()
        # A lock of its own: a login may take a minute, and what is stored is shown meanwhile.
        self._login_lock = threading.Lock()
        self._asked_s = float("-inf")
        self._logged_in: OrgClient | None = None

    @property
    def client(self) -> OrgClient:  # type: ignore[override]
        """
        The org's API; logs in at the first use.

        Raises:
            LoginError: the org refused the login or could not be reached.
        """
        with self._login_lock:
            if self._logged_in is None:
                self._logged_in = self._installation.open_client(self.name)
            return self._logged_in

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def org_id(self) -> str:
        """The Organization Id; an org that never answered is asked."""
        return self.config.org_id or self.client.org_id

    @property
    def is_known(self) -> bool:
        """Whether its Organization Id is known, under which all of it is stored. An org never reached is asked."""
        try:
            return bool(self.org_id)
        except (SfnbError, QuotaSignal) as err:
            self.problem = str(err)
            return False

    @property
    def gate(self) -> Gate:
        return Gate(self.state.ledger, self.org_id, clock=self.clock)

    def ask_soon(self, *, reads_event_log: bool = False, is_wanted: bool = False) -> None:
        """
        Ask the org for its use in the background, if what is stored is old.

        Args:
            reads_event_log: also read the new files of its event log, at most once an hour.
            is_wanted: a person asked for it: ask however young the reading is.

        Cost: one call; with the event log one more, and one for each new file.
        """
        with self._lock:
            now_s = self.clock.monotonic()
            if self.is_asking or (now_s - self._asked_s < RETRY_S and not is_wanted):
                return
            self.is_asking, self._asked_s = True, now_s
        arguments = {"reads_event_log": reads_event_log, "is_wanted": is_wanted}
        threading.Thread(
            target=self._ask, kwargs=arguments, name=f"sfnb-ask-{self.name}", daemon=True
        ).start()

    def _ask(self, *, reads_event_log: bool, is_wanted: bool) -> None:
        from sfnb.usage.collect import collect

        try:
            if reads_event_log and (is_wanted or self._is_event_log_old()):
                self.client  # noqa: B018 - a refused login is reported before anything is read
                collect(self.client, self.state, self.clock)
            elif is_wanted or self._is_reading_old():
                self.limits()
            self.problem = ""
        except (SfnbError, QuotaSignal) as err:
            self.problem = str(err)
        finally:
            self.is_asking = False

    def _is_event_log_old(self) -> bool:
        tried_at = self.state.event_log.event_read(self.org_id).tried_at
        return tried_at is None or self.clock.now() - tried_at > EVENT_LOG_EVERY

    def _is_reading_old(self) -> bool:
        here = self.budgets()["api"]
        is_known = here.is_known and here.read_at is not None
        return not is_known or self.clock.now() - here.read_at > FRESH  # type: ignore[operator]

    def close(self) -> None:
        if self._logged_in is not None:
            self._logged_in.close()
        self._open.close()
