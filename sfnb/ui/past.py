"""
What became of records, for the snapshot browser: one record's versions, and the difference of two
snapshots.

Wording is made here; the front end only places it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from html import escape
from itertools import groupby
from typing import Any

from sfnb.errors import CallerError, SfnbError
from sfnb.store.history.compare import ObjectDiff
from sfnb.store.history.diff import Diff
from sfnb.store.history.record import RecordVersion, text_of
from sfnb.text import count, dated_moment

RECORDS = 100
"""Changed records of an object that are shown."""

VALUE_CHARS = 500

OPS = {"upsert": "stored", "delete": "deleted, in the recycle bin", "hard_delete": "gone"}


def version_view(version: RecordVersion) -> dict[str, Any]:
    """One version: a title, and its fields as name, before, after; the first has those with a value."""
    what = f"merged into {version.merged_into}" if version.merged_into else OPS[version.op]
    by = f" · last modified by {version.by}" if version.by else ""
    fields = [
        [name, _short(version.before.get(name)), _short(value)]
        for name, value in version.fields.items()
        if version.before or value is not None
    ]
    title = f"{dated_moment(version.at)} · {what}{by}"
    return {"title": title, "snapshot": version.snapshot, "fields": fields}


def history_view(versions: Iterable[RecordVersion], record_id: str) -> dict[str, Any]:
    """A record's versions, newest first."""
    found = [version_view(version) for version in versions]
    return {"says": f"{record_id}: {count(len(found), 'version')}", "versions": found[::-1]}


def counts_view(one: ObjectDiff) -> dict[str, Any]:
    """One object's line: its counts as text, which fields differ, and what could not be compared."""
    fields = ", ".join(f"{name} ({records:,})" for name, records in one.fields.items())
    extra = [f"{one.undeleted:,} undeleted"] if one.undeleted else []
    extra += [f"{one.merged:,} merged"] if one.merged else []
    notes = [*one.notes, *(change.sentence for change in one.schema)]
    return {
        "name": one.name,
        "counts": [f"{n:,}" for n in (one.added, one.changed, one.deleted)],
        "fields": "; ".join(part for part in (fields, ", ".join(extra)) if part),
        "notes": " ".join(notes),
        "different": not one.is_same,
    }


class DiffRun:
    """
    Two snapshots compared in the background, object by object.

    The thread writes only ``lines``, ``done`` and ``problem``; any thread may read them.
    """

    def __init__(self, diff: Diff) -> None:
        self._diff = diff
        self._stop = threading.Event()
        self.lines: list[dict[str, Any]] = []
        self.compared = 0
        self.done = False
        self.problem = ""
        threading.Thread(target=self._run, name="sfnb-diff", daemon=True).start()

    def _run(self) -> None:
        try:
            for one, _ in self._diff.each():
                if self._stop.is_set():
                    return
                self.compared += 1
                if not one.is_same or one.notes or one.schema:
                    self.lines.append(counts_view(one))
            self.done = True
        except SfnbError as err:
            self.problem = str(err)

    def view(self) -> dict[str, Any]:
        """What is known so far."""
        total = len(self._diff.objects)
        different = sum(line["different"] for line in self.lines)
        says = f"{count(different, 'object')} of {total:,} with a difference"
        if not self.done:
            says = f"Comparing: {self.compared:,} of {count(total, 'object')} …"
        return {"diff": {"lines": list(self.lines), "says": self.problem or says}}

    def changes(self, object_name: str) -> dict[str, Any]:
        """The first changed records of an object, their fields side by side."""
        records: list[dict[str, Any]] = []
        with self._diff.one(object_name) as (one, batches):
            total = one.added + one.changed + one.deleted
            lines = (row for batch in batches for row in batch.to_pylist())
            for (record_id, change), group in groupby(lines, lambda r: (r["id"], r["change"])):
                if len(records) == RECORDS:
                    break
                records.append(_record(record_id, change, list(group)))
        shown = count(len(records), "record")
        cut = "" if total <= len(records) else f"The first {shown} of {total:,}."
        return {"changes": records, "name": one.name, "says": cut}

    def stop(self) -> None:
        """End the comparison after the present object."""
        self._stop.set()


def _record(record_id: str, change: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    master = rows[0]["merged_into"]
    what = f"merged into {master}" if master else change
    fields = [[r["field"], _cut(r["old"]), _cut(r["new"])] for r in rows if r["field"] is not None]
    return {"title": f"{record_id or 'a record without an Id'} · {what}", "fields": fields}


def _short(value: Any) -> str | None:
    return None if value is None else _cut(text_of(value))


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= VALUE_CHARS else f"{text[:VALUE_CHARS]} …"


def diff_html(diff: dict[str, Any]) -> str:
    """The counts as a table, for where there is no kernel."""
    lines = "".join(
        f"<tr><th scope='row'>{escape(line['name'])}</th>"
        + "".join(f"<td>{number}</td>" for number in line["counts"])
        + f"<td>{escape(line['fields'])} {escape(line['notes'])}</td></tr>"
        for line in diff["lines"]
    )
    heads = "".join(
        f"<th>{text}</th>" for text in ("object", "added", "changed", "deleted", "fields")
    )
    return (
        f"<p>{escape(diff['says'])}</p>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
    )


def check_id(text: str) -> str:
    """
    The Id that was typed.

    Raises:
        CallerError: there is none.
    """
    if not text.strip():
        raise CallerError("Enter a record's Id, or click one of its cells.")
    return text.strip()
