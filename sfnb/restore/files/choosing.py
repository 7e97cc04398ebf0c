# ruff: noqa: S608 - SOQL of Ids of the store
"""Which files of a snapshot are meant, and which of them the org no longer has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfnb.errors import CallerError
from sfnb.org.answers import json_of
from sfnb.restore.present import IDS_PER_QUERY, PresentReader, slices
from sfnb.restore.wire import wire_rows
from sfnb.store.snapshots import Snapshot

Row = dict[str, Any]


@dataclass
class StoredDocument:
    """A document of the snapshot; ``versions`` oldest first."""

    old_id: str
    versions: list[Row] = field(default_factory=list)
    links: list[Row] = field(default_factory=list)


def stored_documents(snapshot: Snapshot) -> dict[str, StoredDocument]:
    """The documents with versions, by Id."""
    found: dict[str, StoredDocument] = {}
    for row in stored_rows(snapshot, "ContentVersion", without=("VersionData",)):
        one = found.setdefault(row["ContentDocumentId"], StoredDocument(row["ContentDocumentId"]))
        one.versions.append(row)
    for row in stored_rows(snapshot, "ContentDocumentLink"):
        if row["ContentDocumentId"] in found:
            found[row["ContentDocumentId"]].links.append(row)
    for one in found.values():
        one.versions.sort(key=lambda row: (float(row.get("VersionNumber") or 0), row["Id"]))
    return found


def stored_rows(snapshot: Snapshot, name: str, without: Sequence[str] = ()) -> Iterator[Row]:
    """The snapshot's records of an object; none where it has none of it."""
    try:
        rows = snapshot.rows(name)
    except CallerError:
        return
    columns = [n for n in rows.columns.names if n not in without]
    for batch in rows.batches(columns):
        yield from wire_rows(batch)


def chosen_documents(
    documents: Iterable[StoredDocument],
    ids: Collection[str],
    records: Collection[str],
    prefixes: Collection[str] = (),
) -> list[StoredDocument]:
    """
    The documents that are meant. Pure.

    Args:
        ids: chosen Ids of any object; empty: all documents.
        records: Ids in the snapshot of the records that the restore has written.
        prefixes: of chosen objects: without Ids, the documents that are linked to their records;
            empty: all documents.
    """
    if not ids and not prefixes:
        return list(documents)
    if not ids:
        return [
            one
            for one in documents
            if any(row["LinkedEntityId"][:3] in prefixes for row in one.links)
        ]
    meant = {*ids, *records}
    return [
        one
        for one in documents
        if one.old_id in ids
        or any(row["Id"] in ids for row in one.versions)
        or any(row["LinkedEntityId"] in meant for row in one.links)
    ]


def standing_of(reader: PresentReader, name: str, ids: Sequence[str]) -> dict[str, bool]:
    """
    By Id of what the org has of these, whether it is in the recycle bin. Cost: 1 call for 2,000.
    """
    groups = list(slices(sorted(ids), IDS_PER_QUERY))
    queries = [
        (name, f"SELECT Id, IsDeleted FROM {name} WHERE Id IN ({','.join(map(repr, g))})", True)
        for g in groups
    ]
    found: dict[str, bool] = {}
    for answer in reader.query(queries):
        if not isinstance(answer, bytes):
            raise answer
        for row in json_of(answer, what=name)["records"]:
            found[row["Id"]] = row["IsDeleted"] is True
    return found
