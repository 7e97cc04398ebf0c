"""
What `verify` found damaged, noted in the store, so that the next backup heals it.

A finding stays noted with the newest snapshot of that time. An object is healed as soon as its
state begins with a newer one: a full reading that was compared with nothing older.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sfnb.errors import StoreError
from sfnb.store.archives import ARCHIVES
from sfnb.store.bodies.content import DAMAGED, Contents, is_content
from sfnb.store.bodies.index import is_index
from sfnb.store.files import Files
from sfnb.store.formats import FORMAT, check_format
from sfnb.store.metadata.packs import PACKS
from sfnb.store.metadata.record import is_metadata_path
from sfnb.store.moving import move
from sfnb.store.paths import records_path
from sfnb.store.readings import last_settled
from sfnb.store.verify.findings import Finding

PATH = "damage.json"

NEVER = "~"
"""Later than each snapshot's id."""


@dataclass(frozen=True)
class Damage:
    """
    Args:
        objects: by object, of each damaged file the newest snapshot at the time it was found.
        metadata: likewise, packs and records of metadata.
    """

    objects: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def found_at(self, object_name: str) -> str:
        """The newest snapshot when damage of an object was found last; empty: none was."""
        return max(self.objects.get(object_name, {}).values(), default="")

    def is_still(self, object_name: str, files: Files, *, before: str) -> bool:
        """
        Whether the newest state of an object older than a snapshot may rest on what was found.

        Cost: no calls; the object's log where damage was found.
        """
        found_at = self.found_at(object_name)
        if not found_at:
            return False
        try:
            last = last_settled(files.below(records_path(object_name)), before)
        except StoreError:
            return True
        held = last.progress.held if last else None
        return held is None or found_at >= (held.starts_with or "")

    def is_past(self, finding: Finding, files: Files) -> bool:
        """
        Whether damage that was noted before is in what only older snapshots rest on: a backup since
        has read anew what the org has, and no backup can bring back what it had then.

        Cost: no calls; the object's log where damage was found.
        """
        noted = self.objects.get(finding.object_name, {})
        is_known = f"{finding.path} {finding.snapshot}" in noted
        return is_known and not self.is_still(finding.object_name, files, before=NEVER)

    def packs_since(self, snapshot: str) -> set[str]:
        """Packs of metadata that were found damaged when this snapshot, or a newer one, was the newest."""
        folder = f"{PACKS}/"
        return {
            path.removeprefix(folder)
            for path, at in self.metadata.items()
            if path.startswith(folder) and at >= snapshot
        }


def read_damage(files: Files) -> Damage:
    """What was noted last; nothing, where the note itself cannot be read: `verify` writes it anew."""
    try:
        content = files.read_json(PATH)
        if content is None:
            return Damage()
        check_format(content, files.uri(PATH))
        return Damage(content["objects"], content["metadata"])
    except (StoreError, KeyError):
        return Damage()


def is_of_table(path: str) -> bool:
    """
    Whether a path is that of a file of a table, which may belong to the state of any snapshot since.
    Pure.
    """
    return path.startswith("records/") and "." in path.rpartition("/")[2]


def note_damage(files: Files, findings: Iterable[Finding], *, is_whole: bool = True) -> None:
    """
    Keep what was found, and move bodies and their indexes that are of no use to anybody out of the
    way: the next backup fetches them again.

    Args:
        is_whole: everything was looked at, so what was found earlier and not now is well again.

    Raises:
        StoreError: the store cannot be written.
    """
    before = read_damage(files)
    newest = max(files.names("snapshots", folders=True), default="")
    objects: dict[str, dict[str, str]] = {}
    metadata: dict[str, str] = {}
    if not is_whole:
        objects = {name: dict(found) for name, found in before.objects.items()}
        metadata = dict(before.metadata)
    for finding in findings:
        # No backup heals an archive: the org no longer has what is in it.
        if not finding.is_damage or finding.path.startswith(f"{ARCHIVES}/"):
            continue
        if finding.kind == "digest" and is_content(finding.path):
            Contents(files).set_aside(finding.path.rpartition("/")[2])
        elif finding.kind == "damaged" and is_index(finding.path):
            move(files, finding.path, f"{DAMAGED}/{finding.path.replace('/', '-')}")
        elif is_metadata_path(finding.path):
            metadata[finding.path] = before.metadata.get(finding.path, newest)
        elif finding.object_name:
            key = f"{finding.path} {finding.snapshot}"
            known = before.objects.get(finding.object_name, {})
            at = newest if is_of_table(finding.path) else finding.snapshot or newest
            objects.setdefault(finding.object_name, {})[key] = known.get(key, at)
    now = Damage(objects, metadata)
    if now != before:
        files.put_json(PATH, {"format": FORMAT, "objects": objects, "metadata": metadata})
