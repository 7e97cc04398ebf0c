"""Which orgs a store holds, by its own plans: no registration, no network, no org."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sfnb.errors import CallerError, StoreError
from sfnb.store.archives import ARCHIVES, archive_folder, archive_ids
from sfnb.store.files import Files
from sfnb.store.manifest import SNAPSHOT_ID, read_manifest, read_plan, read_summary


@dataclass(frozen=True, slots=True)
class StoredOrg:
    """
    One org of a store.

    Args:
        names: under which its snapshots were made, newest first.
        snapshots: how many snapshot folders there are.
        newest: id of the newest snapshot; empty without one.
    """

    org_id: str
    names: tuple[str, ...]
    snapshots: int
    newest: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"names": list(self.names)}


def stored_orgs(files: Files) -> list[StoredOrg]:
    """The orgs below a store's root, by Organization Id. Cost: reads each snapshot's plan."""
    found = []
    for org_id in files.names("", folders=True):
        org = files.below(org_id)
        ids = [n for n in org.names("snapshots", folders=True) if SNAPSHOT_ID.fullmatch(n)]
        rooms = ("records", "tables", ARCHIVES)
        if not ids and not any(org.names(room, folders=True) for room in rooms):
            continue  # some other folder
        names = [name for snapshot in reversed(ids) if (name := _name_in(org, snapshot))]
        if not names:  # an org may have archives alone
            archives = reversed(list(archive_ids(org)))
            names = [n for one in archives if (n := _name_in(org.below(archive_folder(one)), one))]
        found.append(StoredOrg(org_id, tuple(dict.fromkeys(names)), len(ids), max(ids, default="")))
    return found


def _name_in(org: Files, snapshot: str) -> str:
    """The org's name in a snapshot; empty where neither plan nor manifest can be read."""
    if (summary := read_summary(org, snapshot)) is not None:
        return summary.org
    try:
        return read_plan(org, snapshot).org
    except StoreError:  # `verify` names this damage
        pass
    try:
        manifest = read_manifest(org, snapshot)
    except StoreError:
        return ""
    return manifest.org if manifest else ""


def find_org(orgs: list[StoredOrg], name: str, root: str) -> str:
    """
    The Organization Id that a name or an Id (15 or 18 characters) means in a store.

    Raises:
        CallerError: none, or more than one; the message lists what the store holds.
    """
    meant = [o for o in orgs if o.org_id == name or (len(name) == 15 and o.org_id[:15] == name)]
    # A name may have been given to another org later: the one that has it now counts first.
    meant = (
        meant or [o for o in orgs if o.names[:1] == (name,)] or [o for o in orgs if name in o.names]
    )
    if len(meant) == 1:
        return meant[0].org_id
    held = ", ".join(f"{o.names[0] if o.names else '?'} ({o.org_id})" for o in orgs) or "none"
    if meant:
        ids = ", ".join(o.org_id for o in meant)
        raise CallerError(
            f"{len(meant)} orgs were backed up as {name!r}. Name one by its Id: {ids}."
        )
    raise CallerError(
        f"no org {name!r} is registered (`sfnb org add {name}`) or in the store {root}, which holds: {held}."
    )
