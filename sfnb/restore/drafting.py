"""What a restore does with one record, seen by itself: create, update, undelete, skip, refuse. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sfnb.restore.changes import Policy, change, created
from sfnb.restore.comparison import pictures_aside
from sfnb.restore.describes import AUDIT, WriteObject
from sfnb.restore.fields import Restorable
from sfnb.restore.plan import Action, PlannedRow
from sfnb.restore.refusals import SET_ONCE, Fault, faults_of
from sfnb.restore.request import Only
from sfnb.restore.standard.addresses import with_codes
from sfnb.restore.standard.rules import PLAIN, Rule

Values = dict[str, Any]
Amend = Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]]
"""Object, old Id and the snapshot's values; the values that are restored instead."""


@dataclass(frozen=True)
class DraftRules:
    """
    What is the same for all records of an object.

    Args:
        target: its describe in the org that is written; None: the org does not have it.
        why_not: why the object cannot be written at all.
        amend: mended values of a rejects file.
        rule: what is different about this object.
        mapped: by the snapshot's Ids, those of the target, where they differ.
        is_other_org: Ids that are not mapped mean nothing there.
    """

    object_name: str
    target: WriteObject | None
    restorable: Restorable
    policy: Policy = "overwrite"
    only: Only | None = None
    why_not: Fault | None = None
    amend: Amend | None = None
    rule: Rule = PLAIN
    mapped: Mapping[str, str] = field(default_factory=dict)
    is_other_org: bool = False


@dataclass
class Draft:
    """
    A planned record, and what it refers to.

    Args:
        faults: fields that were left out of it, and why.
        links: its references, by field.
        conflicts: fields in which the living record differs.
        late: values that a new record gets when everything else is there.
        keys: references without which it cannot be found.
    """

    row: PlannedRow
    faults: list[Fault] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()
    late: Mapping[str, Any] = field(default_factory=dict)
    keys: tuple[str, ...] = ()


NO_AUTHOR = (
    "it would carry the restoring user's name; the user needs the permission Insert System Field "
    "Values for Chatter Feeds"
)
UNCONVERTED = (
    "the lead comes back unconverted; the user needs the permission Set Audit Fields upon Record "
    "Creation"
)


def draft(rules: DraftRules, old: Mapping[str, Any], present: Mapping[str, Any] | None) -> Draft:
    """
    What happens to a record.

    Args:
        old: the snapshot's record, all its fields.
        present: the target's record; None: it is gone for good.
    """
    name, old_id = rules.object_name, str(old["Id"])
    wanted = _wanted(rules, old)
    is_there = present is not None and present.get("IsDeleted") is not True
    if is_there and rules.only == "deleted":
        return Draft(PlannedRow(name, old_id, "skip", old_id, reason="not_deleted"))
    if not is_there and rules.only == "changed":
        return Draft(PlannedRow(name, old_id, "skip", "", reason="deleted"))
    if rules.target is None or rules.why_not is not None:
        fault = rules.why_not or Fault("object_gone")
        return Draft(PlannedRow(name, old_id, "refuse", "", wanted, fault.reason), [fault])
    if is_there and present is not None:
        return _living(rules, rules.target, old, wanted, present)
    return _lost(rules, rules.target, old, wanted, present)


def _wanted(rules: DraftRules, old: Mapping[str, Any]) -> Values:
    names = rules.restorable.source_names
    values = {name: old.get(names[name]) for name in rules.restorable.all}
    if rules.amend is not None:
        values = dict(rules.amend(rules.object_name, str(old["Id"]), values))
    return values


