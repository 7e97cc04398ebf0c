"""
Where archives are: each is a small store of its own below its org's, with one snapshot.

So an archive is never ``latest``, no backup is compared with it, and what thins out the backups'
snapshots does not see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sfnb.errors import StoreError
from sfnb.store.files import Files
from sfnb.store.formats import FORMAT, check_format
from sfnb.store.paths import manifest_path, plan_path
from sfnb.store.plan import SNAPSHOT_ID

ARCHIVES = "archives"
RECORD = "archive.json"


def archive_folder(snapshot: str) -> str:
    """An archive's folder, from the org's."""
    return f"{ARCHIVES}/{snapshot}"


def archive_ids(files: Files) -> Iterator[str]:
    """The snapshots of an org's archives, oldest first; those that have a plan."""
    for name in files.names(ARCHIVES, folders=True):
        if is_archive(files, name):
            yield name


def is_archive(files: Files, snapshot: str) -> bool:
    """Whether an archive of the org has this snapshot."""
    folder = archive_folder(snapshot)
    return SNAPSHOT_ID.fullmatch(snapshot) is not None and (
        files.has(f"{folder}/{plan_path(snapshot)}")
        or files.has(f"{folder}/{manifest_path(snapshot)}")
    )


@dataclass(frozen=True, slots=True)
class ArchivedObject:
    """The records of one object in an archive; the Ids tell whether one can be among them."""

    rows: int
    min_id: str
    max_id: str


@dataclass(frozen=True, slots=True)
class ArchiveRecord:
    """
    What an archive is, small enough to be read for each of many archives.

    Args:
        archived_at: when all was in the store (ISO, UTC).
        is_done: the deletion has ended.
        stayed: by object, records that are in the snapshot and were not deleted after all.
    """

    snapshot: str
    object_name: str
    where: str
    archived_at: str
    is_done: bool = False
    is_hard: bool = False
    objects: Mapping[str, ArchivedObject] = field(default_factory=dict)
    stayed: Mapping[str, list[str]] = field(default_factory=dict)

    def rows_of(self, name: str) -> int:
        """How many records of an object left the org."""
        return self.objects[name].rows - len(self.stayed.get(name, ()))

    @property
    def rows(self) -> int:
        """How many records left the org."""
        return sum(map(self.rows_of, self.objects))


def put_archive_record(files: Files, record: ArchiveRecord) -> None:
    """
    Args:
        files: the archive's own folder.
    """
    files.put_json(RECORD, {"format": FORMAT, **asdict(record)})


def read_archive_record(files: Files) -> ArchiveRecord | None:
    """
    None while its records are still being stored.

    Raises:
        StoreError: it is damaged.
    """
    content = files.read_json(RECORD)
    if content is None:
        return None
    check_format(content, files.uri(RECORD))
    try:
        values: dict[str, Any] = {n: content[n] for n in ArchiveRecord.__dataclass_fields__}
        values["objects"] = {n: ArchivedObject(**one) for n, one in values["objects"].items()}
        return ArchiveRecord(**values)
    except (KeyError, TypeError) as err:
        raise StoreError(f"{files.uri(RECORD)} is damaged: it is no archive's record.") from err


def archived_since(files: Files, snapshots: Mapping[str, str]) -> dict[str, int]:
    """
    By object, how many records left the org by archives that began after a snapshot.

    Args:
        files: the org's folder.
        snapshots: by object, the snapshot.

    Cost: a small file for each archive since the oldest of them.
    """
    found = dict.fromkeys(snapshots, 0)
    first = min(snapshots.values(), default="~")
    for one in archive_ids(files):
        is_since = _second(one) >= _second(first)
        record = read_archive_record(files.below(archive_folder(one))) if is_since else None
        if record is None:
            continue
        for name in record.objects:
            if name in found and _second(one) >= _second(snapshots[name]):
                found[name] += record.rows_of(name)
    return found


def _second(snapshot: str) -> str:
    """When it began; ids of one second stand in no order."""
    return snapshot.partition("-")[0]
