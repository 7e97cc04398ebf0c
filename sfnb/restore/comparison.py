"""Whether a record in the org is what the snapshot says: field by field. Pure."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sfnb.restore.changes import is_same
from sfnb.restore.describes import AUDIT, MASTER_RECORD_TYPE, WriteObject
from sfnb.restore.fields import Restorable
from sfnb.store.bodies.fields import PICTURE

Mode = Literal["create", "undelete", "update"]

LAST_MODIFIED = frozenset({"LastModifiedById", "LastModifiedDate"})
"""What each further write of a record, or of its children's automation, sets anew."""


@dataclass(frozen=True, slots=True)
class Written:
    """
    A record that the restore has written.

    Args:
        fields: what was sent to a living record; empty: all that can be restored is compared.
        is_twice: two waves have written it, so its LastModifiedDate is the run's.
        is_proven: the run has read it back after its last write and found it as in the snapshot.
    """

    new_id: str
    mode: Mode
    fields: tuple[str, ...] = ()
    is_twice: bool = False
    is_proven: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as it was; ``field`` is Id where the record is not there at all."""

    old_id: str
    new_id: str
    field: str
    wanted: Any
    found: Any
    is_rewritten: bool = False


@dataclass(frozen=True)
class Rules:
    """
    How one object's records are compared.

    Args:
        hidden: columns that the plan names as not written.
        rich_texts: fields whose text is HTML with addresses of pictures.
        id_of: the target's Id for one of the snapshot's.
    """

    target: WriteObject
    restorable: Restorable
    hidden: frozenset[str]
    rich_texts: frozenset[str]
    id_of: Callable[[str], str]

    def fields(self, written: Written) -> Iterable[str]:
        """What of a record is compared, in the target's spelling."""
        if written.mode == "update":
            return written.fields
        made = self.restorable.create if written.mode == "create" else self.restorable.all
        names = self.restorable.source_names
        found = (n for n in made if names[n] not in self.hidden)
        # An undelete keeps the audit fields by itself, and mending it moves the last two.
        return found if written.mode == "create" else (n for n in found if n not in AUDIT)


def hidden_by(plan_says: Mapping[str, str], restorable: Restorable) -> frozenset[str]:
    """Columns that the plan does not write for a reason of the object's own."""
    return frozenset(n for n, why in plan_says.items() if restorable.not_written.get(n) != why)


def compare(
    rules: Rules,
    old_id: str,
    written: Written,
    old: Mapping[str, Any],
    present: Mapping[str, Any] | None,
) -> list[Difference]:
    """
    The fields of a record that differ from the snapshot.

    Args:
        old: the snapshot's record under the snapshot's field names.
        present: the target's; None: there is none.
    """
    new_id = written.new_id
    if present is None or present.get("IsDeleted") is True:
        return [Difference(old_id, new_id, "Id", old_id, None)]
    found = []
    names = rules.restorable.source_names
    for name in rules.fields(written):
        wanted, there = old.get(names.get(name, name)), present.get(name)
        if not _is_equal(rules, name, wanted, there):
            is_rewritten = written.is_twice and name in LAST_MODIFIED
            found.append(Difference(old_id, new_id, name, wanted, there, is_rewritten))
    return found


def _is_equal(rules: Rules, name: str, wanted: Any, there: Any) -> bool:
    target = rules.target.fields.get(name)
    if target is not None and target.is_reference:
        wanted = _reference(wanted, rules.id_of)
        return is_same(wanted, _reference(there, lambda i: i))
    if name in rules.rich_texts:
        return pictures_aside(wanted) == pictures_aside(there)
    return is_same(wanted, there)


def _reference(value: Any, id_of: Callable[[str], str]) -> Any:
    """The master record type is no record type: an org shows either that or nothing."""
    if not value or value == MASTER_RECORD_TYPE:
        return None
    return id_of(str(value))


def pictures_aside(text: Any) -> str:
    """
    A rich text without the addresses of its pictures: they hold the record's Id, and differ.
    """
    return PICTURE.sub("[picture]", html.unescape(str(text or ""))).replace("\r\n", "\n").strip()
