"""Accounts that are people: what may be written to them, and the Contact that the org keeps for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.features import PERSON_FIELDS
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.writing.incoming import Batch, Incoming, good

SHARED = ("Phone", "OwnerId")
"""Fields of both, by the same name."""


class PersonAccounts:
    """
    Person accounts are written as accounts only (Salesforce help, "Person Accounts").

    Args:
        new_row: stores a row with its defaults and returns its Id.
        touch: moves the stamps of a row and sets what else is given.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        new_row: Callable[[ObjectDef, dict[str, Any]], str],
        touch: Callable[[ObjectDef, str, dict[str, Any]], None],
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._new_row = new_row
        self._touch = touch

    def check(self, obj: ObjectDef, batch: Batch) -> None:
        """Refuse fields of the other kind, and contacts that are kept by their account."""
        if obj.name == "Contact" and obj.has("IsPersonAccount"):
            self._check_contacts(batch)
        if obj.name != "Account" or not obj.has("IsPersonAccount"):
            return
        kinds = {
            i for (i,) in self._storage.rows('SELECT "Id" FROM "RecordType" WHERE "IsPersonType"')
        }
        for incoming in good(batch):
            is_person = bool(incoming.old.get("IsPersonAccount"))
            if incoming.row.get("RecordTypeId"):
                wanted = incoming.row["RecordTypeId"] in kinds
                if not incoming.is_new and wanted != is_person:
                    incoming.refuse(
                        "INVALID_FIELD_FOR_INSERT_UPDATE",
                        "RecordTypeId: a person account and a business account cannot become each other",
                        "RecordTypeId",
                    )
                    continue
                is_person = wanted
            self._check_account(incoming, is_person=is_person)

    @staticmethod
    def _check_account(incoming: Incoming, *, is_person: bool) -> None:
        given = {f.name for f in incoming.given if incoming.row.get(f.name) is not None}
        person = {n for n in given if n in PERSON_FIELDS or n.endswith("__pc")}
        wrong = sorted(given & {"Name"} if is_person else person)
        if wrong:
            incoming.refuse(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Account: bad field names on insert/update call: {', '.join(wrong)}",
                *wrong,
            )
            return
        name = "LastName" if is_person else "Name"
        if (incoming.is_new or name in incoming.row) and not incoming.value(name):
            incoming.refuse(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{name}]", name
            )
        if is_person and not incoming.errors:
            names = [incoming.value("FirstName"), incoming.value("LastName")]
            incoming.row["Name"] = " ".join(str(n) for n in names if n)
            incoming.row["IsPersonAccount"] = True

    def _check_contacts(self, batch: Batch) -> None:
        parents = [i.row["AccountId"] for i in good(batch) if i.row.get("AccountId")]
        sql = 'SELECT "Id" FROM "Account" WHERE "IsPersonAccount" AND "Id" IN (SELECT unnest(?))'
        people = {i for (i,) in self._storage.rows(sql, [parents])}
        for incoming in good(batch):
            if incoming.old.get("IsPersonAccount") or incoming.row.get("AccountId") in people:
                incoming.refuse(
                    "INVALID_PERSON_ACCOUNT_OPERATION",
                    "The contact of a person account is written by its account only",
                )

    def follow(self, obj: ObjectDef, batch: Batch) -> None:
        """Keep the Contact of each person."""
        if obj.name != "Account" or not obj.has("IsPersonAccount"):
            return
        contact = self._catalog.objects["Contact"]
        pairs = {**PERSON_FIELDS, **{name: name for name in SHARED}}
        for incoming in good(batch):
            if not (incoming.row.get("IsPersonAccount") or incoming.old.get("IsPersonAccount")):
                continue
            values = {to: incoming.row[name] for name, to in pairs.items() if name in incoming.row}
            if incoming.is_new:
                row = values | {"AccountId": incoming.record_id, "IsPersonAccount": True}
                made = self._new_row(contact, row)
                sql = 'UPDATE "Account" SET "PersonContactId" = ? WHERE "Id" = ?'
                self._storage.rows(sql, [made, incoming.record_id])
            else:
                self._touch(contact, incoming.old["PersonContactId"], values)
