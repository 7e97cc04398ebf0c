"""How far the reading of an object has come in a snapshot, and how a commit moves it on. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sfnb.store.held import Held
from sfnb.store.parts import Part
from sfnb.store.proof import Proof


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far the reading of one object has come in one snapshot.

    Args:
        parts, size_bytes: what this snapshot has stored of the object.
        rows, deleted: records alive and in the recycle bin: those read so far; once the reading has
            ended, those of the object's state.
        cursor: what the last commit carried; None before the first.
        is_done: the object is complete.
        max_modstamp: newest SystemModstamp committed (ISO, UTC).
        number: commits this snapshot has made in this table; also Delta's transaction version.
        since: the number of the commit from which parts count (a restart removes the earlier ones).
        version: Delta version of the last commit; -1 before the first.
        proof: what is known of its completeness; None before ``is_done``, and in commits of format
            1.
        file_sha256: of the last commit's file.
        held: what the snapshot holds of the object, once its reading has ended. None before, and in
            formats 1 and 2.
    """

    parts: int = 0
    rows: int = 0
    deleted: int = 0
    cursor: Mapping[str, Any] | None = None
    is_done: bool = False
    size_bytes: int = 0
    max_modstamp: str | None = None
    number: int = 0
    since: int = 1
    version: int = -1
    proof: Proof | None = None
    file_sha256: str = ""
    held: Held | None = None


NOTHING = Progress()


@dataclass(frozen=True, slots=True)
class Total:
    """The sums of a snapshot's live parts in one table."""

    parts: int
    rows: int
    deleted: int
    size_bytes: int
    max_modstamp: str | None
    gone: int = 0

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Total:
        return cls(
            parts=len(parts),
            rows=sum(p.rows for p in parts),
            deleted=sum(p.deleted for p in parts),
            size_bytes=sum(p.size_bytes for p in parts),
            max_modstamp=newest_moment(p.max_modstamp for p in parts),
            gone=sum(p.gone for p in parts),
        )


def newest_moment(moments: Iterable[str | None]) -> str | None:
    """The newest of some ISO moments; None without any."""
    return max((m for m in moments if m), key=datetime.fromisoformat, default=None)


def advanced(
    before: Progress,
    parts: Sequence[Part],
    cursor: Mapping[str, Any] | None,
    *,
    is_done: bool,
    proof: Proof | None,
) -> Progress:
    """The progress after a commit of these parts."""
    return Progress(
        parts=before.parts + len(parts),
        rows=before.rows + sum(p.rows for p in parts),
        deleted=before.deleted + sum(p.deleted for p in parts),
        cursor=None if cursor is None else dict(cursor),
        is_done=is_done,
        size_bytes=before.size_bytes + sum(p.size_bytes for p in parts),
        max_modstamp=newest_moment([before.max_modstamp, *(p.max_modstamp for p in parts)]),
        number=before.number + 1,
        since=before.since,
        proof=proof if is_done else None,
    )


def refreshing(
    before: Progress, parts: Sequence[Part], cursor: Mapping[str, Any] | None
) -> Progress:
    """The progress after a commit of staged parts to an object whose reading has ended."""
    return replace(
        before,
        parts=before.parts + len(parts),
        size_bytes=before.size_bytes + sum(p.size_bytes for p in parts),
        cursor=None if cursor is None else dict(cursor),
        number=before.number + 1,
    )


def settled(
    before: Progress,
    live: Sequence[Part],
    cursor: Mapping[str, Any] | None,
    *,
    proof: Proof,
    held: Held,
) -> Progress:
    """The progress after the last commit of a reading, which leaves these parts of the snapshot."""
    total = Total.of(live)
    return Progress(
        parts=total.parts,
        rows=held.rows,
        deleted=held.deleted,
        cursor=None if cursor is None else dict(cursor),
        is_done=True,
        size_bytes=total.size_bytes,
        max_modstamp=newest_moment([before.max_modstamp, total.max_modstamp]),
        number=before.number + 1,
        since=before.since,
        proof=proof,
        held=held,
    )
