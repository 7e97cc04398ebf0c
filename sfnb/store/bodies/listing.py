"""The bodies of one snapshot, held and missing, and one of them written to a file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfnb.errors import CallerError
from sfnb.store.bodies.content import Contents
from sfnb.store.bodies.fields import Body
from sfnb.store.bodies.index import Lookup
from sfnb.store.bodies.records import bodies_of

if TYPE_CHECKING:
    from sfnb.store.snapshots import Snapshot


@dataclass(frozen=True, slots=True)
class ListedBody:
    """
    One body of a snapshot.

    Args:
        sha256: of its content; empty while it is missing.
        reason: why it is missing.
    """

    body: Body
    size: int | None
    sha256: str
    reason: str = ""

    @property
    def state(self) -> str:
        return "held" if self.sha256 else "missing"

    def as_json(self) -> dict[str, Any]:
        return {
            "object": self.body.object_name,
            "id": self.body.id,
            "field": self.body.field,
            "name": self.body.name,
            "size": self.size,
            "sha256": self.sha256 or None,
            "state": self.state,
            "reason": self.reason or None,
        }


def list_bodies(snapshot: Snapshot) -> Iterator[ListedBody]:
    """
    The bodies that the live records of a snapshot have. A file that is kept outside of Salesforce
    has none, so it is not in the list.
    """
    with Lookup(snapshot.files) as lookup:
        lookup.look_at_contents()
        for name in snapshot.objects:
            for body in bodies_of(snapshot, name):
                listed = listed_body(lookup, body)
                if listed is not None:
                    yield listed


def listed_body(lookup: Lookup, body: Body) -> ListedBody | None:
    """What the store has of a body; None where there is none by nature."""
    entry = lookup.entry(body)
    if body.is_outside or (entry is not None and entry.state == "outside"):
        return None
    if entry is None:
        why = "it was not fetched yet, or its content is gone from the store"
        return ListedBody(body, body.size, "", why)
    return ListedBody(body, entry.size, entry.sha256, entry.reason)


def write_body(
    snapshot: Snapshot, record_id: str, target: Path, field: str | None = None
) -> ListedBody:
    """
    Write one body of a snapshot to a new file.

    Args:
        field: which of the record's bodies, where it has several.

    Raises:
        CallerError: the snapshot has no body of that record; it has several; it is missing; or the
            file exists.
        StoreError: the content is damaged or gone.
    """
    found = [
        listed
        for listed in list_bodies(snapshot)
        if listed.body.id[:15] == record_id[:15]
        and (field is None or listed.body.field.lower() == field.lower())
    ]
    if not found:
        raise CallerError(
            f"snapshot {snapshot.id} has no body of {record_id}"
            + (f" in the field {field}" if field else "")
            + "; `sfnb files` lists what it has."
        )
    if len(found) > 1:
        fields = ", ".join(listed.body.field for listed in found)
        raise CallerError(f"{record_id} has several bodies. Choose one with --field: {fields}.")
    (listed,) = found
    if not listed.sha256:
        raise CallerError(
            f"the body of {record_id} is missing: {listed.reason}. Make a new backup."
        )
    Contents(snapshot.files).write_to(listed.sha256, target)
    return listed
