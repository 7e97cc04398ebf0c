# ruff: noqa: S608 - SOQL of Ids of the store
"""Which files of a snapshot are meant, and which of them the org no longer has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfnb.errors import CallerError, ObjectError
from sfnb.org.answers import text_of
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.id_map import read_id_map
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

    def is_linked_to(self, records: Collection[str]) -> bool:
        return any(row["LinkedEntityId"] in records for row in self.links)


def stored_documents(snapshot: Snapshot) -> dict[str, StoredDocument]:
    """The documents, by Id; those of which the snapshot has links alone are without versions."""
    found: dict[str, StoredDocument] = {}
    for row in stored_rows(snapshot, "ContentVersion", without=("VersionData",)):
        one = found.setdefault(row["ContentDocumentId"], StoredDocument(row["ContentDocumentId"]))
        one.versions.append(row)
    for row in stored_rows(snapshot, "ContentDocumentLink"):
        one = found.setdefault(row["ContentDocumentId"], StoredDocument(row["ContentDocumentId"]))
        one.links.append(row)
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
        or any(row["Id"] in ids or row["LinkedEntityId"] in meant for row in one.links)
    ]


def meant_documents(
    snapshot: Snapshot, ids: Collection[str], records: Collection[str], objects: Collection[str]
) -> list[StoredDocument]:
    """The snapshot's documents that are meant; see ``chosen_documents``."""
    names = ("ContentDocument", "ContentVersion", "ContentDocumentLink")
    prefixes = _prefixes(snapshot, objects, names)
    return chosen_documents(stored_documents(snapshot).values(), ids, records, prefixes)


def meant_files(
    snapshot: Snapshot,
    name: str,
    ids: Collection[str],
    records: Collection[str],
    objects: Collection[str],
) -> list[Row]:
    """
    The snapshot's attachments or Documents that are meant: attachments as documents are, by their
    parents; Documents have none.

    Args:
        name: ``Attachment`` or ``Document``.
    """
    meant = {*ids, *records}
    prefixes = _prefixes(snapshot, objects, (name,))

    def is_meant(row: Row) -> bool:
        parent = str(row.get("ParentId") or "")
        if not ids:
            return not prefixes or parent[:3] in prefixes
        return row["Id"] in ids or parent in meant

    return [row for row in stored_rows(snapshot, name, without=("Body",)) if is_meant(row)]


def _prefixes(
    snapshot: Snapshot, objects: Collection[str], file_objects: Collection[str]
) -> frozenset[str]:
    """Of the Ids of the chosen objects; empty: files of all records are meant."""
    meant = {name.lower() for name in objects}
    if not meant or meant & {name.lower() for name in file_objects}:
        return frozenset()
    known = [snapshot.describe(n) for n in snapshot.objects if n.lower() in meant]
    return frozenset(str(one.get("keyPrefix") or "") for one in known) - {""}


@dataclass(frozen=True)
class FileStanding:
    """
    How files stand in the org, by their Ids in the snapshot.

    Args:
        there: alive, in the recycle bin, or made again by an earlier restore.
        binned: of these, those in the recycle bin.
        made: by old Id, what an earlier restore has made of it.
    """

    there: set[str]
    binned: set[str]
    made: dict[str, str]


def standing_of_files(
    reader: PresentReader,
    folder: RestoreFolder,
    name: str,
    old_ids: Sequence[str],
    *,
    is_other_org: bool = False,
) -> FileStanding:
    """
    How these stand. Cost: 1 API call for 2,000.

    Args:
        is_other_org: an old Id means nothing there, also where a copy of the org, as a full sandbox
            is, has it: the records that the files belong to are made anew.
    """
    earlier = [(old, new) for _, old, new in _made_earlier(folder, set(old_ids), name)]
    own = () if is_other_org else old_ids
    standing = standing_of(reader, name, [*own, *(new for _, new in earlier)])
    made = {old: new for old, new in earlier if standing.get(new) is False}
    return FileStanding(
        {i for i in own if i in standing} | made.keys(),
        {i for i in own if standing.get(i)},
        made,
    )


def lacked_versions(
    reader: PresentReader,
    folder: RestoreFolder,
    documents: Sequence[StoredDocument],
    ids: Collection[str],
    *,
    is_other_org: bool = False,
) -> tuple[dict[str, list[Row]], list[Row]]:
    """
    By document, of those that are there, the versions that were chosen by their own Ids and that it
    lacks; and such that cannot come back: a version is added as the newest, never before another.

    Cost: 1 API call for 2,000 versions that were chosen.
    """
    chosen = [row["Id"] for one in documents for row in one.versions if row["Id"] in ids]
    if not chosen:
        return {}, []
    standing = standing_of_files(
        reader, folder, "ContentVersion", chosen, is_other_org=is_other_org
    )
    lacked = set(chosen) - standing.there
    found: dict[str, list[Row]] = {}
    late: list[Row] = []
    for one in documents:
        is_newest = True
        for row in reversed(one.versions):
            is_newest = is_newest and row["Id"] in lacked
            if is_newest:
                found.setdefault(one.old_id, []).insert(0, row)
            elif row["Id"] in lacked:
                late.append(row)
    return found, late


def made_earlier(
    reader: PresentReader, folder: RestoreFolder, old_ids: Collection[str]
) -> dict[str, str]:
    """
    By old Id, what earlier restores have made of these records and the org still has.

    Cost: 1 API call for 2,000 of an object; nothing where no earlier restore has made one.
    """
    by_object: dict[str, list[tuple[str, str]]] = {}
    for name, old_id, new_id in _made_earlier(folder, old_ids):
        by_object.setdefault(name, []).append((old_id, new_id))
    found: dict[str, str] = {}
    for name, pairs in by_object.items():
        try:
            standing = standing_of(reader, name, [new for _, new in pairs])
        except ObjectError:
            continue  # the org then says of each file that its record is not there
        found |= {old: new for old, new in pairs if standing.get(new) is False}
    return found


def _made_earlier(
    folder: RestoreFolder, old_ids: Collection[str], name: str = ""
) -> Iterator[tuple[str, str, str]]:
    for other in folder.earlier():
        for kind, old_id, new_id in read_id_map(other):
            if old_id in old_ids and name in ("", kind):
                yield kind, old_id, new_id


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
    for rows in reader.rows(queries):
        found |= {text_of(row.get("Id")): row.get("IsDeleted") is True for row in rows}
    return found
