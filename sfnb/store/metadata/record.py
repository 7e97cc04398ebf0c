"""What one snapshot has of the org's metadata: ``snapshots/<S>/metadata.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sfnb.errors import StoreError
from sfnb.store.files import TEMPORARY, Files
from sfnb.store.formats import FORMAT, check_format
from sfnb.store.metadata.packs import PACKS, StoredFile


@dataclass(frozen=True, slots=True)
class Missing:
    """A component that was asked for and not obtained, and what the org said."""

    type: str
    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class MetadataRecord:
    """
    The metadata of one snapshot, or a piece of it.

    Args:
        taken_at: when the listing of the org was made (ISO, UTC).
        api_version: in which the components are written.
        components: by type and full name, the paths of its files.
        files: by path, its content.
        missing: not empty: the metadata is partial.
        notes: what need not worry anybody, in sentences.
        listing: digest of what listMetadata said; equal listings mean that nothing seems changed.
        unchanged_since: the snapshot that has all of this, since nothing has changed since then.
        variants: further contents of files that depend on what else was asked for (profiles).
    """

    snapshot: str
    taken_at: str = ""
    api_version: str = ""
    components: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    files: Mapping[str, StoredFile] = field(default_factory=dict)
    missing: Sequence[Missing] = ()
    notes: Sequence[str] = ()
    listing: str = ""
    unchanged_since: str = ""
    variants: Mapping[str, Sequence[StoredFile]] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many components it has."""
        return sum(len(names) for names in self.components.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "snapshot": self.snapshot,
            "taken_at": self.taken_at,
            "api_version": self.api_version,
            "listing": self.listing,
            "unchanged_since": self.unchanged_since,
            "components": {
                kind: {name: list(paths) for name, paths in names.items()}
                for kind, names in self.components.items()
            },
            "files": {path: list(stored) for path, stored in self.files.items()},
            "variants": {path: [list(one) for one in some] for path, some in self.variants.items()},
            "missing": [[one.type, one.name, one.problem] for one in self.missing],
            "notes": list(self.notes),
        }


def record_path(snapshot: str) -> str:
    return f"snapshots/{snapshot}/metadata.json"


def pieces_folder(snapshot: str) -> str:
    return f"snapshots/{snapshot}/metadata"


def is_metadata_path(path: str) -> bool:
    """Whether a path from the org's folder is that of a pack, or of a snapshot's metadata."""
    folder, _, rest = path.partition("/")
    is_record = folder == "snapshots" and rest.partition("/")[2].startswith("metadata")
    return folder == PACKS or is_record


def put_record(files: Files, record: MetadataRecord) -> None:
    """The metadata of a snapshot is complete as far as it goes; its pieces are no longer needed."""
    files.put_json(record_path(record.snapshot), record.as_json())
    for path in _pieces(files, record.snapshot):
        files.delete(path)


def put_piece(files: Files, record: MetadataRecord, number: int) -> None:
    """What one retrieve has brought, so that a kill does not ask for it again."""
    files.put_json(f"{pieces_folder(record.snapshot)}/{number:04d}.json", record.as_json())


def read_pieces(files: Files, snapshot: str) -> list[MetadataRecord]:
    found = (read_record_at(files, path, snapshot) for path in _pieces(files, snapshot))
    return [record for record in found if record is not None]


def read_record(files: Files, snapshot: str) -> MetadataRecord | None:
    """
    What a snapshot has of the metadata; None: nothing. Where it is unchanged, what it was then.

    Raises:
        StoreError: it is damaged.
    """
    record = read_record_at(files, record_path(snapshot), snapshot)
    if record is None or not record.unchanged_since:
        return record
    whole = read_record_at(files, record_path(record.unchanged_since), record.unchanged_since)
    if whole is None:
        path = files.uri(record_path(record.unchanged_since))
        raise StoreError(f"{path} is missing: snapshot {snapshot} says that it has its metadata.")
    return replace(
        whole,
        snapshot=snapshot,
        taken_at=record.taken_at,
        unchanged_since=record.unchanged_since,
    )


def latest_record(files: Files, snapshots: Sequence[str]) -> MetadataRecord | None:
    """Of these snapshots (oldest first), the metadata of the newest that has any."""
    for snapshot in reversed(snapshots):
        record = read_record(files, snapshot)
        if record is not None:
            return record
    return None


def _pieces(files: Files, snapshot: str) -> list[str]:
    folder = pieces_folder(snapshot)
    return [f"{folder}/{name}" for name in files.names(folder) if not name.startswith(TEMPORARY)]


def read_record_at(files: Files, path: str, snapshot: str) -> MetadataRecord | None:
    """One file as it stands; None where it is not there."""
    content = files.read_json(path)
    if content is None:
        return None
    check_format(content, files.uri(path))
    if content.get("snapshot") != snapshot:
        raise StoreError(f"{files.uri(path)} is damaged: it belongs to another snapshot.")
    try:
        return MetadataRecord(
            snapshot,
            content["taken_at"],
            content["api_version"],
            content["components"],
            {path: StoredFile(*stored) for path, stored in content["files"].items()},
            [Missing(*one) for one in content["missing"]],
            content["notes"],
            content["listing"],
            content["unchanged_since"],
            {p: [StoredFile(*one) for one in some] for p, some in content["variants"].items()},
        )
    except (KeyError, TypeError, AttributeError) as err:
        raise StoreError(f"{files.uri(path)} is damaged: it is no record of metadata.") from err
