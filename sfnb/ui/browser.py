"""
The snapshot browser: snapshots, their objects, and an object's rows as a table that pages from the
store.
"""

from __future__ import annotations

import threading
from html import escape
from typing import TYPE_CHECKING, Any

from sfnb.connection import Connection
from sfnb.errors import CallerError, SfnbError
from sfnb.model import ObjectState
from sfnb.org.ids import to18
from sfnb.store.archived import Archives
from sfnb.store.history.record import record_history
from sfnb.store.manifest import ObjectEntry, moment_of
from sfnb.store.pages import Pages
from sfnb.store.snapshots import Snapshot, Snapshots
from sfnb.store.views import Readable
from sfnb.text import count, dated_moment, records
from sfnb.ui.archived import archive_labels, archives_html, archives_view
from sfnb.ui.kernel import Timer
from sfnb.ui.past import DiffRun, check_id, diff_html, history_view
from sfnb.ui.screen import Screen, picture

if TYPE_CHECKING:
    import pandas as pd

LOOK_S = 0.5

MARKED = 50
"""Snapshots whose state is read for the list, the newest ones: each costs a file."""

PICTURE_ROWS = 20

ALL_ARCHIVES = "archives"
"""What is chosen to see the records of all archives."""


def snapshot_label(snapshots: Snapshots, name: str, *, has_state: bool) -> str:
    """When, how complete, and the id; a snapshot that is not sealed says so."""
    parts = [dated_moment(moment_of(name))]
    if has_state:
        snapshot = snapshots[name]
        parts.append(snapshot.manifest.state if snapshot.is_sealed else "partial, not finished")
    return " · ".join([*parts, name])


def object_label(name: str, entry: ObjectEntry) -> str:
    """What a snapshot has of an object; of one that is still read, what this backup has read of it."""
    held = records(entry.rows + entry.deleted, entry.deleted)
    is_partial = entry.state is ObjectState.PARTIAL
    return f"{name}: {held}{' read so far' if is_partial else ''}, {entry.state}"


