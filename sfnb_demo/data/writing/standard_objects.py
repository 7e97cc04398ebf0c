# ruff: noqa: S608 - the names are this module's own, values are parameters
"""Standard objects with rules of their own, as people met them who restored or imported."""

from __future__ import annotations

from collections.abc import Callable

from sfnb_demo.data.recycle_bin import AMONG
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.writing.incoming import Batch, good

Check = Callable[[Storage, Batch], None]


def check_standard(storage: Storage, obj: ObjectDef, batch: Batch) -> None:
    """Refuse what the object's own rules refuse."""
    check = _CHECKS.get(obj.name)
    if check is not None:
        check(storage, batch)


def _price_book_entry(storage: Storage, batch: Batch) -> None:
    """A standard price comes before any other; one entry for a product in a book."""
    ((standard,),) = storage.rows('SELECT min("Id") FROM "Pricebook2" WHERE "IsStandard"')
    new = [i for i in good(batch) if i.is_new]
    products = [i.value("Product2Id") for i in new]
    sql = f'SELECT "Pricebook2Id", "Product2Id" FROM "PricebookEntry" WHERE "Product2Id" {AMONG} AND NOT "IsDeleted"'
    known = set(storage.rows(sql, [products]))
    for incoming in new:
        key = incoming.value("Pricebook2Id"), incoming.value("Product2Id")
        if key in known:
            incoming.refuse(
                "DUPLICATE_VALUE", "This price definition already exists in this price book"
            )
        elif key[0] != standard and (standard, key[1]) not in known:
            incoming.refuse(
                "STANDARD_PRICE_NOT_DEFINED", "No standard price defined for this product"
            )
        else:
            known.add(key)


def _line_item(storage: Storage, batch: Batch) -> None:
    """A line's price comes from the price book of its opportunity."""
    new = [i for i in good(batch) if i.is_new]
    sql = f'SELECT "Id", "Pricebook2Id" FROM "PricebookEntry" WHERE "Id" {AMONG}'
    book_of = dict(storage.rows(sql, [[i.value("PricebookEntryId") for i in new]]))
    sql = f'SELECT "Id", "Pricebook2Id" FROM "Opportunity" WHERE "Id" {AMONG}'
    deals = dict(storage.rows(sql, [[i.value("OpportunityId") for i in new]]))
    for incoming in new:
        wanted = deals.get(incoming.value("OpportunityId"))
        if wanted is not None and book_of.get(incoming.value("PricebookEntryId")) != wanted:
            incoming.refuse(
                "FIELD_INTEGRITY_EXCEPTION",
                "pricebook entry is in a different pricebook than the one assigned to the opportunity",
                "PricebookEntryId",
            )


def check_deletion(storage: Storage, obj: ObjectDef, batch: Batch) -> None:
    """Refuse to delete what must stay as it is."""
    if obj.name == "OrderItem":
        _order_item(storage, batch)
    for incoming in good(batch):
        if obj.name in ("Order", "Contract") and incoming.old.get("Status") == "Activated":
            incoming.refuse("DELETE_FAILED", f"An activated {obj.name.lower()} cannot be deleted")
        elif obj.name == "Pricebook2" and incoming.old.get("IsStandard"):
            incoming.refuse("DELETE_FAILED", "The standard price book cannot be deleted")
        elif obj.name == "AccountContactRelation" and incoming.old.get("IsDirect"):
            incoming.refuse(
                "DELETE_FAILED", "A direct relationship goes with the contact's account only"
            )


