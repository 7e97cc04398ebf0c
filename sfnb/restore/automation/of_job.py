"""The automation of one restore job: off before the first record, on again at each end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sfnb.clock import Clock
from sfnb.errors import (
    LeaseLost,
    OrgUnavailable,
    QuotaSignal,
    SfnbError,
    StateUnavailable,
    TransientError,
)
from sfnb.org.client import OrgClient
from sfnb.org.transport import call_context
from sfnb.restore.automation.journal import AutomationJournal
from sfnb.restore.automation.listing import fetch_automation
from sfnb.restore.automation.switching import switch_off, switch_on
from sfnb.restore.automation.triggers import Wait
from sfnb.restore.folder import RestoreFolder

STEP_S = 0.5


@dataclass
class JobAutomation:
    """
    Args:
        tick: called while it waits; raises when the job is to stop.
    """

    client: Callable[[], OrgClient]
    folder: RestoreFolder
    stop: threading.Event | None = None
    tick: Callable[[], None] = lambda: None

    def journal(self) -> AutomationJournal:
        """As it is on disk now."""
        return AutomationJournal.of(self.folder.files, self.folder.automation_path)

    def off(self, objects: Sequence[str]) -> AutomationJournal:
        """Switch off what is active on these objects; goes on where it stopped."""
        client = self.client()
        with self._booked():
            journal = self.journal()
            if not journal.is_begun or any(
                e.step in ("waiting", "switching_off") for e in journal.entries
            ):
                found = fetch_automation(client, objects)
                switch_off(client, journal, found, self._wait(client.clock))
        return journal

    def on(self) -> list[str]:
        """Switch on again what is off because of us; sentences on what is still off."""
        journal = self.journal()
        if not journal.is_begun:
            return []
        client = self.client()
        with self._booked():
            return switch_on(client, journal, self._wait(client.clock))

    @contextmanager
    def back_on_failure(self) -> Iterator[None]:
        """
        What runs in this block may fail for good: then automation is switched on first.

        A pause leaves it as it is, since the job goes on later; so does the loss of the lease,
        since another process has it. If the gate does not let us, or nobody answers for the org, the
        job pauses instead of failing, and fails once everything is on.
        """
        try:
            yield
        except (TransientError, LeaseLost, StateUnavailable):
            raise
        except Exception as err:
            still_off = self._on_or_why()
            if still_off and isinstance(err, SfnbError):
                err.args = (f"{err} {still_off}",)
            raise

    def on_or_left(self) -> str:
        """Switch on if the gate and the org let us; else a sentence on what is still off."""
        try:
            return self._on_or_why()
        except (QuotaSignal, OrgUnavailable) as err:
            return _left(self.journal(), str(err))

    def _on_or_why(self) -> str:
        try:
            return " ".join(self.on())
        except OrgUnavailable:
            raise
        except SfnbError as err:
            return _left(self.journal(), str(err))

    def off_now(self) -> str:
        """A sentence on what is off because of us; empty: nothing."""
        names = ", ".join(entry.item.shown for entry in self.journal().open_entries)
        if not names:
            return ""
        return (
            f"Off for this restore: {names}. When it ends, fails or is cancelled, they come on again; "
            f"if its process dies, `sfnb resume {self.folder.job_id}` switches them on."
        )

    def outcome(self) -> dict[str, Any]:
        """For the job's JSON; empty where nothing was switched."""
        journal = self.journal()
        return {"switched": journal.outcome()} if journal.is_begun else {}

    @contextmanager
    def _booked(self) -> Iterator[None]:
        with call_context(job_id=self.folder.job_id, object_name="", stop=self.stop):
            yield

    def _wait(self, clock: Clock) -> Wait:
        def wait(seconds: float) -> None:
            while seconds > 0:
                clock.wait(min(STEP_S, seconds), self.stop)
                self.tick()
                seconds -= STEP_S

        return wait


def _left(journal: AutomationJournal, why: str) -> str:
    names = ", ".join(entry.item.shown for entry in journal.open_entries)
    if not names:
        return ""
    return (
        f"Still off: {names} ({why}). "
        f"`sfnb resume {journal.path.split('/')[-2]}` switches them on again."
    )