def _living(
    rules: DraftRules,
    target: WriteObject,
    old: Mapping[str, Any],
    wanted: Values,
    present: Mapping[str, Any],
) -> Draft:
    name, old_id, there = rules.object_name, str(old["Id"]), str(present["Id"])
    fields = [n for n in rules.restorable.update if n not in AUDIT]
    emptied = [n for n in fields if target.fields[n].is_reference]
    found = change(
        {
            n: _as_there(
                rules, target, n, wanted.get(n), present.get(n), is_stand_in=there != old_id
            )
            for n in fields
        },
        present,
        rules.policy,
        wanted_at=str(old.get("LastModifiedDate") or ""),
        present_at=str(present.get("LastModifiedDate") or ""),
        emptied=emptied,
    )
    faults = faults_of(target, _there(rules, target, found.values), present)
    derived = rules.rule.derived(old) if rules.rule.derived else frozenset()
    values = {n: wanted.get(n) for n in found.values if n not in derived}
    values = with_codes(shaped(rules.rule, values, old), wanted, target)
    for fault in faults:
        values.pop(fault.field, None)
    if (closed := rules.rule.closed) is not None:
        shut = [Fault("no_permission", n, why) for n in values if (why := closed(present, n))]
        values = {n: v for n, v in values.items() if n not in {fault.field for fault in shut}}
        faults += shut
    lost = _set_once(target, wanted, present)
    if values and not target.is_updateable:
        fault = Fault("no_permission", "", "the user may not edit records of this object")
        return Draft(PlannedRow(name, old_id, "refuse", there, values, fault.reason), [fault])
    if values:
        row = PlannedRow(name, old_id, "update", there, values)
        return Draft(row, faults + lost, _links(target, values), found.conflicts)
    if faults:
        first = faults[0]
        refused = PlannedRow(
            name, old_id, "refuse", there, dict(found.values), first.reason, first.field
        )
        return Draft(refused, faults)
    reason = "conflict" if found.is_skipped else "unchanged"
    row = PlannedRow(name, old_id, "skip", there, reason=reason)
    return Draft(row, lost, conflicts=found.conflicts)


def _as_there(
    rules: DraftRules,
    target: WriteObject,
    name: str,
    value: Any,
    present: object,
    *,
    is_stand_in: bool = False,
) -> Any:
    """
    A value as the target would have it; a reference to the old record counts as well, and so do
    pictures under the addresses that another record gives them.
    """
    found = target.fields[name]
    if found.is_rich_text and is_stand_in and pictures_aside(value) == pictures_aside(present):
        return present
    if not found.is_reference or not value or value == present:
        return value
    return rules.mapped.get(str(value), value)


def _there(rules: DraftRules, target: WriteObject, values: Mapping[str, Any]) -> Values:
    """The values with the target's Ids."""
    return {n: _as_there(rules, target, n, v, None) for n, v in values.items()}


def _lost(
    rules: DraftRules,
    target: WriteObject,
    old: Mapping[str, Any],
    wanted: Values,
    present: Mapping[str, Any] | None = None,
) -> Draft:
    name, old_id, rule = rules.object_name, str(old["Id"]), rules.rule
    values = {n: wanted.get(n) for n in rules.restorable.create if n in wanted}
    values = dict(created(values, target))
    if values.get("RecordTypeId") in {r.record_type_id for r in target.record_types if r.is_master}:
        del values["RecordTypeId"]
    values = with_codes(shaped(rule, values, old), wanted, target)
    made = rule.made_by_org(old) if rule.made_by_org else ""
    links = _links(target, values, is_other_org=rules.is_other_org)
    if present is not None and target.is_undeletable:
        # Nulls, too: a field that was filled after the snapshot is to be empty again. What was set
        # once only comes back by itself; the rest is compared after the undelete.
        whole = {n: wanted.get(n) for n in rules.restorable.create if n in wanted}
        whole = shaped(rule, whole, old) | values
        there = str(present["Id"])
        row = PlannedRow(name, old_id, "undelete", there, whole, made)
        return Draft(row, links=links)
    if made and not rule.is_made_perhaps:
        return _made(rules, target, old, wanted, made)
    if why := _not_made(rules, target, old):
        return Draft(PlannedRow(name, old_id, "skip", "", reason=why))
    faults = faults_of(target, _there(rules, target, values), {})
    if not target.is_createable:
        faults = [Fault("no_permission", "", "the user may not create records of this object")]
    if rule.needs_author and not _has_author(target):
        faults = [Fault("no_permission", "CreatedById", NO_AUTHOR)]
    if faults:
        first = faults[0]
        row = PlannedRow(name, old_id, "refuse", "", values, first.reason, first.field)
        return Draft(row, faults)
    if old.get("IsConverted") is True and "ConvertedDate" not in values:
        faults = [Fault("no_permission", "ConvertedDate", UNCONVERTED)]
    late = {}
    if rule.is_late is not None and rule.is_late(old):
        late = {n: values[n] for n in rule.late if n in values}
        values |= {n: rule.late[n] for n in late}
    # One in the bin that takes no undelete may still come back with its parent: `place_undeletes`
    # looks.
    binned = str(present["Id"]) if present is not None else ""
    row = PlannedRow(name, old_id, "create", binned, values, made)
    return Draft(row, faults, links=links, late=late)


