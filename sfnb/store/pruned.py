"""Which snapshots were pruned: `pruned.json`, so that nobody misses them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sfnb.errors import StoreError
from sfnb.store.encoding import encode
from sfnb.store.files import Files
from sfnb.store.formats import FORMAT, check_format

PATH = "pruned.json"


def read_pruned(files: Files) -> dict[str, str]:
    """
    By snapshot, when it was pruned (ISO 8601).

    Raises:
        StoreError: the file is damaged.
    """
    content = files.read_json(PATH)
    if content is None:
        return {}
    check_format(content, files.uri(PATH))
    try:
        return {str(snapshot): str(at) for snapshot, at in content["snapshots"].items()}
    except (KeyError, AttributeError) as err:
        raise StoreError(f"{files.uri(PATH)} is damaged: it is no list of snapshots.") from err


def add_pruned(files: Files, snapshots: Collection[str], at: datetime) -> None:
    """From now on these snapshots are pruned, whatever is still there of them."""
    found = read_pruned(files)
    if not found.keys() >= set(snapshots):
        files.put(PATH, _with(found, snapshots, at))


def pruned_size(files: Files, snapshots: Collection[str], at: datetime) -> int:
    """How many bytes the file would have with these."""
    found = read_pruned(files)
    return len(_with(found, snapshots, at)) if found or snapshots else 0


def _with(found: dict[str, str], snapshots: Iterable[str], at: datetime) -> bytes:
    known = {snapshot: at.isoformat() for snapshot in snapshots} | found
    return encode({"format": FORMAT, "snapshots": dict(sorted(known.items()))}, indent=1)
