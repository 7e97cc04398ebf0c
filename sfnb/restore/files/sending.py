# ruff: noqa: S608 - SOQL of Ids and escaped texts
"""FACE of files: what the org no longer has of a snapshot's files is undeleted or sent again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sfnb.errors import AnswerLost, ObjectError, OrgUnavailable, TransientError
from sfnb.org.client import OrgClient
from sfnb.org.transport import call_context
from sfnb.org.writing.calls import WriteOptions, refused
from sfnb.org.writing.collections import MOST_RECORDS, insert
from sfnb.org.writing.multipart import ENTITY_PARTS, MultipartBody, upload
from sfnb.org.writing.undelete import undelete
from sfnb.restore.describes import WriteObject, write_object
from sfnb.restore.files.choosing import (
    StoredDocument,
    chosen_documents,
    standing_of,
    stored_documents,
    stored_rows,
)
from sfnb.restore.folder import RESTORES, RestoreFolder
from sfnb.restore.id_map import IdMap, read_id_map
from sfnb.restore.present import PresentReader, slices
from sfnb.store.bodies.content import content_path
from sfnb.store.bodies.fields import Body
from sfnb.store.bodies.index import Lookup
from sfnb.store.bodies.records import bodies_of
from sfnb.store.snapshots import Snapshot

Row = Mapping[str, Any]

SENT = {
    "ContentVersion": ("Title", "PathOnClient", "Description", "ReasonForChange", "OwnerId"),
    "Attachment": ("Name", "ParentId", "Description", "ContentType", "IsPrivate", "OwnerId"),
    "ContentDocumentLink": ("ContentDocumentId", "LinkedEntityId", "ShareType", "Visibility"),
}
"""What is sent of a file's record, as far as its describe calls it createable; the rest follows."""

NO_ANSWER = "NO_ANSWER"
MOST_TRIES = 3
"""So often a call is sent whose answer is lost and of which the org shows nothing."""

REFERENCES = ("OwnerId", "ParentId", "LinkedEntityId", "ContentDocumentId")
PLAIN = WriteOptions()


