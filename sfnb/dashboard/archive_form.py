"""Archiving in the page: which records may leave, a dry run, and Start after a question."""

from __future__ import annotations

from html import escape
from typing import Any

from sfnb import engine
from sfnb.archive.request import MAX_ROWS
from sfnb.dashboard.job_form import JobForm
from sfnb.dashboard.wording import in_page
from sfnb.engine import ArchiveRequest
from sfnb.errors import CallerError, QuotaSignal, SfnbError
from sfnb.model import ARCHIVE
from sfnb.text import count
from sfnb.ui.archived import leaving_sentence, plan_html


class ArchiveForm(JobForm):
    """
    The form of an archive. It deletes nothing by itself: Start asks, and runs `sfnb archive` in a
    process of its own.

    Cost: a dry run costs what `engine.plan` says; the form nothing.
    """

    script = "archive_form"
    deeds = (("start", ARCHIVE),)
    kind = ARCHIVE
    _found: tuple[ArchiveRequest, str, int] | None

    def view(self) -> dict[str, Any]:
        return {
            "org": self._org.name,
            "max_rows": MAX_ROWS,
            "is_starting": self._command is not None,
            "is_planning": self._is_planning,
            "says": in_page(self._says),
            "refused": self.refused(self._org.state.team),
            "plan": in_page(self._found[1]) if self._found else "",
        }

    def html(self) -> str:
        return f"<p>{escape(self._org.name)}</p>"

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        match message.get("kind"):
            case "plan":
                self._plan(request_of(message))
            case "question":
                return {"ok": True, "question": self._question(request_of(message))}
            case "start" if self._command is None:
                self._run(arguments_of(self._org.name, request_of(message)))
            case "start":
                pass  # it is starting already
            case _:
                return None
        self.show()
        return {"ok": True}

    def _plan(self, request: ArchiveRequest) -> None:
        def look() -> None:
            try:
                estimate = engine.plan(self._org, request)
            except (SfnbError, QuotaSignal) as err:
                self._says = str(err)
                return
            html = plan_html(estimate.as_json(), estimate.bytes)
            self._found = request, html, sum(estimate.going.rows.values())

        self._ask(look)

    def _question(self, request: ArchiveRequest) -> str:
        """What a person says yes to."""
        what = leaving_sentence(self._org.name, request.object_name, hard=request.hard)
        if self._found is not None and self._found[0] == request:
            return f"{what} By the dry run: {count(self._found[2], 'record')}. Go on?"
        return f"{what} Nobody has looked at a dry run of it. Go on all the same?"


def request_of(message: dict[str, Any]) -> ArchiveRequest:
    """
    What the form says.

    Raises:
        CallerError: no object, no condition, or a number that is none.
    """
    most = str(message.get("max_rows") or MAX_ROWS).strip()
    if not most.isdecimal():
        raise CallerError(f"“{most}” is not a number of records.")
    name = str(message.get("object", "")).strip()
    if not name:
        raise CallerError("Name the object, such as Case.")
    return engine.archive(
        name,
        str(message.get("where", "")).strip(),
        with_children=bool(message.get("children")),
        hard=bool(message.get("hard")),
        max_rows=int(most),
    )


def arguments_of(org: str, request: ArchiveRequest) -> list[str]:
    """The command that does what the form says."""
    switches = (("--with-children", request.with_children), ("--hard", request.hard))
    return [
        *("archive", org, "--object", request.object_name, f"--where={request.where}"),
        *("--max-rows", str(request.max_rows), "--yes", "--json"),
        *(name for name, is_on in switches if is_on),
    ]
