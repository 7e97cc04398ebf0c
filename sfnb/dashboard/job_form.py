"""What the forms of backups and restores share: asking the org first, and starting a process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from sfnb.dashboard.local_org import LocalOrg
from sfnb.dashboard.places import address
from sfnb.dashboard.processes import Command
from sfnb.ui.kernel import Timer
from sfnb.ui.screen import Screen

LOOK_S = 0.3


class JobForm(Screen):
    """
    A form that asks the org on a thread of its own, and starts a job in a process of its own.

    Attributes:
        kind: of the jobs it starts, as in the state; also their place in the page.
    """

    kind: ClassVar[str]

    def __init__(self, org: LocalOrg) -> None:
        self._org = org
        self._job_org = org.name
        self._command: Command | None = None
        self._known: set[str] = set()
        self._found: Any = None
        self._is_planning = False
        self._says = ""
        self._timer = Timer(self._look, LOOK_S)

    def __repr__(self) -> str:
        return f"<{self.kind} of {self._org.name}>"

    # ---- a look at the org

    def _ask(self, look: Callable[[], None]) -> None:
        """Have ``look`` put what it finds in ``_found`` or ``_says``; one at a time."""
        if self._is_planning:
            return
        self._is_planning, self._found, self._says = True, None, ""

        def work() -> None:
            try:
                look()
            finally:
                self._is_planning = False

        threading.Thread(target=work, daemon=True).start()
        self._timer.start()

    # ---- the job

    def _run(self, arguments: Sequence[str], *, org: str = "") -> None:
        """
        Run an sfnb command, and go to the page of its job once there is one.

        Args:
            org: name of the org whose job it will be; empty: the form's own.
        """
        self._job_org = org or self._org.name
        self._known = {job.job_id for job in self._org.state.jobs.find(self._job_org)}
        self._says = ""
        self._command = Command(arguments, self._org.settings.home / "dashboard" / "jobs")
        self._timer.start()

    def _look(self) -> None:
        """One beat while something is awaited: an answer, or the new job in the state database."""
        before = self._seen()
        if self._command is not None:
            self._look_for_job(self._command)
        is_over = not self._is_planning and self._command is None
        if before != self._seen() or is_over:
            self.show()
        if is_over:
            self._timer.stop()

    def _seen(self) -> tuple[object, ...]:
        return self._found, self._is_planning, self._command, self._says

    def _look_for_job(self, command: Command) -> None:
        jobs = self._org.state.jobs.find(self._job_org)
        new = [job for job in jobs if job.job_id not in self._known and job.kind == self.kind]
        if new:
            self._command = None
            self.send({"go": address(self._job_org, self.kind, new[-1].job_id)})
        elif command.exit_code is not None:
            self._command = None
            self._says = f"The {self.kind} did not start. {command.last_words}"


def words(text: str) -> list[str]:
    """What a person has typed into a field: by commas, spaces or lines."""
    return text.replace(",", " ").split()
