"""What a reading says once some records are taken out of its state."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sfnb.store.columns import DELETE, UPSERT
from sfnb.store.commits import Commit, Erased
from sfnb.store.keys import MASK, NO_KEYS, key_hashes
from sfnb.store.parts import Part, text_array
from sfnb.store.progress import Total


@dataclass(frozen=True, slots=True)
class Version:
    """One stored version of a record that is erased."""

    id: str
    begun: str
    ended: str | None
    op: str


def erased_at(
    versions: Iterable[Version], snapshot: str, *, starts_with: str = "", has_key: bool = True
) -> dict[str, list[str]]:
    """
    Which of them are in the state at a snapshot: Ids by op (``upsert``, ``delete``).

    Args:
        starts_with: older versions do not count.
        has_key: of each Id the newest version counts; otherwise each version is a record.
    """
    found: dict[str, list[str]] = {UPSERT: [], DELETE: []}
    newest: dict[str, Version] = {}
    for version in sorted(versions, key=lambda v: v.begun):
        is_open = version.ended is None or version.ended > snapshot
        if not (starts_with <= version.begun <= snapshot and is_open):
            continue
        if has_key:
            newest[version.id] = version
        elif version.op in found:
            found[version.op].append(version.id)
    for version in newest.values():
        if version.op in found:
            found[version.op].append(version.id)
    return found


def without(
    reading: Commit,
    versions: Iterable[Version],
    rewritten: Mapping[str, Part | None],
    ids: Collection[str],
) -> Commit:
    """
    The reading without some records.

    Args:
        versions: all stored versions of these records.
        rewritten: by path, the part that a part became; None: nothing was left of it.
        ids: the records'.
    """
    parts = tuple(
        _unnamed(new, ids)
        for part in reading.parts
        if (new := rewritten.get(part.path, part)) is not None
    )
    total = Total.of(parts)
    progress = replace(reading.progress, parts=total.parts, size_bytes=total.size_bytes)
    held, proof = progress.held, progress.proof
    if held is None:
        # Nothing is settled yet: what it has is the sum of its parts.
        progress = replace(progress, rows=total.rows, deleted=total.deleted)
        return replace(reading, parts=parts, total=total, progress=progress)
    there = erased_at(
        versions,
        reading.snapshot,
        starts_with=held.starts_with or "",
        has_key=proof is None or proof.key is not None,
    )
    alive, binned = len(there[UPSERT]), len(there[DELETE])
    held = replace(held, rows=held.rows - alive, deleted=held.deleted - binned)
    if proof is not None:
        proof = replace(
            proof,
            rows=proof.rows - alive - binned,
            distinct=proof.distinct - alive - binned,
            digest=_less(proof.digest, [*there[UPSERT], *there[DELETE]]),
            erased=proof.erased + alive + binned,
        )
    progress = replace(progress, rows=held.rows, deleted=held.deleted, held=held, proof=proof)
    before = reading.erased
    return replace(
        reading,
        parts=parts,
        total=total,
        progress=progress,
        erased=Erased(before.rows + alive, before.deleted + binned),
    )


def _unnamed(part: Part, ids: Collection[str]) -> Part:
    """A part that was replaced long ago may still name one of them as its least or greatest Id."""
    return replace(
        part,
        min_id=None if part.min_id in ids else part.min_id,
        max_id=None if part.max_id in ids else part.max_id,
    )


def _less(digest: str, ids: Sequence[str]) -> str:
    """A digest of Ids without some of them."""
    if not ids or digest == NO_KEYS:
        return digest
    sums = [int(digest[:16], 16), int(digest[16:], 16)]
    for lane in (0, 1):
        sums[lane] -= int(key_hashes(text_array(ids), lane).sum(dtype="u8"))
    return f"{sums[0] & MASK:016x}{sums[1] & MASK:016x}"
