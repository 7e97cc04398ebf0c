"""Restoring in the page: from which snapshot, what, a preview, and Start after a question."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from sfnb import engine
from sfnb.dashboard.job_form import JobForm, words
from sfnb.dashboard.local_org import LocalOrg
from sfnb.dashboard.parts import PartMaker
from sfnb.dashboard.wording import in_page
from sfnb.engine import RestoreRequest
from sfnb.errors import CallerError, QuotaSignal, SfnbError
from sfnb.model import RESTORE
from sfnb.org.ids import is_record_id
from sfnb.private import private_file, private_folder
from sfnb.ui.archived import archive_labels
from sfnb.ui.browser import MARKED, snapshot_label
from sfnb.ui.restore_preview import RestorePreview

SHOWN = 100
"""Snapshots of backups, and of archives, to choose from, the newest first."""


class RestoreForm(JobForm):
    """
    The form of a restore. It writes nothing by itself: Start asks, and runs `sfnb restore` in a
    process of its own.

    Cost: a preview costs what `engine.plan` says; the form nothing.
    """

    script = "restore_form"
    deeds = (("start", RESTORE),)
    kind = RESTORE
    _found: RestorePreview | None

    def __init__(self, org: LocalOrg, orgs: PartMaker) -> None:
        super().__init__(org)
        self._orgs = orgs
        self._previewed: tuple[str, RestoreRequest] | None = None

    def view(self) -> dict[str, Any]:
        return {
            "org": self._org.name,
            "targets": [self._org.name]
            + [name for name in self._orgs.org_names() if name != self._org.name],
            "snapshots": self._snapshots(),
            "chosen": self._chosen(),
            "is_starting": self._command is not None,
            "is_planning": self._is_planning,
            "says": in_page(self._says),
            "refused": self.refused(self._org.state.team),
            "preview": in_page(self._found.view()) if self._found else None,
        }

    def html(self) -> str:
        return f"<p>{escape(self._org.name)}</p>"

    def _snapshots(self) -> list[dict[str, str]]:
        snapshots = self._org.snapshots
        newest = list(reversed(list(snapshots)))[:SHOWN]
        backups = [
            {"id": name, "text": snapshot_label(snapshots, name, has_state=place < MARKED)}
            for place, name in enumerate(newest)
        ]
        archives = archive_labels(self._org.archives)[:SHOWN]
        return [*backups, *({"id": one, "text": f"archive · {text}"} for one, text in archives)]

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
                self._plan(self._target(message), self._request(message))
            case "question":
                asked = self._question(self._target(message), self._request(message))
                return {"ok": True, "question": asked}
            case "start":
                self._start(message)
            case _:
                return None
        self.show()
        return {"ok": True}

    def _target(self, message: dict[str, Any]) -> LocalOrg:
        """The org that is written into."""
        name = str(message.get("target", ""))
        return self._orgs.org(name) if name not in ("", self._org.name) else self._org

    def _request(self, message: dict[str, Any]) -> RestoreRequest:
        is_own = self._target(message) is self._org
        return request_of(message, "" if is_own else self._org.name)

    def _plan(self, target: LocalOrg, request: RestoreRequest) -> None:
        def look() -> None:
            try:
                self._found = RestorePreview(target, engine.plan(target, request))
                self._previewed = (target.name, request)
            except (SfnbError, QuotaSignal) as err:
                self._says = str(err)

        self._ask(look)

    def _question(self, target: LocalOrg, request: RestoreRequest) -> str:
        """What a person says yes to."""
        what = f"This writes into {target.name}."
        if self._found is not None and self._previewed == (target.name, request):
            return f"{what} By the preview: {self._found.counts}. Start?"
        return f"{what} Nobody has looked at a preview of it. Start all the same?"

    def _start(self, message: dict[str, Any]) -> None:
        if self._command is not None:
            return
        target, request = self._target(message), self._request(message)
        home = self._org.settings.home
        file: Path | None = None
        if request.ids:
            file = private_file(private_folder(home / "dashboard") / "restore-ids.txt")
            file.write_text("\n".join(request.ids) + "\n", "utf-8")
        arguments = arguments_of(request, self._org.name, target.name, file)
        self._run(arguments, org=target.name)


def arguments_of(request: RestoreRequest, source: str, target: str, ids: Path | None) -> list[str]:
    """
    The command that does what the form says.

    Args:
        ids: a file with the record Ids, if there are any.
    """
    arguments = ["restore", source, request.snapshot, "--json"]
    if target != source:
        arguments += ["--to", target]
    for option, values in (("--objects", request.objects), ("--fields", request.fields)):
        if values:
            arguments += [option, ",".join(values)]
    if ids is not None:
        arguments += ["--ids", str(ids)]
    if request.only:
        arguments += ["--only", request.only]
    if request.children:
        arguments += ["--with-children", str(request.children)]
    if request.owner:
        arguments += ["--owner", request.owner]
    if request.files:
        arguments.append("--files")
    return [*arguments, "--on-conflict", request.on_conflict, "--automation", request.automation]


def request_of(message: dict[str, Any], source: str) -> RestoreRequest:
    """
    What the form says.

    Args:
        source: the org that the snapshot is of, where another one is written; else empty.

    Raises:
        CallerError: a text that is no record Id, or nothing where something is needed.
    """
    snapshot = str(message.get("snapshot", ""))
    if not snapshot:
        raise CallerError("Choose a snapshot. There is none before the first backup.")
    options: dict[str, Any] = {
        "source": source,
        "fields": words(str(message.get("fields", ""))) or None,
        "owner": str(message.get("owner", "")).strip() or None,
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
