# ruff: noqa: S608 - SOQL of Ids of the store
"""
Pictures in rich texts. A text names them by addresses that hold its record's Id, so a record that is
made anew shows nothing; sent as embedded data, the org keeps them under addresses of their own.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sfnb.errors import AnswerLost, ObjectError, OrgUnavailable, TransientError
from sfnb.org.blobs import fetch_blob, image_path
from sfnb.org.writing.collections import update
from sfnb.restore.comparison import Written
from sfnb.restore.files.one_file import NO_ANSWER, PLAIN, FileSender
from sfnb.restore.present import PresentReader, slices
from sfnb.store.bodies.content import content_path
from sfnb.store.bodies.fields import IMAGES, PICTURE, Body, images_of
from sfnb.store.bodies.records import bodies_of
from sfnb.store.snapshots import Snapshot

IDS_PER_QUERY = 50
"""Rich texts may have 130,000 characters each."""

KINDS = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"GIF8", "gif"))
"""What a file begins with; rich texts take these (Help, "Rich Text Area Field Limitations")."""

DIFFERS = "PICTURE_DIFFERS"


def embedded(text: str, bodies: Mapping[str, bytes]) -> str:
    """The text with these pictures in it, by their ``refid``. Pure."""

    def picture(address: str) -> str:
        found = IMAGES.search(html.unescape(address))
        body = bodies.get(found[1]) if found else None
        if body is None:
            return address
        kind = next((kind for head, kind in KINDS if body.startswith(head)), "png")
        return f"data:image/{kind};base64,{base64.b64encode(body).decode()}"

    return PICTURE.sub(lambda found: picture(found[0]), text)


def pictures_of(snapshot: Snapshot, name: str) -> Iterator[Body]:
    """The pictures in rich texts of an object's records; ``field`` is the field, a slash, ``refid``."""
    return (one for one in bodies_of(snapshot, name) if "/" in one.field)


def field_of(body: Body) -> str:
    return body.field.partition("/")[0]


def _is_shown(one: Written, field: str) -> bool:
    """Whether the restore has written the text; undeleted records have their pictures."""
    return one.mode == "create" or (one.mode == "update" and field in one.fields)


