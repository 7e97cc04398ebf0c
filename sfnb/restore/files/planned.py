"""What a restore's files will be: how many, of what size, at what cost. Nothing is sent."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from itertools import chain
from math import ceil

from sfnb.model import JobWarning
from sfnb.org.writing.collections import MOST_RECORDS
from sfnb.restore.files.choosing import (
    StoredDocument,
    lacked_versions,
    meant_documents,
    meant_files,
    standing_of_files,
)
from sfnb.restore.files.pictures import pictures_of
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.present import PresentReader
from sfnb.restore.request import RestoreRequest
from sfnb.store.bodies.fields import image_fields
from sfnb.store.bodies.index import Lookup
from sfnb.store.bodies.records import bodies_of
from sfnb.store.snapshots import Snapshot

CALLS_A_TEXT = 2
"""Beside its pictures: sent once, and read back."""

CALLS_A_DOCUMENT = 3
"""Beside its versions: its Id, the links that it has, and those that it gets."""

CALLS_A_RELINK = 2
"""The links that a document has, and those that it gets."""


def planned_files(
    snapshot: Snapshot,
    reader: PresentReader,
    folder: RestoreFolder,
    request: RestoreRequest,
    written: Mapping[str, str],
) -> dict[str, int]:
    """
    Documents, versions, attachments and Documents of folders that will be sent, ``undeleted``
    ones, ``bytes``; ``relinked``: documents that are there and are linked again;
    ``missing``: those whose body the store does not have; ``calls`` of all that.

    Args:
        written: by Id in the snapshot of the records that are written, how: ``create`` and so on.

    Cost: 1 API call for 2,000 documents, and for 2,000 attachments.
    """
    chosen = request.ids, written.keys(), request.objects
    created = {old_id for old_id, action in written.items() if action == "create"}
    documents = {one.old_id: one for one in meant_documents(snapshot, *chosen)}
    attachments, folder_documents = (
        {row["Id"]: row for row in meant_files(snapshot, name, *chosen)}
        for name in ("Attachment", "Document")
    )
    undeleted = calls = 0
    kept: list[StoredDocument] = []
    for name, meant in (
        ("ContentDocument", documents),
        ("Attachment", attachments),
        ("Document", folder_documents),
    ):
        if meant:
            standing = standing_of_files(reader, folder, name, list(meant))
            undeleted += len(standing.binned)
            calls += ceil(len(standing.binned) / MOST_RECORDS)
            there = [found for i in standing.there if (found := meant.pop(i, None)) is not None]
            kept += [found for found in there if isinstance(found, StoredDocument)]
    relinked = sum(
        one.is_linked_to(created) or any(row["Id"] in request.ids for row in one.links)
        for one in kept
    )
    added, _ = lacked_versions(reader, folder, kept, request.ids)
    documents = {old_id: one for old_id, one in documents.items() if one.versions}
    rows = chain(*added.values(), *(one.versions for one in documents.values()))
    versions = [row["Id"] for row in rows]
    with Lookup(snapshot.files) as bodies:
        bodies.look_at_contents()
        sizes = {
            **_sizes(snapshot, bodies, "ContentVersion", versions),
            **_sizes(snapshot, bodies, "Attachment", attachments),
            **_sizes(snapshot, bodies, "Document", folder_documents),
        }
    missing = [i for i in (*versions, *attachments, *folder_documents) if i not in sizes]
    return {
        "documents": len(documents),
        "versions": sum(i in sizes for i in versions),
        "attachments": sum(i in sizes for i in attachments),
        "folder_documents": sum(i in sizes for i in folder_documents),
        "undeleted": undeleted,
        "relinked": relinked,
        "bytes": sum(sizes.values()),
        "missing": len(missing),
        "calls": calls + len(sizes) + CALLS_A_DOCUMENT * len(documents) + CALLS_A_RELINK * relinked,
    }


def may_show_pictures(snapshot: Snapshot, name: str) -> bool:
    """Whether the object has rich texts."""
    return bool(image_fields(snapshot.describe(name)))


def planned_pictures(
    snapshot: Snapshot, created: Mapping[str, Container[str]]
) -> dict[str, tuple[int, int]]:
    """
    By object, in how many of these records rich texts show pictures, and how many pictures.

    Args:
        created: by object, Ids in the snapshot of the records that are made anew.
    """
    found: dict[str, tuple[int, int]] = {}
    for name, meant in created.items():
        shown = [body.id for body in pictures_of(snapshot, name) if body.id in meant]
        if shown:
            found[name] = len(set(shown)), len(shown)
    return found


def picture_warning(name: str, records: int, pictures: int) -> JobWarning:
    """Without ``--files``."""
    message = (
        f"rich texts of {records:,} new records show {pictures:,} pictures, which go with the old "
        "records; --files brings them back."
    )
    return JobWarning("pictures", name, message)


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