def shaped(rule: Rule, values: Values, old: Mapping[str, Any]) -> Values:
    """The values as the rule of their object wants them."""
    return rule.shape(values, old) if rule.shape is not None else values


def _made(
    rules: DraftRules, target: WriteObject, old: Mapping[str, Any], wanted: Values, why: str
) -> Draft:
    """A record that the org makes by itself: found by its key, once the others are there."""
    rule = rules.rule
    names = rule.made_key if rule.is_made_fixed else (*rule.made_key, *rules.restorable.update)
    values = {n: wanted.get(n, old.get(n)) for n in names if n not in AUDIT}
    links = _links(target, values, is_other_org=rules.is_other_org)
    row = PlannedRow(rules.object_name, str(old["Id"]), "create", "", values, why)
    return Draft(row, links=links, keys=rule.made_key)


def _has_author(target: WriteObject) -> bool:
    found = target.fields.get("CreatedById")
    return found is not None and found.is_createable


def _not_made(rules: DraftRules, target: WriteObject, old: Mapping[str, Any]) -> str:
    """Why a record is not made as a row although it is gone."""
    if rules.rule.not_made is not None and (why := rules.rule.not_made(old)):
        return why
    bodies = [f for f in target.fields.values() if f.type == "base64"]
    return "needs_body" if any(f.is_required_on_insert for f in bodies) else ""


def inbound_draft(
    rules: DraftRules,
    old: Mapping[str, Any],
    present: Mapping[str, Any] | None,
    brought: Mapping[str, str],
) -> Draft | None:
    """
    What happens to a record that nobody has chosen, and that referred to chosen ones: it comes back
    with one from the bin, or its emptied lookups are filled; None: nothing.

    Args:
        brought: by Id, ``create`` or ``undelete`` of the records that are brought back.
    """
    if present is None or rules.target is None:
        return None
    target, name, old_id = rules.target, rules.object_name, str(old["Id"])
    wanted = _wanted(rules, old)
    links = {n: p for n, p in _links(target, wanted).items() if p in brought}
    if present.get("IsDeleted") is True:
        goes_along = any(
            brought[p] == "undelete" and target.fields[n].is_cascading for n, p in links.items()
        )
        is_back = goes_along and target.is_undeletable and rules.only != "changed"
        return _lost(rules, target, old, wanted, present) if is_back else None
    values = {n: p for n, p in links.items() if n in rules.restorable.update and not present.get(n)}
    lost = _set_once(target, wanted, present)
    lost = [fault for fault in lost if brought.get(str(wanted.get(fault.field))) == "create"]
    if rules.policy == "skip" or not (values or lost):
        return None
    action: Action = "update" if values else "skip"
    return Draft(PlannedRow(name, old_id, action, old_id, values), lost, links=dict(values))


def _set_once(target: WriteObject, wanted: Values, present: Mapping[str, Any]) -> list[Fault]:
    """References that the living record has lost and that only a new record can have."""
    return [
        Fault("field_not_writable", name, SET_ONCE)
        for name, value in wanted.items()
        if value
        and present.get(name) in (None, "")
        and name in target.fields
        and target.fields[name].is_reference
        and not target.fields[name].is_updateable
        and name not in AUDIT
    ]


def _links(
    target: WriteObject, values: Mapping[str, Any], *, is_other_org: bool = False
) -> dict[str, str]:
    """The references in these values. Users stay in their org for good, so who wrote is not checked there."""
    return {
        name: str(value)
        for name, value in values.items()
        if value
        and (is_other_org or name not in AUDIT)
        and name in target.fields
        and target.fields[name].is_reference
    }
