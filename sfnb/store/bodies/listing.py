"""The bodies of one snapshot, held and missing, and one of them written to a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sfnb.errors import CallerError
from sfnb.store.bodies.content import Contents
from sfnb.store.bodies.fields import Body
from sfnb.store.bodies.index import Lookup
from sfnb.store.bodies.records import bodies_of
from sfnb.store.files import Files
from sfnb.store.snapshots import LATEST

if TYPE_CHECKING:
    from sfnb.store.snapshots import Snapshot, Snapshots


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
            yield from _listed(lookup, snapshot, name)


def list_latest(snapshots: Snapshots) -> Iterator[ListedBody]:
    """
    The bodies of each object's live records, as of the newest snapshot that has the object.

    Raises:
        CallerError: there is no snapshot with data.
    """
    newest = snapshots[LATEST]
    with Lookup(newest.files) as lookup:
        lookup.look_at_contents()
        here = {name for name in newest.objects if newest.is_complete(name)}
        for name in sorted(here | lookup.objects):
            yield from _listed(lookup, newest if name in here else snapshots.latest(name), name)


def _listed(lookup: Lookup, snapshot: Snapshot, name: str) -> Iterator[ListedBody]:
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
    files: Files,
    listed: Iterable[ListedBody],
    record_id: str,
    target: Path,
    field: str | None = None,
) -> ListedBody:
    """
    Write one of the listed bodies to a new file.

    Args:
        files: the org's folder in the store.
        field: which of the record's bodies, where it has several.

    Raises:
        CallerError: that record has no body, or several; it is missing; or the file exists.
        StoreError: the content is damaged or gone.
    """
    found = [
        one
        for one in listed
        if one.body.id[:15] == record_id[:15]
        and (field is None or one.body.field.lower() == field.lower())
    ]
    if not found:
        raise CallerError(
            f"there is no body of {record_id}"
            + (f" in the field {field}" if field else "")
            + "; `sfnb files` lists what there is."
        )
    if len(found) > 1:
        fields = ", ".join(one.body.field for one in found)
        raise CallerError(f"{record_id} has several bodies. Choose one with --field: {fields}.")
    if not found[0].sha256:
        raise CallerError(f"the body of {record_id} is missing: {found[0].reason}. Make a backup.")
    Contents(files).write_to(found[0].sha256, target)
    return found[0]
