"""Where each file of an org is, from the org's folder. See docs/format.md."""

from __future__ import annotations


def plan_path(snapshot: str) -> str:
    return f"snapshots/{snapshot}/plan.json"


def owners_folder(snapshot: str) -> str:
    return f"snapshots/{snapshot}/owners"


def manifest_path(snapshot: str) -> str:
    return f"snapshots/{snapshot}/manifest.json"


def summary_path(snapshot: str) -> str:
    return f"snapshots/{snapshot}/summary.json"


def schema_folder(snapshot: str) -> str:
    return f"snapshots/{snapshot}/schema"


def schema_path(snapshot: str, object_name: str) -> str:
    return f"{schema_folder(snapshot)}/{object_name}.json"


def unchanged_folder(snapshot: str) -> str:
    return f"snapshots/{snapshot}/unchanged"


def sweeps_folder(snapshot: str, object_name: str) -> str:
    return f"snapshots/{snapshot}/sweeps/{object_name}"


def unsealed_folders(snapshot: str) -> tuple[str, ...]:
    """Folders of a snapshot that only a growing one has."""
    sweeps = f"snapshots/{snapshot}/sweeps"
    return owners_folder(snapshot), unchanged_folder(snapshot), sweeps


def records_path(object_name: str) -> str:
    return f"records/{object_name}"


def table_path(object_name: str) -> str:
    """An object's table in formats 1 and 2."""
    return f"tables/{object_name}"
