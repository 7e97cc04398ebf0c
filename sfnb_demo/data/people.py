# ruff: noqa: E501 - a catalogue reads best as a table, one field after the other
"""The org itself, its users, their permissions and its setup: objects of a fixed size."""

from __future__ import annotations

from typing import Any

from sfnb_demo.data import compounds, fills, ids, pools
from sfnb_demo.data import fields as f
from sfnb_demo.data import system_fields as system
from sfnb_demo.data.schema import Field, ObjectDef

USERS = 40
USERNAMES = (
    "admin@acme.test",
    "limited@acme.test",
    "noapi@acme.test",
    *(f"user{n}@acme.test" for n in range(3, USERS)),
)
"""
The first is a system administrator. The second may use the API but sees only own records. The third
has no permission.
"""

PROFILES = (
    "System Administrator",
    "Standard User",
    "Read Only",
    "Solution Manager",
    "Marketing User",
    "Contract Manager",
    "Minimum Access",
    "Integration",
)
RECORD_TYPES = (
    ("Account", "Customer"), ("Account", "Partner"), ("Case", "Support"), ("Case", "Complaint"),
    ("Opportunity", "New_Business"), ("Opportunity", "Renewal"), ("Project__c", "Internal"), ("Project__c", "Client_Work"),
)  # fmt: skip
PERMISSIONS = (
    "ApiEnabled",
    "ViewAllData",
    "ModifyAllData",
    "QueryAllFiles",
    "ViewSetup",
    "ViewEventLogFiles",
    "ManageUsers",
    "BulkApiHardDelete",
)
CASE_STATUS = ("New", "Working", "Escalated", "Closed")


def record_type_ids(object_name: str) -> list[str]:
    """The ids of an object's record types."""
    return [
        ids.make_id("012", ids.FIRST + n)
        for n, (owner, _) in enumerate(RECORD_TYPES)
        if owner == object_name
    ]


def record_type(object_name: str) -> Field:
    """The RecordTypeId field of an object with record types."""
    return Field(
        "RecordTypeId", "reference", label="Record Type ID", length=18, refs=("RecordType",), relationship="RecordType", is_defaulted=True,
        fill=fills.pick(record_type_ids(object_name), nulls=0.05),
    )  # fmt: skip


def _profile(batch: fills.Batch) -> Any:
    at = [0 if n == 0 else 1 + n % (len(PROFILES) - 1) for n in batch.numbers]
    return fills.take([ids.make_id("00e", ids.FIRST + n) for n in range(len(PROFILES))], at)


def _permission(name: str) -> Field:
    """A permission by user: the administrator has all, the second only the API, the third none."""

    def fill(batch: fills.Batch) -> Any:
        has = {0: True, 1: name in ("ApiEnabled", "ViewSetup"), 2: False}
        return fills.take(
            [has.get(int(n), name in ("ApiEnabled", "ViewSetup")) for n in batch.numbers],
            range(batch.size),
            "bool",
        )

    return Field(
        f"Permissions{name}",
        "boolean",
        is_nillable=False,
        is_createable=False,
        is_updateable=False,
        is_defaulted=True,
        fill=fill,
    )


