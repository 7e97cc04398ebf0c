"""The end of a reading: what the snapshot holds then, and what has to be committed for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sfnb.errors import CallerError
from sfnb.store.held import Held
from sfnb.store.keys import Words
from sfnb.store.parts import iso
from sfnb.store.proof import ID, Proof, prove
from sfnb.store.settling.compare import Difference, compare
from sfnb.store.settling.reading import Asked, Outcome, Reading
from sfnb.store.settling.refresh import refreshed
from sfnb.store.settling.stamps import Moved
from sfnb.store.settling.writing import hard_deletes, keep
from sfnb.store.states.contents import Flags
from sfnb.store.states.versions import Places, Span, Versions


def settle(reading: Reading, asked: Asked) -> Outcome:
    """
    Compare, and write what has to be written anew. Nothing is visible yet.

    Cost: no calls. One column of what the store has of the object is read, and all columns of rows
    that may be equal. Memory is bounded.

    Raises:
        CallerError: ``changes`` or ``columns`` of an object of which nothing is complete.
    """
    if asked.mode == "full":
        return _settle_full(reading, asked)
    fields = [stored.field for stored in reading.layout]
    if reading.before.held is None and reading.held is None:
        raise CallerError(f"{reading.name}: nothing of it is complete yet. Read it in full.")
    if reading.before.key != ID or ID not in fields:
        raise CallerError(f"{reading.name}: its Ids do not tell its rows apart. Read it in full.")
    if asked.mode == "columns":
        return _settle_columns(reading, asked)
    return _settle_changes(reading, asked)


def _settle_full(reading: Reading, asked: Asked) -> Outcome:
    fields = [stored.field for stored in reading.layout]
    proof = prove(reading.table, reading.parts, fields, org_count=asked.org_count)
    if proof.problem:
        return Outcome(proof, None)
    if not reading.before.files:
        return Outcome(proof, _held(reading, asked, proof), adds=list(reading.added))
    if proof.key is None or proof.key != reading.before.key or asked.is_afresh:
        return _from_now_on(reading, asked, proof)
    read = reading.read(proof.key, is_distinct=True)
    before = reading.versions_before(proof.key)
    moved = Moved(reading, read, before)
    content = reading.content(is_exact=asked.is_exact)
    found = compare(read, before, content, is_full=True, same=moved.note)
    return _kept(reading, asked, proof, found, moved)


def _settle_changes(reading: Reading, asked: Asked) -> Outcome:
    found, moved, proof = _compared(reading, asked)
    return Outcome(proof, None) if proof.problem else _kept(reading, asked, proof, found, moved)


def _compared(reading: Reading, asked: Asked) -> tuple[Difference, Moved, Proof]:
    """What the rows that were read change of the state before, and the proof of the new state."""
    read, before = reading.read(), reading.versions_before()
    moved = Moved(reading, read, before)
    content = reading.content()
    found = compare(read, before, content, is_full=False, gone=asked.gone, same=moved.note)
    rows = found.rows + found.deleted
    return found, moved, Proof(rows, rows, ID, found.digest, asked.org_count)


def _kept(reading: Reading, asked: Asked, proof: Proof, found: Difference, moved: Moved) -> Outcome:
    outcome = Outcome(proof, _held(reading, asked, proof, found))
    # Before the parts that it reads from are sorted out.
    outcome.adds += moved.parts()
    keep(reading, found.kept, outcome)
    outcome.adds += hard_deletes(reading, found.gone, proof.key or ID)
    return outcome


def _settle_columns(reading: Reading, asked: Asked) -> Outcome:
    """
    Some fields of all records were read: a version for each whose values are others now. Where
    changes were read as well, both are one state, in one commit.
    """
    if reading.held is not None and reading.proof is not None:
        outcome, gone = Outcome(reading.proof, reading.held), list[Places]()
        kept: Flags = np.ones(reading.read().rows, bool)
    else:
        found, moved, proof = _compared(reading, asked)
        if proof.problem:
            return Outcome(proof, None)
        outcome = Outcome(proof, _held(reading, asked, proof, found), adds=moved.parts())
        kept, gone = found.kept, found.gone
    outcome.refreshed = refreshed(reading, asked.fields, outcome, kept, asked.gone)
    outcome.adds += hard_deletes(reading, gone, ID)
    held = outcome.held
    assert held is not None  # noqa: S101 - set above
    at = reading.began_at or iso(reading.clock.now())
    outcome.held = replace(held, changed=held.changed + outcome.refreshed, refreshed_at=at)
    return outcome


def _held(reading: Reading, asked: Asked, proof: Proof, found: Difference | None = None) -> Held:
    """What the snapshot holds; without a difference, all that was read and nothing else."""
    now, was = reading.began_at or iso(reading.clock.now()), reading.before.held
    alive = sum(part.rows for part in reading.parts)
    is_full = asked.mode == "full"
    digest = asked.org_digest
    return Held(
        rows=found.rows if found else alive,
        deleted=found.deleted if found else sum(part.deleted for part in reading.parts),
        mode=asked.mode,
        before=reading.before.snapshot,
        added=found.added if found else alive,
        changed=found.changed if found else 0,
        ended=found.ended if found else 0,
        equal=found.equal if found else 0,
        starts_with=was.starts_with if found and was else reading.beginning(),
        watermark=asked.watermark or reading.watermark(),
        full_at=now if is_full or was is None else was.full_at,
        sweep_at=now if is_full or asked.is_swept or was is None else was.sweep_at,
        refreshed_at=now if is_full or was is None else was.refreshed_at,
        columns=reading.columns(found.retained if found else (), is_full=is_full),
        ids_match=None if digest is None else digest == proof.digest,
    )


def _from_now_on(reading: Reading, asked: Asked, proof: Proof) -> Outcome:
    """
    Rows that nothing tells apart, or by another field than before, have no history: versions of
    older snapshots do not count any more, unless all rows are the same.
    """
    before, held = reading.before, _held(reading, asked, proof)
    was, since = before.held, before.snapshot or ""
    # What an unfinished snapshot has left over the state before belongs to no set of rows.
    is_alone = all(not file.snapshot or file.snapshot <= since for file in before.files)
    is_same_kind = before.key is None and proof.key is None and not asked.is_afresh
    if was is not None and is_same_kind and is_alone:
        span = Span(since, starts_with=before.starts_with)
        then = Versions(reading.table, before.files, None, span)
        now = reading.read(None)
        added, ended = _differences(_contents(reading, now), _contents(reading, then))
        if not added and not ended:
            held = replace(held, added=0, equal=held.rows, starts_with=was.starts_with)
            outcome = Outcome(proof, held)
            keep(reading, np.zeros(now.rows, bool), outcome)
            return outcome
        held = replace(held, added=added, ended=ended)
    held = replace(held, starts_with=reading.snapshot)
    return Outcome(proof, held, adds=list(reading.added))


def _contents(reading: Reading, versions: Versions) -> Words:
    return np.sort(versions.contents(versions.keys().places, reading.sources()))


def _differences(now: Words, then: Words) -> tuple[int, int]:
    """How many rows are in one of two lists only, where equal rows may come more than once."""
    values, where = np.unique(np.concatenate([now, then]), return_inverse=True)
    more = np.bincount(where[: len(now)], minlength=len(values))
    more -= np.bincount(where[len(now) :], minlength=len(values))
    return int(more[more > 0].sum()), int(-more[more < 0].sum())
