"""Records on their way into the org, and what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfnb_demo.data.schema import Field
from sfnb_demo.errors import ApiError


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """
    How records are to be written.

    Args:
        user_id: who writes.
        is_upsert: part of an upsert: audit fields cannot be set then.
        allows_duplicates: save in spite of duplicate rules that only alert
            (``Sforce-Duplicate-Rule-Header: allowSave=true``).
        has_assignment: let assignment rules choose the owner (``Sforce-Auto-Assign``).
    """

    user_id: str
    is_upsert: bool = False
    allows_duplicates: bool = False
    has_assignment: bool = True


@dataclass(slots=True, eq=False)
class Incoming:
    """
    One record that somebody writes.

    Args:
        values: as it was sent, by field name.
        given: its fields, as far as they are fields of the object.
        links: references by an external id: the reference field, and the parent's field and value.
        row: what will stand in the columns.
        bodies: bytes of base64 fields.
        old: of an update: the columns as they are.
    """

    values: dict[str, Any]
    record_id: str = ""
    is_new: bool = False
    given: dict[Field, Any] = field(default_factory=dict)
    links: list[tuple[Field, str, str, Any]] = field(default_factory=list)
    row: dict[str, Any] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)
    old: dict[str, Any] = field(default_factory=dict)
    errors: list[ApiError] = field(default_factory=list)

    def refuse(self, code: str, message: str, *fields: str, status: int = 400) -> None:
        self.errors.append(ApiError(code, message, status, fields))

    def value(self, name: str) -> Any:
        """The column's value after the write."""
        return self.row[name] if name in self.row else self.old.get(name)


Batch = Sequence[Incoming]


def good(batch: Batch) -> Iterator[Incoming]:
    """The records that nothing has refused yet."""
    return (incoming for incoming in batch if not incoming.errors)


@dataclass(frozen=True, slots=True)
class Saved:
    """What became of one record: its Id, or why it was refused."""

    record_id: str
    is_created: bool
    errors: tuple[ApiError, ...] = ()

    @property
    def is_good(self) -> bool:
        return not self.errors
