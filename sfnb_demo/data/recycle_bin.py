# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""
Rows that are deleted: into the recycle bin, back from it, or gone for good.

Each method is one step of a transaction; the caller holds ``Storage.writing``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.errors import ApiError
from sfnb_demo.soql.names import literal, quote

AMONG = "IN (SELECT unnest(?))"
STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")


def owner_sql(catalog: Catalog, obj: ObjectDef, alias: str) -> str:
    """SQL of whose row it is: the owner, or the master's owner; null where everybody sees it."""
    if obj.has("OwnerId"):
        return f'{alias}."OwnerId"'
    for field in obj.fields:
        master = catalog.find(field.refs[0]) if field.is_detail else None
        if master is not None and (inner := owner_sql(catalog, master, alias + "m")) != "NULL":
            source = f"{quote(master.name)} {alias}m"
            key = f'{alias}m."Id" = {alias}.{quote(field.name)}'
            return f"coalesce((SELECT any_value({inner}) FROM {source} WHERE {key}), '')"
    return "NULL"


class RecycleBin:
    """
    The org's recycle bin, and the log of deletions that ``/deleted`` answers from.

    A detail that went with its master comes back only with it; one that was deleted before its
    master cannot come back at all (Salesforce help 000386040).
    """

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._catalog = catalog
        self._storage = storage
        storage.rows(
            "CREATE TABLE _gone (object VARCHAR, id VARCHAR, moment TIMESTAMP, owner VARCHAR)"
        )
        storage.rows("CREATE TABLE _went_with (object VARCHAR, id VARCHAR, top VARCHAR)")

    def bury(self, obj: ObjectDef, record_ids: Sequence[str], stamps: Mapping[str, Any]) -> None:
        """
        Delete rows and their details.

        Args:
            stamps: what the deletion writes into rows that have such fields; ``SystemModstamp`` is
                its moment.
        """
        if not record_ids:
            return
        for child, key in self._details(obj):
            self._note_details(obj, child, key, record_ids)
            self.bury(child, self._living(child, key, record_ids), stamps)
        if obj.has("IsDeleted") and obj.has_bin:
            self._set(obj, record_ids, {"IsDeleted": True, **stamps})
        else:
            self._remove(obj, record_ids, stamps["SystemModstamp"])

    def bring_back(
        self, obj: ObjectDef, record_ids: Sequence[str], stamps: Mapping[str, Any]
    ) -> None:
        """Undelete rows, with the details that went with them."""
        self._set(obj, record_ids, {"IsDeleted": False, **stamps})
        went = f"SELECT object, id FROM _went_with WHERE top {AMONG}"
        by_object: dict[str, list[str]] = {}
        for name, record_id in self._storage.rows(went, [list(record_ids)]):
            by_object.setdefault(name, []).append(record_id)
        for name, details in by_object.items():
            child = self._catalog.find(name)
            if child is not None:
                self._set(child, details, {"IsDeleted": False, **stamps})
        self._storage.rows(f"DELETE FROM _went_with WHERE top {AMONG}", [list(record_ids)])

    def check_can_return(self, obj: ObjectDef, record_id: str) -> None:
        """
        Raises:
            ApiError: UNDELETE_FAILED: the row is not in the bin, or went with its master.
        """
        flag = '"IsDeleted"' if obj.has("IsDeleted") else "false"
        found = self._storage.rows(
            f'SELECT {flag} FROM {quote(obj.name)} WHERE "Id" = ?', [record_id]
        )
        went = self._storage.rows(
            "SELECT 1 FROM _went_with WHERE object = ? AND id = ?", [obj.name, record_id]
        )
        if not found or not found[0][0] or went:
            raise ApiError("UNDELETE_FAILED", "Entity is not in the recycle bin", fields=["Id"])

    def check_deleted_by(self, obj: ObjectDef, record_id: str, user_id: str) -> None:
        """
        Raises:
            ApiError: INSUFFICIENT_ACCESS_OR_READONLY: somebody else has deleted the row.
        """
        if obj.has("LastModifiedById"):
            sql = f'SELECT "LastModifiedById" FROM {quote(obj.name)} WHERE "Id" = ?'
            if self._storage.rows(sql, [record_id]) != [(user_id,)]:
                raise ApiError(
                    "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"
                )

    def remove(self, obj: ObjectDef, record_ids: Sequence[str], at: datetime) -> None:
        """Delete rows and all their details for good; ``/deleted`` still lists them."""
        if not record_ids:
            return
        for child, key in self._details(obj):
            sql = f'SELECT "Id" FROM {quote(child.name)} WHERE {quote(key)} {AMONG}'
            found = self._storage.rows(sql, [list(record_ids)])
            self.remove(child, [i for (i,) in found], at)
        self._remove(obj, record_ids, at)

    def purge(self, obj: ObjectDef, before: datetime | None = None) -> int:
        """Empty the bin of one object, of what was deleted before a moment; how many rows went."""
        if not obj.has("IsDeleted"):
            return 0
        stamp = next((n for n in STAMPS if obj.has(n)), None)
        old = f" AND {quote(stamp)} < ?" if before is not None and stamp else ""
        sql = f'SELECT "Id" FROM {quote(obj.name)} WHERE "IsDeleted"{old}'
        gone = [i for (i,) in self._storage.rows(sql, [before] if old else [])]
        self._remove(obj, gone, None)
        return len(gone)

    def forget(self) -> None:
        """Empty the log of deletions, as Salesforce does when it grows too large."""
        self._storage.rows("DELETE FROM _gone")

    def _details(self, obj: ObjectDef) -> list[tuple[ObjectDef, str]]:
        relations = self._catalog.children[obj.name]
        found = [(self._catalog.objects[r.child], r.field) for r in relations]
        return [(child, f.name) for child, f in found if f.is_detail and child.is_queryable]

    def _living(self, child: ObjectDef, key: str, masters: Sequence[str]) -> list[str]:
        alive = ' AND NOT "IsDeleted"' if child.has("IsDeleted") else ""
        sql = f'SELECT "Id" FROM {quote(child.name)} WHERE {quote(key)} {AMONG}{alive}'
        return [i for (i,) in self._storage.rows(sql, [list(masters)])]

    def _note_details(
        self, obj: ObjectDef, child: ObjectDef, key: str, masters: Sequence[str]
    ) -> None:
        """Remember with which deletion each detail goes; empty for one that went before."""
        if not (child.has("IsDeleted") and child.has_bin):
            return
        top = f"""CASE WHEN c."IsDeleted" THEN '' ELSE coalesce(w.top, c.{quote(key)}) END"""
        self._storage.rows(
            f'INSERT INTO _went_with SELECT {literal(child.name)}, c."Id", {top} '
            f"FROM {quote(child.name)} c LEFT JOIN _went_with w "
            f"ON w.object = {literal(obj.name)} AND w.id = c.{quote(key)} "
            f"WHERE c.{quote(key)} {AMONG}",
            [list(masters)],
        )

    def _remove(self, obj: ObjectDef, record_ids: Sequence[str], at: datetime | None) -> None:
        """Take rows out of the table; ``at`` is the moment of deletion, None: as the rows say."""
        stamp = next((n for n in STAMPS if obj.has(n)), None)
        moment = "?" if at is not None else (f"r.{quote(stamp)}" if stamp else "NULL")
        given: list[Any] = [at] if at is not None else []
        owner = owner_sql(self._catalog, obj, "r")
        self._storage.rows(
            f'INSERT INTO _gone SELECT {literal(obj.name)}, r."Id", {moment}, {owner} '
            f'FROM {quote(obj.name)} r WHERE r."Id" {AMONG}',
            [*given, list(record_ids)],
        )
        self._storage.rows(f'DELETE FROM {quote(obj.name)} WHERE "Id" {AMONG}', [list(record_ids)])

    def _set(self, obj: ObjectDef, record_ids: Sequence[str], row: Mapping[str, Any]) -> None:
        own = {name: value for name, value in row.items() if obj.has(name)}
        changes = ", ".join(f"{quote(n)} = ?" for n in own)
        self._storage.rows(
            f'UPDATE {quote(obj.name)} SET {changes} WHERE "Id" {AMONG}',
            [*own.values(), list(record_ids)],
        )
