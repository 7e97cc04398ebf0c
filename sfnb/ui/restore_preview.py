"""What a restore would do, before it does: counts, refusals with their reasons, single records field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from itertools import islice
from typing import TYPE_CHECKING, Any

from sfnb.connection import Connection
from sfnb.errors import CallerError
from sfnb.model import RESTORE, Api
from sfnb.org.transport import call_context
from sfnb.text import count
from sfnb.ui.folding import table_html
from sfnb.ui.restored import ACTIONS, WORDS, counts_text, not_written_html, problem, refusals_html
from sfnb.ui.screen import Screen, picture

if TYPE_CHECKING:
    from sfnb.engine import RestoreEstimate
    from sfnb.restore.plan import PlannedRow

PAGE = 50
"""Records listed at a time."""

VALUE_CHARS = 2_000

LABEL_FIELDS = ("Name", "Subject", "Title", "LastName", "DeveloperName", "CaseNumber")
"""What a record may be called by, before its Id."""

KINDS = {"undelete": "undelete", "update": "update", "insert": "create"}
"""The action of a wave's rows; the other kinds only complete rows that another wave has."""

PRICED: Mapping[Api, tuple[str, ...]] = {
    "api": ("API call",),
    "bulk": ("Bulk batch", "Bulk batches"),
    "bulk2": ("Bulk 2.0 query job",),
}

NOT_THERE = "(not in the org)"


class RestorePreview(Screen):
    """
    A restore's plan, to look at before it runs. It writes nothing.

    Cost: opening one record's fields asks the org: one call.
    """

    script = "restore_preview"

    def __init__(self, org: Connection, estimate: RestoreEstimate) -> None:
        self._org = org
        self._estimate = estimate

    def __repr__(self) -> str:
        return f"<restore into {self._org.name}: {self.counts}>"

    @property
    def counts(self) -> str:
        """What would be written, in words."""
        return counts_text({WORDS[k]: n for k, n in self._estimate.plan.counts.as_json().items()})

    @property
    def sentences(self) -> list[str]:
        """What would happen, what it costs, whether it pauses."""
        plan = self._estimate.plan
        parts = [
            count(plan.price.get(api, 0), *nouns)
            for api, nouns in PRICED.items()
            if plan.price.get(api) or api == "api"
        ]
        into = plan.target.org if plan.is_other_org else plan.source.org
        return [
            f"Snapshot {plan.source.snapshot} into {into}: {self.counts}.",
            *([plan.files_text] if plan.files else []),
            f"Running it costs about {', '.join(parts)}.",
            *(self._estimate.pauses or ["No pause expected as usage stands now."]),
        ]

    @property
    def problems(self) -> list[str]:
        """What a person must know before it starts."""
        plan = self._estimate.plan
        found = [warning.text for warning in plan.warnings]
        if plan.is_stopped:
            found.append("Records were changed since: as asked, nothing would be written.")
        return found

    def view(self) -> dict[str, Any]:
        plan = self._estimate.plan
        return {
            "title": "What this restore would do",
            "html": self._body(),
            "objects": [
                {"name": name, "text": f"{name}: {_counts(counts.as_json())}"}
                for name, counts in sorted(plan.objects.items())
                if counts.written or counts.refuse
            ],
        }

    def html(self) -> str:
        return picture(self._body())

    def _body(self) -> str:
        plan = self._estimate.plan
        first, *more = self.sentences
        lines = [
            [name, *(count(counts.as_json()[action]) for action in ACTIONS)]
            for name, counts in sorted(plan.objects.items(), key=lambda o: (-o[1].written, o[0]))
        ]
        active = [one for one in plan.automation if one.is_active]
        off = plan.options.get("automation") == "off"
        automation = (
            f"<p>{count(len(active), 'active trigger, flow or rule', 'active triggers, flows and rules')} "
            f"on these objects: {'switched off while it runs' if off else 'they will run'}.</p>"
            if active
            else ""
        )
        return "".join(
            [
                f"<p class='sfnb-strong'>{escape(first)}</p>",
                *(f"<p>{escape(text)}</p>" for text in more),
                *(problem(text) for text in self.problems),
                table_html(["object", *(WORDS[a] for a in ACTIONS)], lines) if lines else "",
                automation,
                refusals_html([one.as_json() for one in plan.refusals]),
                not_written_html(plan.not_written),
            ]
        )

    # what a person does

    def hear(self, message: dict[str, Any]) -> dict[str, Any] | None:
        match message.get("kind"):
            case "records":
                return self._records(str(message["object"]), int(message.get("offset", 0)))
            case "record":
                return self._record(str(message["object"]), str(message["record"]))
        return None

    def _rows(self, object_name: str) -> Iterator[PlannedRow]:
        """What is written of an object, then what is refused."""
        folder = self._estimate.folder
        for wave in self._estimate.plan.waves:
            if wave.object_name == object_name and wave.kind in KINDS:
                yield from folder.wave_rows(wave.number, object_name)
        if object_name in folder.refused_objects():
            yield from folder.refused_rows(object_name)

    def _records(self, object_name: str, offset: int) -> dict[str, Any]:
        found = list(islice(self._rows(object_name), offset, offset + PAGE + 1))
        rows = [
            {"id": row.old_id, "text": f"{_label(row)} · {WORDS[row.action]}{_reason(row)}"}
            for row in found[:PAGE]
        ]
        return {"ok": True, "records": rows, "more": len(found) > PAGE}

    def _record(self, object_name: str, old_id: str) -> dict[str, Any]:
        row = next((row for row in self._rows(object_name) if row.old_id == old_id), None)
        if row is None:
            raise CallerError(f"The plan has no record {old_id} of {object_name}.")
        there = self._present(row)
        fields = [
            [name, _text(there.get(name)) if there else NOT_THERE, _text(value)]
            for name, value in sorted(row.values.items())
        ]
        title = f"{_label(row)} ({row.old_id}) · {WORDS[row.action]}{_reason(row)}"
        return {"ok": True, "title": title, "fields": fields, "empty": not fields}

    def _present(self, row: PlannedRow) -> dict[str, Any] | None:
        """The record as the org has it now, the recycle bin included; None: it has none."""
        target_id = row.target_id or (row.old_id if row.action in ("update", "undelete") else "")
        if not target_id or not row.values:
            return None
        columns = ",".join(sorted(row.values))
        soql = f"SELECT {columns} FROM {row.object_name} WHERE Id = '{target_id}'"  # noqa: S608 - SOQL
        with call_context(kind=RESTORE):
            answer = self._org.client.fetch_json("GET", "queryAll", params={"q": soql})
        records = answer.get("records") or [None]
        found: dict[str, Any] | None = records[0]
        return found


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[a]:,} {WORDS[a]}" for a in ACTIONS if counts[a] and a != "skip")


def _label(row: PlannedRow) -> str:
    named = (row.values.get(name) for name in LABEL_FIELDS)
    return next((str(value)[:80] for value in named if value), row.old_id)


def _reason(row: PlannedRow) -> str:
    return f": {row.reason.replace('_', ' ')} {row.field}".rstrip() if row.reason else ""


def _text(value: Any) -> str | None:
    """A value as people read it; None: empty."""
    if value is None or value == "":
        return None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= VALUE_CHARS else f"{text[:VALUE_CHARS]} …"
