"""What `verify` finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["missing", "damaged", "count", "digest", "orphan", "note"]

DAMAGE: frozenset[Kind] = frozenset({"missing", "damaged", "count", "digest"})
"""Kinds of findings that mean: something stored cannot be had as it was."""


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing worth knowing about a store.

    Args:
        kind: ``missing`` (a file, commit or row that must be there), ``damaged`` (it is there and
            is not what sfnb wrote), ``count`` (two counts of the same thing differ), ``digest``
            (the bytes have changed), ``orphan`` (a file that nothing names: harmless, a later prune
            removes it), ``note``.
        path: from the org's folder; empty when it is not about one file.
        rows: how many records are affected, 0 when that is unknown or none.
    """

    kind: Kind
    message: str
    snapshot: str = ""
    object_name: str = ""
    path: str = ""
    rows: int = 0

    @property
    def is_damage(self) -> bool:
        return self.kind in DAMAGE

    def as_json(self) -> dict[str, Any]:
        values = asdict(self)
        return {"object" if k == "object_name" else k: value for k, value in values.items()}


Wrong = tuple[Kind, str] | None
"""What is wrong with one thing, if anything."""


@dataclass(frozen=True, slots=True)
class Expected:
    """
    What the state database knows of one snapshot, without looking at the store.

    Args:
        is_sealed: its job has ended, so it must have a manifest.
        is_cancelled: a person ended it. sfnb 0.1 did not always seal such a snapshot.
        complete: rows (live records) of each object that its job has finished reading.
        partial: rows of each object that its job was reading when it last wrote them down.
    """

    snapshot: str
    is_sealed: bool
    complete: Mapping[str, int] = field(default_factory=dict)
    partial: Mapping[str, int] = field(default_factory=dict)
    is_cancelled: bool = False
