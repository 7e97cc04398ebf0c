# ruff: noqa: E501, S608 - a catalogue reads best as a table; names come from the catalogue and are quoted
"""
What an org has only when its admin has switched it on. Each feature adds fields and objects to the
catalogue, and rows to a new org.

===================  ==============================================================================
person-accounts      accounts that are people: the record type PersonAccount, ``Person…`` and ``__pc``
                     fields, and a Contact each that the org keeps
multiple-accounts    AccountContactRelation ("Contacts to Multiple Accounts"): the direct ones come
                     with Contact.AccountId
invitees             EventRelation: a user who is invited gets a child event
account-teams        AccountTeamMember: lost when the account's owner changes by REST or Bulk
group-members        GroupMember, a setup object
audit-trail          SetupAuditTrail, one row; more by ``/control/rows``
currencies           several currencies, with dated exchange rates: CurrencyType,
                     DatedConversionRate, and a CurrencyIsoCode for each deal
enhanced-email       EmailMessageRelation, and a Task that the org makes for each e-mail that is not
                     on a case; what hangs on an e-mail is open while it is a draft only
===================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from sfnb_demo.data import compounds, fills, ids, pools
from sfnb_demo.data import fields as f
from sfnb_demo.data import system_fields as system
from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.soql.names import quote

FEATURES = (
    "person-accounts",
    "multiple-accounts",
    "invitees",
    "account-teams",
    "group-members",
    "audit-trail",
    "currencies",
    "enhanced-email",
)

CURRENCIES = ("EUR", "USD", "JPY")
HAVE_CURRENCY = ("Opportunity", "OpportunityLineItem")

PERSON_FIELDS = {
    "FirstName": "FirstName", "LastName": "LastName", "Salutation": "Salutation", "PersonEmail": "Email",
    "PersonMobilePhone": "MobilePhone", "PersonTitle": "Title", "PersonDepartment": "Department",
    "PersonBirthdate": "Birthdate", "PersonLeadSource": "LeadSource", "PersonDoNotCall": "DoNotCall",
    "PersonHasOptedOutOfEmail": "HasOptedOutOfEmail", "Level__pc": "Level__c", "Languages__pc": "Languages__c",
    **{f"PersonMailing{part}": f"Mailing{part}" for part in ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude", "GeocodeAccuracy")},
}  # fmt: skip
"""Fields of a person's account, and the Contact's field of the same value (recorded describe)."""


def checked(features: Collection[str]) -> tuple[str, ...]:
    """All of them for ``all``; ``ValueError`` for one that there is not."""
    if "all" in features:
        return FEATURES
    if unknown := sorted(set(features) - set(FEATURES)):
        known = ", ".join(FEATURES)
        raise ValueError(f"there is no feature {', '.join(unknown)}; there are {known} and all")
    return tuple(name for name in FEATURES if name in features)


def with_features(objects: Sequence[ObjectDef], features: Collection[str]) -> list[ObjectDef]:
    """The catalogue of an org with these features."""
    found = list(objects)
    if "person-accounts" in features:
        found = [_with_persons(obj) for obj in found]
    if "invitees" in features:
        found = [_with_invitees(obj) for obj in found]
    if "currencies" in features:
        found = [_with_currency(obj) for obj in found]
    if "enhanced-email" in features:
        found = [_with_email(obj) for obj in found]
    return [*found, *(obj for name in features for obj in _objects(name))]


def fill_features(
    storage: Storage,
    catalog: Catalog,
    features: Collection[str],
    now: datetime,
    rows: dict[str, int],
) -> None:
    """The rows that a new org has because of its features; ``rows`` grows with them."""
    with storage.writing():
        if "person-accounts" in features:
            _fill_persons(storage, catalog, now, rows)
        if "multiple-accounts" in features:
            _fill_relations(storage, catalog, rows)


# --- what they add to the catalogue ---------------------------------------------------------------


def _appended(obj: ObjectDef, *fields: Field) -> ObjectDef:
    """Before the audit fields, as Salesforce lists them; no fill, so other values stay the same."""
    audit = next(i for i, field in enumerate(obj.fields) if field.name == "CreatedDate")
    return obj.renamed(fields=(*obj.fields[:audit], *fields, *obj.fields[audit:]))


def _with_persons(obj: ObjectDef) -> ObjectDef:
    given: dict[str, Any] = {"is_createable": False, "is_updateable": False}
    is_person = Field(
        "IsPersonAccount", "boolean", is_nillable=False, is_defaulted=True, fill=_false, **given
    )
    if obj.name == "Contact":
        return _appended(obj, is_person)
    if obj.name == "RecordType":
        return _appended(
            obj,
            Field(
                "IsPersonType",
                "boolean",
                is_nillable=False,
                is_defaulted=True,
                fill=_false,
                **given,
            ),
        )
    if obj.name != "Account":
        return obj
    boolean: dict[str, Any] = {"is_nillable": False, "is_defaulted": True, "fill": _false}
    new = (
        Field("LastName", "string", length=80, compound="Name"), Field("FirstName", "string", length=40, compound="Name"),
        Field("Salutation", "picklist", length=40, compound="Name", values=("Mr.", "Ms.", "Dr.", "Prof.")),
        f.lookup("PersonContactId", "Contact", **given).filled(None), is_person,
        *(part.filled(None) for part in compounds.address("PersonMailing")),
        Field("PersonMobilePhone", "phone", length=40), Field("PersonEmail", "email", length=80), Field("PersonTitle", "string", length=128),
        Field("PersonDepartment", "string", length=80), Field("PersonLeadSource", "picklist", length=255, values=("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")),
        Field("PersonBirthdate", "date"), Field("PersonHasOptedOutOfEmail", "boolean", **boolean), Field("PersonDoNotCall", "boolean", **boolean),
        Field("Level__pc", "picklist", length=255, values=("Primary", "Secondary", "Tertiary")),
        Field("Languages__pc", "multipicklist", length=4099, values=("English", "German", "French", "日本語"), is_sortable=False),
    )  # fmt: skip
    nillable = obj.by_lower_name["name"].changed(is_nillable=True)
    obj = obj.renamed(fields=tuple(nillable if g.name == "Name" else g for g in obj.fields))
    return _appended(obj, *new)


def _with_invitees(obj: ObjectDef) -> ObjectDef:
    if obj.name != "Event":
        return obj
    flag: dict[str, Any] = {
        "is_nillable": False,
        "is_createable": False,
        "is_updateable": False,
        "is_defaulted": True,
        "fill": _false,
    }
    return _appended(
        obj, Field("IsChild", "boolean", **flag), Field("IsGroupEvent", "boolean", **flag)
    )


def _with_currency(obj: ObjectDef) -> ObjectDef:
    if obj.name not in HAVE_CURRENCY:
        return obj
    code = f.picklist("CurrencyIsoCode", *CURRENCIES, nulls=0, is_restricted=True)
    return _appended(obj, code)


def _with_email(obj: ObjectDef) -> ObjectDef:
    if obj.name == "ContentDocumentLink":
        linked = obj.by_lower_name["linkedentityid"]
        more = linked.changed(refs=(*linked.refs, "EmailMessage"))
        return obj.renamed(fields=tuple(more if g.name == linked.name else g for g in obj.fields))
    if obj.name != "EmailMessage":
        return obj
    activity = f.lookup("ActivityId", "Task", children="EmailMessages", is_updateable=False)
    related = f.lookup("RelatedToId", "Account", "Opportunity", "Case", children="Emails")
    return _appended(
        obj,
        activity.filled(None),
        related.filled(None),
        Field("IsExternallyVisible", "boolean", is_nillable=False, is_defaulted=True, fill=_false),
    )


def _false(batch: fills.Batch) -> Any:
    return pa.repeat(pa.scalar(value=False), batch.size)


def _objects(feature: str) -> list[ObjectDef]:
    given: dict[str, Any] = {"is_createable": False, "is_updateable": False}
    if feature == "multiple-accounts":
        return [
            system.table(
                "AccountContactRelation", "07k",
                f.lookup("AccountId", "Account", nulls=0, children="AccountContactRelations", on_delete="cascade", is_updateable=False),
                f.lookup("ContactId", "Contact", nulls=0, children="AccountContactRelations", on_delete="cascade", is_updateable=False),
                f.multipicklist("Roles", "Business User", "Decision Maker", "Influencer", "Other"), f.boolean("IsDirect", **given), f.boolean("IsActive"),
                f.date("StartDate"), f.date("EndDate"), f.text("Note__c", 255), rows=0, has_bin=False,
            )
        ]  # fmt: skip
    if feature == "invitees":
        return [
            system.table(
                "EventRelation", "0RE", f.detail("EventId", "Event", children="EventRelations"),
                f.lookup("RelationId", "Contact", "Lead", "User", nulls=0, on_delete="cascade", is_updateable=False),
                f.boolean("IsInvitee"), f.boolean("IsWhat"), f.boolean("IsParent"), f.picklist("Status", "New", "Accepted", "Declined"), f.text("Response", 255),
                rows=0, has_bin=False,
            )
        ]  # fmt: skip
    if feature == "account-teams":
        return [
            system.table(
                "AccountTeamMember", "01M", f.detail("AccountId", "Account", children="AccountTeamMembers"), f.lookup("UserId", "User", nulls=0, is_updateable=False),
                f.picklist("TeamMemberRole", "Account Manager", "Executive Sponsor", "Pre-Sales Consultant"), f.picklist("AccountAccessLevel", "Read", "Edit"), rows=60, has_bin=False,
            )
        ]  # fmt: skip
    if feature == "group-members":
        return [
            ObjectDef(
                "GroupMember", "011",
                (system.ID, f.lookup("GroupId", "Group", nulls=0, is_updateable=False, relationship="Group"), f.lookup("UserOrGroupId", "User", "Group", nulls=0, is_updateable=False), system.modstamp_alone()),
                rows=20, is_fixed=True, has_bin=False,
            )
        ]  # fmt: skip
    if feature == "audit-trail":
        return [
            ObjectDef(
                "SetupAuditTrail", "0Ym",
                (system.ID, f.text("Action", 80), f.text("Section", 80), system.created()[0], system.created()[1]),
                rows=1, is_fixed=True, is_deletable=False, is_replicateable=False, has_bin=False, is_writable=False,
            )
        ]  # fmt: skip
    others = {"currencies": _currency_objects, "enhanced-email": _email_objects}
    return others[feature]() if feature in others else []


def _currency_objects() -> list[ObjectDef]:
    rate: dict[str, Any] = {"precision": 18, "fill": fills.number(0.5, 1.5, decimals=4)}
    return [
        system.table(
            "CurrencyType", "01L", f.text("IsoCode", 3, fill=fills.pick(CURRENCIES)), Field("ConversionRate", "double", **rate),
            f.boolean("IsActive"), f.boolean("IsCorporate", 0), rows=len(CURRENCIES), is_fixed=True, has_bin=False,
        ),
        system.table(
            "DatedConversionRate", "04w", f.text("IsoCode", 3, fill=fills.pick(CURRENCIES)), Field("ConversionRate", "double", **rate),
            f.date("StartDate"), rows=12, is_fixed=True, has_bin=False,
        ),
    ]  # fmt: skip


def _email_objects() -> list[ObjectDef]:
    return [
        system.table(
            "EmailMessageRelation", "0eM", f.lookup("EmailMessageId", "EmailMessage", nulls=0, children="EmailMessageRelations", on_delete="cascade", is_updateable=False),
            f.lookup("RelationId", "Contact", "Lead", "User", children="EmailMessageRelations", is_updateable=False),
            f.picklist("RelationType", "ToAddress", "CcAddress", "BccAddress", "FromAddress", "OtherAddress", nulls=0, is_updateable=False),
            f.text("RelationAddress", 255, is_updateable=False), rows=0, has_bin=False,
        )
    ]  # fmt: skip


# --- rows -----------------------------------------------------------------------------------------


def _load(storage: Storage, obj: ObjectDef, rows: list[dict[str, Any]]) -> None:
    from sfnb_demo.data.generate import arrow_type

    table = {
        field.name: pa.array([r.get(field.name) for r in rows], arrow_type(field))
        for field in obj.stored
    }
    storage.load(obj, [pa.table(table)])


def _system(obj: ObjectDef, number: int, now: datetime) -> dict[str, Any]:
    admin, then = ids.make_id("005", ids.FIRST), now.replace(tzinfo=None, microsecond=0)
    row: dict[str, Any] = {
        "Id": ids.make_id(obj.prefix or "000", obj.id_start + number), "CreatedDate": then, "CreatedById": admin, "OwnerId": admin,
        "LastModifiedDate": then, "LastModifiedById": admin, "SystemModstamp": then,
    }  # fmt: skip
    row |= {field.name: False for field in obj.stored if field.type == "boolean"}
    return {name: value for name, value in row.items() if obj.has(name)}


def _fill_persons(storage: Storage, catalog: Catalog, now: datetime, rows: dict[str, int]) -> None:
    """One person for each twelve accounts."""
    account, contact, kind = (catalog.objects[n] for n in ("Account", "Contact", "RecordType"))
    person_type = _system(kind, rows["RecordType"], now) | {
        "Name": "Person Account", "DeveloperName": "PersonAccount", "SobjectType": "Account", "IsActive": True, "IsPersonType": True,
    }  # fmt: skip
    _load(storage, kind, [person_type])
    rows["RecordType"] += 1
    people = max(rows["Account"] // 12, 3)
    accounts, contacts = [], []
    for n in range(people):
        one = _system(account, rows["Account"] + n, now)
        who = _system(contact, rows["Contact"] + n, now)
        values = {
            "FirstName": pools.FIRST_NAMES[n % len(pools.FIRST_NAMES)], "LastName": pools.LAST_NAMES[n * 3 % len(pools.LAST_NAMES)], "Salutation": "Dr." if n % 5 == 0 else None,
            "PersonEmail": f"person{n}@example.com" if n % 4 else None, "PersonTitle": pools.TITLES[n % len(pools.TITLES)], "Level__pc": ("Primary", "Secondary", None)[n % 3],
            "Languages__pc": "English;German" if n % 2 else None, "PersonMailingCity": pools.CITIES[n % len(pools.CITIES)], "PersonHasOptedOutOfEmail": n % 7 == 0,
        }  # fmt: skip
        one |= values | {
            "Name": f"{values['FirstName']} {values['LastName']}", "RecordTypeId": person_type["Id"], "IsPersonAccount": True, "PersonContactId": who["Id"],
            "External_Id__c": f"PER-{n:07}",
        }  # fmt: skip
        who |= {PERSON_FIELDS[name]: value for name, value in values.items()}
        who |= {"AccountId": one["Id"], "IsPersonAccount": True}
        accounts.append(one)
        contacts.append(who)
    _load(storage, account, accounts)
    _load(storage, contact, contacts)
    rows["Account"] += people
    rows["Contact"] += people


def _fill_relations(storage: Storage, catalog: Catalog, rows: dict[str, int]) -> None:
    """The direct relation of each contact, and a few indirect ones."""
    relation, contact = catalog.objects["AccountContactRelation"], quote("Contact")
    is_business = (
        ' AND NOT "IsPersonAccount"' if catalog.objects["Contact"].has("IsPersonAccount") else ""
    )
    living = storage.rows(
        'SELECT "Id", "AccountId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp" '
        f'FROM {contact} WHERE "AccountId" IS NOT NULL AND NOT "IsDeleted"{is_business} ORDER BY "Id"'
    )  # fmt: skip
    audit = ("CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp")
    new: list[dict[str, Any]] = []
    for n, (contact_id, account_id, *stamps) in enumerate(living):
        one = {
            "ContactId": contact_id,
            "AccountId": account_id,
            "IsDeleted": False,
            "IsDirect": True,
            "IsActive": True,
        }
        one |= dict(zip(audit, stamps, strict=True))
        new.append(
            one
            | {
                "Roles": "Decision Maker" if n % 3 == 0 else None,
                "Note__c": f"note {n}" if n % 4 == 0 else None,
            }
        )
        other = living[(n * 7 + 11) % len(living)][1]
        if n % 9 == 0 and other != account_id:
            new.append(one | {"AccountId": other, "IsDirect": False, "Roles": "Influencer;Other"})
    for number, row in enumerate(new):
        row["Id"] = ids.make_id(relation.prefix or "000", relation.id_start + number)
    _load(storage, relation, new)
    rows["AccountContactRelation"] = len(new)
