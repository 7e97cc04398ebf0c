"""What a restore's files will be: how many, of what size, at what cost. Nothing is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import ceil

from sfnb.org.writing.collections import MOST_RECORDS
from sfnb.restore.files.choosing import meant_attachments, meant_documents, standing_of_files
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.present import PresentReader
from sfnb.restore.request import RestoreRequest
from sfnb.store.bodies.index import Lookup
from sfnb.store.bodies.records import bodies_of
from sfnb.store.snapshots import Snapshot

CALLS_A_DOCUMENT = 3
"""Beside its versions: its Id, the links that it has, and those that it gets."""


def planned_files(
    snapshot: Snapshot,
    reader: PresentReader,
    folder: RestoreFolder,
    request: RestoreRequest,
    records: Collection[str],
) -> dict[str, int]:
    """
    Documents, versions and attachments that will be sent, ``undeleted`` ones, ``bytes``;
    ``missing``: those whose body the store does not have; ``calls`` of all that.

    Args:
        records: Ids in the snapshot of the records that are written.

    Cost: 1 API call for 2,000 documents, and for 2,000 attachments.
    """
    chosen = request.ids, records, request.objects
    documents = {one.old_id: one for one in meant_documents(snapshot, *chosen)}
    attachments = {row["Id"]: row for row in meant_attachments(snapshot, *chosen)}
    undeleted = calls = 0
    for name, meant in (("ContentDocument", documents), ("Attachment", attachments)):
        if meant:
            standing = standing_of_files(reader, folder, name, list(meant))
            undeleted += len(standing.binned)
            calls += ceil(len(standing.binned) / MOST_RECORDS)
            for old_id in standing.there:
                meant.pop(old_id, None)
    versions = [row["Id"] for one in documents.values() for row in one.versions]
    with Lookup(snapshot.files) as bodies:
        bodies.look_at_contents()
        sizes = {
            **_sizes(snapshot, bodies, "ContentVersion", versions),
            **_sizes(snapshot, bodies, "Attachment", attachments),
        }
    missing = [i for i in (*versions, *attachments) if i not in sizes]
    return {
        "documents": len(documents),
        "versions": sum(i in sizes for i in versions),
        "attachments": sum(i in sizes for i in attachments),
        "undeleted": undeleted,
        "bytes": sum(sizes.values()),
        "missing": len(missing),
        "calls": calls + len(sizes) + CALLS_A_DOCUMENT * len(documents),
    }


def _sizes(snapshot: Snapshot, bodies: Lookup, name: str, ids: Iterable[str]) -> Mapping[str, int]:
    """By Id, the bytes of each of these that the store has."""
    meant = set(ids)
    found: dict[str, int] = {}
    for body in bodies_of(snapshot, name) if meant else ():
        if body.id in meant and body.field in ("VersionData", "Body") and not body.is_outside:
            entry = bodies.entry(body)
            if entry is not None and entry.state == "held":
                found[body.id] = entry.size or 0
    return found
