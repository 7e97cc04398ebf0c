# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""Records created, changed and deleted, one at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sfnb_demo.data import custom, ids
from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.fields import label_of
from sfnb_demo.data.recycle_bin import RecycleBin
from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.values import check_names, check_required, decoded, stored_value
from sfnb_demo.errors import ApiError
from sfnb_demo.soql.names import literal, quote

_LENGTH_FIELDS = ("BodyLength", "ContentSize")
NOT_FOUND = "The requested resource does not exist"


class Writes:
    """
    Writes records. Every write sets SystemModstamp to the clock's time, to the second.

    Safe for threads: one write at a time, and readers see all of it or nothing.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        recycle_bin: RecycleBin,
        clock: Callable[[], datetime],
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._clock = clock
        self._bin = recycle_bin
        self._next: dict[str, int] = {}
        storage.rows("CREATE TABLE _bodies (id VARCHAR, data BLOB)")

    def insert(
        self,
        obj: ObjectDef,
        values: dict[str, Any],
        *,
        user_id: str,
        seen: ObjectDef | None = None,
    ) -> str:
        """A new record's id. ``seen`` is the object as this user sees it."""
        _check_writable(obj, "create")
        given = check_names(seen or obj, values, is_new=True)
        check_required(obj, given)
        row = {f.name: stored_value(f, v) for f, v in given.items() if f.type != "base64"}
        bodies = [decoded(f, v) for f, v in given.items() if f.type == "base64" and v is not None]
        with self._storage.writing():
            self._check_references(obj, row)
            self._check_unique(obj, row, None)
            record_id = self._new_id(obj)
            row |= self._defaults(obj, row, record_id, user_id)
            for body in bodies:
                row |= self._keep_body(obj, record_id, body)
            self._complete_file(obj, row, user_id)
            self._store(obj, row)
            self._roll_up(obj, record_id)
        return record_id

    def update(
        self,
        obj: ObjectDef,
        record_id: str,
        values: dict[str, Any],
        *,
        user_id: str,
        seen: ObjectDef | None = None,
    ) -> None:
        """Change a live record. ``seen`` is the object as this user sees it."""
        _check_writable(obj, "update")
        given = check_names(seen or obj, values, is_new=False)
        row = {f.name: stored_value(f, v) for f, v in given.items() if f.type != "base64"}
        empty = [
            f.name
            for f in given
            if not f.is_nillable and f.type not in ("boolean", "base64") and row[f.name] is None
        ]
        if empty:
            raise ApiError(
                "REQUIRED_FIELD_MISSING",
                f"Required fields are missing: [{', '.join(empty)}]",
                fields=empty,
            )
        bodies = [decoded(f, v) for f, v in given.items() if f.type == "base64" and v is not None]
        with self._storage.writing():
            found = self.alive(obj, record_id)
            self._check_references(obj, row)
            self._check_unique(obj, row, found)
            for body in bodies:
                row |= self._keep_body(obj, found, body)
            self._set(obj, [found], row | self.touched(obj, user_id))
            self._roll_up(obj, found)

    def delete(self, obj: ObjectDef, record_id: str, *, user_id: str) -> None:
        """
        Put a record and its details into the recycle bin; objects without one delete for good.
        """
        _check_writable(obj, "delete")
        with self._storage.writing():
            found = self.alive(obj, record_id)
            self._bin.bury(obj, [found], self.stamps(user_id))
            self._roll_up(obj, found)

    def alive(self, obj: ObjectDef, record_id: str) -> str:
        """
        The full id of a record that exists and is not deleted.

        Raises:
            ApiError: MALFORMED_ID, NOT_FOUND or ENTITY_IS_DELETED.
        """
        full = ids.normal(record_id)
        if full is None or (obj.prefix is not None and full[:3] != obj.prefix):
            raise ApiError(
                "MALFORMED_ID",
                f"{label_of(obj.name)} ID: id value of incorrect type: {record_id}",
                fields=["Id"],
            )
        flag = quote("IsDeleted") if obj.has("IsDeleted") else "false"
        rows = self._storage.rows(f'SELECT {flag} FROM {quote(obj.name)} WHERE "Id" = ?', [full])
        if not rows:
            raise ApiError("NOT_FOUND", NOT_FOUND, 404)
        if rows[0][0]:
            raise ApiError("ENTITY_IS_DELETED", "entity is deleted", 404)
        return full

    # --- one step each; the caller holds the lock -------------------------------------------------

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC).replace(tzinfo=None, microsecond=0)

    def reserve(self, obj: ObjectDef, rows: int) -> int:
        """The first counter of so many new ids, which nobody else gets."""
        with self._storage.write_lock:
            if obj.name not in self._next:
                known = f'SELECT "Id" FROM {quote(obj.name)} UNION ALL SELECT id FROM _gone WHERE object = ?'
                ((last,),) = self._storage.rows(f'SELECT max("Id") FROM ({known})', [obj.name])
                self._next[obj.name] = obj.id_start if last is None else ids.number_of(last) + 1
            first = self._next[obj.name]
            self._next[obj.name] = first + rows
            return first

    def _new_id(self, obj: ObjectDef) -> str:
        return ids.make_id(obj.prefix or "000", self.reserve(obj, 1))

    def stamps(self, user_id: str, at: datetime | None = None) -> dict[str, Any]:
        """What a write leaves in a row; ``at`` is its moment, without a zone; None: now."""
        now = at or self._now()
        return {"LastModifiedDate": now, "LastModifiedById": user_id, "SystemModstamp": now}

    def touched(self, obj: ObjectDef, user_id: str, at: datetime | None = None) -> dict[str, Any]:
        """The stamps for an object that may lack some."""
        return {n: value for n, value in self.stamps(user_id, at).items() if obj.has(n)}

    def _defaults(
        self, obj: ObjectDef, row: dict[str, Any], record_id: str, user_id: str
    ) -> dict[str, Any]:
        system: dict[str, Any] = {
            "Id": record_id,
            "CreatedDate": self._now(),
            "CreatedById": user_id,
            **self.touched(obj, user_id),
        }
        if row.get("OwnerId") is None:
            system["OwnerId"] = user_id
        defaults = {name: value for name, value in system.items() if obj.has(name)}
        for field in obj.stored:
            if field.type == "boolean" and row.get(field.name) is None:
                defaults[field.name] = False
            if field.is_auto_number:
                # The counter follows the Id's own, so numbers never repeat. Gaps are allowed.
                width = 8 if field.name.endswith("Number") else 6
                defaults[field.name] = f"{ids.number_of(record_id) - obj.id_start + 1:0{width}}"
        return defaults

    def _check_references(self, obj: ObjectDef, row: dict[str, Any]) -> None:
        for field in obj.stored:
            value = row.get(field.name)
            if field.type != "reference" or value is None:
                continue
            targets = [t for t in self._catalog.by_prefix(value) if t.name in field.refs]
            if not targets:
                raise ApiError(
                    "FIELD_INTEGRITY_EXCEPTION",
                    f"{label_of(field.name)}: id value of incorrect type: {value}",
                    fields=[field.name],
                )
            if not any(
                self._storage.rows(f'SELECT 1 FROM {quote(t.name)} WHERE "Id" = ?', [value])
                for t in targets
            ):
                raise ApiError(
                    "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", fields=[field.name]
                )

    def _check_unique(self, obj: ObjectDef, row: dict[str, Any], own_id: str | None) -> None:
        for field in obj.stored:
            value = row.get(field.name)
            if not field.is_unique or value is None:
                continue
            same = f"lower({quote(field.name)}) = lower(?)"
            sql = f'SELECT "Id" FROM {quote(obj.name)} WHERE {same} AND "Id" IS DISTINCT FROM ?'
            for (other,) in self._storage.rows(sql, [value, own_id]):
                message = f"duplicate value found: {field.name} duplicates value on record with id: {other}"
                raise ApiError("DUPLICATE_VALUE", message, fields=[field.name])

    def _keep_body(self, obj: ObjectDef, record_id: str, body: bytes) -> dict[str, Any]:
        self._storage.rows("DELETE FROM _bodies WHERE id = ?", [record_id])
        self._storage.rows("INSERT INTO _bodies VALUES (?, ?)", [record_id, body])
        facts: dict[str, Any] = {name: len(body) for name in _LENGTH_FIELDS if obj.has(name)}
        if obj.has("Checksum"):
            facts["Checksum"] = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return facts

    def _complete_file(self, obj: ObjectDef, row: dict[str, Any], user_id: str) -> None:
        """
        Give a ContentVersion a new document, or make it the latest version of the one it names.
        """
        if obj.name != "ContentVersion":
            return
        document = self._catalog.objects["ContentDocument"]
        path = str(row.get("PathOnClient") or "")
        extension = path.rpartition(".")[2].lower() if "." in path else ""
        row.setdefault("FileExtension", extension)
        row.setdefault("FileType", extension.upper() or "UNKNOWN")
        facts = {"LatestPublishedVersionId": row["Id"], "ContentSize": row.get("ContentSize")}
        if row.get("ContentDocumentId") is None:
            title = row.get("Title") or path.rpartition("/")[2].rpartition(".")[0] or path
            row |= {
                "Title": title,
                "VersionNumber": "1",
                "IsLatest": True,
                "ContentDocumentId": self._new_id(document),
            }
            new = {
                "Title": title,
                "FileType": row["FileType"],
                "FileExtension": row["FileExtension"],
                "PublishStatus": "P",
                **facts,
            }
            self._store(
                document, new | self._defaults(document, new, row["ContentDocumentId"], user_id)
            )
            if row.get("FirstPublishLocationId"):
                self._link(row["ContentDocumentId"], row["FirstPublishLocationId"], user_id)
            return
        document_id = row["ContentDocumentId"]
        count = self._storage.rows(
            f'SELECT count(*) FROM {quote(obj.name)} WHERE "ContentDocumentId" = ?', [document_id]
        )[0][0]
        row |= {"VersionNumber": str(count + 1), "IsLatest": True}
        self._storage.rows(
            f'UPDATE {quote(obj.name)} SET "IsLatest" = false WHERE "ContentDocumentId" = ?',
            [document_id],
        )
        self._set(document, [document_id], facts | self.touched(document, user_id))

    def _link(self, document_id: str, entity_id: str, user_id: str) -> None:
        link = self._catalog.objects["ContentDocumentLink"]
        row = {
            "ContentDocumentId": document_id,
            "LinkedEntityId": entity_id,
            "ShareType": "I",
            "Visibility": "AllUsers",
        }
        self._store(link, row | self._defaults(link, row, self._new_id(link), user_id))

    def _store(self, obj: ObjectDef, row: dict[str, Any]) -> None:
        names = [f.name for f in obj.stored if f.name in row]
        sql = f"INSERT INTO {quote(obj.name)} ({', '.join(map(quote, names))}) VALUES ({', '.join('?' * len(names))})"
        self._storage.rows(sql, [row[n] for n in names])

    def _set(self, obj: ObjectDef, record_ids: list[str], row: dict[str, Any]) -> None:
        if row and record_ids:
            changes = ", ".join(f"{quote(n)} = ?" for n in row)
            among = ", ".join(literal(i) for i in record_ids)
            self._storage.rows(
                f'UPDATE {quote(obj.name)} SET {changes} WHERE "Id" IN ({among})',
                list(row.values()),
            )

    def _roll_up(self, obj: ObjectDef, record_id: str) -> None:
        """
        Recount the roll-ups over this record; a changed count moves the master's SystemModstamp.
        """
        for rollup in custom.ROLLUPS:
            if rollup.child == obj.name:
                masters = f'SELECT {quote(rollup.key)} FROM {quote(rollup.child)} WHERE "Id" = {literal(record_id)}'
                where = f'p."Id" IN ({masters})'
                stamp = f"\"SystemModstamp\" = TIMESTAMP '{self._now().isoformat(sep=' ')}'"
                self._storage.rows(
                    rollup.sql(
                        also=stamp,
                        where=f"{where} AND p.{quote(rollup.field)} IS DISTINCT FROM {rollup.count_sql}",
                    )
                )


def _check_writable(obj: ObjectDef, verb: str) -> None:
    if not obj.is_writable:
        raise ApiError(
            "INVALID_TYPE_FOR_OPERATION", f"entity type {obj.name} does not support {verb}"
        )


def external_id_field(obj: ObjectDef, name: str) -> Field:
    """
    The field by which a record may be addressed.

    Raises:
        ApiError: NOT_FOUND when it is no external id.
    """
    field = obj.find(name)
    if field is None or not (field.is_external_id or field.type == "id"):
        raise ApiError(
            "NOT_FOUND",
            f"Provided external ID field does not exist or is not accessible: {name}",
            404,
        )
    return field
