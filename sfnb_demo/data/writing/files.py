# ruff: noqa: S608 - names come from the catalogue and are quoted, values are parameters
"""Files: their bytes, and the documents and links that a ContentVersion brings along."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from typing import Any

from sfnb_demo.data import ids
from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.soql.names import quote

LENGTH_FIELDS = ("BodyLength", "ContentSize")
PICTURE_PREFIX = "0EM"
EMBEDDED = re.compile(r"data:image/[a-z+]+;base64,([A-Za-z0-9+/=]+)")
Row = dict[str, Any]
NewRow = Callable[[ObjectDef, Row], str]
"""Stores a row with its defaults and returns its Id."""


class Files:
    """
    Args:
        new_row: how further rows are stored.
        touch: moves the stamps of a row and sets what else is given.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        new_row: NewRow,
        touch: Callable[[ObjectDef, str, Row], None],
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._new_row = new_row
        self._touch = touch
        storage.rows("CREATE TABLE _bodies (id VARCHAR, data BLOB)")

    def keep(self, obj: ObjectDef, record_id: str, body: bytes) -> Row:
        """Keep the bytes of a record, and return what its other fields say of them."""
        self._storage.rows("DELETE FROM _bodies WHERE id = ?", [record_id])
        self._storage.rows("INSERT INTO _bodies VALUES (?, ?)", [record_id, body])
        facts: Row = {name: len(body) for name in LENGTH_FIELDS if obj.has(name)}
        if obj.has("Checksum"):
            facts["Checksum"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return facts

    def take_pictures(self, obj: ObjectDef, record_id: str, row: Row) -> None:
        """
        Keep the pictures that are embedded in rich texts, and put addresses in their places (reported
        by users; REST guide, Rich Text Image Retrieval, has such an address).
        """
        for field in obj.stored:
            if field.is_html and isinstance(row.get(field.name), str):

                def kept(found: re.Match[str]) -> str:
                    try:
                        body = base64.b64decode(found[1], validate=True)
                    except binascii.Error:
                        return found[0]
                    like = f"{PICTURE_PREFIX}%"
                    sql = "SELECT count(*) FROM _bodies WHERE id LIKE ?"
                    ((count,),) = self._storage.rows(sql, [like])
                    refid = ids.make_id(PICTURE_PREFIX, ids.FIRST + count)
                    self._storage.rows("INSERT INTO _bodies VALUES (?, ?)", [refid, body])
                    return (
                        "https://files.example/servlet/rtaImage?"
                        f"eid={record_id}&amp;feoid=00N000000000001&amp;refid={refid}"
                    )

                row[field.name] = EMBEDDED.sub(kept, row[field.name])

    def complete(self, row: Row) -> None:
        """
        Give a ContentVersion a new document, or make it the latest version of the one it names.
        """
        document = self._catalog.objects["ContentDocument"]
        version = self._catalog.objects["ContentVersion"]
        path = str(row.get("PathOnClient") or "")
        extension = path.rpartition(".")[2].lower() if "." in path else ""
        row.setdefault("FileExtension", extension)
        row.setdefault("FileType", extension.upper() or "UNKNOWN")
        facts = {"LatestPublishedVersionId": row["Id"], "ContentSize": row.get("ContentSize")}
        if row.get("ContentDocumentId") is None:
            title = row.get("Title") or path.rpartition("/")[2].rpartition(".")[0] or path
            new = {
                "Title": title,
                "FileType": row["FileType"],
                "FileExtension": row["FileExtension"],
                "PublishStatus": "P",
                **facts,
            }
            row |= {
                "Title": title,
                "VersionNumber": "1",
                "IsLatest": True,
                "ContentDocumentId": self._new_row(document, new),
            }
            if row.get("FirstPublishLocationId"):
                self._link(row["ContentDocumentId"], row["FirstPublishLocationId"])
            return
        document_id = row["ContentDocumentId"]
        versions = f'{quote(version.name)} WHERE "ContentDocumentId" = ?'
        ((count,),) = self._storage.rows(f"SELECT count(*) FROM {versions}", [document_id])
        row |= {"VersionNumber": str(count + 1), "IsLatest": True}
        old = f'UPDATE {quote(version.name)} SET "IsLatest" = false WHERE "ContentDocumentId" = ?'
        self._storage.rows(old, [document_id])
        self._touch(document, document_id, facts)

    def _link(self, document_id: str, entity_id: str) -> None:
        link = self._catalog.objects["ContentDocumentLink"]
        row = {"ContentDocumentId": document_id, "LinkedEntityId": entity_id}
        self._new_row(link, row | {"ShareType": "I", "Visibility": "AllUsers"})
