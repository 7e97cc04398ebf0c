# ruff: noqa: S608 - SOQL of Ids and escaped texts
"""FACE of files: what the org no longer has of a snapshot's files is undeleted or sent again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sfnb.errors import AnswerLost, ObjectError, OrgUnavailable, TransientError
from sfnb.org.client import OrgClient
from sfnb.org.transport import call_context
from sfnb.org.writing.calls import refused, refused_all
from sfnb.org.writing.collections import MOST_RECORDS, insert
from sfnb.org.writing.undelete import undelete
from sfnb.restore.comparison import Written
from sfnb.restore.files.choosing import (
    StoredDocument,
    lacked_versions,
    made_earlier,
    meant_documents,
    meant_files,
    standing_of_files,
)
from sfnb.restore.files.notes import FileNotes
from sfnb.restore.files.one_file import NO_ANSWER, PLAIN, FileSender, FilesResult
from sfnb.restore.files.pictures import Pictures
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.id_map import IdMap
from sfnb.restore.present import PresentReader, slices
from sfnb.restore.sending import is_given_twice
from sfnb.store.bodies.index import Lookup
from sfnb.store.snapshots import Snapshot

Row = Mapping[str, Any]


@dataclass
class FileRestore:
    """
    The files of one restore.

    Args:
        written: by object and Id in the snapshot, the records that the restore has written.
        objects: without Ids, only files of records of these objects; empty, or with an object of
            files among them: all.
        is_other_org: the snapshot is of another org.
        new_ids: takes object, old Id and new Id of what was made.
    """

    client: OrgClient
    snapshot: Snapshot
    folder: RestoreFolder
    ids: IdMap
    chosen: Collection[str]
    written: Mapping[str, Mapping[str, Written]]
    reader: PresentReader
    tick: Callable[[], None]
    objects: Collection[str] = ()
    is_other_org: bool = False
    new_ids: list[tuple[str, str, str]] = field(default_factory=list)
    result: FilesResult = field(default_factory=FilesResult)
    records: set[str] = field(init=False)
    notes: FileNotes = field(init=False)
    sender: FileSender = field(init=False)
    _link_ids: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.notes = FileNotes(self.folder)
        self.records = {old_id for rows in self.written.values() for old_id in rows}

    def run(self) -> FilesResult:
        """
        Send what is missing. Killed anywhere, it goes on with the next file.

        Cost: 1 API call for each file, for 2,000 documents that are looked up, and for the links of
        each document that is made; 1 more for each document, whose Id the first version tells.
        """
        try:
            return self._run()
        except AnswerLost as err:
            # The job pauses. When it goes on, what was sent is looked up before anything else.
            raise OrgUnavailable(str(err)) from err

    def _run(self) -> FilesResult:
        with (
            call_context(job_id=self.folder.job_id, object_name="ContentVersion"),
            Lookup(self.snapshot.files) as bodies,
        ):
            bodies.look_at_contents()
            self.sender = FileSender(
                self.client,
                self.snapshot,
                self.folder,
                self.ids,
                bodies,
                self.notes,
                self.new_ids,
                self.result,
            )
            self._documents()
            for name in ("Attachment", "Document"):
                self._records_with_files(name)
            Pictures(self.reader, self.snapshot, self.sender, self.written, self.tick).run()
        return self.result

    # -- documents ---------------------------------------------------------------------------------------------------

    def _documents(self) -> None:
        chosen = meant_documents(self.snapshot, self.chosen, self.records, self.objects)
        if not chosen:
            return
        there = self._there("ContentDocument", [d.old_id for d in chosen])
        newer = self._newer_versions([d for d in chosen if d.old_id in there])
        left = [d for d in chosen if d.old_id not in there and d.versions]
        self._find_parents({row["LinkedEntityId"] for d in left for row in d.links})
        for document in chosen:
            again = [
                row
                for row in document.links
                if row["Id"] in self.chosen or self._is_new(row["LinkedEntityId"])
            ]
            versions = newer.get(document.old_id, [])
            is_there = document.old_id in there
            if not is_there and not document.versions:
                for row in again:
                    why = "its document is gone, and the snapshot has no version of it"
                    self.sender.refuse("ContentDocumentLink", row, "parent_missing", why)
            elif again or versions or not is_there:
                self.tick()
                try:
                    if is_there:
                        self._rest(replace(document, versions=versions, links=again))
                    else:
                        self._document(document)
                except OrgUnavailable:
                    raise
                except (ObjectError, TransientError) as err:
                    # The org is there, and its answers about this document make no sense, however
                    # often it is asked: the others go on.
                    row = {"Id": document.old_id}
                    self.sender.refuse("ContentDocument", row, "UNREADABLE", str(err))

    def _is_new(self, old_id: str) -> bool:
        """Whether this restore has made the record anew: what was linked to it no longer is."""
        return old_id in self.records and self.ids.of(old_id) != old_id

    def _newer_versions(
        self, documents: Sequence[StoredDocument]
    ) -> dict[str, list[dict[str, Any]]]:
        """By document, the versions that were chosen by their own Ids and that it lacks."""
        found, refused_ones = lacked_versions(
            self.reader, self.folder, documents, self.chosen, is_other_org=self.is_other_org
        )
        for row in refused_ones:
            why = "its document has a later version, and the org adds versions at the end"
            self.sender.refuse("ContentVersion", row, "NOT_MADE", why)
        return found

    def _rest(self, document: StoredDocument) -> None:
        """What a document that is there lacks of what was chosen."""
        new_id = self.ids.of(document.old_id)
        note = self.notes.of(document.old_id)
        self._versions(document, {**note, "document": new_id})
        self._links(document, new_id)

    def _document(self, document: StoredDocument) -> None:
        note = self.notes.of(document.old_id)
        is_whole = self._versions(document, note)
        if not note.get("document"):
            return
        self.ids.add(document.old_id, note["document"])
        self.new_ids.append(("ContentDocument", document.old_id, note["document"]))
        self.result.documents += is_whole
        self._links(document, note["document"])

    def _versions(self, document: StoredDocument, note: dict[str, Any]) -> bool:
        """Send the versions, oldest first; whether none was refused."""
        is_whole = True
        for row in document.versions:
            self.tick()
            values = self.sender.values("ContentVersion", row)
            if note.get("document"):
                values["ContentDocumentId"] = note["document"]
            new_id = self.sender.send("ContentVersion", "VersionData", row, values, note=note)
            if new_id is None:
                is_whole = False
                continue
            if not note.get("document"):
                note["document"] = self.sender.one(
                    f"SELECT ContentDocumentId FROM ContentVersion WHERE Id = '{new_id}'",
                    "ContentDocumentId",
                )
                if not note["document"]:
                    why = "the org does not say of which document its first version is"
                    raise ObjectError(why, code="UNREADABLE")
                self.notes.keep(document.old_id, note)
            self.result.versions += 1
        return is_whole

    def _links(self, document: StoredDocument, new_id: str) -> None:
        """The links that the upload has not made by itself. They are looked up, so never doubled."""
        soql = (
            f"SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{new_id}'"
        )
        there = {row["LinkedEntityId"] for row in self.sender.rows(soql)}
        todo = []
        for row in document.links:
            if row["LinkedEntityId"] in self.ids.lost:
                self.sender.refuse(
                    "ContentDocumentLink", row, "parent_missing", "its record was refused"
                )
            elif self.ids.of(row["LinkedEntityId"]) not in there:
                todo.append(row)
        for some in slices(todo, MOST_RECORDS):
            values = [self.sender.values("ContentDocumentLink", row) for row in some]
            try:
                results = insert(self.client, "ContentDocumentLink", values, PLAIN)
                made = [found.record_id for found in results if found.state == "done"]
                if is_given_twice(made, self._link_ids.__contains__):
                    raise AnswerLost("the answer names other links.")
                self._link_ids.update(made)
            except AnswerLost:
                if not self.notes.may_try(document.old_id, "links"):
                    results = [refused(NO_ANSWER, "its answer was lost again and again")] * len(
                        some
                    )
                else:
                    raise  # the job pauses; what the org has by then is not sent again
            except ObjectError as err:
                results = refused_all(err, err.code, len(some))
            for row, found in zip(some, results, strict=True):
                if found.state == "done":
                    self.result.links += 1
                else:
                    self.sender.refuse("ContentDocumentLink", row, found.code, found.message)

    # -- attachments and Documents -----------------------------------------------------------------------------------

    def _records_with_files(self, name: str) -> None:
        rows = meant_files(self.snapshot, name, self.chosen, self.records, self.objects)
        if not rows:
            return
        there = self._there(name, [row["Id"] for row in rows])
        rows = [row for row in rows if row["Id"] not in there]
        self._find_parents({row["ParentId"] for row in rows if row.get("ParentId")})
        for row in rows:
            self.tick()
            if row.get("ParentId") in self.ids.lost:
                self.sender.refuse(name, row, "parent_missing", "its record was refused")
                continue
            note = self.notes.of(row["Id"])
            values = self.sender.values(name, row)
            try:
                new_id = self.sender.send(name, "Body", row, values, note=note)
            except OrgUnavailable:
                raise
            except (ObjectError, TransientError) as err:
                self.sender.refuse(name, row, "UNREADABLE", str(err))
                continue
            if new_id is not None and name == "Attachment":
                self.result.attachments += 1
            elif new_id is not None:
                self.result.folder_documents += 1

    def _find_parents(self, old_ids: Collection[str]) -> None:
        """Records that this run did not write, and an earlier one did, have their new Ids."""
        unknown = {i for i in old_ids if i not in self.ids.new and i not in self.ids.lost}
        for old_id, new_id in made_earlier(self.reader, self.folder, unknown).items():
            self.ids.add(old_id, new_id)

    # -- small things ------------------------------------------------------------------------------------------------

    def _there(self, name: str, old_ids: Sequence[str]) -> set[str]:
        """
        Which of these the org has, by itself, out of the recycle bin, or from an earlier restore.
        """
        found = standing_of_files(
            self.reader, self.folder, name, old_ids, is_other_org=self.is_other_org
        )
        self._undelete(name, sorted(found.binned))
        for old_id, new_id in found.made.items():
            self.ids.add(old_id, new_id)
        return found.there

    def _undelete(self, name: str, ids: list[str]) -> None:
        for some in slices(ids, MOST_RECORDS):
            try:
                results = undelete(self.client, some)
            except AnswerLost:
                if self.notes.may_try(some[0], "undelete"):
                    raise  # the job pauses; what is back by then is not sent again
                results = [refused(NO_ANSWER, "its answer was lost again and again")] * len(some)
            except ObjectError as err:
                results = refused_all(err, err.code, len(some))
            for record_id, found in zip(some, results, strict=True):
                if found.state == "done":
                    self.result.undeleted += 1
                else:
                    self.sender.refuse(name, {"Id": record_id}, found.code, found.message)
