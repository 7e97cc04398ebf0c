"""The lines of a manifest: what a snapshot has of one object."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from sfnb.model import ObjectState
from sfnb.store.held import Mode
from sfnb.store.parts import Part
from sfnb.store.progress import Progress


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """
    What a snapshot has of one object.

    Args:
        rows, deleted: live records, and those in the recycle bin.
        watermark: the SystemModstamp up to which a complete object is covered (ISO, UTC); None if
            it has no rows.
        digest: SHA-256 over the sorted SHA-256s of its parts.
        version: Delta version of its last commit; -1 before the first.
        message: why it is not complete, where that is known.
        org_count, our_count: rows as the org counts them (None: it gave no number) and as stored,
            recycle bin included.
        key: the field that tells its rows apart; None: no field does.
        ids_digest: of its Ids, whatever their order; see ``keys``.
        proof: how completeness was proven; empty while it is not complete, and in snapshots of
            format 1.
        commit_sha256: of the file of its last commit, which vouches for the one before it. Empty in
            format 1.
        unchanged_since: nothing has changed since this snapshot, whose commit and schema it has.
        erased: records that an erasure has taken out since: the org had counted them, too.
        mode, before, added, changed, ended, full_at, sweep_at, refreshed_at: see ``Held``.
    """

    state: ObjectState
    rows: int = 0
    deleted: int = 0
    parts: int = 0
    bytes: int = 0
    watermark: str | None = None
    digest: str = ""
    version: int = -1
    message: str | None = None
    org_count: int | None = None
    our_count: int | None = None
    key: str | None = None
    ids_digest: str = ""
    proof: str = ""
    commit_sha256: str = ""
    unchanged_since: str | None = None
    mode: Mode | None = None
    before: str | None = None
    added: int = 0
    changed: int = 0
    ended: int = 0
    full_at: str = ""
    sweep_at: str | None = None
    refreshed_at: str | None = None
    erased: int = 0

    def as_json(self) -> dict[str, Any]:
        """For people and programs: all that is known."""
        entry = asdict(self)
        if self.message is None:
            del entry["message"]
        if self.unchanged_since is None:
            del entry["unchanged_since"]
        if not self.erased:
            del entry["erased"]
        if self.mode is None:
            for name in HELD:
                del entry[name]
        return entry

    def as_line(self) -> dict[str, Any]:
        """For the store, without what it has nothing of: a year of lines is kept."""
        usual = {field.name: field.default for field in fields(self)}
        rows = {"rows": self.rows, "deleted": self.deleted}
        others = {k: v for k, v in asdict(self).items() if v != usual[k]}
        return {"state": self.state, **rows, **others}


HELD = ("mode", "before", "added", "changed", "ended", "full_at", "sweep_at", "refreshed_at")
"""What an entry has of ``Held`` beside its counts, once the reading has ended; not in formats 1 and 2."""


def digest(parts: Sequence[Part]) -> str:
    """
    SHA-256 over the sorted digests of the parts; the same rows in the same files give the same, in
    any order.
    """
    return hashlib.sha256("\n".join(sorted(part.sha256 for part in parts)).encode()).hexdigest()


def watermark(progress: Progress) -> str | None:
    """
    The newest SystemModstamp stored, but not later than the moment the object's reading began: a
    record that changed while it was read may have been stored in its older version.
    """
    began = (progress.cursor or {}).get("started_at")
    stamps = [stamp for stamp in (progress.max_modstamp, began) if stamp]
    return min(stamps, key=datetime.fromisoformat) if progress.max_modstamp else None


def object_entry(progress: Progress, parts: Sequence[Part], message: str | None) -> ObjectEntry:
    """One line of a manifest. Pure."""
    if progress.number == 0:
        return ObjectEntry(ObjectState.UNTOUCHED, message=message)
    proof = progress.proof
    is_complete = progress.is_done and not (proof and proof.problem)
    entry = ObjectEntry(
        state=ObjectState.COMPLETE if is_complete else ObjectState.PARTIAL,
        rows=progress.rows,
        deleted=progress.deleted,
        parts=progress.parts,
        bytes=progress.size_bytes,
        watermark=watermark(progress) if is_complete else None,
        digest=digest(parts),
        version=progress.version,
        message=message,
        commit_sha256=progress.file_sha256,
    )
    if (held := progress.held) is not None:
        known = {name: getattr(held, name) for name in HELD}
        entry = replace(entry, watermark=held.watermark, **known)
    if proof is None:
        return entry
    return replace(
        entry,
        message=message or proof.problem or None,
        org_count=proof.org_count,
        our_count=proof.rows,
        key=proof.key,
        ids_digest=proof.digest,
        proof=proof.basis if is_complete else "",
        erased=proof.erased,
    )


def progress_of(entry: ObjectEntry) -> Progress:
    """The progress of an object that has not changed."""
    return Progress(
        rows=entry.rows,
        deleted=entry.deleted,
        is_done=True,
        number=1,
        version=entry.version,
        file_sha256=entry.commit_sha256,
    )


def entry_from_json(content: Mapping[str, Any]) -> ObjectEntry:
    return ObjectEntry(**{**content, "state": ObjectState(content["state"])})
