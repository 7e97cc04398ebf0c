"""Which records of a snapshot a restore is about. Reads the store, asks nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from difflib import get_close_matches

import pyarrow as pa
import pyarrow.compute as pc

from sfnb.errors import CallerError
from sfnb.model import JobWarning, ObjectState
from sfnb.restore.compact import IdSet
from sfnb.restore.describes import WriteObject
from sfnb.restore.request import RestoreRequest
from sfnb.store.manifest import Manifest
from sfnb.store.parts import known_true
from sfnb.store.snapshots import Snapshot, Snapshots

SETUP_OBJECTS = frozenset(
    {
        *("User", "Group", "GroupMember", "UserRole", "Profile", "PermissionSet"),
        *("PermissionSetAssignment", "PermissionSetGroup", "PermissionSetLicenseAssign"),
        *("QueueSobject", "Territory", "Territory2", "UserTerritory", "UserTerritory2Association"),
        *("ObjectTerritory2Association", "RecordType", "Organization", "ObjectPermissions"),
        *("FieldPermissions", "SetupEntityAccess", "CustomPermission", "UserPackageLicense"),
    }
)
"""
Objects that cannot be written in one transaction with others (MIXED_DML_OPERATION, Apex guide, "sObjects
That Cannot Be Used Together in DML Operations"), and that say who may do what. They are restored only
when they are named: giving back somebody's rights must be meant.
"""


@dataclass
class Choice:
    """
    What a restore is about.

    Args:
        whole: objects of which everything that was deleted or changed is restored.
        ids: by object, records that are restored whatever happened to them.
    """

    whole: tuple[str, ...] = ()
    ids: dict[str, set[str]] = field(default_factory=dict)
    warnings: list[JobWarning] = field(default_factory=list)

    @property
    def objects(self) -> list[str]:
        return list(dict.fromkeys((*self.whole, *self.ids)))


def choose(manifest: Manifest, prefixes: Mapping[str, str], request: RestoreRequest) -> Choice:
    """
    The records that are asked for.

    Args:
        prefixes: the object of each Id prefix.

    Raises:
        CallerError: the snapshot has no such object, or none of the Ids is of one that it has.
    """
    complete = [n for n, e in manifest.objects.items() if e.state is ObjectState.COMPLETE]
    choice = Choice()
    named = [_spelled(name, manifest) for name in request.objects]
    for name in named or manifest.objects:
        if name not in complete:
            choice.warnings.append(_incomplete(name, manifest))
    if manifest.scope and not (named or request.ids):
        choice.warnings.append(_of_some(manifest))
    if request.ids:
        _choose_ids(choice, complete, prefixes, request.ids, named)
        return choice
    wanted = named or [name for name in complete if name not in SETUP_OBJECTS]
    choice.whole = tuple(name for name in wanted if name in complete)
    if not choice.whole:
        raise CallerError(
            f"snapshot {manifest.snapshot} has none of these objects complete, so what was deleted "
            "or changed cannot be known."
        )
    return choice


def check_fields(asked: Sequence[str], columns: Iterable[str]) -> None:
    """
    Refuse fields that none of the chosen objects has. Pure.

    Args:
        columns: the fields of these objects in the snapshot.

    Raises:
        CallerError: one of them is unknown.
    """
    by_lower = {name.lower(): name for name in columns}
    for name in asked:
        if name.lower() not in by_lower:
            near = [by_lower[n] for n in get_close_matches(name.lower(), by_lower, n=3)]
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise CallerError(f"none of these objects has a field {name} in the snapshot.{hint}")


def _choose_ids(
    choice: Choice,
    complete: Sequence[str],
    prefixes: Mapping[str, str],
    ids: Sequence[str],
    named: Sequence[str],
) -> None:
    unknown: list[str] = []
    for record_id in ids:
        name = prefixes.get(record_id[:3], "")
        if name in complete and (not named or name in named):
            choice.ids.setdefault(name, set()).add(record_id)
        else:
            unknown.append(record_id)
    if not choice.ids:
        raise CallerError(
            f"none of the {len(unknown):,} Ids is of an object that the snapshot has complete "
            f"(such as {unknown[0]})."
        )
    if unknown:
        choice.warnings.append(
            JobWarning(
                "not_in_snapshot",
                "",
                f"{len(unknown):,} Ids are of no object that the snapshot has complete, such as "
                f"{unknown[0]}.",
            )
        )


def _spelled(asked: str, manifest: Manifest) -> str:
    by_lower = {name.lower(): name for name in manifest.objects}
    if asked.lower() in by_lower:
        return by_lower[asked.lower()]
    near = get_close_matches(asked.lower(), by_lower, n=3)
    hint = f" Did you mean {' or '.join(by_lower[n] for n in near)}?" if near else ""
    raise CallerError(f"snapshot {manifest.snapshot} has no object {asked}.{hint}")


def _of_some(manifest: Manifest) -> JobWarning:
    names = list(manifest.objects)
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return JobWarning(
        "partial_snapshot",
        "",
        f"snapshot {manifest.snapshot} is a backup of some objects only ({', '.join(names[:3])}{more}); "
        "no others are restored. `sfnb snapshots` shows those that have more.",
    )


def _incomplete(name: str, manifest: Manifest) -> JobWarning:
    return JobWarning(
        "partial_snapshot",
        name,
        f"snapshot {manifest.snapshot} does not have {name} complete; it is not restored.",
    )


def prefixes_of(snapshot: Snapshot) -> dict[str, str]:
    """
    The object of each Id prefix, as the snapshot's org had them. Cost: none; a backup of chosen
    objects has no list of all, so another snapshot's is taken for the rest.
    """
    own = [(str(snapshot.describe(name).get("keyPrefix") or ""), name) for name in snapshot.objects]
    # Some prefixes are shared (017, all history objects): the first one stands for none of them.
    found: dict[str, str] = {}
    pairs = dict.fromkeys([*_listed(snapshot), *own])
    times = Counter(prefix for prefix, _ in pairs)
    for prefix, name in pairs:
        if prefix and times[prefix] == 1:
            found[prefix] = name
    return found


def _listed(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Prefix and object, from the newest list of all objects that the org's snapshots have."""
    snapshots = Snapshots(snapshot.files)
    for one in (snapshot, *(snapshots[name] for name in reversed(list(snapshots)))):
        listed = one.plan.catalogue.get("objects")
        if isinstance(listed, Mapping) and listed:
            return [(str(entry[0]), name) for name, entry in listed.items() if entry and entry[0]]
    return []


def holder_of(snapshot: Snapshot, object_name: str) -> Snapshot | None:
    """The snapshot, or else the newest of the same org, that has an object complete."""
    if snapshot.state_of(object_name) is ObjectState.COMPLETE:
        return snapshot
    found = Snapshots(snapshot.files).latest(object_name)
    return found if found.state_of(object_name) is ObjectState.COMPLETE else None


def objects_with(snapshot: Snapshot, prefix: str, names: Sequence[str]) -> tuple[str, ...]:
    """Of these objects, those with this prefix of Ids, as far as any snapshot of the org tells."""
    held = {name: found for name in names if (found := holder_of(snapshot, name)) is not None}
    return tuple(n for n, has in held.items() if has.describe(n).get("keyPrefix") == prefix)


def standard_pricebooks(snapshot: Snapshot) -> list[str]:
    """Ids of the standard price book, from the newest snapshot that has price books."""
    held = holder_of(snapshot, "Pricebook2")
    if held is None or "IsStandard" not in held.columns("Pricebook2").names:
        return []
    found: list[str] = []
    for batch in held.rows("Pricebook2").batches(["Id", "IsStandard"]):
        found += batch.filter(known_true(batch.column("IsStandard"))).column("Id").to_pylist()
    return found


# -- rows of the snapshot --------------------------------------------------------------------------------------------


def rows_with(
    snapshot: Snapshot, name: str, field_name: str, ids: pa.Array, fields: Sequence[str] | None
) -> Iterator[pa.RecordBatch]:
    """The snapshot's live records of an object that have one of these Ids in a field."""
    rows = snapshot.rows(name)
    columns = None if fields is None else list(dict.fromkeys((*fields, field_name)))
    for batch in rows.batches(columns):
        found = batch.filter(pc.is_in(batch.column(field_name), value_set=ids))
        if found.num_rows:
            yield found


def children_of(
    snapshot: Snapshot,
    objects: Mapping[str, WriteObject],
    chosen: Mapping[str, AbstractSet[str]],
    *,
    skip: Sequence[str] = (),
) -> dict[str, IdSet]:
    """
    By object, the records of the snapshot that refer to one of the chosen ones.

    Args:
        objects: by name, the describes of the snapshot's complete objects.
        skip: objects that are not looked at.
    """
    ids = IdSet(i for some in chosen.values() for i in some).arrow()
    found: dict[str, IdSet] = {}
    for name, described in objects.items():
        links = [
            f.name
            for f in described.references
            if set(f.reference_to) & chosen.keys() and f.name in snapshot.columns(name).names
        ]
        if not links or name in skip:
            continue
        for batch in snapshot.rows(name).batches(["Id", *links]):
            hit = pc.is_in(batch.column(links[0]), value_set=ids)
            for link in links[1:]:
                hit = pc.or_(hit, pc.is_in(batch.column(link), value_set=ids))
            new = batch.filter(hit).column("Id").to_pylist()
            found.setdefault(name, IdSet()).update(new)
    return {name: some for name, some in found.items() if some}
