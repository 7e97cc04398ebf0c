"""
From the choice to drafts: which records are looked at, what the org has of them, and what goes along.

What goes along with a chosen record: its children to the depth that was wanted, the parents that those
need, what the org brings back with it from the recycle bin, and living records whose lookup was
emptied when it was deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from sfnb.errors import ObjectError
from sfnb.model import JobWarning
from sfnb.org.client import OrgClient
from sfnb.restore.choice import Choice, children_of, holder_of, rows_with
from sfnb.restore.compact import IdSet
from sfnb.restore.comparing import (
    Comparing,
    drafts,
    inbound_drafts,
    kinds_of,
    read_present,
    since_of,
)
from sfnb.restore.counterparts import Counterparts
from sfnb.restore.describes import AUDIT
from sfnb.restore.drafting import Amend, Draft, DraftRules
from sfnb.restore.fields import restorable
from sfnb.restore.objects import Objects
from sfnb.restore.parents import parent_queries
from sfnb.restore.plan import PlannedRow, Reason
from sfnb.restore.present import PresentReader
from sfnb.restore.request import RestoreRequest
from sfnb.restore.standard.rules import ARTICLES, rule_of
from sfnb.restore.wanted import Wanted
from sfnb.restore.workspace import Workspace
from sfnb.store.manifest import Manifest
from sfnb.store.parts import text_array
from sfnb.store.snapshots import Snapshot

NONE = IdSet()

FEW = 200
"""Chosen records whose parents are looked up in the same call."""

Refused = Counter[tuple[str, Reason, str, str]]
"""Records by object, reason, field and message."""


@dataclass
class Gathering:
    """
    What is known of the objects and records of a restore. Drafts go to the workspace.

    Args:
        prefixes: the object of each Id prefix.
        counterparts: records of the target that stand for those of the snapshot.

    Attributes:
        refused: what cannot be done, see `Refused`.
        prefetched: queries about parents that have been read already.
        conflicts: living records in which somebody's later value stands against the snapshot's.
    """

    client: OrgClient
    snapshot: Snapshot
    request: RestoreRequest
    reader: PresentReader
    workspace: Workspace
    amend: Amend | None = None
    is_other_org: bool = False
    counterparts: Counterparts = field(default_factory=Counterparts)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    prefetched: list[Wanted] = field(default_factory=list)
    refused: Refused = field(default_factory=Counter)
    not_written: dict[str, Mapping[str, str]] = field(default_factory=dict)
    warnings: list[JobWarning] = field(default_factory=list)
    conflicts: int = 0

    def __post_init__(self) -> None:
        self.manifest: Manifest = self.snapshot.manifest
        match_types = self.counterparts.match_types if self.is_other_org else None
        self.objects = Objects(
            self.client,
            self.snapshot,
            self.reader,
            match_types,
            has_early=self.request.automation == "keep",
        )
        self._whole: tuple[str, ...] = ()
        self._seen: dict[str, IdSet] = {}
        self._rounds = 0

    # -- records -----------------------------------------------------------------------------------------------------

    def gather(self, choice: Choice) -> None:
        """
        Draft the chosen records and what goes along with them.

        Cost: see `read_present`; what is chosen by Ids costs 1 call for describes and 1 for five
        objects' records.
        """
        self._whole = choice.whole
        if self.is_other_org:
            self.counterparts.match_setup(self.reader, self.snapshot)
        chosen = {name: set(ids) for name, ids in choice.ids.items() if name not in choice.whole}
        if choice.whole:
            self.objects.describe(choice.objects)
            self._look_at([one for n in choice.whole if (one := self._comparing(n, None))])
        if self.request.children:
            chosen = self._with_children(chosen)
        if self.request.ids:
            chosen = {name: self._known(name, ids) for name, ids in chosen.items()}
        self.add(chosen)

    def _with_children(self, chosen: dict[str, set[str]]) -> dict[str, set[str]]:
        """The chosen records with those that refer to them, to the depth that was wanted."""
        complete = self.objects.complete()
        frontier: dict[str, AbstractSet[str]] = {n: self._seen.get(n, NONE) for n in self._whole}
        frontier |= chosen
        for _ in range(self.request.children):
            found = children_of(self.snapshot, complete, frontier, skip=self._whole)
            frontier = {}
            for name, ids in found.items():
                if new := ids - chosen.get(name, set()):
                    frontier[name] = new
                    chosen.setdefault(name, set()).update(new)
        return chosen

    def add(self, chosen: Mapping[str, AbstractSet[str]]) -> None:
        """
        Draft these records, and what the org has done to others when it deleted them.
        """
        chosen = {n: new for n, ids in chosen.items() if (new := ids - self._seen.get(n, NONE))}
        frontier: Mapping[str, AbstractSet[str]] = {**self._brought_back(self._seen), **chosen}
        while frontier:
            touched = self._inbound(frontier)
            self.objects.describe([*chosen, *touched])
            objects = [one for n, ids in chosen.items() if (one := self._comparing(n, ids))]
            inbound = [
                one for n, ids in touched.items() if (one := self._comparing(n, ids, noted=False))
            ]
            self._look_at(objects, inbound, self._parents(chosen))
            # What comes back with the chosen ones brings back others in its turn.
            chosen, frontier = {}, self._brought_back(touched)

    def _inbound(self, frontier: Mapping[str, AbstractSet[str]]) -> dict[str, AbstractSet[str]]:
        """Other records of the snapshot that refer to these."""
        frontier = {name: ids for name, ids in frontier.items() if ids}
        if not frontier or self.is_other_org or self.request.on_conflict == "skip":
            return {}
        # Of whole objects, too: a lookup that the org empties may keep its record's stamp as it was.
        found = children_of(self.snapshot, self.objects.complete(), frontier)
        new = {n: ids - self._seen.get(n, NONE) - frontier.get(n, NONE) for n, ids in found.items()}
        return {name: ids for name, ids in new.items() if ids}

    def _brought_back(self, among: Mapping[str, AbstractSet[str]]) -> dict[str, IdSet]:
        """Of these records, those that are brought back."""
        found: dict[str, IdSet] = {}
        if any(among.values()):
            for name, record_id in self.workspace.each(
                "select object, old_id from rows where action in ('create', 'undelete')"
            ):
                if record_id in among.get(name, ()):
                    found.setdefault(name, IdSet()).add(record_id)
        return found

    def _note_seen(self, one: Comparing) -> None:
        """Which of its records are looked at; of a whole object the set itself, there may be many."""
        if one.name not in self._seen and isinstance(one.ids, IdSet):
            self._seen[one.name] = one.ids
        else:
            self._seen.setdefault(one.name, IdSet()).update(one.ids or ())

    def _parents(self, chosen: Mapping[str, AbstractSet[str]]) -> list[Wanted]:
        """
        Queries for what a few chosen records refer to, so that they ride in the call that reads these.
        """
        if self.is_other_org or not 0 < sum(map(len, chosen.values())) <= FEW:
            return []
        found: set[str] = set()
        for name, ids in chosen.items():
            columns = self.snapshot.columns(name).names
            links = [f.name for f in self.objects.source(name).references if f.name not in AUDIT]
            links = [link for link in links if link in columns]
            rows = rows_with(self.snapshot, name, "Id", text_array(sorted(ids)), links)
            for batch in rows if links else ():
                for link in links:
                    found.update(i for i in batch.column(link).to_pylist() if i)
        known = {i for ids in chosen.values() for i in ids}
        self._rounds += 1
        self.prefetched = parent_queries(
            self.reader, self.prefixes, found - known, f"beside-{self._rounds}"
        )
        return self.prefetched

    def _look_at(
        self,
        objects: list[Comparing],
        inbound: Sequence[Comparing] = (),
        beside: Sequence[Wanted] = (),
    ) -> None:
        if self.is_other_org:
            self.match(objects)
        failed = read_present(self.reader, [*objects, *inbound], self.snapshot, beside)
        for one in objects:
            if (err := failed.get(one.folder)) is not None:
                self._cannot_read(one, err)
                continue
            self._note_seen(one)
            self._draft(one, drafts(one, self.snapshot, self.reader.files))
        if not inbound:
            return
        query = "select old_id, action from rows where action in ('create', 'undelete')"
        made = dict(self.workspace.all(query))
        for one in inbound:
            if one.folder not in failed and made:
                found = inbound_drafts(one, self.snapshot, self.reader.files, made)
                self._draft(one, found, self._seen.setdefault(one.name, IdSet()))

    def match(self, objects: Sequence[Comparing]) -> None:
        """Find the other org's records of these objects."""
        self.counterparts.match_keys(
            self.reader,
            self.snapshot,
            [
                (self.objects.source(one.name), one.target, one.schema, one.folder)
                for one in objects
            ],
        )
        for one in objects:
            one.aliases = self.counterparts.matches.pairs
            one.ambiguous = self.counterparts.matches.ambiguous

    def match_parents(self, names: Sequence[str]) -> None:
        """
        Find the other org's records of objects that planned records refer to, by what the snapshot
        or another one of its org has of them.
        """
        holders = {n: found for n in names if (found := holder_of(self.snapshot, n)) is not None}
        for name, held in holders.items():
            self.objects.source(name, held)
        self.objects.describe([n for n in holders if self.objects.source(n).is_writable])
        by_holder: dict[str, list[str]] = {}
        for name, held in holders.items():
            if name in self.objects.targets:
                by_holder.setdefault(held.manifest.snapshot, []).append(name)
        for some in by_holder.values():
            self._rounds += 1
            folder = f"{self.reader.folder}/{self._rounds}"
            known = [
                (self.objects.source(n), self.objects.targets[n], self.objects.schemas[n], folder)
                for n in some
            ]
            self.counterparts.match_keys(self.reader, holders[some[0]], known)

    def _comparing(
        self, name: str, ids: AbstractSet[str] | None, *, noted: bool = True
    ) -> Comparing | None:
        """An object on its way into the plan; None where nothing of it can be written."""
        source, target = self.objects.source(name), self.objects.targets.get(name)
        rows = self.manifest.objects[name].rows if ids is None else len(ids)
        rule = rule_of(name)
        if not source.is_writable or rule.not_by_rows:
            why = rule.not_by_rows or "nobody can write records of this object"
            self.not_written[name] = {"*": why}
            if noted and rule is ARTICLES and rows:
                self.refused[name, "no_permission", "", why] += rows if ids else 0
            return None
        if target is None or not target.is_writable:
            if noted:
                reason: Reason = "object_gone" if target is None else "no_permission"
                self.refused[name, reason, "", ""] += rows
                self._refuse(name, reason, ids)
            return None
        fields = restorable(
            self.snapshot.columns(name).names,
            source,
            target,
            only=self.request.fields,
            hidden=rule.hidden,
        )
        if noted:
            self.not_written[name] = fields.not_written
            for column, why_not in fields.refused.items():
                self.refused[name, why_not, column, ""] += 0
        rules = DraftRules(
            name,
            target,
            fields,
            self.request.on_conflict,
            self.request.only,
            amend=self.amend,
            rule=rule,
            mapped=self.counterparts.matches.pairs
            if self.is_other_org
            else self.counterparts.earlier,
            is_other_org=self.is_other_org,
        )
        entry = self.manifest.objects[name]
        self._rounds += 1
        return Comparing(
            name,
            rules,
            source,
            target,
            self.objects.schemas[name],
            since_of(entry.watermark, self.manifest.created_at),
            f"{self.reader.folder}/{self._rounds}",
            ids,
            aliases=self.counterparts.earlier,
            is_other_org=self.is_other_org,
            is_compared=not self.is_other_org
            or bool(self.request.ids)
            or self.request.only == "changed",
        )

    def _draft(self, one: Comparing, found: Iterator[Draft], added: IdSet | None = None) -> None:
        """
        Put drafts into the workspace.

        Args:
            added: takes their Ids, where these are not known before.
        """

        def noted() -> Iterator[tuple[Draft, Mapping[str, str]]]:
            for draft in found:
                if added is not None:
                    added.add(draft.row.old_id)
                for fault in draft.faults:
                    self.refused[one.name, fault.reason, fault.field, fault.message] += 1
                self.conflicts += bool(draft.conflicts)
                yield draft, kinds_of(one.target, draft)

        self.workspace.add(noted(), [key.name for key in one.target.unique_keys])

    def _cannot_read(self, one: Comparing, err: ObjectError) -> None:
        rows = len(one.ids or ())
        if rows:
            self.refused[one.name, "no_permission", "", str(err)] += rows
            self._refuse(one.name, "no_permission", one.ids)
        message = f"{one.name} cannot be read in the org, so it is not restored: {err}"
        self.warnings.append(JobWarning("not_compared", one.name, message))

    def _refuse(self, name: str, reason: Reason, ids: AbstractSet[str] | None) -> None:
        """
        Refuse these records of an object, or all of it. What nobody may write can be there all the
        same, so that others may refer to it.
        """
        is_there = reason == "no_permission" and not self.is_other_org
        drafts = (
            Draft(PlannedRow(name, i, "refuse", i if is_there else "", reason=reason))
            for batch in self.snapshot.rows(name).batches(["Id"])
            for i in batch.column("Id").to_pylist()
            if ids is None or i in ids
        )
        self.workspace.add((found, {}) for found in drafts)

    def _known(self, name: str, ids: set[str]) -> set[str]:
        """Those of the chosen Ids that the snapshot has; the others are named, and nobody asks for them."""
        rows = rows_with(self.snapshot, name, "Id", text_array(sorted(ids)), ["Id"])
        known = {i for batch in rows for i in batch.column("Id").to_pylist()}
        if missing := sorted(ids - known):
            self._not_in_snapshot(name, missing)
        return known

    def _not_in_snapshot(self, name: str, missing: Sequence[str]) -> None:
        message = (
            f"{len(missing):,} of the Ids are not alive in the snapshot, such as {missing[0]}."
        )
        self.warnings.append(JobWarning("not_in_snapshot", name, message))
