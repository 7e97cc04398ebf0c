"""
The org's metadata as the Metadata API lays it out: what kinds there are, and the files of each.

Objects follow from the catalogue; the rest is made up, the same in every org. What has gone wrong
in the field is in it: packaged layouts that are listed without their second namespace, folders that
are components themselves, value sets that no list names, dates that say nothing.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from xml.sax.saxutils import escape

EPOCH = "1970-01-01T00:00:00.000Z"
"""The date of standard components."""

STAMP = "2026-10-05T08:30:00.000Z"
NAMESPACE = "pkg"


@dataclass(frozen=True, slots=True)
class Kind:
    """One entry of describeMetadata."""

    name: str
    directory: str
    suffix: str = ""
    in_folder: bool = False
    meta_file: bool = False
    children: tuple[str, ...] = ()


KINDS = (
    Kind("CustomLabels", "labels", "labels", children=("CustomLabel",)),
    Kind("StaticResource", "staticresources", "resource", meta_file=True),
    Kind("ApexClass", "classes", "cls", meta_file=True),
    Kind("ApexTrigger", "triggers", "trigger", meta_file=True),
    Kind("ApexPage", "pages", "page", meta_file=True),
    Kind(
        "CustomObject",
        "objects",
        "object",
        children=("CustomField", "ValidationRule", "RecordType"),
    ),
    Kind("CustomTab", "tabs", "tab"),
    Kind("CustomApplication", "applications", "app"),
    Kind("CustomMetadata", "customMetadata", "md"),
    Kind("Layout", "layouts", "layout"),
    Kind("Flow", "flows", "flow"),
    Kind("Workflow", "workflows", "workflow", children=("WorkflowRule",)),
    Kind("PermissionSet", "permissionsets", "permissionset"),
    Kind("Profile", "profiles", "profile"),
    Kind("StandardValueSet", "standardValueSets", "standardValueSet"),
    Kind("RemoteSiteSetting", "remoteSiteSettings", "remoteSite"),
    Kind("Report", "reports", "report", in_folder=True),
    Kind("Dashboard", "dashboards", "dashboard", in_folder=True),
    Kind("Document", "documents", "", in_folder=True, meta_file=True),
    Kind("EmailTemplate", "email", "email", in_folder=True, meta_file=True),
    Kind("Settings", "settings", "settings"),
)
BY_NAME = {kind.name: kind for kind in KINDS}

FOLDER_KINDS = {
    "ReportFolder": "Report",
    "DashboardFolder": "Dashboard",
    "DocumentFolder": "Document",
    "EmailFolder": "EmailTemplate",
}
"""What lists the folders of a kind; that of EmailTemplate has an irregular name."""

NO_WILDCARD = frozenset({"StandardValueSet", *FOLDER_KINDS.values(), "CustomMetadata"})

VALUE_SETS = (
    "AccountType",
    "CaseOrigin",
    "CaseStatus",
    "Industry",
    "LeadSource",
    "OpportunityStage",
)


@dataclass(frozen=True, slots=True)
class Component:
    """
    One component and its files.

    Args:
        full_name: as listMetadata gives it.
        wanted_as: the one name under which retrieve finds it, where that is another.
        files: by path below the package's root.
        speaks_of: for a profile, what its elements are about: ``(kind, full name)`` to XML.
    """

    kind: str
    full_name: str
    files: Mapping[str, bytes]
    modified_at: str = STAMP
    namespace: str = ""
    wanted_as: str = ""
    is_listed: bool = True
    speaks_of: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def main_file(self) -> str:
        return next(iter(self.files), "")

    @property
    def id(self) -> str:
        digest = hashlib.sha1(f"{self.kind}{self.full_name}".encode(), usedforsecurity=False)
        return f"0Mt{digest.hexdigest()[:15].upper()}"


def xml(kind: str, inner: str) -> bytes:
    """A metadata file."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<{kind} xmlns="http://soap.sforce.com/2006/04/metadata">\n{inner}</{kind}>\n'
    )
    return text.encode()


