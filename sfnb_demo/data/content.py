# ruff: noqa: E501 - a catalogue reads best as a table, one field after the other
"""
Files. Their bytes follow from the record's Id: nothing is stored, and every length and checksum is
true.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa

from sfnb_demo.data import fields as f
from sfnb_demo.data import fills, ids, pools
from sfnb_demo.data import system_fields as system
from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.data.storage import Storage

LINK_REFUSAL = (
    "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or LinkedEntityId using the "
    "equals operator or multiple Id's using the IN operator."
)
EXTENSIONS = (("pdf", "PDF"), ("txt", "TEXT"), ("png", "PNG"), ("csv", "CSV"), ("docx", "WORD_X"))
VERSION_PREFIX, DOCUMENT_PREFIX = "068", "069"


def body(record_id: str, length: int) -> bytes:
    """The bytes of a file that the org had from the start."""
    return hashlib.shake_256(record_id.encode()).digest(length)


def stored_body(storage: Storage, obj: ObjectDef, record_id: str) -> bytes:
    """The bytes of a file: those that were sent, or that the org had from the start."""
    kept = storage.rows("SELECT data FROM _bodies WHERE id = ?", [record_id])
    if kept:
        return bytes(kept[0][0])
    size = "ContentSize" if obj.has("ContentSize") else "BodyLength"
    sql = f'SELECT "{size}" FROM "{obj.name}" WHERE "Id" = ?'  # noqa: S608 - the catalogue's names
    return body(record_id, int(storage.rows(sql, [record_id])[0][0] or 0))


def picture(storage: Storage, refid: str) -> bytes:
    """An image of a rich text: one that was embedded, or that the org had from the start."""
    kept = storage.rows("SELECT data FROM _bodies WHERE id = ?", [refid])
    return bytes(kept[0][0]) if kept else body(refid, 700)


def has_picture(storage: Storage, refid: str) -> bool:
    """Whether this image was embedded in a text that was sent."""
    return bool(storage.rows("SELECT 1 FROM _bodies WHERE id = ?", [refid]))


def lengths(numbers: fills.Integers) -> fills.Integers:
    """The size of the file with this number: most are small, some have 200 kB."""
    return np.where(numbers % 50 == 7, 200_000, numbers * 7919 % 6000) + 1


def is_outside(numbers: fills.Integers) -> Any:
    """Whether the file is kept outside of Salesforce: its size is 0, and it has no checksum."""
    return numbers % 13 == 5


def version_lengths(numbers: fills.Integers) -> fills.Integers:
    """The sizes of ContentVersions, among them files of no bytes at all."""
    return np.where(is_outside(numbers) | (numbers % 13 == 6), 0, lengths(numbers))


def _length(batch: fills.Batch) -> Any:
    return pa.array(lengths(batch.numbers))


def _version_length(batch: fills.Batch) -> Any:
    return pa.array(version_lengths(batch.numbers))


def _checksum(batch: fills.Batch) -> Any:
    record_ids, sizes = batch.columns["Id"].to_pylist(), version_lengths(batch.numbers)
    sums = [
        None if outside else hashlib.md5(body(i, int(n)), usedforsecurity=False).hexdigest()
        for i, n, outside in zip(record_ids, sizes, is_outside(batch.numbers), strict=True)
    ]
    return pa.array(sums)


def _location(batch: fills.Batch) -> Any:
    return pa.array(np.where(is_outside(batch.numbers), "E", "S").tolist())


def _url(batch: fills.Batch) -> Any:
    urls = (f"https://files.example/{number}" for number in batch.numbers)
    outside = is_outside(batch.numbers)
    return pa.array([u if o else None for u, o in zip(urls, outside, strict=True)], pa.string())


def _documents(batch: fills.Batch) -> int:
    return batch.rows["ContentDocument"]


def _version_document(batch: fills.Batch) -> Any:
    """
    Versions 0 to n - 1 are the first versions of their documents; later numbers are second
    versions.
    """
    return ids.make_ids(DOCUMENT_PREFIX, batch.numbers % _documents(batch) + ids.FIRST)


def _version_number(batch: fills.Batch) -> Any:
    return pa.array(batch.numbers // _documents(batch) + 1).cast(pa.string())


def _is_latest(batch: fills.Batch) -> Any:
    return pa.array(batch.numbers + _documents(batch) >= batch.rows["ContentVersion"])


def _latest(batch: fills.Batch) -> fills.Integers:
    """The number of each document's latest version."""
    documents, versions = _documents(batch), batch.rows["ContentVersion"]
    return batch.numbers + (versions - 1 - batch.numbers) // documents * documents


def _latest_version(batch: fills.Batch) -> Any:
    return ids.make_ids(VERSION_PREFIX, _latest(batch) + ids.FIRST)