@dataclass
class Pictures:
    """
    The pictures of one restore. What is done is seen in the org: a text that names no old picture is
    not sent again.

    Args:
        written: by object and Id in the snapshot, the records that the restore has written.
    """

    reader: PresentReader
    snapshot: Snapshot
    sender: FileSender
    written: Mapping[str, Mapping[str, Written]]
    tick: Callable[[], None]

    def run(self) -> None:
        """
        Send them. Cost: 1 API call for 250 records that are looked at, and for each record 2 more and
        1 for each of its pictures, which is read back.
        """
        for name, records in self.written.items():
            by_record: dict[str, list[Body]] = defaultdict(list)
            for body in pictures_of(self.snapshot, name):
                one = records.get(body.id)
                if one is not None and _is_shown(one, field_of(body)):
                    by_record[body.id].append(body)
            fields = sorted({field_of(b) for some in by_record.values() for b in some})
            for some in slices(sorted(by_record), IDS_PER_QUERY):
                texts = self._texts(name, fields, [records[i].new_id for i in some])
                for old_id in some:
                    self.tick()
                    new_id = records[old_id].new_id
                    self._record(name, old_id, new_id, by_record[old_id], texts.get(new_id, {}))

    def _texts(
        self, name: str, fields: Sequence[str], ids: Sequence[str]
    ) -> dict[str, dict[str, str]]:
        """By Id, the rich texts as the org has them now."""
        columns = ", ".join(("Id", *fields))
        soql = f"SELECT {columns} FROM {name} WHERE Id IN ({','.join(map(repr, ids))})"
        return {
            str(row["Id"]): {field: str(row.get(field) or "") for field in fields}
            for row in self.sender.rows(soql)
        }

    def _record(
        self, name: str, old_id: str, new_id: str, bodies: Sequence[Body], texts: Mapping[str, str]
    ) -> None:
        values: dict[str, str] = {}
        sent: dict[str, list[str]] = {}
        for field, text in texts.items():
            mine = {body.version: body for body in bodies if field_of(body) == field}
            contents: dict[str, bytes] = {}
            for image in images_of(name, new_id, field, text):
                body = mine.get(image.version)
                if body is None or (new_id == old_id and self._is_served(image)):
                    continue
                content = self._content(body)
                if content is None:
                    why = f"{field}: the store does not have the picture {image.version}"
                    self.sender.refuse(name, {"Id": old_id}, "body_missing", why)
                else:
                    contents[image.version] = content
            if contents:
                values[field] = embedded(text, contents)
                sent[field] = [hashlib.sha256(content).hexdigest() for content in contents.values()]
        notes = self.sender.notes
        if not values:
            if sent := notes.of(old_id).get("pictures", {}):  # an earlier run has sent them
                self._prove(name, old_id, new_id, sent)
            return
        notes.keep(old_id, {**notes.of(old_id), "pictures": sent})
        if self._is_sent(name, old_id, new_id, values, sent):
            self._prove(name, old_id, new_id, sent)

    def _is_sent(
        self,
        name: str,
        old_id: str,
        new_id: str,
        values: Mapping[str, str],
        sent: Mapping[str, Sequence[str]],
    ) -> bool:
        """Send the texts; whether it is worth to look at them."""
        try:
            (result,) = update(self.sender.client, name, [(new_id, values)], PLAIN)
        except AnswerLost:
            may_try = self.sender.notes.may_try(old_id, "pictures")
            if may_try and not self._are_there(name, new_id, sent):
                raise  # the job pauses, and looks again when it goes on
            return True
        except ObjectError as err:
            self.sender.refuse(name, {"Id": old_id}, err.code, f"pictures: {err}")
            return False
        if result.state != "done":
            why = f"pictures: {result.message}"
            self.sender.refuse(name, {"Id": old_id}, result.code or NO_ANSWER, why)
            return False
        return True

    def _is_served(self, image: Body) -> bool:
        """Whether the org still has a picture of a record that kept its Id. Cost: 1 API call."""
        try:
            self._digest(image.object_name, image.id, field_of(image), image.version)
        except OrgUnavailable:
            raise
        except (ObjectError, TransientError):
            return False
        return True

    def _prove(
        self, name: str, old_id: str, new_id: str, sent: Mapping[str, Sequence[str]]
    ) -> None:
        """Read the pictures back, and count them."""
        try:
            is_there = self._are_there(name, new_id, sent)
        except OrgUnavailable:
            raise
        except (ObjectError, TransientError) as err:
            why = f"pictures cannot be read back: {err}"
            self.sender.refuse(name, {"Id": old_id}, DIFFERS, why)
            return
        if is_there:
            self.sender.result.pictures += sum(map(len, sent.values()))
        else:
            why = f"{', '.join(sent)}: the pictures are not as they were sent"
            self.sender.refuse(name, {"Id": old_id}, DIFFERS, why)

    def _are_there(self, name: str, new_id: str, sent: Mapping[str, Sequence[str]]) -> bool:
        """Whether the texts show these pictures: their addresses differ, their bytes do not."""
        texts = self._texts(name, sorted(sent), [new_id]).get(new_id, {})
        for field, digests in sent.items():
            shown = images_of(name, new_id, field, texts.get(field, ""))
            try:
                found = {self._digest(name, new_id, field, image.version) for image in shown}
            except ObjectError:  # an old address: the org serves nothing there
                return False
            if not found.issuperset(digests):
                return False
        return True

    def _digest(self, name: str, record_id: str, field: str, refid: str) -> str:
        sink = io.BytesIO()
        client = self.sender.client
        path = image_path(name, record_id, field, refid)

        def once() -> None:
            sink.seek(0)
            sink.truncate()
            fetch_blob(client, path, sink, size=None)

        client.retrying(once)
        return hashlib.sha256(sink.getvalue()).hexdigest()

    def _content(self, body: Body) -> bytes | None:
        entry = self.sender.bodies.entry(body)
        if entry is None or entry.state != "held":
            return None
        with self.snapshot.files.open_input(content_path(entry.sha256)) as source:
            return bytes(source.read())
