"""
What is different about some standard objects when their records are written. Pure; a table of small
rules, each from Salesforce's object reference or from reports of people who met it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Values = dict[str, Any]
Shape = Callable[[Values, Mapping[str, Any]], Values]
"""The values that would be sent and the snapshot's record; the values that are sent."""

Condition = Callable[[Mapping[str, Any]], str]
"""Of the snapshot's record; why it is not made by itself, empty: it is."""

Test = Callable[[Mapping[str, Any]], bool]
Closed = Callable[[Mapping[str, Any], str], str]
"""Of the living record and a field; why it cannot be changed, empty: it can."""
Derived = Callable[[Mapping[str, Any]], frozenset[str]]

FILES = "files are restored with --files"


@dataclass(frozen=True)
class Rule:
    """
    How an object differs from any other.

    Args:
        not_by_rows: why its records are not restored as rows.
        hidden: fields that are never sent, and why.
        shape: what is sent of a record.
        not_made: records that no restore makes, since the org does or nobody can.
        made_by_org: records that the org makes together with another one: found by ``made_key`` once
            that is there, and changed where they differ; ``is_made_fixed``: they cannot be changed;
            ``is_made_perhaps``: those that the org has not made are made.
        closed: fields of living records that cannot be changed.
        derived: fields of a living record that follow from others, and are not sent.
        needs_author: made under the name of who restores it, a record would be a falsehood.
        is_late: which new records need that; ``late``: the fields that they get only after their
            children are there, and what they have until then.
        natural_key: fields that tell its records apart, where the org allows one of each.
    """

    not_by_rows: str = ""
    hidden: Mapping[str, str] = field(default_factory=dict)
    shape: Shape | None = None
    not_made: Condition | None = None
    made_by_org: Condition | None = None
    made_key: tuple[str, ...] = ()
    is_made_fixed: bool = False
    is_made_perhaps: bool = False
    closed: Closed | None = None
    derived: Derived | None = None
    needs_author: bool = False
    is_late: Test | None = None
    late: Mapping[str, str] = field(default_factory=dict)
    natural_key: tuple[str, ...] = ()


PLAIN = Rule()


def _line_item(values: Values, _old: Mapping[str, Any]) -> Values:
    """
    UnitPrice and Quantity; with TotalPrice beside them the org refuses the line
    (FIELD_INTEGRITY_EXCEPTION; OpportunityLineItem in the object reference).
    """
    dropped = {"TotalPrice"} if values.get("UnitPrice") is not None else {"UnitPrice"}
    # The entry names the product; a line with both is refused where they disagree.
    if values.get("PricebookEntryId"):
        dropped.add("Product2Id")
    return {name: value for name, value in values.items() if name not in dropped}


def _amount(old: Mapping[str, Any]) -> frozenset[str]:
    """
    The amount of an opportunity with products is their sum; once a quote is synced, it is refused
    (object reference, Opportunity; Help, "Quote Syncing").
    """
    is_sum = old.get("HasOpportunityLineItem") is True or old.get("SyncedQuoteId")
    return frozenset({"Amount"}) if is_sum else frozenset()


def _lead(values: Values, _old: Mapping[str, Any]) -> Values:
    """
    ConvertedDate without CreatedDate is refused, since the record would be created later; without both
    the lead comes back unconverted (object reference, Lead; reported by users).
    """
    if values.get("ConvertedDate") and values.get("CreatedDate"):
        return values
    converted = {n for n in values if n.startswith("Converted") or n == "IsConverted"}
    return {name: value for name, value in values.items() if name not in converted}


def _person(values: Values, old: Mapping[str, Any]) -> Values:
    """
    A person account has first and last name and the fields of its contact; its Name is made of them.
    A business account has neither (object reference, Account).
    """
    is_person = old.get("IsPersonAccount") is True
    persons = {
        *("FirstName", "LastName", "MiddleName", "Suffix", "Salutation"),
        *(n for n in values if n.endswith("__pc") or n.startswith("Person")),
    }
    dropped = {"Name", "ParentId"} if is_person else persons
    return {name: value for name, value in values.items() if name not in dropped}


def _is_persons_contact(old: Mapping[str, Any]) -> str:
    """The org makes the contact of a person account together with the account."""
    return "made_with_account" if old.get("IsPersonAccount") is True else ""


def _is_invitees_event(old: Mapping[str, Any]) -> str:
    """The org makes one child event for each invitee (object reference, Event)."""
    return "made_with_event" if old.get("IsChild") is True else ""


def _is_direct_relation(old: Mapping[str, Any]) -> str:
    """Contact.AccountId makes the direct relation (object reference, AccountContactRelation)."""
    return "made_with_contact" if old.get("IsDirect") is True else ""