def objects() -> list[ObjectDef]:
    setup: dict[str, Any] = {"is_fixed": True, "is_deletable": False}
    given: dict[str, Any] = {"is_createable": False, "is_updateable": False}
    return [
        ObjectDef(
            "Organization", "00D",
            (
                system.ID, f.name(80, fill=fills.constant("Acme Demo GmbH")),
                *compounds.address(""), f.phone("Phone"),
                f.text("PrimaryContact", 80, fill=fills.constant("Ada Adams")),
                f.picklist("OrganizationType", "Enterprise Edition", nulls=0, **given),
                f.text("InstanceName", 5, fill=fills.constant("DEM1"), **given),
                f.text("NamespacePrefix", 15, fill=fills.constant(None), **given),
                f.boolean("IsSandbox", 0.0, **given), f.boolean("IsReadOnly", 0.0, **given),
                f.moment("TrialExpirationDate", nulls=1.0, **given),
                f.picklist("LanguageLocaleKey", "en_US", nulls=0), f.picklist("TimeZoneSidKey", "GMT", nulls=0),
                f.integer("FiscalYearStartMonth", 1, 2), f.text("DefaultCalendarAccess", 40, nulls=1.0),
                *system.created(), *system.modified(), system.modstamp(),
            ),
            rows=1, is_fixed=True, is_deletable=False, is_replicateable=False,
        ),
        ObjectDef(
            "User", "005",
            (
                system.ID, Field("Username", "string", length=80, is_nillable=False, is_unique=True, fill=fills.sequence(USERNAMES)),
                Field("LastName", "string", length=80, is_nillable=False, compound="Name", fill=fills.sequence(pools.LAST_NAMES)),
                Field("FirstName", "string", length=40, compound="Name", fill=fills.sequence(pools.FIRST_NAMES)),
                Field("Name", "string", length=121, is_nillable=False, is_name=True, formula="concat_ws(' ', {FirstName}, {LastName})", **given),
                Field("Email", "email", length=128, is_nillable=False, fill=fills.sequence(USERNAMES)),
                Field("Alias", "string", length=8, is_nillable=False, fill=fills.numbered("u", 3)),
                f.text("Title", 80, fill=fills.pick(pools.TITLES, nulls=0.3)), f.text("Department", 80, fill=fills.pick(("Sales", "Service", "IT"), nulls=0.2)),
                *compounds.address(""), f.phone("Phone"), f.boolean("IsActive", 1.0),
                Field("ProfileId", "reference", length=18, refs=("Profile",), relationship="Profile", is_nillable=False, fill=_profile),
                f.lookup("UserRoleId", "UserRole", nulls=0.2), f.lookup("ManagerId", "User", nulls=0.5, children="ManagedUsers"),
                f.picklist("UserType", "Standard", nulls=0, **given), f.picklist("TimeZoneSidKey", "GMT", "Europe/Berlin", "America/New_York", nulls=0),
                f.picklist("LocaleSidKey", "en_US", "de_DE", "ja_JP", nulls=0), f.picklist("LanguageLocaleKey", "en_US", "de", "ja", nulls=0),
                f.picklist("EmailEncodingKey", "UTF-8", nulls=0), f.moment("LastLoginDate", back_days=40, **given),
                *system.created(), *system.modified(), system.modstamp(),
            ),
            rows=USERS, **setup,
        ),
        ObjectDef(
            "Profile", "00e",
            (system.ID, f.name(fill=fills.sequence(PROFILES)), f.picklist("UserType", "Standard", nulls=0), f.text("Description", nulls=0.5),
             *(_permission(p) for p in PERMISSIONS[:3]), *system.created(), *system.modified(), system.modstamp()),
            rows=len(PROFILES), is_writable=False, **setup,
        ),
        ObjectDef(
            "UserRole", "00E",
            (system.ID, f.name(80, fill=fills.numbered("Role ", 2)), f.lookup("ParentRoleId", "UserRole", nulls=0.1, relationship=""),
             f.text("RollupDescription", 80), f.text("DeveloperName", 80, fill=fills.numbered("Role_", 2)), *system.modified_only(), system.modstamp()),
            rows=12, **setup,
        ),
        ObjectDef(
            "Group", "00G",
            (system.ID, f.name(40, fill=fills.numbered("Queue ", 2)), f.text("DeveloperName", 80, fill=fills.numbered("Queue_", 2)),
             f.picklist("Type", "Queue", "Regular", nulls=0).filled(fills.sequence(["Queue"] * pools.QUEUES + ["Regular"] * 4)), f.email("Email"), f.boolean("DoesSendEmailToMembers"),
             *system.created(), *system.modified(), system.modstamp()),
            rows=pools.QUEUES + 4, **setup,
        ),
        ObjectDef(
            "RecordType", "012",
            (system.ID, f.name(80, fill=fills.sequence([n.replace("_", " ") for _, n in RECORD_TYPES])),
             f.text("DeveloperName", 80, fill=fills.sequence([n for _, n in RECORD_TYPES])),
             f.picklist("SobjectType", *sorted({o for o, _ in RECORD_TYPES}), nulls=0).filled(fills.sequence([o for o, _ in RECORD_TYPES])),
             f.boolean("IsActive", 1.0), f.text("Description", 255, nulls=0.5), f.text("NamespacePrefix", 15, nulls=1.0),
             *system.created(), *system.modified(), system.modstamp()),
            rows=len(RECORD_TYPES), is_writable=False, **setup,
        ),
        ObjectDef(
            "PermissionSet", "0PS",
            (system.ID, f.name(80, fill=fills.numbered("Permission_Set_", 1)), f.text("Label", 80, fill=fills.numbered("Permission Set ", 1)),
             f.boolean("IsOwnedByProfile", 0.0), f.lookup("ProfileId", "Profile", nulls=1.0), *(_permission(p) for p in PERMISSIONS),
             *system.created(), *system.modified(), system.modstamp()),
            rows=6, **setup,
        ),
        ObjectDef(
            "PermissionSetAssignment", "0Pa",
            (system.ID, f.lookup("PermissionSetId", "PermissionSet", nulls=0, children="Assignments"),
             f.lookup("AssigneeId", "User", nulls=0, children="PermissionSetAssignments"), f.boolean("IsActive", 1.0), system.modstamp_alone()),
            rows=USERS, **setup,
        ),
        ObjectDef(
            "UserPermissionAccess", "0uP",
            (system.ID, f.moment("LastCacheUpdate", back_days=1, nulls=0, **given), *(_permission(p) for p in PERMISSIONS)),
            rows=USERS, is_writable=False, has_bulk=False, is_replicateable=False, **setup,
        ),
        ObjectDef(
            "CaseStatus", "01J",
            (system.ID, f.text("MasterLabel", fill=fills.sequence(CASE_STATUS)), f.text("ApiName", fill=fills.sequence(CASE_STATUS)),
             Field("SortOrder", "int", fill=fills.sequence((1, 2, 3, 4), "int64")),
             Field("IsDefault", "boolean", is_nillable=False, fill=fills.sequence((True, False, False, False), "bool")),
             Field("IsClosed", "boolean", is_nillable=False, fill=fills.sequence((False, False, False, True), "bool"))),
            plural="Case Status Values", rows=len(CASE_STATUS), is_writable=False, has_bulk=False, is_replicateable=False, **setup,
        ),
        ObjectDef(
            "LoginHistory", "0Ya",
            (system.ID, f.lookup("UserId", "User", nulls=0, relationship=""), f.moment("LoginTime", back_days=180, nulls=0),
             f.picklist("LoginType", "Application", "Remote Access 2.0", "Other Apex API", nulls=0), f.text("SourceIp", 39, fill=fills.joined("203.0.113.", fills.several(("7", "8")))),
             f.text("LoginUrl", 120, fill=fills.constant("login.example.com")), f.text("Browser", 64), f.text("Platform", 64),
             f.picklist("Status", "Success", "Invalid Password", nulls=0), f.text("Application", 64, fill=fills.pick(("Browser", "Acme Backup", "Data Loader"))),
             f.text("ClientVersion", 64, nulls=0.8), f.text("ApiType", 64, fill=fills.pick(("REST API", "SOAP Partner", "Bulk API"), nulls=0.3)),
             f.text("ApiVersion", 32, fill=fills.pick(("66.0", "59.0", "N/A")))),
            plural="Login History", rows=400, is_writable=False, is_deletable=False, is_replicateable=False,
        ),
    ]  # fmt: skip