class SnapshotBrowser(Screen):
    """
    What an org's backups have stored, and what archives have taken out of it. Costs no API calls.

    Opening an object reads it into a temporary file in the background; its first rows appear at
    once.
    """

    script = "browser"

    def __init__(self, org: Connection) -> None:
        self._org = org
        self._pages: Pages | None = None
        self._snapshot: Snapshot | None = None
        self._archives: Archives | None = None
        self._archive = ""
        self._object = ""
        self._living = ""
        self._sent: tuple[int, bool, str] = (0, False, "")
        self._diff: DiffRun | None = None
        self._sent_diff: tuple[int, bool] = (0, False)
        self._timer = Timer(self._look, LOOK_S)

    def __repr__(self) -> str:
        what = f", open: {self._object}" if self._object else ""
        return f"<snapshots of {self._org.name}: {len(self._org.snapshots)}{what}>"

    # what is shown

    def view(self) -> dict[str, Any]:
        return {"title": f"Snapshots of {self._org.name}", "snapshots": self._list()}

    def _list(self) -> list[dict[str, str]]:
        """Backups, newest first, then archives, newest first, after an entry for all of them."""
        newest_first = list(reversed(list(self._org.snapshots)))
        backups = [
            {
                "id": name,
                "label": snapshot_label(self._org.snapshots, name, has_state=place < MARKED),
                "group": "backups",
            }
            for place, name in enumerate(newest_first)
        ]
        return [*backups, *self._list_archives()]

    def _list_archives(self) -> list[dict[str, str]]:
        found = [
            {"id": one, "label": label, "group": "archives"}
            for one, label in archive_labels(self._org.archives)
        ]
        if found:
            all_of_them = f"All {count(len(found), 'archive')}"
            found.insert(0, {"id": ALL_ARCHIVES, "label": all_of_them, "group": "archives"})
        return found

    def html(self) -> str:
        parts = [f"<h3>Snapshots of {escape(self._org.name)}</h3>"]
        if self._archives is not None:
            parts.append(archives_html(self._archives.records()))
        else:
            parts.append(self._snapshot_html())
        if self._pages is not None:
            parts.append(_page_html(self._object, self._pages))
        if self._diff is not None:
            parts.append(diff_html(self._diff.view()["diff"]))
        return picture("".join(parts))

    def _snapshot_html(self) -> str:
        try:
            shown = self._snapshot or self._org.snapshots["latest"]
        except SfnbError as err:
            return f"<p>{escape(str(err))}</p>"
        manifest = shown.manifest
        rows = "".join(
            "<tr><th "
            f"scope='row'>{escape(name)}</th><td>{escape(str(e.state))}</td><td>{e.rows + e.deleted:,}</td></tr>"
            for name, e in sorted(manifest.objects.items(), key=lambda item: -item[1].rows)[:50]
        )
        return (
            f"<p>{count(len(self._org.snapshots), 'snapshot')}; shown: {escape(shown.id)}, "
            f"{escape(manifest.state)}</p>"
            f"<table><thead><tr><th>object</th><th>state</th><th>records</th></tr></thead><tbody>{rows}</tbody></table>"
        )

    def frame(self) -> pd.DataFrame:
        """
        The rows of the open object that the present filter leaves, in its order.

        Raises:
            CallerError: no object is open.
        """
        return self._the_pages().frame()

    # what a person does

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        answer = self._answer(message)
        return None if answer is None else {"ok": True, **answer}

    def _answer(self, message: dict[str, Any]) -> dict[str, Any] | None:
        answer: dict[str, Any] | None = None
        match message.get("kind"):
            case "snapshots":
                answer = {"snapshots": self._list()}
            case "objects":
                answer = self.choose(str(message["snapshot"]))
            case "open":
                answer = self.open(str(message["object"]))
            case "pick":
                filters = {str(name): str(text) for name, text in message["filters"].items()}
                is_descending = bool(message.get("descending"))
                found = self._the_pages().pick(
                    filters, message.get("order"), descending=is_descending
                )
                answer = {"count": found, "says": count(found, "record") + self._living}
            case "page":
                answer = {
                    "rows": self._the_pages().page(int(message["offset"]), int(message["limit"]))
                }
            case "history":
                answer = self.history(str(message["record"]))
            case "compare":
                answer = self.compare(str(message["old"]))
            case "changes":
                answer = self._the_diff().changes(str(message["object"]))
            case "cell":
                answer = {
                    "text": self._the_pages().cell(int(message["offset"]), str(message["column"]))
                }
        return answer

    def choose(self, snapshot: str) -> dict[str, Any]:
        """Choose a snapshot: its objects and how complete they are; or an archive, or all of them."""
        archives = self._org.archives
        if snapshot == ALL_ARCHIVES or snapshot in archives:
            self._snapshot, self._archive = None, snapshot
            self._archives = archives if snapshot == ALL_ARCHIVES else archives[snapshot]
            return archives_view(self._archives.records())
        self._archives = None
        self._snapshot = self._org.snapshots[snapshot]
        manifest = self._snapshot.manifest
        objects = [
            {
                "name": name,
                "rows": entry.rows,
                "label": object_label(name, entry),
            }
            for name, entry in sorted(manifest.objects.items())
        ]
        in_bin = sum(entry.deleted for entry in manifest.objects.values())
        stored = records(manifest.rows + in_bin, in_bin)
        about = f"{manifest.state}: {count(len(objects), 'object')}, {stored}"
        return {"about": about, "objects": objects}

    def open(self, object_name: str) -> dict[str, Any]:
        """Open an object of the snapshot: its columns. Its rows are read in the background."""
        rows: Readable
        if self._archives is not None:
            rows, living = self._archives.rows(object_name), ""
            which = "" if self._archive == ALL_ARCHIVES else f'["{self._archive}"]'
            code = f"org.archives{which}"
        elif self._snapshot is not None:
            rows, code = self._snapshot.rows(object_name), f'org.snapshots["{self._snapshot.id}"]'
            has_bin = self._snapshot.manifest.objects[rows.name].deleted > 0
            living = " outside the recycle bin" if has_bin else ""
        else:
            raise CallerError("Choose a snapshot first.")
        pages = Pages(rows)
        self.close_object()
        self._pages, self._object, self._living = pages, object_name, living
        threading.Thread(target=pages.load, name=f"sfnb-pages-{object_name}", daemon=True).start()
        self._sent = (0, False, "")
        self._timer.start()
        return {
            "columns": pages.columns,
            "code": f'{code}.frame("{object_name}")',
            **self._state(),
        }

    def history(self, record_id: str) -> dict[str, Any]:
        """The versions of a record of the open object, newest first."""
        if not self._object:
            raise CallerError("Open an object first.")
        meant = to18(check_id(record_id))
        store = self._org.store
        versions = record_history(store.files, store.snapshots, self._object, meant)
        return history_view(versions, meant)

    def compare(self, old: str) -> dict[str, Any]:
        """Compare the chosen snapshot with an older one, in the background."""
        if self._snapshot is None:
            raise CallerError("Choose a snapshot first.")
        self.close_diff()
        self._diff = DiffRun(self._org.diff(old, self._snapshot.id))
        self._sent_diff = (-1, False)
        self._timer.start()
        code = f'org.diff("{old}", "{self._snapshot.id}").frame()'
        return {"code": code, **self._diff.view()}

    def _the_diff(self) -> DiffRun:
        if self._diff is None:
            raise CallerError("Compare two snapshots first.")
        return self._diff

    def close_diff(self) -> None:
        """End a comparison that still runs."""
        if self._diff is not None:
            self._diff.stop()
            self._diff = None

    def close(self) -> None:
        self.close_diff()
        self.close_object()

    def close_object(self) -> None:
        """Delete the temporary file of the open object."""
        if self._pages is not None:
            self._pages.close()
            self._pages = None

    def _the_pages(self) -> Pages:
        if self._pages is None:
            raise CallerError("Open an object first.")
        return self._pages

    def _state(self) -> dict[str, Any]:
        pages = self._the_pages()
        return {
            "count": pages.count,
            "loaded": pages.loaded,
            "done": pages.is_loaded,
            "problem": pages.problem,
            "says": count(pages.loaded, "record")
            + (self._living if pages.is_loaded else " so far, still reading"),
        }

    def _look(self) -> None:
        """One beat while an object is read or compared: how far. Those threads touch no widget."""
        is_busy = self._look_at_diff()
        if self._pages is None:
            if not is_busy:
                self._timer.stop()
            return
        state = self._state()
        now = (state["loaded"], state["done"], state["problem"])
        if now != self._sent:
            self._sent = now
            self.send(state)
        if (state["done"] or state["problem"]) and not is_busy:
            self._timer.stop()

    def _look_at_diff(self) -> bool:
        """Tell how far a comparison has come; whether it goes on."""
        run = self._diff
        if run is None:
            return False
        is_over = run.done or bool(run.problem)
        now = (run.compared, is_over)
        if now != self._sent_diff:
            self._sent_diff = now
            self.send(run.view())
        return not is_over


def _page_html(name: str, pages: Pages) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in pages.columns[:12])
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(value or '')}</td>" for value in row[:12]) + "</tr>"
        for row in pages.page(0, PICTURE_ROWS)
    )
    return (
        f"<h4>{escape(name)}: the first records of {pages.count:,}</h4>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
