"""What a person asks a restore to do: a frozen value, kept with its job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of
from typing import Any, Literal, get_args

from sfnb.errors import CallerError
from sfnb.org.ids import to18

Only = Literal["deleted", "changed"]
ConflictPolicy = Literal["overwrite", "skip", "fill-empty", "newer", "fail"]
AutomationChoice = Literal["keep", "off"]
DuplicateChoice = Literal["allow", "refuse"]

MOST_DEPTH = 10
"""Of ``children``: deeper than any data model's details."""


@dataclass(frozen=True, slots=True)
class RestoreRequest:
    """
    What to restore, from where, and how.

    Args:
        source_org_id: the org that the snapshot is of.
        source_org: its name.
        snapshot: the snapshot's id.
        objects: empty: all that are complete in the snapshot.
        ids: only these records, of any object, 18 characters each; empty: all.
        only: what was deleted since, or what was changed; None: both.
        children: also records that refer to the chosen ones, to this depth, and the parents
            that those need.
        fields: only these fields of records that are there; empty: all that can be written.
        files: the bodies of files, too.
        on_conflict: what happens to a record that is there and differs.
        automation: ``off`` switches triggers, flows and validation rules of the objects off.
        duplicates: whether to save what a duplicate rule warns of.
        owner: username of who owns records whose owner is not in the target.
        rejects: where the rejects file goes; None: below SFNB_HOME.
        from_rejects: a rejects file that was mended; its cells replace the snapshot's values.
    """

    source_org_id: str
    snapshot: str
    source_org: str = ""
    objects: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    only: Only | None = None
    children: int = 0
    fields: tuple[str, ...] = ()
    files: bool = False
    on_conflict: ConflictPolicy = "overwrite"
    automation: AutomationChoice = "keep"
    duplicates: DuplicateChoice = "allow"
    owner: str | None = None
    rejects: str | None = None
    from_rejects: str | None = None

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in allowed:
                raise CallerError(f"{name} is one of {', '.join(allowed)}, not {value!r}.")
        if not 0 <= self.children <= MOST_DEPTH:
            raise CallerError(f"the depth of children is from 0 to {MOST_DEPTH}.")

    def as_json(self) -> dict[str, Any]:
        """For the job's options."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> RestoreRequest:
        """From its JSON; what a newer sfnb added is not known."""
        known = {one.name for one in fields_of(cls)}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in saved.items()
            if name in known
        }
        return cls(**values)


def restore(
    snapshot: str = "latest",
    *,
    source: str = "",
    objects: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
    only: Only | None = None,
    with_children: int = 0,
    fields: Sequence[str] | None = None,
    files: bool = False,
    on_conflict: ConflictPolicy = "overwrite",
    automation: AutomationChoice = "keep",
    duplicates: DuplicateChoice = "allow",
    owner: str | None = None,
    rejects: str | None = None,
    from_rejects: str | None = None,
) -> RestoreRequest:
    """
    A restore of a snapshot: of what was deleted or changed since, or of what is chosen.

    Args:
        snapshot: its id, or ``latest``.
        source: the org that the snapshot is of: a registered name, or an Organization Id. Empty:
            the org that is written.
        ids: of 15 or 18 characters.

    The others: see `RestoreRequest`.
    """
    for name, values in (("objects", objects), ("ids", ids), ("fields", fields)):
        if values is not None and not values:
            raise CallerError(f"the list of {name} is empty; leave it out to take all of them.")
    return RestoreRequest(
        source_org_id="",
        snapshot=snapshot,
        source_org=source,
        objects=tuple(objects or ()),
        ids=tuple(dict.fromkeys(to18(one) for one in ids or ())),
        only=only,
        children=with_children,
        fields=tuple(fields or ()),
        files=files,
        on_conflict=on_conflict,
        automation=automation,
        duplicates=duplicates,
        owner=owner,
        rejects=rejects,
        from_rejects=from_rejects,
    )


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "only": get_args(Only),
    "on_conflict": get_args(ConflictPolicy),
    "automation": get_args(AutomationChoice),
    "duplicates": get_args(DuplicateChoice),
}