def _latest_length(batch: fills.Batch) -> Any:
    return pa.array(version_lengths(_latest(batch)))


def _extension(column: int, *, of_latest: bool = False) -> fills.Fill:
    return lambda batch: fills.take(
        [e[column] for e in EXTENSIONS],
        (_latest(batch) if of_latest else batch.numbers) % len(EXTENSIONS),
    )


def _linked_document(batch: fills.Batch) -> Any:
    return ids.make_ids(DOCUMENT_PREFIX, batch.numbers % _documents(batch) + ids.FIRST)


def _id_of(name: str, target: str, fill: fills.Fill, **flags: Any) -> Field:
    return Field(
        name,
        "reference",
        length=18,
        refs=(target,),
        relationship=name.removesuffix("Id"),
        is_nillable=False,
        fill=fill,
        **flags,
    )


def objects() -> list[ObjectDef]:
    given: dict[str, Any] = {"is_createable": False, "is_updateable": False}
    title = fills.spiced(fills.joined(fills.pick(pools.SUBJECTS), fills.numbered(" ", 4)))
    return [
        system.table(
            "Attachment", "00P", f.lookup("ParentId", "Account", "Contact", "Opportunity", "Case", nulls=0, children="Attachments", on_delete="cascade"), f.name(255, fill=title),
            f.boolean("IsPrivate"), f.text("ContentType", 120, fill=fills.pick(("application/pdf", "text/plain", "image/png"))),
            Field("BodyLength", "int", fill=_length, **given), f.base64("Body"), f.user_owner(), f.text("Description", 500), rows=150, has_bulk=False,
        ),
        system.table(
            "Document", "015", f.name(255, fill=title), f.text("DeveloperName", 80, fill=fills.numbered("Document_", 3), is_unique=True),
            f.text("ContentType", 120, fill=fills.pick(("image/png", "text/plain"))), f.text("Type", 40, fill=fills.pick(("png", "txt"))), f.boolean("IsPublic"),
            Field("BodyLength", "int", fill=_length, **given), f.base64("Body"), f.lookup("AuthorId", "User", nulls=0), rows=20,
        ),
        system.table(
            "ContentDocument", DOCUMENT_PREFIX, f.text("Title", 255, fill=title, is_name=True), _id_of("LatestPublishedVersionId", "ContentVersion", _latest_version, **given),
            Field("ContentSize", "int", fill=_latest_length, **given), f.text("FileType", 20, fill=_extension(1, of_latest=True)),
            f.text("FileExtension", 40, fill=_extension(0, of_latest=True)), f.picklist("PublishStatus", "P", nulls=0), f.user_owner(), rows=200, is_deletable=False,
        ),
        system.table(
            "ContentVersion", VERSION_PREFIX, _id_of("ContentDocumentId", "ContentDocument", _version_document, is_detail=True, is_defaulted=True, children="ContentVersions"),
            Field("IsLatest", "boolean", is_nillable=False, fill=_is_latest, **given), Field("VersionNumber", "string", length=20, fill=_version_number, **given),
            f.text("Title", 255, fill=title, is_name=True), f.text("PathOnClient", 500, fill=fills.numbered("C:\\files\\", 5), is_nillable=False), f.area("ReasonForChange", 1000, nulls=0.8),
            Field("ContentSize", "int", fill=_version_length, **given), Field("Checksum", "string", length=50, fill=_checksum, **given),
            f.text("FileType", 20, fill=_extension(1), **given), f.text("FileExtension", 40, fill=_extension(0), **given), f.base64("VersionData"),
            Field("ContentLocation", "picklist", length=40, values=("S", "E", "L"), is_nillable=False, fill=_location, **given), f.text("ContentUrl", 1300, fill=_url),
            f.lookup("FirstPublishLocationId", "Account", "Case", "User", nulls=0.5), f.user_owner(), rows=240, is_deletable=False,
        ),
        ObjectDef(
            "ContentDocumentLink", "06A",
            (
                system.ID, f.lookup("LinkedEntityId", "Account", "Opportunity", "Case", "Contact", "User", nulls=0, children="ContentDocumentLinks", on_delete="cascade"),
                _id_of("ContentDocumentId", "ContentDocument", _linked_document, is_detail=True, children="ContentDocumentLinks"), system.IS_DELETED, system.modstamp_alone(),
                f.picklist("ShareType", "V", "C", "I", nulls=0), f.picklist("Visibility", "AllUsers", "InternalUsers", nulls=0),
            ),
            rows=300, is_deletable=False, is_replicateable=False, wanted_filters=("ContentDocumentId", "LinkedEntityId"), refusal=LINK_REFUSAL,
        ),
    ]  # fmt: skip
