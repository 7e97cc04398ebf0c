"""Objects of a growing snapshot that were found not to have changed: few files, many lines."""

from __future__ import annotations

from collections.abc import Mapping

from sfnb.errors import StoreError
from sfnb.store.entries import ObjectEntry, entry_from_json
from sfnb.store.files import TEMPORARY, Files
from sfnb.store.formats import FORMAT, check_format
from sfnb.store.paths import unchanged_folder
from sfnb.store.place import RECORDS_FORMAT
from sfnb.store.plan import SnapshotPlan, check_place


def put_unchanged(files: Files, snapshot: str, entries: Mapping[str, ObjectEntry]) -> None:
    """Note objects that have not changed: one file for all of them, whole or not at all."""
    folder = unchanged_folder(snapshot)
    number = int(max(files.names(folder), default="00000000")[:8]) + 1
    content = {
        "format": FORMAT,
        "snapshot": snapshot,
        "objects": {name: entry.as_line() for name, entry in entries.items()},
    }
    files.put_json(f"{folder}/{number:08d}.json", content)


def replace_unchanged(
    files: Files, snapshot: str, entries: Mapping[str, ObjectEntry], folder: str
) -> None:
    """One file instead of all. Of an object the last file counts, so a kill in between harms nothing."""
    before = files.names(folder)
    put_unchanged(files, snapshot, entries)
    for name in before:
        files.delete(f"{folder}/{name}")


def read_unchanged(files: Files, plan: SnapshotPlan) -> dict[str, ObjectEntry]:
    """
    The objects of an unsealed snapshot that were found not to have changed.

    Raises:
        StoreError: a file is damaged.
    """
    found: dict[str, ObjectEntry] = {}
    if plan.format < RECORDS_FORMAT:
        return found
    folder = unchanged_folder(plan.snapshot)
    for file in files.names(folder):
        path = f"{folder}/{file}"
        if file.startswith(TEMPORARY) or (content := files.read_json(path)) is None:
            continue
        check_format(content, files.uri(path))
        check_place(content.get("snapshot", ""), plan.snapshot, files.uri(path))
        try:
            objects = content["objects"].items()
            found |= {name: entry_from_json(entry) for name, entry in objects}
        except (TypeError, ValueError, KeyError, AttributeError) as err:
            raise StoreError(f"{files.uri(path)} is damaged: it is no list of objects.") from err
    return found