def tag(name: str, value: object) -> str:
    return f"    <{name}>{escape(str(value))}</{name}>\n"


def group(name: str, **values: object) -> str:
    inner = "".join(f"        <{k}>{escape(str(v))}</{k}>\n" for k, v in values.items())
    return f"    <{name}>\n{inner}    </{name}>\n"


def plain(kind: str, full_name: str, inner: str, **more: Any) -> Component:
    """A component of one XML file."""
    of = BY_NAME[kind]
    return Component(
        kind, full_name, {f"{of.directory}/{full_name}.{of.suffix}": xml(kind, inner)}, **more
    )


def coded(kind: str, full_name: str, body: bytes, inner: str, **more: Any) -> Component:
    """A component whose file is no XML and has a ``-meta.xml`` beside it."""
    of = BY_NAME[kind]
    path = f"{of.directory}/{full_name}" + (f".{of.suffix}" if of.suffix else "")
    return Component(kind, full_name, {path: body, f"{path}-meta.xml": xml(kind, inner)}, **more)


def trigger(name: str, on: str, status: str, *, namespace: str = "") -> Component:
    """A trigger; that of a managed package shows its code to nobody."""
    plain_name = name.removeprefix(f"{namespace}__")
    code = f"trigger {plain_name} on {on} (before insert, before update) {{\n    // größer\n}}\n"
    return coded(
        "ApexTrigger",
        name,
        b"(hidden)" if namespace else code.encode(),
        tag("apiVersion", "66.0") + tag("status", status),
        namespace=namespace,
    )


def custom_object(described: Mapping[str, Any]) -> Component:
    """An object and its fields, of its describe answer."""
    name = described["name"]
    fields = [
        group("fields", fullName=f["name"], label=f["label"], type=f["type"].capitalize())
        for f in described["fields"]
        if f["custom"] or not described["custom"]
    ]
    inner = "".join(fields) + tag("label", described["label"])
    return plain("CustomObject", name, inner, modified_at=STAMP if described["custom"] else EPOCH)


def flow(name: str, *statuses: str) -> list[Component]:
    """
    A flow and its versions. A list has the flow alone; its plain name brings the active version, or
    the newest where none is (Metadata API guide, Flow, from API version 44 on).
    """
    running = statuses.index("Active") if "Active" in statuses else len(statuses) - 1
    inner = [tag("status", one) + tag("processType", "AutoLaunchedFlow") for one in statuses]
    return [
        plain("Flow", name, inner[running]),
        *(
            plain("Flow", f"{name}-{number}", text, is_listed=False)
            for number, text in enumerate(inner, start=1)
        ),
    ]


def flow_versions(components: Iterable[Component]) -> list[tuple[str, int, str]]:
    """Of all flows: name, number and status of each version."""
    found = []
    for one in components:
        numbered = re.fullmatch(r"(.+)-(\d+)", one.full_name)
        if one.kind == "Flow" and numbered and not one.is_listed:
            status = re.search(rb"<status>(\w+)<", one.files[one.main_file])
            found.append((numbered[1], int(numbered[2]), status[1].decode() if status else ""))
    return found


