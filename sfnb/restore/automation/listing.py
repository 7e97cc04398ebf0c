# ruff: noqa: S608 - SOQL of names that describes and our own tables gave
"""
What there is on the objects of a plan: two calls, one more where workflow rules or processes are.

A query that the org refuses hides its kind only; that is said, since what was not read is not
known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sfnb.errors import ObjectError, OrgUnavailable, SfnbError, TransientError
from sfnb.org.answers import json_of
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubRequest, SubResponse, fetch_composite
from sfnb.org.tooling import COMPOSITE as TOOLING_COMPOSITE
from sfnb.org.tooling import fetch_tooling, query_request, read_request, rows_of
from sfnb.restore.automation.items import Item, Kind

MOST_NAMES = 60
"""With more objects a query is made without their names: an address holds about 16,000 characters."""


@dataclass(frozen=True, slots=True)
class Found:
    """
    Args:
        is_production: deployments run the org's tests.
        unread: sentences on what could not be listed.
    """

    items: tuple[Item, ...] = ()
    is_production: bool = True
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Listing:
    """
    One query of the list.

    Args:
        object_path: the field with the name of the object that a row is about.
        also: a condition that lets rows in whose object no query names.
    """

    what: str
    fields: str
    source: str
    object_path: str
    is_tooling: bool
    also: str = ""

    def soql(self, objects: Collection[str], *, is_filtered: bool) -> str:
        select = f"SELECT {self.fields} FROM {self.source}"
        if not is_filtered or len(objects) > MOST_NAMES:
            return select
        names = ", ".join(f"'{name}'" for name in sorted(objects))
        also = f" OR {self.also}" if self.also else ""
        return f"{select} WHERE {self.object_path} IN ({names}){also}"


ENTITY = "EntityDefinition.QualifiedApiName"
FLOW_OBJECT = "TriggerObjectOrEvent.QualifiedApiName"
LISTINGS = (
    _Listing(
        "flows",
        f"DurableId, ApiName, ActiveVersionId, ProcessType, NamespacePrefix, {FLOW_OBJECT}",
        "FlowDefinitionView",
        FLOW_OBJECT,
        False,
        "ProcessType = 'Workflow'",
    ),
    _Listing(
        "duplicate rules",
        "Id, DeveloperName, SobjectType, IsActive, NamespacePrefix",
        "DuplicateRule",
        "SobjectType",
        False,
    ),
    _Listing(
        "assignment rules", "Id, Name, SobjectType, Active", "AssignmentRule", "SobjectType", False
    ),
    _Listing(
        "triggers", f"Id, Name, Status, NamespacePrefix, {ENTITY}", "ApexTrigger", ENTITY, True
    ),
    _Listing(
        "validation rules",
        f"Id, ValidationName, Active, NamespacePrefix, {ENTITY}",
        "ValidationRule",
        ENTITY,
        True,
    ),
    _Listing(
        "workflow rules",
        "Id, Name, TableEnumOrId, NamespacePrefix",
        "WorkflowRule",
        "TableEnumOrId",
        True,
    ),
)
_SANDBOX = "SELECT IsSandbox FROM Organization"


@dataclass
class Early:
    """
    The lists of the data API, asked along with an earlier call for these objects.

    Attributes:
        answers: empty until they are there.
    """

    objects: frozenset[str]
    parts: list[SubRequest]
    answers: list[SubResponse] = field(default_factory=list)

    @classmethod
    def of(cls, org: OrgClient, objects: Collection[str]) -> Early:
        """What is to ride along."""
        asked = [one for one in LISTINGS if not one.is_tooling]
        parts = [
            query_request(org, one.source, one.soql(objects, is_filtered=True), tooling=False)
            for one in asked
        ]
        return cls(frozenset(objects), parts)


@dataclass
class _Reading:
    org: OrgClient
    objects: frozenset[str]
    early: Early | None = None
    rows: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def ask(self, listings: Iterable[_Listing], *, is_filtered: bool) -> list[_Listing]:
        """Read these; those that were refused come back."""
        refused = []
        for is_tooling in (False, True):
            asked = [one for one in listings if one.is_tooling is is_tooling]
            try:
                answers = self._answers(asked, is_tooling, is_filtered)
            except ObjectError as err:
                # The whole call: a server without the Tooling API, or a user who may not use it.
                what = ", ".join(one.what for one in asked)
                self.unread.append(f"The {what} could not be listed: {err}")
                continue
            for one, answer in zip(asked, answers, strict=False):
                try:
                    self.rows[one.source] = rows_of(self.org, answer, f"the list of {one.what}")
                except SfnbError as err:
                    refused.append(one)
                    if not is_filtered:
                        self.unread.append(f"The {one.what} could not be listed: {err}")
        return refused

    def _answers(
        self, asked: list[_Listing], is_tooling: bool, is_filtered: bool
    ) -> list[SubResponse]:
        early = self.early
        if not is_tooling and is_filtered and early and early.answers:
            return early.answers
        parts = [
            query_request(
                self.org,
                one.source,
                one.soql(self.objects, is_filtered=is_filtered),
                tooling=is_tooling,
            )
            for one in asked
        ]
        if not is_tooling and is_filtered:
            parts.append(query_request(self.org, "Organization", _SANDBOX, tooling=False))
        if not parts:
            return []
        path = TOOLING_COMPOSITE if is_tooling else "composite"
        answers = fetch_composite(self.org, parts, path=path)
        if answers[-1].reference == "Organization":
            organization = answers.pop()
            # Not told: counts as production, where deployments run tests.
            with suppress(ObjectError):
                self.rows["Organization"] = rows_of(self.org, organization, "the org")
        return answers

    def names(self, source: str, path: str) -> Iterable[tuple[Mapping[str, Any], str]]:
        for row in self.rows.get(source, ()):
            name = value_at(row, path)
            if name in self.objects:
                yield row, str(name)


def fetch_automation(
    org: OrgClient,
    objects: Collection[str],
    *,
    is_thorough: bool = True,
    early: Early | None = None,
) -> Found:
    """
    Triggers, rules and flows of these objects, active and not, by object, kind and name.

    Cost: 2 API calls, one more for each 25 workflow rules and processes, and one more for each page
    of a list with over 2,000 rows. None for no objects.

    Args:
        is_thorough: read workflow rules and processes one by one. Otherwise workflow rules count as
            active, and processes are not listed, which is said.
        early: saves the first call where it has these objects.
    """
    if not objects:
        return Found()
    names = frozenset(objects)
    reading = _Reading(org, names, early if early and names <= early.objects else None)
    refused = reading.ask(LISTINGS, is_filtered=True)
    if refused:
        # Which fields can be filtered differs by release: the whole list, and we look for ourselves.
        reading.ask(refused, is_filtered=False)
    items: list[Item] = []
    try:
        items += _plain(reading)
        items += _read_one_by_one(reading) if is_thorough else _not_read(reading)
    except OrgUnavailable:
        raise
    except ObjectError as err:
        reading.unread.append(f"Workflow rules and processes could not be read: {err}")
    except (KeyError, TypeError, AttributeError, TransientError) as err:
        # Rows that are none, however often they are asked for: the list is not whole, and says so.
        reading.unread.append(f"The lists of automation have rows that cannot be read ({err!r}).")
    items.sort(key=lambda item: (item.object_name, item.kind, item.name))
    organization = reading.rows.get("Organization") or [{}]
    is_production = organization[0].get("IsSandbox") is not True
    return Found(tuple(items), is_production, tuple(reading.unread))


def _plain(reading: _Reading) -> Iterable[Item]:
    """What the lists alone say."""
    for row, on in reading.names("FlowDefinitionView", FLOW_OBJECT):
        is_active = bool(row.get("ActiveVersionId"))
        yield _item("flow", on, row["ApiName"], row, is_active, record_id=row["DurableId"])
    for row, on in reading.names("DuplicateRule", "SobjectType"):
        yield _item("duplicate_rule", on, row["DeveloperName"], row, row.get("IsActive") is True)
    for row, on in reading.names("AssignmentRule", "SobjectType"):
        yield _item("assignment_rule", on, row["Name"], row, row.get("Active") is True)
    for row, on in reading.names("ApexTrigger", ENTITY):
        yield _item("trigger", on, row["Name"], row, row.get("Status") == "Active")
    for row, on in reading.names("ValidationRule", ENTITY):
        yield _item("validation_rule", on, row["ValidationName"], row, row.get("Active") is True)


def _not_read(reading: _Reading) -> Iterable[Item]:
    for row, on in reading.names("WorkflowRule", "TableEnumOrId"):
        yield _item("workflow_rule", on, row["Name"], row, True)
    views = reading.rows.get("FlowDefinitionView", ())
    count = sum(
        row.get("ProcessType") == "Workflow" and bool(row.get("ActiveVersionId")) for row in views
    )
    if count:
        what = (
            "1 process of the Process Builder is"
            if count == 1
            else f"{count} processes of the Process Builder are"
        )
        reading.unread.append(f"{what} active in the org, on these objects or on others.")


def _read_one_by_one(reading: _Reading) -> Iterable[Item]:
    """
    Workflow rules say whether they are active, and processes on which object they are, in their
    Metadata only, which a query gives for one row at a time (Tooling API guide).
    """
    rules = list(reading.names("WorkflowRule", "TableEnumOrId"))
    processes = [
        row
        for row in reading.rows.get("FlowDefinitionView", ())
        if row.get("ProcessType") == "Workflow" and row.get("ActiveVersionId")
    ]
    org = reading.org
    parts = [
        read_request(org, f"w{n}", "WorkflowRule", row["Id"]) for n, (row, _) in enumerate(rules)
    ]
    parts += [
        read_request(org, f"p{n}", "Flow", row["ActiveVersionId"])
        for n, row in enumerate(processes)
    ]
    answers = iter(fetch_tooling(org, parts))
    for row, on in rules:
        metadata = _metadata(reading, next(answers), f"workflow rule {row['Name']}")
        if metadata is not None:
            yield _item("workflow_rule", on, row["Name"], row, metadata.get("active") is True)
    for row in processes:
        metadata = _metadata(reading, next(answers), f"process {row['ApiName']}")
        on = process_object(metadata or {})
        if on in reading.objects:
            yield _item("flow", on, row["ApiName"], row, True, record_id=row["DurableId"])


def _metadata(reading: _Reading, answer: SubResponse, what: str) -> Mapping[str, Any] | None:
    refused = answer.refusal(what)
    if isinstance(refused, ObjectError):
        reading.unread.append(f"The {what} could not be read: {refused}")
        return None
    if refused is not None:
        raise refused
    found = json_of(answer.body, what=what).get("Metadata")
    return found if isinstance(found, Mapping) else {}


def process_object(metadata: Mapping[str, Any]) -> str:
    """The object of a process, from the Metadata of its flow; empty: it has none. Pure."""
    for entry in metadata.get("processMetadataValues") or ():
        if entry.get("name") == "ObjectType":
            return str((entry.get("value") or {}).get("stringValue") or "")
    return ""


def _item(
    kind: Kind,
    on: str,
    name: str,
    row: Mapping[str, Any],
    is_active: bool,
    *,
    record_id: str = "",
) -> Item:
    namespace = row.get("NamespacePrefix") or ""
    whole = name if not namespace or name.startswith(f"{namespace}__") else f"{namespace}__{name}"
    return Item(kind, on, whole, record_id or row["Id"], is_active, namespace)


def value_at(row: Mapping[str, Any], path: str) -> Any:
    """The value at ``Parent.Field`` of a record; None where the parent is none. Pure."""
    here: Any = row
    for name in path.split("."):
        here = here.get(name) if isinstance(here, Mapping) else None
    return here
