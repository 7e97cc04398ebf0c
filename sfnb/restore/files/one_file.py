# ruff: noqa: S608 - SOQL of Ids and escaped texts
"""Sending one file: noted, sent once, noted again; where its answer is lost, the org is asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sfnb.errors import AnswerLost, ObjectError
from sfnb.org.client import OrgClient
from sfnb.org.rows import all_rows
from sfnb.org.writing.calls import WriteOptions
from sfnb.org.writing.multipart import ENTITY_PARTS, MultipartBody, upload
from sfnb.restore.describes import WriteObject, write_object
from sfnb.restore.files.notes import MOST_TRIES, FileNotes
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.id_map import IdMap
from sfnb.store.bodies.content import content_path
from sfnb.store.bodies.fields import Body
from sfnb.store.bodies.index import Lookup
from sfnb.store.bodies.records import bodies_of
from sfnb.store.snapshots import Snapshot

Row = Mapping[str, Any]

SENT = {
    "ContentVersion": ("Title", "PathOnClient", "Description", "ReasonForChange", "OwnerId"),
    "Attachment": ("Name", "ParentId", "Description", "ContentType", "IsPrivate", "OwnerId"),
    "Document": (
        "Name", "DeveloperName", "FolderId", "AuthorId", "Description", "ContentType", "Type",
        "Keywords", "IsPublic", "IsInternalUseOnly",
    ),
    "ContentDocumentLink": ("ContentDocumentId", "LinkedEntityId", "ShareType", "Visibility"),
}  # fmt: skip
"""What is sent of a file's record, as far as its describe calls it createable; the rest follows."""

NO_ANSWER = "NO_ANSWER"
REFERENCES = ("OwnerId", "AuthorId", "FolderId", "ParentId", "LinkedEntityId", "ContentDocumentId")
PLAIN = WriteOptions()


@dataclass
class FilesResult:
    """For the job's JSON; ``refused`` names each file that is not there, and why."""

    documents: int = 0
    versions: int = 0
    links: int = 0
    attachments: int = 0
    folder_documents: int = 0
    pictures: int = 0
    undeleted: int = 0
    bytes: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class FileSender:
    """
    Sends the files of one restore.

    Args:
        bodies: where the store has them.
        new_ids: takes object, old Id and new Id of what was made.
    """

    client: OrgClient
    snapshot: Snapshot
    folder: RestoreFolder
    ids: IdMap
    bodies: Lookup
    notes: FileNotes
    new_ids: list[tuple[str, str, str]] = field(default_factory=list)
    result: FilesResult = field(default_factory=FilesResult)
    _bodies: dict[str, dict[str, Body]] = field(default_factory=dict)

    def send(
        self,
        object_name: str,
        body_field: str,
        row: Row,
        values: dict[str, Any],
        *,
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
        entry = self.bodies.entry(body) if body is not None else None
        if body is None or entry is None or entry.state != "held":
            why = "the store does not have its body"
            self.refuse(object_name, row, "body_missing", (entry.reason if entry else "") or why)
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
        self.notes.keep(_owner(object_name, row), note)
        try:
            new_id, code, message = upload(self.client, object_name, content, PLAIN)
            if new_id in self._taken(note):
                raise AnswerLost("the answer names another file's record.")
        except AnswerLost:
            new_id = self._look_up(object_name, row, values, note["at"])
            code = message = ""
            if not new_id:
                note["tries"] = int(note.get("tries") or 0) + 1
                self.notes.keep(_owner(object_name, row), note)
                if note["tries"] < MOST_TRIES:
                    raise  # the job pauses, and looks again when it goes on
                code = NO_ANSWER
                message = f"its answer was lost {MOST_TRIES} times, and the org does not show it"
        except ObjectError as err:
            new_id, code, message = "", err.code, str(err)
        if not new_id:
            self.refuse(object_name, row, code, message)
            return None
        self.result.bytes += size
        return self._sent(object_name, row, new_id, note)

    def _taken(self, note: Mapping[str, Any]) -> set[str]:
        """Ids that earlier files have; an answer with one of them is another call's."""
        return {*note["made"].values(), *(new_id for _, _, new_id in self.new_ids)}

    def _sent(self, object_name: str, row: Row, new_id: str, note: dict[str, Any]) -> str:
        note["made"][row["Id"]] = new_id
        note |= {"intent": None, "tries": 0}
        self.notes.keep(_owner(object_name, row), note)
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
        elif object_name == "Document":
            where = f"DeveloperName = '{_escaped(values.get('DeveloperName'))}'"
        else:
            size = int(row.get("BodyLength") or 0)
            where = (
                f"ParentId = '{values['ParentId']}' AND BodyLength = {size} "
                f"AND Name = '{_escaped(row.get('Name'))}'"
            )
        soql = f"SELECT Id FROM {object_name} WHERE {where} AND CreatedDate >= {since} ORDER BY Id"
        known = {new_id for _, _, new_id in self.new_ids}
        return next((r["Id"] for r in self.rows(soql) if r["Id"] not in known), "")

    def _body(self, object_name: str, body_field: str, row: Row) -> Body | None:
        """What the snapshot says of a record's body; None: there is none by nature."""
        if object_name not in self._bodies:
            found = bodies_of(self.snapshot, object_name)
            self._bodies[object_name] = {b.id: b for b in found if b.field == body_field}
        body = self._bodies[object_name].get(row["Id"])
        return None if body is None or body.is_outside else body

    def values(self, object_name: str, row: Row) -> dict[str, Any]:
        described = self._described(object_name)
        values = {}
        for name in SENT[object_name]:
            found, value = described.fields.get(name), row.get(name)
            if found is not None and found.is_createable and value not in (None, ""):
                values[name] = self.ids.of(str(value)) if name in REFERENCES else value
        return values

    def _described(self, name: str) -> WriteObject:
        return write_object(self.folder.describe(name) or self.snapshot.describe(name))

    def rows(self, soql: str) -> Iterable[Row]:
        client = self.client

        def once() -> list[Row]:
            first = client.fetch_json("GET", "query", params={"q": soql})
            return all_rows(first, lambda path: client.fetch_json("GET", path), what="files")

        return client.retrying(once)

    def one(self, soql: str, name: str) -> str:
        return next((str(row[name]) for row in self.rows(soql)), "")

    def refuse(self, name: str, row: Row, code: str, message: str) -> None:
        self.result.refused.append(
            {"object": name, "id": str(row["Id"]), "code": code, "message": message}
        )


def _owner(object_name: str, row: Row) -> str:
    """The record under whose Id the note is: a version's document."""
    return str(row["ContentDocumentId"] if object_name == "ContentVersion" else row["Id"])


def _escaped(text: Any) -> str:
    """A text within quotes of SOQL (SOQL guide, Quoted String Escape Sequences)."""
    pairs = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return "".join(pairs.get(c, c) for c in str(text or ""))