@dataclass
class FilesResult:
    """For the job's JSON; ``refused`` names each file that is not there, and why."""

    documents: int = 0
    versions: int = 0
    links: int = 0
    attachments: int = 0
    undeleted: int = 0
    bytes: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class FileRestore:
    """
    The files of one restore.

    Args:
        records: Ids in the snapshot of the records that the restore has written.
        objects: without Ids, only files of records of these objects; empty, or with an object of
            files among them: all.
        new_ids: takes object, old Id and new Id of what was made.
    """

    client: OrgClient
    snapshot: Snapshot
    folder: RestoreFolder
    ids: IdMap
    chosen: Collection[str]
    records: Collection[str]
    reader: PresentReader
    tick: Callable[[], None]
    objects: Collection[str] = ()
    new_ids: list[tuple[str, str, str]] = field(default_factory=list)
    result: FilesResult = field(default_factory=FilesResult)
    _bodies: dict[str, dict[str, Body]] = field(default_factory=dict)

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
            self._documents(bodies)
            self._attachments(bodies)
        return self.result

    # -- documents ---------------------------------------------------------------------------------------------------

    def _documents(self, bodies: Lookup) -> None:
        stored = stored_documents(self.snapshot).values()
        prefixes = self._prefixes("ContentDocument", "ContentVersion", "ContentDocumentLink")
        chosen = chosen_documents(stored, self.chosen, self.records, prefixes)
        if not chosen:
            return
        there = self._there("ContentDocument", [d.old_id for d in chosen])
        for document in chosen:
            if document.old_id not in there:
                self.tick()
                try:
                    self._document(document, bodies)
                except OrgUnavailable:
                    raise
                except (ObjectError, TransientError) as err:
                    # The org is there, and its answers about this document make no sense, however
                    # often it is asked: the others go on.
                    row = {"Id": document.old_id}
                    self._refuse("ContentDocument", row, "UNREADABLE", str(err))

    def _document(self, document: StoredDocument, bodies: Lookup) -> None:
        note = self._note(document.old_id)
        is_whole = True
        for row in document.versions:
            self.tick()
            values = self._values("ContentVersion", row)
            if note.get("document"):
                values["ContentDocumentId"] = note["document"]
            new_id = self._file(
                "ContentVersion", "VersionData", row, values, bodies=bodies, note=note
            )
            if new_id is None:
                is_whole = False
                continue
            if not note.get("document"):
                note["document"] = self._one(
                    f"SELECT ContentDocumentId FROM ContentVersion WHERE Id = '{new_id}'",
                    "ContentDocumentId",
                )
                if not note["document"]:
                    why = "the org does not say of which document its first version is"
                    raise ObjectError(why, code="UNREADABLE")
                self._keep(document.old_id, note)
            self.result.versions += 1
        if not note.get("document"):
            return
        self.ids.add(document.old_id, note["document"])
        self.new_ids.append(("ContentDocument", document.old_id, note["document"]))
        self.result.documents += is_whole
        self._links(document, note["document"])

    def _links(self, document: StoredDocument, new_id: str) -> None:
        """The links that the upload has not made by itself. They are looked up, so never doubled."""
        soql = (
            f"SELECT LinkedEntityId FROM ContentDocumentLink WHERE ContentDocumentId = '{new_id}'"
        )
        there = {row["LinkedEntityId"] for row in self._rows(soql)}
        todo = []
        for row in document.links:
            if row["LinkedEntityId"] in self.ids.lost:
                self._refuse("ContentDocumentLink", row, "parent_missing", "its record was refused")
            elif self.ids.of(row["LinkedEntityId"]) not in there:
                todo.append(row)
        for some in slices(todo, MOST_RECORDS):
            values = [self._values("ContentDocumentLink", row) for row in some]
            try:
                results = insert(self.client, "ContentDocumentLink", values, PLAIN)
            except AnswerLost:
                if not self._may_try(document.old_id, "links"):
                    results = [refused(NO_ANSWER, "its answer was lost again and again")] * len(
                        some
                    )
                else:
                    raise  # the job pauses; what the org has by then is not sent again
            for row, found in zip(some, results, strict=True):
                if found.state == "done":
                    self.result.links += 1
                else:
                    self._refuse("ContentDocumentLink", row, found.code, found.message)

    # -- attachments -------------------------------------------------------------------------------------------------

    def _attachments(self, bodies: Lookup) -> None:
        meant = {*self.chosen, *self.records}
        prefixes = self._prefixes("Attachment")

        def is_meant(row: Row) -> bool:
            if not self.chosen:
                return not prefixes or row["ParentId"][:3] in prefixes
            return row["Id"] in self.chosen or row["ParentId"] in meant

        stored = stored_rows(self.snapshot, "Attachment", without=("Body",))
        rows = [row for row in stored if is_meant(row)]
        if not rows:
            return
        there = self._there("Attachment", [row["Id"] for row in rows])
        for row in rows:
            if row["Id"] in there:
                continue
            self.tick()
            if row["ParentId"] in self.ids.lost:
                self._refuse("Attachment", row, "parent_missing", "its record was refused")
                continue
            note = self._note(row["Id"])
            values = self._values("Attachment", row)
            try:
                new_id = self._file("Attachment", "Body", row, values, bodies=bodies, note=note)
            except OrgUnavailable:
                raise
            except (ObjectError, TransientError) as err:
                self._refuse("Attachment", row, "UNREADABLE", str(err))
                continue
            self.result.attachments += new_id is not None

    # -- one file ----------------------------------------------------------------------------------------------------

    def _file(
        self,
        object_name: str,
        body_field: str,
        row: Row,
        values: dict[str, Any],
        *,
        bodies: Lookup,
        note: dict[str, Any],
    ) -> str | None:
        """Send one file, or find that it was sent; its new Id, None: it was refused."""
        made = note.setdefault("made", {})
        if row["Id"] in made:
            return self._made(object_name, row, made[row["Id"]])
        if note.get("intent") == row["Id"]:
            new_id = self._look_up(object_name, row, values, note["at"])
            if new_id:
                return self._sent(object_name, row, new_id, note)
        body = self._body(object_name, body_field, row)
        entry = bodies.entry(body) if body is not None else None
        if body is None or entry is None or entry.state != "held":
            why = "the store does not have its body"
            self._refuse(object_name, row, "body_missing", (entry.reason if entry else "") or why)
            return None
        path, size = content_path(entry.sha256), entry.size or 0
        files = self.snapshot.files
        content = MultipartBody(
            values,
            lambda: files.open_input(path),
            size,
            part=ENTITY_PARTS.get(object_name, "entity"),
            field=body_field,
            name=body.name,
        )
        note |= {"intent": row["Id"], "at": self.client.org_now().isoformat()}
        self._keep(_owner(object_name, row), note)
        try:
            new_id, code, message = upload(self.client, object_name, content, PLAIN)
        except AnswerLost:
            new_id = self._look_up(object_name, row, values, note["at"])
            code = message = ""
            if not new_id:
                note["tries"] = int(note.get("tries") or 0) + 1
                self._keep(_owner(object_name, row), note)
                if note["tries"] < MOST_TRIES:
                    raise  # the job pauses, and looks again when it goes on
                code = NO_ANSWER
                message = f"its answer was lost {MOST_TRIES} times, and the org does not show it"
        except ObjectError as err:
            new_id, code, message = "", err.code, str(err)
        if not new_id:
            self._refuse(object_name, row, code, message)
            return None
        self.result.bytes += size
        return self._sent(object_name, row, new_id, note)

    def _sent(self, object_name: str, row: Row, new_id: str, note: dict[str, Any]) -> str:
        note["made"][row["Id"]] = new_id
        note |= {"intent": None, "tries": 0}
        self._keep(_owner(object_name, row), note)
        return self._made(object_name, row, new_id)

    def _made(self, object_name: str, row: Row, new_id: str) -> str:
        self.ids.add(row["Id"], new_id)
        self.new_ids.append((object_name, row["Id"], new_id))
        return new_id

    def _look_up(self, object_name: str, row: Row, values: Mapping[str, Any], at: str) -> str:
        """The Id of a file that was sent and not answered; empty: the org does not have it."""
        since = f"{datetime.fromisoformat(at):%Y-%m-%dT%H:%M:%S}Z"
        if object_name == "ContentVersion":
            size = int(row.get("ContentSize") or 0)
            where = f"ContentSize = {size} AND Title = '{_escaped(row.get('Title'))}'"
            if row.get("Checksum"):
                where += f" AND Checksum = '{_escaped(row['Checksum'])}'"
            if values.get("ContentDocumentId"):
                where += f" AND ContentDocumentId = '{values['ContentDocumentId']}'"
        else:
            size = int(row.get("BodyLength") or 0)
            where = (
                f"ParentId = '{values['ParentId']}' AND BodyLength = {size} "
                f"AND Name = '{_escaped(row.get('Name'))}'"
            )
        soql = f"SELECT Id FROM {object_name} WHERE {where} AND CreatedDate >= {since} ORDER BY Id"
        known = {new_id for _, _, new_id in self.new_ids}
        return next((r["Id"] for r in self._rows(soql) if r["Id"] not in known), "")

    def _body(self, object_name: str, body_field: str, row: Row) -> Body | None:
        """What the snapshot says of a record's body; None: there is none by nature."""
        if object_name not in self._bodies:
            found = bodies_of(self.snapshot, object_name)
            self._bodies[object_name] = {b.id: b for b in found if b.field == body_field}
        body = self._bodies[object_name].get(row["Id"])
        return None if body is None or body.is_outside else body

    # -- small things ------------------------------------------------------------------------------------------------

    def _values(self, object_name: str, row: Row) -> dict[str, Any]:
        described = self._described(object_name)
        values = {}
        for name in SENT[object_name]:
            found, value = described.fields.get(name), row.get(name)
            if found is not None and found.is_createable and value not in (None, ""):
                values[name] = self.ids.of(str(value)) if name in REFERENCES else value
        return values

    def _described(self, name: str) -> WriteObject:
        return write_object(self.folder.describe(name) or self.snapshot.describe(name))

    def _there(self, name: str, old_ids: Sequence[str]) -> set[str]:
        """
        Which of these the org has, by itself, out of the recycle bin, or from an earlier restore.
        """
        meant = set(old_ids)
        earlier = {old: new for old, new in self._earlier(name).items() if old in meant}
        standing = standing_of(self.reader, name, [*old_ids, *earlier.values()])
        self._undelete(name, [i for i in old_ids if standing.get(i)])
        for old_id, new_id in earlier.items():
            if standing.get(new_id) is False:
                self.ids.add(old_id, new_id)
        made = {old for old, new in earlier.items() if standing.get(new) is False}
        return {i for i in old_ids if i in standing} | made

    def _earlier(self, name: str) -> dict[str, str]:
        """What restores before this one have made of the same files."""
        found = {}
        for job_id in self.folder.files.names(RESTORES, folders=True):
            if job_id != self.folder.job_id:
                for kind, old_id, new_id in read_id_map(RestoreFolder(self.folder.files, job_id)):
                    if kind == name:
                        found[old_id] = new_id
        return found

    def _undelete(self, name: str, ids: list[str]) -> None:
        for some in slices(ids, MOST_RECORDS):
            try:
                results = undelete(self.client, some)
            except AnswerLost:
                if self._may_try(some[0], "undelete"):
                    raise  # the job pauses; what is back by then is not sent again
                results = [refused(NO_ANSWER, "its answer was lost again and again")] * len(some)
            for record_id, found in zip(some, results, strict=True):
                if found.state == "done":
                    self.result.undeleted += 1
                else:
                    self._refuse(name, {"Id": record_id}, found.code, found.message)

    def _rows(self, soql: str) -> Iterable[Row]:
        def once() -> list[Row]:
            answer = self.client.fetch_json("GET", "query", params={"q": soql})
            rows = answer.get("records") if isinstance(answer, Mapping) else None
            if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
                raise TransientError("an answer about files has no records.")
            return rows

        return self.client.retrying(once)

    def _may_try(self, old_id: str, what: str) -> bool:
        """Whether a call whose answer was lost is worth another pause; counted on disk."""
        note = self._note(old_id)
        tries = int(note.get(f"{what}_tries") or 0) + 1
        self._keep(old_id, {**note, f"{what}_tries": tries})
        return tries < MOST_TRIES

    def _prefixes(self, *file_objects: str) -> frozenset[str]:
        """Of the Ids of the chosen objects; empty: files of all records are meant."""
        meant = {name.lower() for name in self.objects}
        if not meant or meant & {name.lower() for name in file_objects}:
            return frozenset()
        known = [self.snapshot.describe(n) for n in self.snapshot.objects if n.lower() in meant]
        return frozenset(str(one.get("keyPrefix") or "") for one in known) - {""}

    def _one(self, soql: str, name: str) -> str:
        return next((str(row[name]) for row in self._rows(soql)), "")

    def _refuse(self, name: str, row: Row, code: str, message: str) -> None:
        self.result.refused.append(
            {"object": name, "id": str(row["Id"]), "code": code, "message": message}
        )

    def _path(self, old_id: str) -> str:
        return f"{self.folder.path}/files/{old_id}.json"

    def _note(self, old_id: str) -> dict[str, Any]:
        saved = self.folder.files.read_json(self._path(old_id))
        return {k: v for k, v in (saved or {}).items() if k != "checksum"}

    def _keep(self, old_id: str, note: Mapping[str, Any]) -> None:
        self.folder.files.put_json(self._path(old_id), note)


def _owner(object_name: str, row: Row) -> str:
    """The record under whose Id the note is: a version's document."""
    return str(row["ContentDocumentId"] if object_name == "ContentVersion" else row["Id"])


def _escaped(text: Any) -> str:
    """A text within quotes of SOQL (SOQL guide, Quoted String Escape Sequences)."""
    pairs = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return "".join(pairs.get(c, c) for c in str(text or ""))
