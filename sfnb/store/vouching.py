"""What a seal vouches for beside rows: the snapshot's metadata, and the index of bodies."""

from __future__ import annotations

from collections.abc import Mapping

from sfnb.errors import StoreError
from sfnb.store.bodies.index import index_paths, whole_path
from sfnb.store.files import Files
from sfnb.store.formats import NewerFormat
from sfnb.store.manifest import Manifest, read_manifest
from sfnb.store.metadata.record import record_path


def metadata_digest(files: Files, snapshot: str) -> str:
    """SHA-256 of a snapshot's record of metadata; empty: it has none."""
    found = files.digest(record_path(snapshot))
    return found[1] if found else ""


def index_digests(files: Files, snapshot: str, *, is_rebuilt: bool) -> dict[str, str]:
    """
    SHA-256 of each file of the index, by the snapshot that wrote it.

    What the newest seal before vouches for stays vouched for, so that a file that was lost is
    missed for ever; unless all bodies were looked for just now, and fetched where they were lost.

    Args:
        is_rebuilt: this backup has gone through all bodies of the org.
    """
    before = _before(files, snapshot)
    there = {name: path for path, name in index_paths(files) if path == whole_path(name)}
    kept = {name: sha256 for name, sha256 in before.items() if name in there or not is_rebuilt}
    for name, path in there.items():
        if name <= snapshot and name not in kept and (found := files.digest(path)):
            kept[name] = found[1]
    return dict(sorted(kept.items()))


def _before(files: Files, snapshot: str) -> Mapping[str, str]:
    """What the newest older seal vouches for."""
    for older in reversed(files.names("snapshots", folders=True)):
        manifest = _manifest(files, older) if older < snapshot else None
        if manifest is not None and manifest.indexes is not None:
            return manifest.indexes
    return {}


def _manifest(files: Files, snapshot: str) -> Manifest | None:
    try:
        return read_manifest(files, snapshot)
    except NewerFormat:
        raise
    except StoreError:
        return None  # `verify` names this damage
