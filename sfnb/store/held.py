"""What a snapshot holds of one object, once its reading has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Mode = Literal["full", "changes", "columns"]


@dataclass(frozen=True, slots=True)
class Held:
    """
    An object's state at a snapshot: of each key the newest version so far, unless it is gone.

    Args:
        rows, deleted: records alive, and in the recycle bin.
        mode: how they were read: all of them, what has changed, or some fields of all.
        before: the newest older snapshot that the reading was compared with; None: there is none.
        added, changed, ended: records that are alive and were not before (new, or out of the recycle
            bin), that have another content, that were alive before and are not any more.
        equal: rows that were read and have the content that was stored already.
        starts_with: versions that older snapshots brought do not count; None: all do. For objects
            whose rows nothing tells apart, and after a change of the key.
        watermark: what the org has changed since then is not known (ISO, UTC).
        full_at, sweep_at, refreshed_at: when all rows were last read, all Ids compared, all
            computed fields read (ISO).
        columns: by field, the columns that hold its values and their types, where that is not one
            column of the field's name.
        ids_match: whether its Ids are those of the sweep; None: they were not compared.
    """

    rows: int
    deleted: int
    mode: Mode
    before: str | None = None
    added: int = 0
    changed: int = 0
    ended: int = 0
    equal: int = 0
    starts_with: str | None = None
    watermark: str | None = None
    full_at: str = ""
    sweep_at: str | None = None
    refreshed_at: str | None = None
    columns: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    ids_match: bool | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Held:
        return cls(**content)
