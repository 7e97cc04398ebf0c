"""
What has to be sent so that a record is as it was: the change set, field by field. Pure.

Values are in REST's JSON form, see ``plan``. Null and empty text are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sfnb.restore.describes import WriteObject

Policy = Literal["overwrite", "skip", "fill-empty", "newer", "fail"]

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """
    What a restore does with a living record.

    Args:
        values: what is sent; empty: nothing.
        conflicts: fields in which somebody's later value stands against the snapshot's.
        is_skipped: the policy leaves the record alone although it differs.
    """

    values: Values
    conflicts: tuple[str, ...] = ()
    is_skipped: bool = False


def is_same(one: object, other: object) -> bool:
    """
    Whether two values of a field are the same to Salesforce.

    Ids of 15 and 18 characters are not compared here: what the org sends has 18.
    """
    if one is None or one == "":
        return other is None or other == ""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return float(one) == float(other)
    if isinstance(one, str) and isinstance(other, str):
        return one == other or _is_same_moment(one, other)
    return one == other


def _is_same_moment(one: str, other: str) -> bool:
    """``2026-11-09T05:12:03.000+0000`` and ``2026-11-09T05:12:03Z`` are one moment."""
    if len(one) < 19 or len(other) < 19 or one[10:11] != "T" or other[10:11] != "T":
        return False
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return False


def difference(wanted: Values, present: Values, fields: Iterable[str] | None = None) -> Values:
    """
    What of ``wanted`` is not so in ``present``; a field that ``present`` lacks counts as empty.

    Args:
        fields: only these.
    """
    names = wanted.keys() if fields is None else [name for name in fields if name in wanted]
    return {name: wanted[name] for name in names if not is_same(wanted[name], present.get(name))}


def change(
    wanted: Values,
    present: Values,
    policy: Policy,
    *,
    wanted_at: str = "",
    present_at: str = "",
    emptied: Iterable[str] = (),
) -> Change:
    """
    The change set of a living record.

    Args:
        wanted: the snapshot's values of the fields that may be updated.
        present: the record's values now.
        wanted_at, present_at: LastModifiedDate in the snapshot and now.
        emptied: references that the org has emptied by itself, when it deleted what they pointed
            at; nobody's decision stands against filling them.
    """
    differing = difference(wanted, present)
    if not differing:
        return Change({})
    emptied = set(emptied)
    conflicts = tuple(n for n in differing if n not in emptied or present.get(n) not in (None, ""))
    is_newer = _is_later(present_at, wanted_at)
    kept = _by_policy(differing, present, policy, conflicts, is_newer=is_newer)
    return Change(kept, conflicts, is_skipped=not kept)


def _by_policy(
    differing: Values,
    present: Values,
    policy: Policy,
    conflicts: tuple[str, ...],
    *,
    is_newer: bool,
) -> Values:
    """What of the differences the policy lets through."""
    if policy == "skip" or (policy == "fail" and conflicts):
        return {}
    if policy == "fill-empty":
        return {n: v for n, v in differing.items() if is_same(present.get(n), None)}
    if policy == "newer" and is_newer:
        return {n: v for n, v in differing.items() if n not in conflicts}
    return differing


def _is_later(one: str, other: str) -> bool:
    try:
        return datetime.fromisoformat(one) > datetime.fromisoformat(other)
    except (ValueError, TypeError):
        return True  # what cannot be compared is somebody's newer work


def mending(wanted: Values, present: Values, target: WriteObject, policy: Policy) -> Values:
    """
    What is sent to a record that came back from the recycle bin, so that it is as it was.

    Args:
        wanted: everything that could be written, in Ids of the target.
        present: the record as it was read after the undelete.
    """
    fields = [n for n in wanted if (f := target.fields.get(n)) is not None and f.is_updateable]
    differing = difference(wanted, present, fields)
    if policy != "overwrite":
        # Its later values were made by somebody; what undelete has lost was not.
        return {n: v for n, v in differing.items() if is_same(present.get(n), None)}
    return differing


def created(wanted: Values, target: WriteObject) -> Values:
    """
    What is sent to make a record: its values, and null only where the org would fill in a default.
    """
    return {
        name: value
        for name, value in wanted.items()
        if value not in (None, "") or _must_say_null(target, name)
    }


def _must_say_null(target: WriteObject, name: str) -> bool:
    found = target.fields.get(name)
    return (
        found is not None
        and found.is_nillable
        and found.has_default
        and found.type not in ("boolean", "reference")
    )
