"""What is to be done with one thing, given how it was and how it stands now. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sfnb.restore.automation.items import Kind

Metadata = Mapping[str, Any]

VERSION, ACTIVE, STATUS = "activeVersionNumber", "active", "status"
HIDDEN = "(hidden)"
"""The code of a managed package's trigger, as everybody sees it (Tooling API guide, ApexTrigger)."""


@dataclass(frozen=True, slots=True)
class Decision:
    """
    Args:
        what: ``send``: the metadata is to be sent; ``done``: it stands as wanted; ``leave``: not
            touched.
        note: what people should know; may be empty.
    """

    what: Literal["send", "done", "leave"]
    metadata: Metadata
    note: str = ""


def state_of(kind: Kind, record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of the Tooling API as the journal keeps it."""
    metadata = dict(record.get("Metadata") or {})
    if kind != "trigger":
        return metadata
    return {
        STATUS: record.get("Status"),
        "body": record.get("Body"),
        "apiVersion": metadata.get("apiVersion") or record.get("ApiVersion"),
        "packageVersions": metadata.get("packageVersions") or [],
        "fullName": record.get("FullName") or record.get("Name"),
    }


def is_on(kind: Kind, state: Metadata) -> bool:
    """Whether it runs."""
    if kind == "flow":
        return bool(state.get(VERSION))
    return state.get(STATUS) == "Active" if kind == "trigger" else state.get(ACTIVE) is True


def why_fixed(kind: Kind, state: Metadata) -> str:
    """Why it cannot be switched, where that is known before anybody tries; else empty."""
    if kind == "trigger" and state.get("body") in (None, "", HIDDEN):
        return "it belongs to a managed package, which hides its code, so it stays on"
    if kind == "validation_rule" and not state.get("errorConditionFormula"):
        return "it belongs to a managed package, which hides its formula, so it stays on"
    return ""


def switched_off(kind: Kind, state: Metadata) -> Metadata:
    """What to send so that it no longer runs, and nothing else about it changes."""
    if kind == "flow":
        return {VERSION: 0}
    return {**state, STATUS: "Inactive"} if kind == "trigger" else {**state, ACTIVE: False}


def decide_on(kind: Kind, before: Metadata, now: Metadata | None) -> Decision:
    """
    How a thing comes back that the journal says may be off.

    Only whether it runs is ours. What somebody else has changed in it meanwhile stays and is named.

    Args:
        now: None: it is gone.
    """
    if now is None:
        return Decision("leave", {}, "somebody has deleted it meanwhile")
    if kind == "flow":
        return _flow_on(before, now)
    flag, on = (STATUS, "Active") if kind == "trigger" else (ACTIVE, True)
    is_same = _without(before, flag) == _without(now, flag)
    if is_on(kind, now):
        note = "" if is_same else "somebody has changed it meanwhile, and it runs so"
        return Decision("done", now, note)
    note = "" if is_same else "somebody has changed it meanwhile; it was switched on as it is now"
    return Decision("send", {**now, flag: on}, note)


def _flow_on(before: Metadata, now: Metadata) -> Decision:
    was, version = before.get(VERSION), now.get(VERSION)
    if not version:
        return Decision("send", {VERSION: was})
    if version == was:
        return Decision("done", now)
    note = f"somebody has activated version {version} meanwhile (version {was} ran before); it stays so"
    return Decision("leave", now, note)


def _without(state: Metadata, flag: str) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name != flag}
