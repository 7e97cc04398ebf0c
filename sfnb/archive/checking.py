"""
Promise P5: what the store has is read back and compared, first with what was read from the org, and
right before the deletion with the org itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass, field

from sfnb.archive.comparing import (
    Values,
    compared_fields,
    core_fields,
    differences,
    digest_of,
    is_our_doing,
    plain_rows,
)
from sfnb.archive.folder import Kept
from sfnb.archive.gathering import rows_by_id
from sfnb.archive.trees import Member, Trees
from sfnb.errors import StoreError
from sfnb.model import ObjectSchema
from sfnb.restore.choice import rows_with
from sfnb.store.bodies.content import content_path
from sfnb.store.bodies.index import Lookup
from sfnb.store.bodies.records import bodies_of
from sfnb.store.files import Files
from sfnb.store.parts import text_array
from sfnb.store.snapshots import Snapshot

Schemas = Mapping[str, ObjectSchema]
Tick = Callable[[], None]


def not_whole(
    snapshot: Snapshot, schemas: Schemas, members: Mapping[str, Mapping[str, bytes]], tick: Tick
) -> dict[str, str]:
    """
    Read everything back from the store: by Id, what is wrong with the records that are not whole
    there. Their files are hashed, too.

    Args:
        members: by object, the digests of the records as they were read from the org.
    """
    wrong: dict[str, str] = {}
    for name, digests in members.items():
        seen: set[str] = set()
        try:
            for batch in snapshot.rows(name).batches():
                tick()
                fields = compared_fields(schemas[name], batch.schema.names)
                for row in plain_rows(batch):
                    record_id = row["Id"]
                    seen.add(record_id)
                    if digest_of(row, fields) != digests.get(record_id):
                        wrong[record_id] = "the store says something else than the org did"
        except StoreError as err:
            wrong |= dict.fromkeys(digests, f"the store cannot be read: {err}")
            continue
        wrong |= dict.fromkeys(digests.keys() - seen, "it is not in the store")
    return wrong | _bodies_not_whole(snapshot, members, tick)


def _bodies_not_whole(
    snapshot: Snapshot, members: Mapping[str, Mapping[str, bytes]], tick: Tick
) -> dict[str, str]:
    wrong: dict[str, str] = {}
    with Lookup(snapshot.files) as lookup:
        lookup.look_at_contents()
        for name in members:
            for body in bodies_of(snapshot, name):
                tick()
                entry = lookup.entry(body)
                if entry is not None and entry.state == "outside":
                    continue
                if entry is None or entry.state != "held":
                    why = entry.reason if entry is not None else "nobody has fetched it"
                    wrong[body.id] = f"its file is not in the store: {why}"
                    continue
                found = snapshot.files.digest(content_path(entry.sha256))
                if found is None or found[1] != entry.sha256:
                    wrong[body.id] = "its file in the store is damaged"
    return wrong


@dataclass
class Check:
    """
    What a look at the org right before the deletion says.

    Args:
        good: roots whose trees are as they are in the store.
    """

    good: list[str] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


@dataclass
class LastLook:
    """
    Compares fresh trees with the stored ones.

    Args:
        gone: what this job has deleted so far, and what went along.
    """

    snapshot: Snapshot
    schemas: Schemas
    gone: Container[str]

    def check(
        self,
        stored: Mapping[str, list[Member]],
        fresh: Trees,
        files: Files,
        roots: Collection[str],
    ) -> Check:
        """Which of these roots may go. Pure but for what the store is asked."""
        found = Check()
        now = fresh.by_root()
        differing = self._differing(stored, fresh, files, roots)
        for root in roots:
            tree = {m.id: m for m in stored[root]}
            troubles = self._troubles(root, tree, fresh, now.get(root, []), differing)
            if troubles:
                found.kept += troubles
            else:
                found.good.append(root)
        return found

    def after(
        self,
        stored: Mapping[str, list[Member]],
        after: Trees,
        files: Files,
        roots: Collection[str],
        sent_us: Mapping[str, int],
    ) -> dict[str, str]:
        """
        Roots that should not have gone, and why: they took along a record that the store does not
        have, or a record was changed between the last look and its deletion.

        Args:
            after: read after the deletion, with what is in the recycle bin.
            sent_us: when each root's deletion was sent, by the org's clock.
        """
        wrong: dict[str, str] = {}
        now = after.by_root()
        suspects: dict[str, str] = {}
        for root in roots:
            tree = {m.id: m for m in stored[root]}
            for record_id in now.get(root, ()):
                member = after.members[record_id]
                if record_id in tree:
                    if member.is_deleted and member.core != tree[record_id].core:
                        suspects[record_id] = root
                elif member.is_deleted and member.stamp_us >= sent_us.get(root, 0):
                    # What was deleted before lies in the bin under the same parent.
                    wrong[root] = f"{member.object_name} {record_id} went along and is not stored"
        # What went along in the same deletion counts as ours before the group is over.
        along = {
            m.id
            for root in roots
            for m in stored[root]
            if m.id not in after.members or after.members[m.id].is_deleted
        }
        for record_id in self._changed(after, files, suspects, along):
            member = after.members[record_id]
            why = f"{member.object_name} {record_id} was changed in the last moment"
            wrong.setdefault(suspects[record_id], why)
        return wrong

    def _changed(
        self, after: Trees, files: Files, ids: Collection[str], along: Collection[str]
    ) -> set[str]:
        """Of these records those that said something else when they went than the store does."""
        by_object: dict[str, set[str]] = {}
        for record_id in ids:
            by_object.setdefault(after.members[record_id].object_name, set()).add(record_id)
        found = set()
        for name, some in by_object.items():
            was, now = self._stored_rows(name, some), rows_by_id(files, after.paths[name], some)
            for record_id in some:
                one, other = was.get(record_id), now[record_id]
                if one is None:
                    found.add(record_id)
                    continue
                fields = core_fields(compared_fields(self.schemas[name], list(one)))
                differing = differences(one, other, fields)
                if differing and not is_our_doing(one, other, differing, _Either(self.gone, along)):
                    found.add(record_id)
        return found

    def _troubles(
        self,
        root: str,
        tree: Mapping[str, Member],
        fresh: Trees,
        now: Collection[str],
        differing: Collection[str],
    ) -> list[Kept]:
        why: list[tuple[Member, str]] = []
        for record_id in now:
            if record_id not in tree:
                why.append((fresh.members[record_id], "it is new since the records were read"))
            elif record_id in differing:
                why.append((tree[record_id], "it has changed since it was read"))
        there = set(now)
        why += [
            (member, "it is no longer there, or belongs to something else")
            for record_id, member in tree.items()
            if record_id not in there and record_id not in self.gone
        ]
        unknown = fresh.unknown() if fresh.unread else {}
        if root in unknown:
            return [Kept(fresh.members[root].object_name, root, "not_verified", unknown[root])]
        if not why:
            return []
        kept = [Kept(m.object_name, m.id, "changed_meanwhile", text) for m, text in why]
        if all(m.id != root for m, _ in why):
            first, text = why[0]
            message = f"{first.object_name} {first.id}, which goes with it: {text}"
            kept.append(Kept(tree[root].object_name, root, "changed_meanwhile", message))
        return kept

    def _differing(
        self, stored: Mapping[str, list[Member]], fresh: Trees, files: Files, roots: Collection[str]
    ) -> set[str]:
        """Records that do not say what they said, other than by this job's own deletions."""
        suspects = {
            m.id: m.object_name
            for root in roots
            for m in stored[root]
            if m.id in fresh.members and fresh.members[m.id].digest != m.digest
        }
        if not suspects:
            return set()
        excused = set()
        for name in set(suspects.values()):
            ids = {i for i, of in suspects.items() if of == name}
            was, now = self._stored_rows(name, ids), rows_by_id(files, fresh.paths[name], ids)
            for record_id in ids & was.keys() & now.keys():
                one, other = was[record_id], now[record_id]
                fields = compared_fields(self.schemas[name], list(one))
                if is_our_doing(one, other, differences(one, other, fields), self.gone):
                    excused.add(record_id)
        return suspects.keys() - excused

    def _stored_rows(self, name: str, ids: Collection[str]) -> dict[str, Values]:
        found = rows_with(self.snapshot, name, "Id", text_array(sorted(ids)), None)
        return {row["Id"]: row for batch in found for row in plain_rows(batch)}


@dataclass(frozen=True, slots=True)
class _Either:
    """What is in one of two."""

    first: Container[str]
    second: Container[str]

    def __contains__(self, one: object) -> bool:
        return one in self.first or one in self.second
