# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""
Rows that are deleted: into the recycle bin, back from it, or gone for good.

Each method is one step of a transaction; the caller holds ``Storage.writing``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.schema import DeleteRule, Field, ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.errors import ApiError
from sfnb_demo.soql.names import literal, quote

AMONG = "IN (SELECT unnest(?))"
STAMPS = ("SystemModstamp", "LastModifiedDate", "CreatedDate")

BLOCKING = {
    ("Opportunity", "AccountId"): "\"StageName\" = 'Closed Won'",
    ("Contract", "AccountId"): "\"Status\" = 'Activated'",
    ("Order", "AccountId"): "\"Status\" = 'Activated'",
}
"""Rows that go with their account, but keep it alive while they are so (Salesforce help)."""


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
    master cannot come back at all (Salesforce help 000386040). Lookups to a deleted row are emptied;
    undeleting it fills some of them again, where nobody has filled them meanwhile.
    """

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._catalog = catalog
        self._storage = storage
        storage.rows(
            "CREATE TABLE _gone (object VARCHAR, id VARCHAR, moment TIMESTAMP, owner VARCHAR)"
        )
        storage.rows("CREATE TABLE _went_with (object VARCHAR, id VARCHAR, top VARCHAR)")
        storage.rows(
            "CREATE TABLE _emptied (object VARCHAR, field VARCHAR, id VARCHAR, parent VARCHAR)"
        )

    def bury(self, obj: ObjectDef, record_ids: Sequence[str], stamps: Mapping[str, Any]) -> None:
        """
        Delete rows and all that goes with them.

        Args:
            stamps: what the deletion writes into rows that have such fields; ``SystemModstamp`` is
                its moment.
        """
        going = self._going(obj, record_ids, has_deleted=False)
        for name, tops in going.items():
            self._note(self._catalog.objects[name], tops)
        self._empty_lookups(going, stamps["SystemModstamp"], is_noted=True)
        for name, tops in going.items():
            gone = self._catalog.objects[name]
            if gone.has("IsDeleted") and gone.has_bin:
                self._set(gone, list(tops), {"IsDeleted": True, **stamps})
            else:
                self._remove(gone, list(tops), stamps["SystemModstamp"])

    def blocked(self, obj: ObjectDef, record_ids: Sequence[str]) -> dict[str, str]:
        """
        Of rows that somebody wants to delete: those that must stay, and why. A row keeps them alive
        that refers to them, or to what would go with them, unless it goes itself.
        """
        going = self._going(obj, record_ids, has_deleted=False)
        found: dict[str, str] = {}
        for name, tops in going.items():
            for child, field in self._relations(name, "restrict"):
                leaving = going.get(child.name, ())
                found |= self._blocking(child, field, tops, leaving=leaving) | found
            for child, field in self._relations(name, "cascade"):
                if condition := BLOCKING.get((child.name, field.name)):
                    found |= self._blocking(child, field, tops, condition=condition) | found
        return found

    def bring_back(
        self, obj: ObjectDef, record_ids: Sequence[str], stamps: Mapping[str, Any]
    ) -> None:
        """Undelete rows, with what went with them, and fill lookups to them again."""
        by_object: dict[str, list[str]] = {obj.name: list(record_ids)}
        went = f"SELECT object, id FROM _went_with WHERE top {AMONG}"
        for name, record_id in self._storage.rows(went, [list(record_ids)]):
            by_object.setdefault(name, []).append(record_id)
        back = {n: i for n, i in by_object.items() if self._catalog.find(n) is not None}
        for name, some in back.items():
            back_again = {"IsDeleted": False, "MasterRecordId": None, **stamps}
            self._set(self._catalog.objects[name], some, back_again)
        self._storage.rows(f"DELETE FROM _went_with WHERE top {AMONG}", [list(record_ids)])
        for name, some in back.items():
            self._empty_lost(self._catalog.objects[name], some)
            self._fill_lookups(some, stamps["SystemModstamp"])

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
        """Delete rows and all that goes with them for good; ``/deleted`` still lists them."""
        going = self._going(obj, record_ids, has_deleted=True)
        self._empty_lookups(going, at, is_noted=False)
        for name, tops in going.items():
            self._remove(self._catalog.objects[name], list(tops), at)

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

    # --- what goes along --------------------------------------------------------------------------

    def _relations(self, parent: str, rule: DeleteRule) -> list[tuple[ObjectDef, Field]]:
        """The objects and fields that point to a parent with this rule."""
        objects = self._catalog.objects
        found = [(objects[r.child], r.field) for r in self._catalog.children[parent]]
        return [
            (child, f)
            for child, f in found
            if child.is_queryable and f.is_stored and f.delete_rule == rule
        ]

    def _going(
        self, obj: ObjectDef, record_ids: Sequence[str], *, has_deleted: bool
    ) -> dict[str, dict[str, str]]:
        """
        All rows that go when these go, by object: Id to the one of these with which it goes. Circles
        are gone through once.
        """
        going: dict[str, dict[str, str]] = {obj.name: {i: i for i in record_ids}}
        queue = [(obj.name, dict(going[obj.name]))] if record_ids else []
        while queue:
            name, masters = queue.pop(0)
            for child, field in self._relations(name, "cascade"):
                key = quote(field.name)
                alive = "" if has_deleted or not child.has("IsDeleted") else ' AND NOT "IsDeleted"'
                sql = f'SELECT "Id", {key} FROM {quote(child.name)} WHERE {key} {AMONG}{alive}'
                known = going.setdefault(child.name, {})
                new = {
                    i: masters[master]
                    for i, master in self._storage.rows(sql, [list(masters)])
                    if i not in known
                }
                known |= new
                if new:
                    queue.append((child.name, new))
        return {name: rows for name, rows in going.items() if rows}

    def _blocking(
        self,
        child: ObjectDef,
        field: Field,
        tops: Mapping[str, str],
        *,
        leaving: Collection[str] = (),
        condition: str = "true",
    ) -> dict[str, str]:
        """The tops that rows of one lookup keep alive, and the rows."""
        key, alive = quote(field.name), 'NOT "IsDeleted"' if child.has("IsDeleted") else "true"
        sql = (
            f'SELECT "Id", {key} FROM {quote(child.name)} '
            f"WHERE {key} {AMONG} AND {alive} AND {condition}"
        )
        return {
            tops[parent]: f"{child.plural or child.name + 's'}: {record_id}"
            for record_id, parent in self._storage.rows(sql, [list(tops)])
            if record_id not in leaving
        }

    def _note(self, obj: ObjectDef, tops: Mapping[str, str]) -> None:
        """
        Remember with which deletion each row goes, and which details were deleted before their
        master: those are lost.
        """
        if obj.has("IsDeleted") and obj.has_bin:
            along = [(obj.name, i, top) for i, top in tops.items() if i != top]
            if along:
                names, ids, with_tops = (list(column) for column in zip(*along, strict=True))
                self._storage.rows(
                    "INSERT INTO _went_with SELECT unnest(?), unnest(?), unnest(?)",
                    [names, ids, with_tops],
                )
        for child, field in self._relations(obj.name, "cascade"):
            if field.is_detail and child.has("IsDeleted") and child.has_bin:
                self._storage.rows(
                    f"""INSERT INTO _went_with SELECT {literal(child.name)}, "Id", '' """
                    f"FROM {quote(child.name)} "
                    f'WHERE {quote(field.name)} {AMONG} AND "IsDeleted"',
                    [list(tops)],
                )

    # --- lookups ----------------------------------------------------------------------------------

    def _empty_lookups(
        self, going: Mapping[str, Mapping[str, str]], at: datetime, *, is_noted: bool
    ) -> None:
        """Empty the lookups of rows that stay; that moves their SystemModstamp alone."""
        for name, tops in going.items():
            for child, field in self._relations(name, "clear"):
                leaving = list(going.get(child.name, ()))
                key, table = quote(field.name), quote(child.name)
                alive = ' AND NOT "IsDeleted"' if child.has("IsDeleted") else ""
                where = f'WHERE {key} {AMONG} AND "Id" NOT {AMONG}{alive}'
                given = [list(tops), leaving]
                if is_noted and field.comes_back:
                    self._storage.rows(
                        f"INSERT INTO _emptied SELECT {literal(child.name)}, "
                        f'{literal(field.name)}, "Id", {key} FROM {table} {where}',
                        given,
                    )
                stamp = ', "SystemModstamp" = ?' if child.has("SystemModstamp") else ""
                self._storage.rows(
                    f"UPDATE {table} SET {key} = NULL{stamp} {where}",
                    [*([at] if stamp else []), *given],
                )

    def _fill_lookups(self, parents: Sequence[str], at: datetime) -> None:
        """Fill lookups that these rows' deletion has emptied, where they are still empty."""
        fields = self._storage.rows(
            f"SELECT DISTINCT object, field FROM _emptied WHERE parent {AMONG}", [list(parents)]
        )
        for name, field in fields:
            child = self._catalog.find(name)
            if child is None or not child.has(field):
                continue
            stamp = ', "SystemModstamp" = ?' if child.has("SystemModstamp") else ""
            self._storage.rows(
                f"UPDATE {quote(name)} t SET {quote(field)} = e.parent{stamp} FROM _emptied e "
                f'WHERE e.object = ? AND e.field = ? AND e.id = t."Id" AND e.parent {AMONG} '
                f"AND t.{quote(field)} IS NULL",
                [*([at] if stamp else []), name, field, list(parents)],
            )
        self._storage.rows(f"DELETE FROM _emptied WHERE parent {AMONG}", [list(parents)])

    def _empty_lost(self, obj: ObjectDef, record_ids: Sequence[str]) -> None:
        """Empty the lookups of rows that came back to parents that have not, or that are gone for good."""
        for field in obj.stored:
            if field.type != "reference" or not field.is_nillable or field.is_detail:
                continue
            self._storage.rows(
                f"UPDATE {quote(obj.name)} SET {quote(field.name)} = NULL "
                f'WHERE "Id" {AMONG} AND {quote(field.name)} IN (SELECT id FROM _gone)',
                [list(record_ids)],
            )
            for target in (self._catalog.find(name) for name in field.refs):
                if target is None or not target.is_queryable or not target.has("IsDeleted"):
                    continue
                key = quote(field.name)
                self._storage.rows(
                    f'UPDATE {quote(obj.name)} SET {key} = NULL WHERE "Id" {AMONG} AND {key} IN '
                    f'(SELECT "Id" FROM {quote(target.name)} WHERE "IsDeleted")',
                    [list(record_ids)],
                )

    # --- rows -------------------------------------------------------------------------------------

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
        # What is gone for good comes back with nobody, and fills no lookup again.
        self._storage.rows(
            f"DELETE FROM _went_with WHERE object = ? AND id {AMONG}", [obj.name, list(record_ids)]
        )
        self._storage.rows(f"DELETE FROM _emptied WHERE parent {AMONG}", [list(record_ids)])

    def _set(self, obj: ObjectDef, record_ids: Sequence[str], row: Mapping[str, Any]) -> None:
        own = {name: value for name, value in row.items() if obj.has(name)}
        changes = ", ".join(f"{quote(n)} = ?" for n in own)
        self._storage.rows(
            f'UPDATE {quote(obj.name)} SET {changes} WHERE "Id" {AMONG}',
            [*own.values(), list(record_ids)],
        )
