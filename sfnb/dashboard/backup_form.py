"""Starting a backup: what to back up, what it would cost, Start."""

from __future__ import annotations

from html import escape
from typing import Any

from sfnb import engine
from sfnb.dashboard.job_form import JobForm, words
from sfnb.dashboard.local_org import LocalOrg
from sfnb.dashboard.wording import in_page
from sfnb.engine import BackupRequest
from sfnb.errors import CallerError, QuotaSignal, SfnbError
from sfnb.jobs.summary import job_records
from sfnb.model import JobState
from sfnb.text import count, zoned_moment
from sfnb.ui import planned

SWITCHES = ("full", "sweep", "refresh", "files", "metadata")
"""How a backup is made, each yes or no; see `engine.backup`."""


class BackupForm(JobForm):
    """
    The form of a backup. Start runs it in a process of its own and opens the page of its job.

    Cost: a plan costs what `engine.plan` says; the form nothing.
    """

    script = "backup_form"
    deeds = (("start", "backup"),)
    kind = "backup"

    def view(self) -> dict[str, Any]:
        return {
            "org": self._org.name,
            "last": _last_price(self._org),
            "is_starting": self._command is not None,
            "is_planning": self._is_planning,
            "says": in_page(self._says),
            "refused": self.refused(self._org.state.team),
            "plan": in_page(self._found or ""),
        }

    def html(self) -> str:
        return f"<p>{escape(_last_price(self._org))}</p>"

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        match message.get("kind"):
            case "plan":
                self._plan(_request(message))
            case "start":
                self._start(message)
            case _:
                return None
        self.show()
        return {"ok": True}

    def _plan(self, request: BackupRequest) -> None:
        def look() -> None:
            try:
                self._found = planned.plan(self._org, request)._repr_html_()
            except (SfnbError, QuotaSignal) as err:
                self._found = f"<p class='sfnb-problem'>{escape(str(err))}</p>"

        self._ask(look)

    def _start(self, message: dict[str, Any]) -> None:
        if self._command is not None:
            return
        request = _request(message)
        arguments = ["backup", self._org.name, "--json"]
        if request.objects:
            arguments += ["--objects", ",".join(request.objects)]
        if request.exclude:
            arguments += ["--exclude", ",".join(request.exclude)]
        arguments += [
            f"--{name}" for name in ("full", "sweep", "refresh") if getattr(request, name)
        ]
        off = [name for name in ("files", "metadata") if getattr(request, name) is False]
        arguments += [f"--no-{name}" for name in off]
        self._run(arguments)


def _request(message: dict[str, Any]) -> BackupRequest:
    """
    What the form says.

    Raises:
        CallerError: it names no object.
    """
    names = words(str(message.get("names", "")))
    said = message.get("how", {})
    how: dict[str, Any] = {name: bool(said[name]) for name in SWITCHES if name in said}
    if how.get("metadata"):
        del how["metadata"]  # the default: with it, unless only some objects are backed up
    match message.get("choice"):
        case "only" if not names:
            raise CallerError("Name at least one object, such as Account, Contact.")
        case "only":
            return engine.backup(objects=names, **how)
        case "except":
            return engine.backup(exclude=names, **how)
    return engine.backup(**how)


def _last_price(org: LocalOrg) -> str:
    """What the last backup cost, which is the best guess at the next one's price."""
    done = [
        job
        for job in org.state.jobs.find(org.org_id)
        if job.kind == "backup"
        and job.state in (JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS)
    ]
    if not done:
        return "This org has no complete backup yet."
    last = done[-1]
    calls = org.state.usage.job_calls(last.job_id)["api"]
    return (
        f"The last complete backup, {zoned_moment(last.started_at)}, "
        f"needed {count(calls, 'API call')} for {job_records(last)}."
    )
