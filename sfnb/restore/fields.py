"""Which fields of a snapshot a restore can bring back into an org, and why not the others. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sfnb.restore.describes import AUDIT, NEVER_SENT, SYSTEM, WriteField, WriteObject
from sfnb.restore.plan import Reason


@dataclass(frozen=True, slots=True)
class Restorable:
    """
    An object's fields, sorted by what can be done.

    Args:
        create: sent when a record is made; ``update``: when one is changed. In the target's
            spelling.
        not_written: the others, and why.
        refused: fields that could be written in the source and cannot be here.
        source_names: by the target's spelling, the snapshot's.
    """

    create: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    not_written: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, Reason] = field(default_factory=dict)
    source_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def all(self) -> tuple[str, ...]:
        """Fields that are sent in either case."""
        return tuple(dict.fromkeys((*self.create, *self.update)))


def restorable(
    columns: Iterable[str],
    source: WriteObject,
    target: WriteObject,
    *,
    only: Sequence[str] = (),
    hidden: Mapping[str, str] | None = None,
) -> Restorable:
    """
    What can be restored of an object.

    Args:
        columns: the snapshot's fields of it.
        source: its describe when it was backed up.
        target: its describe in the org that is written.
        only: restore these fields alone; a new record still gets all of them.
        hidden: fields that a rule of the object keeps from being written, and why.
    """
    by_lower = {name.lower(): f for name, f in target.fields.items()}
    wanted = {name.lower() for name in only}
    create: list[str] = []
    update: list[str] = []
    not_written: dict[str, str] = {}
    refused: dict[str, Reason] = {}
    names: dict[str, str] = {}
    for column in columns:
        if column in SYSTEM:
            continue
        here, was = by_lower.get(column.lower()), source.fields.get(column)
        if here is None:
            if was is None or _was_written(was):
                refused[column] = "field_gone"
            else:
                not_written[column] = "the org no longer has it"
        elif here.name in NEVER_SENT or here.name in (hidden or {}):
            not_written[column] = (hidden or {}).get(here.name, "the org sets it by itself")
        elif not (here.is_createable or here.is_updateable):
            not_written[column] = why_not(here)
            if was is not None and _was_written(was) and here.name not in AUDIT:
                refused[column] = "field_not_writable"
        else:
            names[here.name] = column
            if here.is_createable:
                create.append(here.name)
            if here.is_updateable and (not wanted or column.lower() in wanted):
                update.append(here.name)
            elif not here.is_updateable and here.name not in AUDIT:
                not_written[column] = "it can be set only when a record is created"
    return Restorable(tuple(create), tuple(update), not_written, refused, names)


def _was_written(was: WriteField) -> bool:
    return was.is_createable or was.is_updateable


def why_not(found: WriteField) -> str:
    """Why a field cannot be written, for people."""
    if found.is_calculated:
        return "it is a formula or a roll-up"
    if found.is_auto_number:
        return "it is an auto-number"
    if found.name in AUDIT:
        return (
            "it is an audit field; the user needs the permission Set Audit Fields upon Record "
            "Creation"
        )
    return "the org derives it, or the user may not edit it"
