"""One record in all snapshots: its versions, oldest first."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sfnb.errors import CallerError
from sfnb.store.columns import DELETE, HARD_DELETE
from sfnb.store.files import Files
from sfnb.store.history.sightings import ABSENT, Sighting, sightings
from sfnb.store.manifest import moment_of
from sfnb.store.parts import iso
from sfnb.store.snapshots import Snapshots
from sfnb.store.views import as_frame

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """
    One version of a record.

    Args:
        snapshot, at: the snapshot that brought it, and when that began (UTC).
        op: ``upsert``, ``delete`` (in the recycle bin) or ``hard_delete`` (gone).
        by: LastModifiedById; None when the record is gone or has no such field.
        fields: what changed against the version before; of the first, all fields.
        before: the values of these fields before; empty for the first.
    """

    snapshot: str
    at: datetime
    op: str
    by: str | None
    fields: Mapping[str, Any]
    before: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {
            "snapshot": self.snapshot,
            "at": iso(self.at),
            "op": self.op,
            "by": self.by,
            "fields": {name: plain(value) for name, value in self.fields.items()},
        }

    @property
    def merged_into(self) -> str | None:
        """The record that it was merged into when it was deleted."""
        master = self.fields.get("MasterRecordId")
        return str(master) if self.op == DELETE and master else None


def versions_of(sightings: Iterable[Sighting]) -> Iterator[RecordVersion]:
    """
    The versions in what the snapshots say, oldest first. Pure.

    A snapshot that says the same as the one before brings no version. A field that the newer
    snapshot does not know makes none either: not known is not null.
    """
    last: Sighting | None = None
    for seen in sightings:
        if last is None and seen.op == HARD_DELETE:
            continue
        if last is None:
            yield _version(seen, seen.values, ABSENT)
            last = seen
            continue
        there = {name.lower(): value for name, value in last.values.items()}
        changed = {
            name: value
            for name, value in seen.values.items()
            if not _is_same(value, there.get(name.lower()))
        }
        if changed or seen.op != last.op:
            before = {name: there.get(name.lower()) for name in changed}
            yield _version(seen, changed, before)
        # What is gone keeps its last values: they are compared with if it comes back.
        last = Sighting(seen.snapshot, seen.op, {**last.values, **seen.values})


def _version(seen: Sighting, fields: Mapping[str, Any], before: Mapping[str, Any]) -> RecordVersion:
    by = seen.values.get("LastModifiedById")
    at = moment_of(seen.snapshot)
    return RecordVersion(seen.snapshot, at, seen.op, by, dict(fields), dict(before))


def _is_same(one: Any, other: Any) -> bool:
    """Whether two values read the same; a field that was retyped has them in two types."""
    if one is None or other is None or type(one) is type(other):
        return bool(one == other or (one != one and other != other))  # noqa: PLR0124 - NaN
    numbers = (int, float)
    if isinstance(one, numbers) and isinstance(other, numbers):
        return one == other
    return text_of(one) == text_of(other)


def plain(value: Any) -> Any:
    """A value as JSON has it: moments and dates as ISO text, what is no number as null."""
    if isinstance(value, datetime):
        return iso(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def text_of(value: Any) -> str:
    """A value as people read it; an absent one is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(plain(value))


def record_history(
    files: Files, snapshots: Snapshots, object_name: str, record_id: str
) -> list[RecordVersion]:
    """
    All versions of a record, oldest first. Costs no API calls.

    Args:
        files: the org's folder.

    Raises:
        CallerError: no snapshot has the record.
    """
    found = list(versions_of(sightings(files, snapshots, object_name, record_id)))
    if not found:
        raise CallerError(
            f"no snapshot has a record {record_id} of {object_name}. Check the Id and the object."
        )
    return found


def history_frame(versions: Iterable[RecordVersion]) -> pd.DataFrame:
    """
    The versions as a frame.

    Returns:
        One row per version and changed field, oldest version first: ``snapshot`` (string), ``at``
        (datetime64[us, UTC], when the snapshot began), ``op``, ``by``, ``field``, ``old``, ``new``
        (string; values as text). A version without a changed field has one row with an absent
        ``field``.
    """
    rows = [
        (v.snapshot, v.at, v.op, v.by, name, _text(v.before.get(name or "")), _text(value))
        for v in versions
        for name, value in (v.fields.items() or [(None, None)])
    ]
    names = ("snapshot", "at", "op", "by", "field", "old", "new")
    kinds = {"at": pa.timestamp("us", "UTC")}
    columns = [
        pa.array([r[n] for r in rows], kinds.get(x, pa.string())) for n, x in enumerate(names)
    ]
    return as_frame(pa.table(columns, names=list(names)))


def _text(value: Any) -> str | None:
    return None if value is None else text_of(value)