def _lead(_storage: Storage, batch: Batch) -> None:
    """A converted lead is history: made with both dates, never changed (Salesforce help 000386065)."""
    for incoming in good(batch):
        converted, created = incoming.row.get("ConvertedDate"), incoming.row.get("CreatedDate")
        if not incoming.is_new:
            if incoming.old.get("IsConverted"):
                incoming.refuse("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        elif converted is not None and (created is None or created.date() > converted):
            incoming.refuse(
                "FIELD_INTEGRITY_EXCEPTION",
                "Converted Date: must be on or after the created date",
                "ConvertedDate",
            )


def _starts_as_draft(_storage: Storage, batch: Batch) -> None:
    for incoming in good(batch):
        if incoming.is_new and incoming.value("Status") == "Activated":
            incoming.refuse(
                "FAILED_ACTIVATION",
                "Choose a valid status: a new record cannot be activated",
                "Status",
            )


def _order_item(storage: Storage, batch: Batch) -> None:
    """An activated order takes no more products."""
    orders = [i.value("OrderId") for i in good(batch)]
    sql = f'SELECT "Id" FROM "Order" WHERE "Id" {AMONG} AND "Status" = \'Activated\''
    active = {i for (i,) in storage.rows(sql, [orders])}
    for incoming in good(batch):
        if incoming.value("OrderId") in active:
            incoming.refuse(
                "ENTITY_IS_LOCKED", "the entity is locked for editing: the order is activated"
            )


def _campaign_member(storage: Storage, batch: Batch) -> None:
    """A contact or lead is once in a campaign."""
    new = [i for i in good(batch) if i.is_new]
    campaigns = [i.value("CampaignId") for i in new]
    sql = f'SELECT "CampaignId", "ContactId", "LeadId" FROM "CampaignMember" WHERE "CampaignId" {AMONG}'
    rows = storage.rows(sql, [campaigns])
    known = {(campaign, who) for campaign, *both in rows for who in both if who is not None}
    for incoming in new:
        keys = {
            (incoming.value("CampaignId"), incoming.value(name))
            for name in ("ContactId", "LeadId")
            if incoming.value(name) is not None
        }
        if not keys:
            incoming.refuse(
                "REQUIRED_FIELD_MISSING", "Required fields are missing: [LeadId, ContactId]"
            )
        elif keys & known:
            incoming.refuse("DUPLICATE_VALUE", "Already a campaign member.")
        known |= keys


def _email_message(_storage: Storage, batch: Batch) -> None:
    """Only drafts (status 5) can be changed."""
    for incoming in good(batch):
        changed = {f.name for f in incoming.given if not f.is_custom} - {"IsExternallyVisible"}
        if not incoming.is_new and incoming.old.get("Status") != "5" and changed:
            incoming.refuse(
                "INSUFFICIENT_ACCESS_OR_READONLY",
                "insufficient access rights on object id",
            )
        elif incoming.is_new and incoming.row.get("ActivityId") and not incoming.value("ParentId"):
            incoming.refuse(
                "FIELD_INTEGRITY_EXCEPTION",
                "The activity can be specified for emails on cases only",
                "ActivityId",
            )


def _of_email(field: str) -> Check:
    """What hangs on an e-mail is open while that is a draft (object reference, EmailMessage)."""

    def check(storage: Storage, batch: Batch) -> None:
        emails = [i.value(field) for i in good(batch)]
        sql = f'SELECT "Id" FROM "EmailMessage" WHERE "Id" {AMONG} AND "Status" IS DISTINCT FROM \'5\''
        closed = {i for (i,) in storage.rows(sql, [emails])}
        for incoming in good(batch):
            if incoming.value(field) in closed:
                incoming.refuse(
                    "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"
                )

    return check


def _relation(storage: Storage, batch: Batch) -> None:
    """The direct relation comes with Contact.AccountId; each pair is there once."""
    new = [i for i in good(batch) if i.is_new]
    contacts = [i.value("ContactId") for i in new]
    sql = f'SELECT "AccountId", "ContactId" FROM "AccountContactRelation" WHERE "ContactId" {AMONG} AND NOT "IsDeleted"'
    known = set(storage.rows(sql, [contacts]))
    for incoming in new:
        key = incoming.value("AccountId"), incoming.value("ContactId")
        if key in known:
            incoming.refuse(
                "DUPLICATE_VALUE",
                "There's already a relationship between this contact and account.",
            )
        known.add(key)


_CHECKS: dict[str, Check] = {
    "Lead": _lead,
    "PricebookEntry": _price_book_entry,
    "OpportunityLineItem": _line_item,
    "Order": _starts_as_draft,
    "Contract": _starts_as_draft,
    "OrderItem": _order_item,
    "CampaignMember": _campaign_member,
    "EmailMessage": _email_message,
    "EmailMessageRelation": _of_email("EmailMessageId"),
    "ContentDocumentLink": _of_email("LinkedEntityId"),
    "AccountContactRelation": _relation,
}
