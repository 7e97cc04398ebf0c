"""
The difference of two snapshots as one HTML page that stands alone (P8): counts, then the changed
fields side by side.

Field values are the org's own text: the template escapes them, and the policy lets no script run
but the page's own. A page holds the first changes only, so that a browser can show it; the CSV has
all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sfnb.report.template import ENVIRONMENT, asset, sha256, trusted
from sfnb.text import count

if TYPE_CHECKING:
    from sfnb.store.history.compare import ObjectDiff
    from sfnb.store.history.diff import Diff

RECORDS = 200
"""Records of one object that a page shows."""

VALUE_CHARS = 2000
"""Signs of one value that a page shows."""


@dataclass
class RecordChange:
    """One record of the page: its change, and its fields as (name, old, new)."""

    id: str
    change: str
    merged_into: str | None = None
    fields: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    @property
    def says(self) -> str:
        return f"merged into {self.merged_into}" if self.merged_into else self.change


@dataclass(frozen=True)
class ObjectPart:
    """One object of the page."""

    diff: ObjectDiff
    records: list[RecordChange]

    @property
    def cut(self) -> str:
        """What is said when not all its changes are shown; else empty."""
        total = self.diff.added + self.diff.changed + self.diff.deleted
        if total <= len(self.records):
            return ""
        shown = count(len(self.records), "record")
        return f"The first {shown} of {total:,}. `sfnb diff … --to F.csv` has all."


def diff_html(found: Diff) -> tuple[str, dict[str, ObjectDiff]]:
    """The page, and the counts that were taken for it."""
    parts = []
    counts: dict[str, ObjectDiff] = {}
    for one, batches in found.each():
        counts[one.name] = one
        if not one.is_same or one.schema or one.notes:
            parts.append(ObjectPart(one, list(_records(batches))))
    script = asset("theme.js")
    policy = (
        f"default-src 'none'; script-src 'sha256-{sha256(script)}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    page = ENVIRONMENT.get_template("diff.html").render(
        org=found.org,
        old=found.old,
        new=found.new,
        parts=parts,
        same=[name for name, one in counts.items() if one.is_same and not one.notes],
        policy=policy,
        style=trusted(asset("page.css")),
        script=trusted(script),
    )
    return page, counts


def _records(batches: Iterator[Any]) -> Iterator[RecordChange]:
    """The first records of an object's changes, which are ordered by Id."""
    rows = (row for batch in batches for row in batch.to_pylist())
    for number, (_, lines) in enumerate(groupby(rows, key=lambda r: (r["id"], r["change"]))):
        if number == RECORDS:
            return
        record: RecordChange | None = None
        for line in lines:
            record = record or RecordChange(line["id"], line["change"], line["merged_into"])
            if line["field"] is not None:
                record.fields.append((line["field"], _cut(line["old"]), _cut(line["new"])))
        if record is not None:
            yield record


def _cut(value: str | None) -> str | None:
    return value if value is None or len(value) <= VALUE_CHARS else f"{value[:VALUE_CHARS]} …"
