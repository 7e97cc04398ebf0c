"""The metadata of one snapshot: listed, retrieved in packages, compared with what was asked for."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sfnb.backup.metadata.listing import Listing, fetch_listing
from sfnb.backup.metadata.package import Member, cut, due, halves, is_too_large, owners, spellings
from sfnb.backup.metadata.retrieving import Brought, retrieve
from sfnb.errors import ObjectError
from sfnb.jobs.work import JobContext, Tick
from sfnb.model import Price
from sfnb.org.metadata.archive import BadArchive, read_archive
from sfnb.org.transport import call_context
from sfnb.store.files import Files
from sfnb.store.metadata.packs import PACKS, PackWriter, StoredFile
from sfnb.store.metadata.record import (
    MetadataRecord,
    Missing,
    put_piece,
    put_record,
    read_pieces,
)

PACKAGE_XML = "package.xml"

NOT_THERE = frozenset({"NOT_FOUND", "METHOD_NOT_ALLOWED"})
"""What a server answers that has no Metadata API at all."""


@dataclass
class MetadataTotals:
    """
    What a backup has of the org's metadata.

    Args:
        components: in the snapshot, also where they are those of an earlier one.
        calls: API calls that this job has spent on them.
        missing: components that were asked for and not obtained.
        is_unchanged: nothing has changed since an earlier snapshot, which has them.
        reasons: of some of the missing ones, in sentences.
    """

    components: int = 0
    calls: int = 0
    missing: int = 0
    is_unchanged: bool = False
    reasons: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {
            "components": self.components,
            "calls": self.calls,
            "missing": self.missing,
            "unchanged": self.is_unchanged,
            "reasons": self.reasons,
        }


@dataclass
class MetadataReading:
    """
    The metadata of one snapshot, for one run of a job; a new one goes on where it stopped.

    Args:
        files: the org's folder in the store.
        last: what the newest snapshot with metadata has; None: no snapshot has any.
        days: after so many days all is retrieved again, whatever the lists say.
        damaged: packs that cannot be relied on: their contents are stored anew.
        is_changed: whether the org's set-up has changed since ``last``; None: not known.
    """

    context: JobContext
    files: Files
    snapshot: str
    last: MetadataRecord | None
    days: float
    damaged: Collection[str] = ()
    is_changed: bool | None = None
    totals: MetadataTotals = field(default_factory=MetadataTotals)
    _pieces: list[MetadataRecord] = field(default_factory=list)

    def run(self, tick: Tick) -> None:
        """
        Retrieve what is due.

        Raises:
            QuotaSignal, StopSignal, OrgUnavailable: the job has to pause or end; retrieves that are
                complete are kept.
        """
        context = self.context
        with call_context(
            job_id=context.job_id, object_name="", on_call=self._count, stop=context.stop
        ):
            self._pieces = read_pieces(self.files, self.snapshot)
            what = due(
                retrieved_at(self.last),
                context.clock.now(),
                days=self.days,
                is_changed=self.is_changed,
            )
            last = self.last if self._may_stand() else None
            if what == "no" and last is not None:
                self._unchanged(last)
                return
            try:
                listing = fetch_listing(context.client, tick)
            except ObjectError as err:
                self._refused(err)
                return
            if what == "list" and last is not None and listing.digest == last.listing:
                self._unchanged(last)
                return
            self._retrieve_all(listing, tick)
            self._finish(listing)

    def _may_stand(self) -> bool:
        """Whether the last metadata may be that of this snapshot, too."""
        return self.last is not None and not self._pieces and self._is_whole(self.last)

    def _is_whole(self, record: MetadataRecord) -> bool:
        """Whether the store has all that a record names, as far as is known without reading it."""
        there = set(self.files.names(PACKS)) - set(self.damaged)
        return {one.pack for one in stored_in(record)} <= there

    def _count(self, price: Price) -> None:
        self.totals.calls += price.get("api", 0)

    def _refused(self, err: ObjectError) -> None:
        self.totals.reasons.append(str(err))
        if err.code not in NOT_THERE:
            self.totals.missing += 1

    def _unchanged(self, last: MetadataRecord) -> None:
        since = last.unchanged_since or last.snapshot
        # When all was retrieved last stays as it was: dates may hide a change for a week, no longer.
        put_record(
            self.files,
            MetadataRecord(
                self.snapshot, last.taken_at, listing=last.listing, unchanged_since=since
            ),
        )
        self.totals.components = last.count
        self.totals.is_unchanged = True

    # retrieving

    def _retrieve_all(self, listing: Listing, tick: Tick) -> None:
        sizes = self._sizes()
        got = {m for piece in self._pieces for m in _members(piece)}
        failed = {(m.type, m.name) for piece in self._pieces for m in piece.missing}
        members = [m for m in listing.members if m not in got | failed or m[0] == "Profile"]
        if not set(members) - got:
            members = []
        for package in cut(members, sizes):
            self._retrieve_package(package, tick)

    def _sizes(self) -> dict[Member, int]:
        """What each component had in the last run."""
        last = self.last or MetadataRecord("")
        return {
            (kind, name): sum(last.files[path].size for path in paths if path in last.files)
            for kind, names in last.components.items()
            for name, paths in names.items()
        }

    def _retrieve_package(self, members: Sequence[Member], tick: Tick) -> None:
        """One package; in ever smaller pieces where it fails as a whole."""
        waiting = [(list(members), 0)]
        while waiting:
            some, failures = waiting.pop(0)
            brought = retrieve(self.context, some, tick)
            if brought.error is None:
                try:
                    self._keep(brought, some)
                    continue
                except BadArchive as err:
                    brought.error = err.code, str(err)
            code, message = brought.error
            if not is_too_large(code, message) and failures == 0:
                waiting.insert(0, (some, 1))  # some such errors are gone at the next try
            elif len(some) > 1:
                waiting[:0] = [(half, 0 if len(half) > 1 else failures) for half in halves(some)]
            else:
                self._add_piece(missing=[Missing(*some[0], f"{message} ({code})"[:500])])

    def _keep(self, brought: Brought, asked: Sequence[Member]) -> None:
        """The files of one retrieve are in the store when this returns."""
        assert brought.archive is not None  # noqa: S101 - it has no error
        there = set(self.files.names(PACKS)) - set(self.damaged)
        known = {
            one.sha256: one
            for record in self._known()
            for one in stored_in(record)
            if one.pack in there
        }
        refused: list[str] = []
        stored: dict[str, StoredFile] = {}
        name = f"{self.snapshot}-{secrets.token_hex(4)}.zip"
        with brought.archive, PackWriter(self.files, name, known) as pack:
            for path, content in read_archive(brought.archive, refused):
                if path != PACKAGE_XML:
                    stored[path] = pack.put(content)
        of = owners(stored, brought.components)
        components: dict[str, dict[str, list[str]]] = {}
        kinds = {kind for kind, _ in asked}
        for one in brought.components:
            if one.full_name != f"unpackaged/{PACKAGE_XML}":
                components.setdefault(_kind(one.type, kinds), {})[one.full_name] = []
        for path, (kind, full_name) in of.items():
            components[_kind(kind, kinds)][full_name].append(path)
        notes = [f"{file}: {problem}" for file, problem in brought.messages]
        notes += [f"A file of the name {name} was not taken." for name in refused]
        self._add_piece(components=components, files=stored, notes=notes)

    def _known(self) -> Iterator[MetadataRecord]:
        if self.last is not None:
            yield self.last
        yield from self._pieces

    def _add_piece(self, **values: Any) -> None:
        piece = MetadataRecord(
            self.snapshot,
            self.context.clock.now().isoformat(),
            self.context.client.api_version,
            **values,
        )
        self._pieces.append(piece)
        put_piece(self.files, piece, len(self._pieces))

    # the end

    def _finish(self, listing: Listing) -> None:
        record = joined(self.snapshot, self._pieces)
        got = {(kind, name) for kind, names in record.components.items() for name in names}
        said = {(m.type, m.name): m.problem for m in record.missing}
        missing, other_spellings = list(listing.problems), set[str]()
        # What an org may lack is not missed; what it has and could not give is.
        failed = listing.optional & {one for one in said if one not in got}
        missing += [Missing(*one, said[one]) for one in sorted(failed)]
        for one in listing.components:
            names = {(one.type, name) for name in spellings(one)}
            if names & got:
                other_spellings |= {name for _, name in names - got}
            else:
                why = next(
                    (said[n] for n in names if n in said), self._message(record, one.full_name)
                )
                missing.append(Missing(one.type, one.full_name, why))
        record = replace(
            record,
            taken_at=self.context.clock.now().isoformat(),
            api_version=self.context.client.api_version,
            missing=missing,
            notes=[
                *(note for note in record.notes if not _named(note) & other_spellings),
                *listing.notes,
            ],
            listing=listing.digest,
        )
        put_record(self.files, record)
        self.totals.components = record.count
        self.totals.missing = len(missing)
        self.totals.reasons = [f"{m.type} {m.name}: {m.problem}" for m in missing][:20]

    @staticmethod
    def _message(record: MetadataRecord, name: str) -> str:
        found = next((note for note in record.notes if name in _named(note)), "")
        return found or "the org said that it succeeded, and did not send it"


def stored_in(record: MetadataRecord) -> Iterator[StoredFile]:
    """Where all contents of a record are."""
    yield from record.files.values()
    for some in record.variants.values():
        yield from some


def retrieved_at(record: MetadataRecord | None) -> datetime | None:
    """When all of it was retrieved; None: never, or something was missing."""
    if record is None or record.missing or not record.taken_at:
        return None
    return datetime.fromisoformat(record.taken_at)


def _named(note: str) -> set[str]:
    """The names in quotes in what the org says."""
    return set(re.findall(r"'([^']+)'", note))


def _members(record: MetadataRecord) -> list[Member]:
    return [(kind, name) for kind, names in record.components.items() for name in names]


def _kind(found: str, asked: set[str]) -> str:
    """A folder comes back as a type of its own; it was asked for as a member of what it holds."""
    plain = found.removesuffix("Folder").replace("Email", "EmailTemplate", 1)
    return plain if found not in asked and plain in asked else found


def joined(snapshot: str, pieces: Sequence[MetadataRecord]) -> MetadataRecord:
    """Several retrieves as one. Of a file that came several times, the others are its variants."""
    components: dict[str, dict[str, Sequence[str]]] = {}
    files: dict[str, StoredFile] = {}
    variants: dict[str, list[StoredFile]] = {}
    for piece in pieces:
        for kind, names in piece.components.items():
            components.setdefault(kind, {}).update(names)
        for path, stored in piece.files.items():
            there = files.setdefault(path, stored)
            if stored.sha256 != there.sha256:
                variants.setdefault(path, []).append(stored)
    return MetadataRecord(
        snapshot,
        components=components,
        files=files,
        variants=variants,
        missing=[m for piece in pieces for m in piece.missing],
        notes=[note for piece in pieces for note in piece.notes],
    )