def _is_invitee(old: Mapping[str, Any]) -> str:
    """Relations of WhoId and WhatId come with the event (object reference, EventRelation)."""
    is_made = old.get("IsWhat") is True or (
        old.get("IsParent") is True and old.get("IsInvitee") is False
    )
    return "made_with_event" if is_made else ""


def _is_tracked(old: Mapping[str, Any]) -> str:
    """Tracked changes cannot be inserted (object reference, FeedItem)."""
    return "tracked_change" if old.get("Type") == "TrackedChange" else ""


DRAFT_FIRST = {"Status": "Draft"}
"""
An activated order or contract takes no lines, and none is made activated (object reference, Order).
"""


def _is_activated(old: Mapping[str, Any]) -> bool:
    """StatusCode has the category of a status, whatever the status is called."""
    code = old.get("StatusCode") or old.get("Status") or ""
    return str(code).startswith("A")


def _needs_body(_old: Mapping[str, Any]) -> str:
    """A file's record without its file would be empty; it is made with it."""
    return "needs_body"


DRAFT_EMAIL = {"Status": "5"}
"""
Relations and files can be given to an e-mail while it is a draft only; after that not even its own
fields can be changed (object reference, EmailMessage; 5 is Draft).
"""


def _is_sent(old: Mapping[str, Any]) -> bool:
    return str(old.get("Status") or "5") != "5"


def _closed_email(present: Mapping[str, Any], name: str) -> str:
    is_open = name.endswith("__c") or name == "IsExternallyVisible" or not _is_sent(present)
    return "" if is_open else "of an e-mail that is no draft, the org lets nobody change it"


def _perhaps_with_email(_old: Mapping[str, Any]) -> str:
    """Some relations the org makes together with the e-mail (object reference, EmailMessage)."""
    return "perhaps_made_with_email"


JUNCTION_LISTS = (
    "EventWhoIds",
    "TaskWhoIds",
    "ToIds",
    "CcIds",
    "BccIds",
    "AcceptedEventInviteeIds",
)
"""Null in one of these deletes all junction rows behind it (object reference, Event, EmailMessage)."""

_LISTS = dict.fromkeys(
    (*JUNCTION_LISTS, "DeclinedEventInviteeIds", "UndecidedEventInviteeIds"),
    "its junction records are restored instead",
)

RULES: Mapping[str, Rule] = {
    "ContentDocument": Rule(not_by_rows=FILES),
    "ContentVersion": Rule(not_by_rows=FILES),
    "ContentDocumentLink": Rule(not_by_rows=FILES),
    "Account": Rule(
        shape=_person, hidden={"PersonContactId": "the org makes the contact by itself"}
    ),
    "Contact": Rule(made_by_org=_is_persons_contact, made_key=("AccountId",), is_made_fixed=True),
    "AccountContactRelation": Rule(
        made_by_org=_is_direct_relation,
        made_key=("AccountId", "ContactId"),
        natural_key=("AccountId", "ContactId"),
    ),
    "Opportunity": Rule(derived=_amount),
    "OpportunityLineItem": Rule(shape=_line_item),
    "QuoteLineItem": Rule(shape=_line_item),
    "OrderItem": Rule(shape=_line_item),
    "Lead": Rule(shape=_lead),
    "Event": Rule(not_made=_is_invitees_event, hidden=_LISTS),
    "Task": Rule(hidden=_LISTS),
    "EmailMessage": Rule(hidden=_LISTS, is_late=_is_sent, late=DRAFT_EMAIL, closed=_closed_email),
    "Document": Rule(not_made=_needs_body),
    "EmailMessageRelation": Rule(
        made_by_org=_perhaps_with_email,
        is_made_perhaps=True,
        made_key=("EmailMessageId", "RelationType", "RelationId", "RelationAddress"),
    ),
    "EventRelation": Rule(not_made=_is_invitee, natural_key=("EventId", "RelationId")),
    "Order": Rule(is_late=_is_activated, late=DRAFT_FIRST),
    "Contract": Rule(is_late=_is_activated, late=DRAFT_FIRST),
    "CampaignMember": Rule(natural_key=("CampaignId", "ContactId", "LeadId")),
    "PricebookEntry": Rule(natural_key=("Pricebook2Id", "Product2Id", "CurrencyIsoCode")),
    "FeedItem": Rule(not_made=_is_tracked, needs_author=True),
    "FeedComment": Rule(needs_author=True),
}


ARTICLES = Rule(not_by_rows="versions of articles are made by publishing, not as rows")
"""
A query shows the latest version of an article alone, so the others would look gone (SOQL guide,
Knowledge articles).
"""


def rule_of(object_name: str) -> Rule:
    """The rule of an object; of most objects the plain one."""
    if object_name.endswith("__kav"):
        return ARTICLES
    return RULES.get(object_name, PLAIN)
