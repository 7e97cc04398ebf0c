"""Which snapshots were pruned: `pruned.json`, so that nobody misses them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sfnb.errors import StoreError
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


def add_pruned(files: Files, snapshots: Iterable[str], at: datetime) -> None:
    """From now on these snapshots are pruned, whatever is still there of them."""
    found = read_pruned(files)
    new = {snapshot: at.isoformat() for snapshot in snapshots if snapshot not in found}
    if new:
        known = dict(sorted((found | new).items()))
        files.put_json(PATH, {"format": FORMAT, "snapshots": known}, indent=1)
