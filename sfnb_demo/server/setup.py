"""
What an admin has set up, as rows of the Tooling API and of three objects of the data API.

Whether something is on stands with the rules that act (``data.writing.rules``); what belongs to it,
too, such as a flow's versions or a rule's text, stands here. Some of it is installed with a
package, does nothing and cannot be changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sfnb_demo.data import ids
from sfnb_demo.data.metadata import NAMESPACE, flow_versions
from sfnb_demo.data.writing.rules import Rule, Rules
from sfnb_demo.errors import ApiError
from sfnb_demo.server.clock import rest_time

if TYPE_CHECKING:
    from sfnb_demo.server.deploys import Deploys
    from sfnb_demo.server.metadata_org import MetadataOrg

Row = dict[str, Any]

VERSIONS: Mapping[str, tuple[int, int]] = {"Account_region": (2, 3)}
"""By flow: the version that runs while it is active, and the newest; else both are 1."""

PREFIXES = {
    "ValidationRule": "03d",
    "ApexTrigger": "01q",
    "FlowDefinition": "300",
    "Flow": "301",
    "WorkflowRule": "01Q",
    "DuplicateRule": "0Bm",
    "AssignmentRule": "01Q",
}
_OBJECT_PREFIX = "01I"
PACKAGED_RULE = Rule(
    f"{NAMESPACE}__Industry_known",
    "validation",
    "Account",
    True,
    message="Choose an industry.",
    field="Industry",
)
_PROCESS = "Deal_won"

TOOLING = (
    "ValidationRule",
    "ApexTrigger",
    "FlowDefinition",
    "Flow",
    "WorkflowRule",
    "DeployRequest",
)
DATA = ("FlowDefinitionView", "DuplicateRule", "AssignmentRule")

MANAGED = ApiError(
    "CANNOT_MODIFY_MANAGED_OBJECT",
    "Cannot modify managed object: entity=ValidationRule, component=Industry_known",
    400,
)


class Setup:
    """Safe for threads."""

    def __init__(
        self, rules: Rules, metadata: MetadataOrg, deploys: Deploys, now: Callable[[], datetime]
    ) -> None:
        self._rules = rules
        self._metadata = metadata
        self._deploys = deploys
        self._now = now
        self._lock = threading.RLock()
        self._active = {_PROCESS: 1} | {name: active for name, (active, _) in VERSIONS.items()}
        self._texts: dict[str, Row] = {}
        self._changed_at: dict[str, datetime] = {}
        self._first_at = now()

    def rows(self, name: str) -> list[Row] | None:
        """The rows of an object of the Tooling API; None where it is not one of these."""
        makers = {
            "validationrule": self._validation_rules,
            "apextrigger": self._triggers,
            "flowdefinition": self._definitions,
            "flow": self._flows,
            "workflowrule": self._workflow_rules,
            "deployrequest": self._deploys.rows,
        }
        maker = makers.get(name.lower())
        with self._lock:
            return maker() if maker else None

    def data_rows(self, name: str) -> list[Row] | None:
        """The rows of an object that the data API queries."""
        makers = {
            "flowdefinitionview": self._flow_views,
            "duplicaterule": self._duplicate_rules,
            "assignmentrule": self._assignment_rules,
        }
        maker = makers.get(name.lower())
        with self._lock:
            return maker() if maker else None

    def change(self, kind: str, row: Row, given: Mapping[str, Any]) -> None:
        """
        What a PATCH of a tooling record does.

        Raises:
            ApiError: it cannot be changed so.
        """
        metadata = given.get("Metadata")
        if not isinstance(metadata, dict) or kind not in ("ValidationRule", "FlowDefinition"):
            raise ApiError(
                "INVALID_TYPE_FOR_OPERATION", f"entity type cannot be updated: {kind}", 400
            )
        with self._lock:
            if kind == "ValidationRule":
                self._change_rule(row, metadata)
            else:
                self._change_flow(row, metadata)

    def _change_rule(self, row: Row, metadata: Row) -> None:
        if row["NamespacePrefix"]:
            raise MANAGED
        name = row["ValidationName"]
        for field in ("active", "errorConditionFormula", "errorMessage"):
            if metadata.get(field) is None:
                raise ApiError(
                    "FIELD_INTEGRITY_EXCEPTION", f"Required field is missing: {field}", 400
                )
        self._texts[name] = {k: v for k, v in metadata.items() if k != "active"}
        self._rules.switch(name, is_active=bool(metadata["active"]))
        self._changed_at[name] = self._now()

    def _change_flow(self, row: Row, metadata: Row) -> None:
        name, number = row["DeveloperName"], metadata.get("activeVersionNumber")
        newest = VERSIONS.get(name, (1, 1))[1]
        if not isinstance(number, int) or not 0 <= number <= newest:
            message = f"The version {number} of the flow {name} doesn't exist."
            raise ApiError("FIELD_INTEGRITY_EXCEPTION", message, 400, ["activeVersionNumber"])
        if number or name == _PROCESS:
            self._active[name] = number
        if name in self._rules.all:
            self._rules.switch(name, is_active=number > 0)
        self._changed_at[name] = self._now()

    # --- rows -------------------------------------------------------------------------------------

    def _of(self, kind: str) -> list[Rule]:
        return [rule for rule in self._rules.all.values() if rule.kind == kind]

    def _stamps(self, name: str) -> Row:
        return {
            "CreatedDate": rest_time(self._first_at),
            "LastModifiedDate": rest_time(self._changed_at.get(name, self._first_at)),
        }

    def _validation_rules(self) -> list[Row]:
        found = self._of("validation")
        found.append(PACKAGED_RULE)
        return [self._validation_rule(number, rule) for number, rule in enumerate(found)]

    def _validation_rule(self, number: int, rule: Rule) -> Row:
        namespace, _, short = rule.name.rpartition("__")
        texts = self._texts.get(rule.name) or {
            "description": None,
            "errorConditionFormula": f"/* {short} */ true",
            "errorDisplayField": rule.field or None,
            "errorMessage": rule.message,
            "shouldEvaluateOnClient": None,
            "urls": None,
        }
        return {
            "Id": _id("ValidationRule", number),
            "ValidationName": short,
            "Active": rule.is_active,
            "Description": texts.get("description"),
            "ErrorMessage": texts["errorMessage"],
            "ErrorDisplayField": texts.get("errorDisplayField"),
            "FullName": f"{rule.object}.{rule.name}",
            "Metadata": {**texts, "active": rule.is_active},
            **_entity(rule.object),
            **_package(namespace),
            **self._stamps(rule.name),
        }

    def _triggers(self) -> list[Row]:
        found = [c for c in self._metadata.components.values() if c.kind == "ApexTrigger"]
        return [self._trigger(number, component) for number, component in enumerate(found)]

    def _trigger(self, number: int, component: Any) -> Row:
        body, meta = component.files.values()
        rule = self._rules.all.get(component.full_name)
        is_active = rule.is_active if rule else b"<status>Active</status>" in meta
        on = rule.object if rule else "Contact"
        status = "Active" if is_active else "Inactive"
        return {
            "Id": _id("ApexTrigger", number),
            "Name": component.full_name.removeprefix(f"{component.namespace}__"),
            "Status": status,
            "Body": body.decode(),
            "ApiVersion": 66.0,
            "IsValid": True,
            "FullName": component.full_name,
            "Metadata": {"apiVersion": 66.0, "packageVersions": [], "status": status, "urls": None},
            **_entity(on),
            **_package(component.namespace),
            **self._stamps(component.full_name),
        }

    def _definitions(self) -> list[Row]:
        rules = [(r.name, r.is_active) for r in self._of("flow")]
        names = [*rules, (_PROCESS, self._active[_PROCESS] > 0)]
        return [self._definition(number, *one) for number, one in enumerate(names)]

    def _definition(self, number: int, name: str, is_active: bool) -> Row:
        newest = VERSIONS.get(name, (1, 1))[1]
        active = self._active.get(name, 1) if is_active else 0
        return {
            "Id": _id("FlowDefinition", number),
            "DeveloperName": name,
            "MasterLabel": name.replace("_", " "),
            "ActiveVersionId": _version_id(number, active) if active else None,
            "ActiveVersion": {"Id": _version_id(number, active), "VersionNumber": active}
            if active
            else None,
            "LatestVersionId": _version_id(number, newest),
            "LatestVersion": {"Id": _version_id(number, newest), "VersionNumber": newest},
            "FullName": name,
            "Metadata": {
                "activeVersionNumber": active,
                "description": None,
                "masterLabel": None,
                "urls": None,
            },
            **_package(""),
            **self._stamps(name),
        }

    def _flows(self) -> list[Row]:
        found = []
        for number, definition in enumerate(self._definitions()):
            newest = definition["LatestVersion"]["VersionNumber"]
            found += [self._flow(number, definition, n) for n in range(1, newest + 1)]
        names: dict[str, int] = {}
        for name, version, status in flow_versions(self._metadata.components.values()):
            number = len(self._definitions()) + names.setdefault(name, len(names))
            of: Row = {"Id": _id("FlowDefinition", number), "DeveloperName": name}
            of |= {"MasterLabel": name, "Metadata": {"activeVersionNumber": 0}}
            found.append(self._flow(number, of, version) | {"Status": status})
        return found

    def _flow(self, number: int, definition: Row, version: int) -> Row:
        active = definition["Metadata"]["activeVersionNumber"]
        is_process = definition["DeveloperName"] == _PROCESS
        process_type = "Workflow" if is_process else "AutoLaunchedFlow"
        metadata: Row = {"status": "Active" if version == active else "Obsolete"}
        if is_process:
            value = {"name": "ObjectType", "value": {"stringValue": "Opportunity"}}
            metadata["processMetadataValues"] = [value]
        return {
            "Id": _version_id(number, version),
            "DefinitionId": definition["Id"],
            "Definition": {
                "DeveloperName": definition["DeveloperName"],
                "NamespacePrefix": None,
            },
            "VersionNumber": version,
            "Status": metadata["status"],
            "ProcessType": process_type,
            "MasterLabel": definition["MasterLabel"],
            "FullName": f"{definition['DeveloperName']}-{version}",
            "Metadata": metadata | {"processType": process_type},
            **_package(""),
        }

    def _workflow_rules(self) -> list[Row]:
        return [
            {
                "Id": _id("WorkflowRule", 0),
                "Name": "Greet",
                "FullName": "Account.Greet",
                "Metadata": {"active": True, "triggerType": "onCreateOnly", "formula": "true"},
                "TableEnumOrId": "Account",
                **_package(""),
            }
        ]

    def _flow_views(self) -> list[Row]:
        objects = {r.name: (r.object, bool(r.makes)) for r in self._of("flow")}
        return [
            self._flow_view(definition, *objects.get(definition["DeveloperName"], ("", False)))
            for definition in self._definitions()
        ]

    def _flow_view(self, definition: Row, on: str, is_after: bool) -> Row:
        trigger = {
            "TriggerType": ("RecordAfterSave" if is_after else "RecordBeforeSave") if on else None,
            "TriggerObjectOrEventId": _entity_id(on) if on else None,
            "TriggerObjectOrEventLabel": on or None,
            "TriggerObjectOrEvent": {"QualifiedApiName": on} if on else None,
            "RecordTriggerType": "Create" if on else None,
        }
        return {
            "Id": None,
            "DurableId": definition["Id"],
            "ApiName": definition["DeveloperName"],
            "Label": definition["MasterLabel"],
            "ActiveVersionId": definition["ActiveVersionId"],
            "LatestVersionId": definition["LatestVersionId"],
            "IsActive": definition["ActiveVersionId"] is not None,
            "ProcessType": "AutoLaunchedFlow" if on else "Workflow",
            **trigger,
            **_package(""),
        }

    def _duplicate_rules(self) -> list[Row]:
        return [
            {
                "Id": _id("DuplicateRule", number),
                "DeveloperName": rule.name,
                "MasterLabel": rule.name.replace("_", " "),
                "SobjectType": rule.object,
                "IsActive": rule.is_active,
                "NamespacePrefix": None,
            }
            for number, rule in enumerate(self._of("duplicate"))
        ]

    def _assignment_rules(self) -> list[Row]:
        return [
            {
                "Id": _id("AssignmentRule", 100 + number),
                "Name": rule.name,
                "SobjectType": rule.object,
                "Active": rule.is_active,
            }
            for number, rule in enumerate(self._of("assignment"))
        ]


def _id(kind: str, number: int) -> str:
    return ids.make_id(PREFIXES[kind], ids.FIRST + number)


def _version_id(number: int, version: int) -> str:
    return ids.make_id(PREFIXES["Flow"], ids.FIRST + number * 100 + version)


def _entity_id(name: str) -> str:
    """A standard object's name; of a custom one its Id (Tooling API guide, EntityDefinition)."""
    if not name.endswith("__c"):
        return name
    return ids.make_id(_OBJECT_PREFIX, sum(map(ord, name)))[:15]


def _entity(name: str) -> Row:
    return {
        "EntityDefinitionId": _entity_id(name),
        "TableEnumOrId": _entity_id(name),
        "EntityDefinition": {"QualifiedApiName": name, "DurableId": _entity_id(name)},
    }


def _package(namespace: str) -> Row:
    state = "installed" if namespace else "unmanaged"
    return {"NamespacePrefix": namespace or None, "ManageableState": state}