def bundle() -> bytes:
    """A zip with a member that leads out of the folder it is unpacked to; the same in every org."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as zipped:
        for name in ("style.css", "../../outside.txt"):
            zipped.writestr(zipfile.ZipInfo(name), "text")
    return sink.getvalue()


def profile(name: str, others: Iterable[Component]) -> Component:
    """A profile speaks of what is requested together with it; here of all that it could."""
    spoken = {}
    for other in others:
        key = (other.kind, other.full_name)
        if other.kind == "CustomObject":
            spoken[key] = group("objectPermissions", allowRead="true", object=other.full_name)
        elif other.kind == "ApexClass":
            spoken[key] = group("classAccesses", apexClass=other.full_name, enabled="true")
        elif other.kind == "Layout":
            spoken[key] = group("layoutAssignments", layout=other.full_name)
    return plain("Profile", name, tag("custom", "false"), speaks_of=spoken)


def folder(kind: str, name: str) -> Component:
    """A folder is a component of the kind that it holds."""
    of = BY_NAME[kind]
    meta = xml(f"{kind}Folder", tag("name", name) + tag("accessType", "Public"))
    return Component(kind, name, {f"{of.directory}/{name}-meta.xml": meta})


def catalogue(describes: Iterable[Mapping[str, Any]]) -> list[Component]:
    """All components of a new org."""
    objects = [custom_object(d) for d in describes]
    code = [
        coded(
            "ApexClass",
            f"Invoices{n}",
            f"public class Invoices{n} {{\n    // größer\n}}\n".encode(),
            tag("apiVersion", "66.0") + tag("status", "Active"),
        )
        for n in range(5)
    ]
    layouts = [
        plain("Layout", f"{o.full_name}-{o.full_name} Layout", tag("layoutColumns", 2))
        for o in objects[:6]
    ]
    # Listed without the second namespace, found only with it.
    packaged = f"Account-{NAMESPACE}__Packaged Layout"
    layouts.append(
        replace(
            plain(
                "Layout", packaged, tag("layoutColumns", 1), namespace=NAMESPACE, wanted_as=packaged
            ),
            full_name="Account-Packaged Layout",
        )
    )
    simple = [
        trigger("AccountTrigger", "Account", "Active"),
        trigger("ContactTrigger", "Contact", "Inactive"),
        trigger(f"{NAMESPACE}__SyncTrigger", "Contact", "Active", namespace=NAMESPACE),
        coded("ApexPage", "Start", b"<apex:page/>\n", tag("label", "Start")),
        # It says zip and is none: nobody may unpack it.
        coded("StaticResource", "Pictures", b"PK\x03\x04 no zip at all", tag("contentType", "application/zip")),
        # It is one, says nothing of it, and would write beside its folder.
        coded("StaticResource", "Bundle", bundle(), tag("contentType", "application/octet-stream")),
        plain("CustomLabels", "CustomLabels", group("labels", fullName="Hello", value="Grüß Gott")),
        plain("CustomTab", "Invoice__c", tag("customObject", "true")),
        plain("CustomApplication", "Sales", tag("label", "Sales")),
        plain("CustomMetadata", "Rate.Standard", tag("label", "Standard")),
        *flow("Reminder", "Obsolete", "Active", "Draft"),
        plain("Workflow", "Account", group("rules", fullName="Greet", active="true")),
        plain("RemoteSiteSetting", "Bank", tag("url", "https://bank.example")),
        plain("Settings", "Account", tag("enableAccountTeams", "false")),
        *(
            plain("StandardValueSet", name, group("standardValue", fullName="One", default="false"), is_listed=False)
            for name in VALUE_SETS
        ),
    ]  # fmt: skip
    foldered = [
        *(folder(kind, "Sales") for kind in FOLDER_KINDS.values()),
        plain("Report", "Sales/Open_Deals", tag("name", "Open Deals")),
        plain("Report", "unfiled$public/Loose", tag("name", "Loose")),
        plain("Dashboard", "Sales/Wall", tag("title", "Wall")),
        coded("Document", "Sales/logo.png", b"\x89PNG\r\n", tag("internalUseOnly", "false")),
        coded("EmailTemplate", "Sales/Welcome", b"Welcome!\r\n", tag("name", "Welcome")),
        coded("EmailTemplate", "unfiled$public/Bye", b"Bye.\n", tag("name", "Bye")),
    ]
    spoken = [*objects, *code, *layouts]
    people = [profile("Admin", spoken), profile("Standard", spoken)]
    people.append(plain("PermissionSet", "Auditor", tag("label", "Auditor")))
    return [*objects, *code, *layouts, *simple, *foldered, *people]
