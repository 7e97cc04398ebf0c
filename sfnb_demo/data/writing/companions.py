# ruff: noqa: S608 - names come from the catalogue and are quoted, values are parameters
"""Records that the org makes, changes or drops by itself when others are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.recycle_bin import AMONG
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.writing.incoming import Batch, Incoming, good
from sfnb_demo.soql.names import quote


class Companions:
    """
    Direct relations of contacts, child events of invited users, account teams, tasks of e-mails.

    Args:
        new_row: stores a row with its defaults and returns its Id.
        remove: deletes rows for good.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        new_row: Callable[[ObjectDef, dict[str, Any]], str],
        remove: Callable[[ObjectDef, list[str]], None],
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._new_row = new_row
        self._remove = remove

    def check(self, obj: ObjectDef, batch: Batch) -> None:
        """Refuse what would be a companion of a companion."""
        if obj.name != "EventRelation":
            return
        events = [i.value("EventId") for i in good(batch)]
        sql = f'SELECT "Id" FROM "Event" WHERE "IsChild" AND "Id" {AMONG}'
        children = {i for (i,) in self._storage.rows(sql, [events])}
        for incoming in good(batch):
            if incoming.value("EventId") in children:
                incoming.refuse(
                    "FIELD_INTEGRITY_EXCEPTION", "A child event has no invitees", "EventId"
                )

    def follow(self, obj: ObjectDef, batch: Batch) -> None:
        """After records were stored."""
        if obj.name == "Contact" and (relation := self._catalog.find("AccountContactRelation")):
            for incoming in good(batch):
                if "AccountId" in incoming.row:
                    self._relate(relation, incoming)
        if obj.name == "EventRelation":
            for incoming in good(batch):
                if incoming.is_new and incoming.row.get("IsInvitee"):
                    self._invite(incoming)
        if obj.name == "EmailMessage" and obj.has("ActivityId"):
            for incoming in good(batch):
                if incoming.is_new:
                    self._file_email(incoming)
        if obj.name == "Account" and (team := self._catalog.find("AccountTeamMember")):
            changed = [
                i.record_id
                for i in good(batch)
                if not i.is_new and i.row.get("OwnerId") not in (None, i.old.get("OwnerId"))
            ]
            sql = f'SELECT "Id" FROM {quote(team.name)} WHERE "AccountId" {AMONG}'
            # Only SOAP has OwnerChangeOptions with KeepAccountTeam (Salesforce help 000390190).
            self._remove(team, [i for (i,) in self._storage.rows(sql, [changed])])

    def _relate(self, relation: ObjectDef, incoming: Incoming) -> None:
        """The former direct relation becomes an indirect one; the new account gets a direct one."""
        contact, account = incoming.record_id, incoming.row["AccountId"]
        if not incoming.is_new and account == incoming.old.get("AccountId"):
            return
        table = quote(relation.name)
        self._storage.rows(
            f'UPDATE {table} SET "IsDirect" = false WHERE "ContactId" = ?', [contact]
        )
        if account is None:
            return
        where = 'WHERE "ContactId" = ? AND "AccountId" = ?'
        if self._storage.rows(f"SELECT 1 FROM {table} {where}", [contact, account]):
            self._storage.rows(f'UPDATE {table} SET "IsDirect" = true {where}', [contact, account])
            return
        row = {"AccountId": account, "ContactId": contact, "IsActive": True, "IsDirect": True}
        self._new_row(relation, row)

    def _file_email(self, incoming: Incoming) -> None:
        """
        An e-mail that is not on a case gets a task, and its sender a relation (object reference,
        EmailMessage: ActivityId is "auto-created for other entities").
        """
        relation = self._catalog.objects["EmailMessageRelation"]
        if address := incoming.row.get("FromAddress"):
            kind = {"RelationType": "FromAddress", "RelationAddress": address}
            self._new_row(relation, {"EmailMessageId": incoming.record_id, **kind})
        if incoming.row.get("ParentId") is not None:
            return
        task = {
            "Subject": f"Email: {incoming.row.get('Subject') or ''}"[:80],
            "TaskSubtype": "Email",
            "Status": "Completed",
            "Priority": "Normal",
            "WhatId": incoming.row.get("RelatedToId"),
        }
        made = self._new_row(self._catalog.objects["Task"], task)
        sql = 'UPDATE "EmailMessage" SET "ActivityId" = ? WHERE "Id" = ?'
        self._storage.rows(sql, [made, incoming.record_id])

    def _invite(self, incoming: Incoming) -> None:
        """An invited user gets a child event (object reference, Event)."""
        event, parent = self._catalog.objects["Event"], incoming.row["EventId"]
        self._storage.rows('UPDATE "Event" SET "IsGroupEvent" = true WHERE "Id" = ?', [parent])
        if str(incoming.row.get("RelationId"))[:3] != "005":
            return
        sql = 'SELECT * FROM "Event" WHERE "Id" = ?'
        (row,) = self._storage.arrow(sql, [parent]).to_pylist()
        kept = (
            "Subject",
            "StartDateTime",
            "ActivityDateTime",
            "DurationInMinutes",
            "WhoId",
            "WhatId",
        )
        child = {name: row[name] for name in kept} | {
            "OwnerId": incoming.row["RelationId"],
            "IsChild": True,
            "IsGroupEvent": True,
        }
        self._new_row(event, child)
