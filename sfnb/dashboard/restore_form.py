"""Restoring in the page: from which snapshot, what, a preview, and Start after a question."""

from __future__ import annotations

from html import escape
from typing import Any

from sfnb import engine
from sfnb.dashboard.job_form import JobForm, words
from sfnb.dashboard.local_org import LocalOrg
from sfnb.dashboard.wording import in_page
from sfnb.engine import RestoreRequest
from sfnb.errors import CallerError, QuotaSignal, SfnbError
from sfnb.model import RESTORE
from sfnb.org.ids import is_record_id
from sfnb.private import private_file, private_folder
from sfnb.ui.browser import MARKED, snapshot_label
from sfnb.ui.restore_preview import RestorePreview

SHOWN = 100
"""Snapshots to choose from, the newest first."""


class RestoreForm(JobForm):
    """
    The form of a restore. It writes nothing by itself: Start asks, and runs `sfnb restore` in a
    process of its own.

    Cost: a preview costs what `engine.plan` says; the form nothing.
    """

    script = "restore_form"
    kind = RESTORE
    _found: RestorePreview | None

    def __init__(self, org: LocalOrg) -> None:
        super().__init__(org)
        self._previewed: RestoreRequest | None = None

    def view(self) -> dict[str, Any]:
        return {
            "org": self._org.name,
            "snapshots": self._snapshots(),
            "chosen": self._chosen(),
            "is_starting": self._command is not None,
            "is_planning": self._is_planning,
            "says": in_page(self._says),
            "preview": in_page(self._found.view()) if self._found else None,
        }

    def html(self) -> str:
        return f"<p>{escape(self._org.name)}</p>"

    def _snapshots(self) -> list[dict[str, str]]:
        snapshots = self._org.snapshots
        newest = list(reversed(list(snapshots)))[:SHOWN]
        return [
            {"id": name, "text": snapshot_label(snapshots, name, has_state=place < MARKED)}
            for place, name in enumerate(newest)
        ]

    def _chosen(self) -> str:
        """The snapshot to begin with: the newest whole one of the newest; else the newest."""
        newest = list(reversed(list(self._org.snapshots)))[:MARKED]
        for name in newest:
            snapshot = self._org.snapshots[name]
            if snapshot.is_sealed and snapshot.manifest.state == "complete":
                return name
        return newest[0] if newest else ""

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        match message.get("kind"):
            case "records" | "record" if self._found is not None:
                return self._found.hear(message)
            case "plan":
                self._plan(_request(message))
            case "question":
                return {"ok": True, "question": self._question(_request(message))}
            case "start":
                self._start(message)
            case _:
                return None
        self.show()
        return {"ok": True}

    def _plan(self, request: RestoreRequest) -> None:
        def look() -> None:
            try:
                self._found = RestorePreview(self._org, engine.plan(self._org, request))
                self._previewed = request
            except (SfnbError, QuotaSignal) as err:
                self._says = str(err)

        self._ask(look)

    def _question(self, request: RestoreRequest) -> str:
        """What a person says yes to."""
        what = f"This writes into {self._org.name}."
        if self._found is not None and self._previewed == request:
            return f"{what} By the preview: {self._found.counts}. Start?"
        return f"{what} Nobody has looked at a preview of it. Start all the same?"

    def _start(self, message: dict[str, Any]) -> None:
        if self._command is not None:
            return
        request, home = _request(message), self._org.settings.home
        arguments = ["restore", self._org.name, request.snapshot, "--json"]
        if request.objects:
            arguments += ["--objects", ",".join(request.objects)]
        if request.ids:
            file = private_file(private_folder(home / "dashboard") / "restore-ids.txt")
            file.write_text("\n".join(request.ids) + "\n", "utf-8")
            arguments += ["--ids", str(file)]
        if request.only:
            arguments += ["--only", request.only]
        if request.children:
            arguments += ["--with-children", str(request.children)]
        if request.files:
            arguments.append("--files")
        arguments += ["--on-conflict", request.on_conflict, "--automation", request.automation]
        self._run(arguments)


def _request(message: dict[str, Any]) -> RestoreRequest:
    """
    What the form says.

    Raises:
        CallerError: a text that is no record Id, or nothing where something is needed.
    """
    snapshot = str(message.get("snapshot", ""))
    if not snapshot:
        raise CallerError("Choose a snapshot. There is none before the first backup.")
    options: dict[str, Any] = {
        "with_children": int(message.get("children") or 0),
        "files": bool(message.get("files")),
        "on_conflict": str(message.get("conflict", "overwrite")),
        "automation": "off" if message.get("automation_off") else "keep",
    }
    texts = words(str(message.get("names", "")))
    match message.get("what"):
        case "deleted" | "changed":
            options["only"] = message["what"]
        case "objects":
            if not texts:
                raise CallerError("Name at least one object, such as Account, Contact.")
            options["objects"] = texts
        case "ids":
            wrong = [text for text in texts if not is_record_id(text)]
            if wrong or not texts:
                raise CallerError(
                    f"“{wrong[0]}” is not a record Id."
                    if wrong
                    else "Enter at least one record Id."
                )
            options["ids"] = texts
    return engine.restore(snapshot, **options)
