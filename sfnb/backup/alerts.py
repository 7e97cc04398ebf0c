"""
Which objects changed so much since the last backup that a person should look. Pure.

A mass change is what an admin wants to hear of before the recycle bin is empty: a wrong import, an
integration that ran away, a deletion by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sfnb.settings import MASS_CHANGE_PCT

FEWEST = 10
"""Fewer records than this are no mass, whatever share of a small object they are."""


@dataclass(frozen=True, slots=True)
class ObjectChanges:
    """
    What happened to one object's records since the last snapshot that had it complete.

    Args:
        before: live records then.
        changed: live then and now, with another value in some field.
        deleted: live then, and in the recycle bin or gone now; without what sfnb has archived.
    """

    before: int
    changed: int
    deleted: int


@dataclass(frozen=True, slots=True)
class ChangeLimits:
    """
    From which share on a change is a mass change, in percent; 100: never.

    Args:
        default_pct: of every object that ``by_object`` does not name.
        by_object: API names, in any case.
    """

    default_pct: float = MASS_CHANGE_PCT
    by_object: Mapping[str, float] = field(default_factory=dict)

    def of(self, object_name: str) -> float:
        named = {name.lower(): pct for name, pct in self.by_object.items()}
        return named.get(object_name.lower(), self.default_pct)


def mass_changes(
    changes: Mapping[str, ObjectChanges], limits: ChangeLimits
) -> list[dict[str, str]]:
    """
    A warning (``code``, ``object``, ``message``) for each object of which more than its limit was
    changed or deleted, the largest share first.
    """
    found = []
    for name, counts in changes.items():
        touched = counts.changed + counts.deleted
        share_pct = 100 * touched / counts.before if counts.before else 0.0
        if touched >= FEWEST and share_pct > limits.of(name):
            found.append((share_pct, name, _sentence(name, counts, share_pct, limits.of(name))))
    found.sort(key=lambda one: (-one[0], one[1]))
    return [{"code": "mass_change", "object": name, "message": text} for _, name, text in found]


def _sentence(name: str, counts: ObjectChanges, share_pct: float, limit_pct: float) -> str:
    return (
        f"{name}: {counts.changed:,} of {counts.before:,} records were changed and "
        f"{counts.deleted:,} deleted since the last backup ({share_pct:.0f} %; the limit is "
        f"{limit_pct:g} %). `sfnb diff` shows which."
    )
