"""One group of trees: looked at for the last time, deleted, and looked at again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfnb.archive.checking import LastLook
from sfnb.archive.deleting import Deleter
from sfnb.archive.folder import Kept
from sfnb.archive.gathering import Gatherer
from sfnb.archive.relations import DOCUMENT, LINK
from sfnb.archive.trees import Member, Trees
from sfnb.store.files import Files

Held = Callable[[Mapping[str, list[Member]]], list[Kept]]
BringBack = Callable[[Sequence[str]], Mapping[str, str]]
"""Takes records out of the recycle bin; by Id of those that it cannot, why."""

TakeForGood = Callable[[Sequence[str]], Mapping[str, str]]
"""Takes records out of the recycle bin for good; by Id of those that are left in it, why."""

Place = Callable[[], Files]
"""An empty place for what is read now."""


@dataclass
class GroupRun:
    """
    Args:
        trees: by root, what goes with it, itself first.
        held: what is on hold now; a hold may have come since the records were read.
        still: those of some roots that are still meant; see ``still_matching``.
        is_deletable: whether records of an object can be named in a deletion.
        take_for_good: None: what went stays in the recycle bin.

    Attributes:
        alarms: what went and should not have, in sentences.
        in_bin: by Id of what was to go for good and is still in the recycle bin, why.
        alone: of records that went although their root stays, the object by the Id.
    """

    deleter: Deleter
    gatherer: Gatherer
    look: LastLook
    root_name: str
    trees: Mapping[str, list[Member]]
    held: Held
    still: Callable[[Sequence[str]], Collection[str]]
    place: Place
    is_deletable: Callable[[str], bool]
    bring_back: BringBack
    take_for_good: TakeForGood | None = None
    kept: list[Kept] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    alone: dict[str, str] = field(default_factory=dict)
    in_bin: dict[str, str] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """
        What went, for ``JobFolder.put_done``. A tree goes as a whole, or its root stays.

        Cost: twice ``Gatherer.gather``, see ``Deleter.delete``, 1 API call for the condition, and 1
        for 2,000 files.
        """
        gone = self.deleter.gone
        todo = [root for root in self.trees if root not in gone]
        if todo:
            good = self._looked_at(todo)
            self._delete_first(good)
            self.deleter.delete(self.root_name, good)
        self._note_refused(self.trees)
        standing = self._look_after([root for root in self.trees if root in gone])
        went = [root for root in self.trees if root in gone]
        # Refused now, changed, held, brought back, or left half by a run that was killed: whatever
        # keeps a root here keeps all that goes with it.
        self._put_back([root for root in self.trees if root not in gone])
        self._note_returned_documents(went, standing)
        self._delete_left(went, standing)
        self._take_for_good(went, standing)
        return self._outcome(went, standing)

    def _looked_at(self, roots: Sequence[str]) -> list[str]:
        """The roots that may go."""
        files = self.place()
        fresh = self.gatherer.gather(self.root_name, roots, files, "fresh")
        check = self.look.check(self.trees, fresh, files, roots)
        held = self.held({root: self.trees[root] for root in check.good})
        self.kept += [*check.kept, *held]
        stays = {one.id for one in held}
        good = [root for root in check.good if root not in stays]
        meant = self.still(good) if good else ()
        self.kept += [
            Kept(self.root_name, root, "changed_meanwhile", "it no longer meets the condition")
            for root in good
            if root not in meant
        ]
        return [root for root in good if root in meant]

    def _delete_first(self, roots: Sequence[str]) -> None:
        """Records that would forbid the deletion of their parent, the deepest first."""
        by_object: dict[str, list[str]] = defaultdict(list)
        for root in roots:
            for member in reversed(self.trees[root]):
                if member.is_first and member.id != root:
                    by_object[member.object_name].append(member.id)
        for name, ids in by_object.items():
            self.deleter.delete(name, ids)

    def _put_back(self, roots: Sequence[str]) -> None:
        """
        What went before a root that stays comes back to it.

        Cost: 1 API call for 2,000 such records of an object and 1 for 200; nothing without any.
        """
        gone = self.deleter.gone
        back = {
            m.id: (m.object_name, root)
            for root in roots
            for m in self.trees[root]
            if m.is_first and m.id != root and m.id in gone
        }
        in_bin: list[str] = []
        failed = dict.fromkeys(back, "it is not in the recycle bin")
        for name in sorted({name for name, _ in back.values()}):
            ids = [i for i, (of, _) in back.items() if of == name]
            for record_id, is_deleted in self.deleter.standing(name, ids).items():
                failed.pop(record_id, None)  # alive: it was brought back before
                if is_deleted:
                    in_bin.append(record_id)
        failed |= self.bring_back(in_bin) if in_bin else {}
        for record_id, (name, root) in back.items():
            if record_id not in failed:
                gone.discard(record_id)
                continue
            self.alone[record_id] = name
            self.alarms.append(
                f"{name} {record_id} was deleted before {self.root_name} {root}, which stays, and "
                f"cannot be brought back: {failed[record_id]}"
            )

    def _note_refused(self, ids: Iterable[str], name: str = "") -> None:
        for record_id in ids:
            if record_id in self.deleter.refused and record_id not in self.deleter.gone:
                code, message = self.deleter.refused[record_id]
                said = f"{code}: {message}"
                self.kept.append(Kept(name or self.root_name, record_id, "refused", said))

    # -- afterwards

    def _look_after(self, went: Sequence[str]) -> dict[str, bool]:
        """
        What the org says of the trees that went: by Id of what it still has, whether it is in the
        recycle bin.

        A tree that took along something new, or said something else when it went than the store
        has, is brought back at once.
        """
        if not went:
            return {}
        files = self.place()
        after = self.gatherer.gather(self.root_name, went, files, "after", with_deleted=True)
        standing = {i: m.is_deleted for i, m in after.members.items()}
        returned = [root for root in went if standing.get(root) is False]
        for root in returned:
            # Somebody has undeleted it, or this job did so before it was killed.
            self._stays(self.root_name, root, "it was taken out of the recycle bin again")
        wrong = self.look.after(self.trees, after, files, went, self.deleter.sent_us)
        for root in set(returned) & wrong.keys():
            del wrong[root]
        for root in self._brought_back(self.root_name, wrong):
            for member in self.trees[root]:
                standing[member.id] = False
        self._add_missing(went, after, standing)
        return standing

    def _brought_back(self, name: str, wrong: Mapping[str, str]) -> list[str]:
        """Bring back at once what should not have gone, by Id why; those that are back."""
        failed = self.bring_back(sorted(wrong)) if wrong else {}
        for record_id, error in failed.items():
            self.alarms.append(
                f"{name} {record_id} was deleted although {wrong[record_id]}, and cannot be brought "
                f"back: {error}"
            )
        back = [record_id for record_id in wrong if record_id not in failed]
        for record_id in back:
            self._stays(name, record_id, f"it was brought back at once: {wrong[record_id]}")
        return back

    def _stays(self, name: str, record_id: str, why: str) -> None:
        self.deleter.gone.discard(record_id)
        self.kept.append(Kept(name, record_id, "changed_meanwhile", why))

    def _add_missing(self, went: Sequence[str], after: Trees, standing: dict[str, bool]) -> None:
        """
        Ask for records that the look by their parents has not shown: they are gone, or files.
        """
        by_object: dict[str, set[str]] = defaultdict(set)
        documents: set[str] = set()
        for root in went:
            for member in self.trees[root]:
                if member.object_name == DOCUMENT:
                    documents.add(member.id)
                if member.id not in after.members:
                    by_object[member.object_name].add(member.id)
        for name, ids in by_object.items():
            if name != LINK:
                standing |= self.deleter.standing(name, sorted(ids))
            elif documents:
                # Links cannot be asked for by their Ids (Object Reference, ContentDocumentLink).
                found = self.deleter.standing(LINK, sorted(documents), "ContentDocumentId")
                standing |= {i: in_bin for i, in_bin in found.items() if i in ids}

    def _delete_left(self, went: Sequence[str], standing: dict[str, bool]) -> None:
        """Delete what the org has left of the trees that went: files, above all."""
        left: dict[str, list[str]] = defaultdict(list)
        for root in went:
            for member in self.trees[root]:
                if standing.get(member.id) is False and self.is_deletable(member.object_name):
                    left[member.object_name].append(member.id)
        # Documents first: their versions and links go with them.
        for name in sorted(left, key=lambda n: n != DOCUMENT):
            ids = [i for i in left[name] if standing.get(i) is False]
            if not ids:
                continue
            self.deleter.delete(name, ids)
            self._note_refused(ids, name)
            if name == DOCUMENT:
                self._look_after_documents(went)
            for root in went:
                members = [m for m in self.trees[root] if standing.get(m.id) is False]
                for of in {m.object_name for m in members} - {LINK}:
                    asked = [m.id for m in members if m.object_name == of]
                    found = self.deleter.standing(of, asked)
                    for record_id in asked:
                        if record_id in found:
                            standing[record_id] = found[record_id]
                        else:
                            standing.pop(record_id, None)
            if name == DOCUMENT:
                self._links_of(went, standing)

    def _documents(self, roots: Sequence[str]) -> dict[str, str]:
        """The documents of some trees, each with its root."""
        return {m.id: r for r in roots for m in self.trees[r] if m.object_name == DOCUMENT}

    def _note_returned_documents(self, went: Sequence[str], standing: Mapping[str, bool]) -> None:
        """Somebody has undeleted them, or this job did so before it was killed."""
        for document in self._documents(went):
            if document in self.deleter.gone and standing.get(document) is False:
                self._stays(DOCUMENT, document, "it was taken out of the recycle bin again")

    def _look_after_documents(self, went: Sequence[str]) -> None:
        """
        A document that took along a version or a link that is not stored is brought back at once.

        Cost: ``Gatherer.gather`` of the documents.
        """
        gone = {d: root for d, root in self._documents(went).items() if d in self.deleter.gone}
        if not gone:
            return
        files, documents = self.place(), sorted(gone)
        after = self.gatherer.gather(DOCUMENT, documents, files, "documents", with_deleted=True)
        stored = {document: self.trees[root] for document, root in gone.items()}
        wrong = self.look.after(stored, after, files, documents, self.deleter.sent_us)
        self._brought_back(DOCUMENT, wrong)

    def _take_for_good(self, went: Sequence[str], standing: dict[str, bool]) -> None:
        """
        What went and was compared with the store leaves the recycle bin: nothing can come to a
        record that lies there.

        Cost: 1 API call for 200 of the records that were deleted by their Ids.
        """
        if self.take_for_good is None:
            return
        # What the org deletes along with a record must not be named (SOAP guide, emptyRecycleBin).
        named = {
            m.id: root
            for root in went
            for m in self.trees[root]
            if m.id in self.deleter.gone and standing.get(m.id) is True
        }
        self.in_bin |= self.take_for_good(list(named)) if named else {}
        left = {named[record_id] for record_id in self.in_bin}
        for root in went:
            for member in self.trees[root]:
                if root not in left and standing.get(member.id) is True:
                    del standing[member.id]

    def _links_of(self, went: Sequence[str], standing: dict[str, bool]) -> None:
        tree = [m for root in went for m in self.trees[root]]
        documents = sorted({m.id for m in tree if m.object_name == DOCUMENT})
        found = self.deleter.standing(LINK, documents, "ContentDocumentId") if documents else {}
        for member in tree:
            if member.object_name == LINK and standing.get(member.id) is False:
                standing.pop(member.id)
                if member.id in found:
                    standing[member.id] = found[member.id]

    def _outcome(self, went: Sequence[str], standing: Mapping[str, bool]) -> dict[str, Any]:
        """Count what the org did."""
        members = {m.id: m for root in went for m in self.trees[root]}
        deleted: dict[str, list[int]] = {}
        stayed: dict[str, list[str]] = {}
        for record_id, member in members.items():
            if standing.get(record_id) is False:
                stayed.setdefault(member.object_name, []).append(record_id)
                continue
            if record_id in self.deleter.counted:
                continue  # it went with another group's tree
            self.deleter.counted.add(record_id)
            counts = deleted.setdefault(member.object_name, [0, 0])
            counts[0] += 1
            counts[1] += member.bytes
        for name in self.alone.values():
            deleted.setdefault(name, [0, 0])[0] += 1
        return {
            "went": list(went),
            "alone": sorted(self.alone),
            "deleted": deleted,
            "stayed": stayed,
            "in_bin": self.in_bin,
            "kept": [one.as_json() for one in self.kept],
            "alarms": self.alarms,
        }
