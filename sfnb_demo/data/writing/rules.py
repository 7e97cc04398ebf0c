# ruff: noqa: S608 - names come from the catalogue and are quoted, values are parameters
"""What an admin has set up: triggers, validation rules, duplicate rules, flows, assignment rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from sfnb_demo.data.recycle_bin import AMONG
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.writing.incoming import Batch, Incoming, WriteOptions, good
from sfnb_demo.soql.names import quote

Kind = Literal["trigger", "validation", "duplicate", "flow", "assignment"]


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One thing that is set up on an object.

    Args:
        is_wrong: of a validation rule: whether it refuses this record.
        message, field: what it says then, and where.
        same: of a duplicate rule: the fields in which duplicates agree.
        sets: of a flow or an assignment rule: what it writes into each new record; of a trigger:
            into each record that is written.
        makes: of a flow: the object of which it creates one record for each new record, with
            ``sets`` and, in the field after the colon, the new record's Id.
    """

    name: str
    kind: Kind
    object: str
    is_active: bool = False
    is_wrong: Callable[[Incoming], bool] | None = None
    message: str = ""
    field: str = ""
    same: tuple[str, ...] = ()
    sets: tuple[tuple[str, Any], ...] = ()
    makes: str = ""


RULES = (
    Rule("Amount_not_negative", "validation", "Opportunity", True,
         lambda i: (i.value("Amount") or 0) < 0, "Amount must not be negative.", "Amount"),
    Rule("Email_or_phone", "validation", "Contact", False,
         lambda i: not (i.value("Email") or i.value("Phone")), "Enter an email address or a phone number."),
    Rule("Subproject_needs_parent", "validation", "Project__c", False,
         lambda i: str(i.value("Name")).startswith("Sub") and not i.value("Parent__c"),
         "A subproject needs its parent.", "Parent__c"),
    Rule("Same_lead", "duplicate", "Lead", True, same=("LastName", "Email")),
    Rule("Same_contact", "duplicate", "Contact", False, same=("LastName", "Email")),
    Rule("Account_region", "flow", "Account", False, sets=(("Region__c", "EMEA"), ("Rating", "Hot"))),
    Rule("Welcome_task", "flow", "Contact", False, makes="Task:WhoId",
         sets=(("Subject", "Welcome"), ("Status", "Not Started"), ("Priority", "Normal"))),
    Rule("AccountTrigger", "trigger", "Account", True),
    Rule("ContactTrigger", "trigger", "Contact", False, sets=(("Department", "Stamped"),)),
    Rule("Case_to_queue", "assignment", "Case", False, sets=(("OwnerId", "queue"),)),
)  # fmt: skip
"""All of this org; those that would surprise a client are off until ``/control/automation``."""

DUPLICATE = "Use one of these records?"


class Rules:
    """The rules of one org, on or off."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.all = {rule.name: rule for rule in RULES}

    def switch(self, name: str, *, is_active: bool) -> None:
        """``KeyError`` for a rule that there is not."""
        self.all[name] = replace(self.all[name], is_active=is_active)

    def active(self, kind: Kind, obj: ObjectDef) -> list[Rule]:
        return [
            r for r in self.all.values() if r.kind == kind and r.object == obj.name and r.is_active
        ]

    def before(self, obj: ObjectDef, batch: Batch, options: WriteOptions) -> None:
        """What happens to records before they are stored, in Salesforce's order."""
        for rule in self.active("flow", obj):
            if not rule.makes:
                for incoming in good(batch):
                    if incoming.is_new:
                        incoming.row |= dict(rule.sets)
        for rule in self.active("trigger", obj):
            for incoming in good(batch):
                incoming.row |= dict(rule.sets)
        for rule in self.active("validation", obj):
            for incoming in good(batch):
                if rule.is_wrong is not None and rule.is_wrong(incoming):
                    fields = [rule.field] if rule.field else []
                    incoming.refuse("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, *fields)
        if not options.allows_duplicates:
            for rule in self.active("duplicate", obj):
                self._duplicates(obj, rule, batch)

    def assign(self, obj: ObjectDef, batch: Batch, options: WriteOptions) -> None:
        """Assignment rules give new records to a queue, unless the caller said no."""
        for rule in self.active("assignment", obj) if options.has_assignment else ():
            sql = 'SELECT min("Id") FROM "Group" WHERE "Type" = \'Queue\''
            ((queue,),) = self._storage.rows(sql)
            for incoming in good(batch):
                if incoming.is_new and queue is not None:
                    incoming.row |= {name: queue for name, _ in rule.sets}

    def made(self, obj: ObjectDef, batch: Batch) -> list[tuple[str, dict[str, Any]]]:
        """The records that flows create after these: object and values."""
        found = []
        for rule in self.active("flow", obj):
            target, _, key = rule.makes.partition(":")
            if target:
                new = (i for i in good(batch) if i.is_new)
                found += [(target, {**dict(rule.sets), key: i.record_id}) for i in new]
        return found

    def _duplicates(self, obj: ObjectDef, rule: Rule, batch: Batch) -> None:
        records = [i for i in good(batch) if all(i.value(name) is not None for name in rule.same)]
        if not records:
            return
        keys = ["\n".join(str(i.value(name)).lower() for name in rule.same) for i in records]
        sql_key = " || chr(10) || ".join(f"lower({quote(name)})" for name in rule.same)
        alive = ' AND NOT "IsDeleted"' if obj.has("IsDeleted") else ""
        sql = f'SELECT {sql_key}, min("Id") FROM {quote(obj.name)} WHERE {sql_key} {AMONG}{alive} GROUP BY 1'
        known = dict(self._storage.rows(sql, [keys]))
        for incoming, key in zip(records, keys, strict=True):
            other = known.get(key)
            if other is not None and other != incoming.record_id:
                incoming.refuse("DUPLICATES_DETECTED", DUPLICATE)
