"""Where each file of an org is, from the org's folder. See docs/format.md."""

from __future__ import annotations


def plan_path(snapshot: str) -> str:
    return f"snapshots/{snapshot}/plan.json"


def owners_folder(snapshot: str) -> str:
    return f"snapshots/{snapshot}/owners"


def manifest_path(snapshot: str) -> str:
    return f"snapshots/{snapshot}/manifest.json"


def schema_folder(snapshot: str) -> str:
    return f"snapshots/{snapshot}/schema"


def schema_path(snapshot: str, object_name: str) -> str:
    return f"{schema_folder(snapshot)}/{object_name}.json"


def table_path(object_name: str) -> str:
    return f"tables/{object_name}"
