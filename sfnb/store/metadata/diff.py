"""What has changed in an org's metadata between two snapshots. Pure: values in, values out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sfnb.errors import CallerError
from sfnb.store.metadata.canonical import Element, canonical, key_of
from sfnb.store.metadata.record import MetadataRecord

if TYPE_CHECKING:
    from sfnb.store.snapshots import Snapshots

Read = Callable[[str], bytes]
"""The content of one of a record's files, by its path."""


@dataclass(frozen=True, slots=True)
class MetadataChange:
    """One component that has changed; ``paths``: its files that are not equal any more."""

    type: str
    name: str
    change: Literal["added", "removed", "changed"]
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MetadataDiff:
    """All changes, by type and name; ``notes``: what could not be compared, and why."""

    changes: tuple[MetadataChange, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Numbers by type, and the components themselves."""
        types: dict[str, dict[str, int]] = {}
        for one in self.changes:
            counts = types.setdefault(one.type, {"added": 0, "removed": 0, "changed": 0})
            counts[one.change] += 1
        return {
            "types": types,
            "components": [
                {"type": c.type, "name": c.name, "change": c.change, "paths": list(c.paths)}
                for c in self.changes
            ],
            "notes": list(self.notes),
        }


def diff_of(snapshots: Snapshots, old: str, new: str) -> MetadataDiff:
    """
    The metadata of one snapshot against that of another; see ``compare``.

    Raises:
        CallerError: one of them has no metadata, nor has an older one.
        StoreError: what there is is damaged.
    """
    from sfnb.store.metadata.packs import PackReader
    from sfnb.store.metadata.view import metadata_of

    first, second = snapshots[old], snapshots[new]
    if first.id > second.id:
        raise CallerError(f"{first.id} is newer than {second.id}. Name the older snapshot first.")
    records = metadata_of(snapshots, first), metadata_of(snapshots, second)
    readers = PackReader(first.files), PackReader(second.files)
    try:
        return compare(
            *records,
            lambda path: readers[0].read(records[0].files[path]),
            lambda path: readers[1].read(records[1].files[path]),
        )
    finally:
        for reader in readers:
            reader.close()


def compare(
    old: MetadataRecord, new: MetadataRecord, read_old: Read, read_new: Read
) -> MetadataDiff:
    """
    What was added, removed and changed.

    A component that was not obtained is not removed, and what another API version brings or drops
    as a whole type is neither: both are notes. Files are compared in their canonical form; a
    profile only in what it says of components that both snapshots have.
    """
    notes = []
    one_sided = set(old.components) ^ set(new.components)
    if old.api_version != new.api_version:
        notes.append(
            f"API version {old.api_version} then, {new.api_version} now: types that only one of "
            f"them has are not compared ({', '.join(sorted(one_sided)) or 'none'})."
        )
    else:
        one_sided = set()
    changes = []
    strangers = _names(old) ^ _names(new)
    for kind in sorted({*old.components, *new.components} - one_sided):
        before, after = old.components.get(kind, {}), new.components.get(kind, {})
        unknown = {m.name for m in (*old.missing, *new.missing) if m.type == kind}
        for name in sorted({*before, *after}):
            if name not in before or name not in after:
                if {"*", name} & unknown:
                    notes.append(f"{kind} {name}: one of the snapshots could not obtain it.")
                    continue
                change: Literal["added", "removed"] = "added" if name in after else "removed"
                changes.append(MetadataChange(kind, name, change))
            elif paths := _changed(
                kind, before[name], after[name], old, new, read_old, read_new, strangers
            ):
                changes.append(MetadataChange(kind, name, "changed", tuple(paths)))
    return MetadataDiff(tuple(changes), tuple(notes))


def _names(record: MetadataRecord) -> set[str]:
    return {name for names in record.components.values() for name in names}


def _changed(  # noqa: PLR0917 - two sides of everything
    kind: str,
    before: Sequence[str],
    after: Sequence[str],
    old: MetadataRecord,
    new: MetadataRecord,
    read_old: Read,
    read_new: Read,
    strangers: set[str],
) -> list[str]:
    """The files of one component that are not equal."""
    found = sorted({*before} ^ {*after})
    without = _speaks_of(strangers) if kind == "Profile" else None
    for path in sorted({*before} & {*after}):
        if _same(old.files, new.files, path):
            continue
        forms = [canonical(path, read(path), without=without) for read in (read_old, read_new)]
        if forms[0] != forms[1]:
            found.append(path)
    return found


def _same(old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> bool:
    return bool(old[path].sha256 == new[path].sha256)


def _speaks_of(names: set[str]) -> Callable[[Element], bool]:
    """Whether an element of a profile is about one of these components, or a field of one."""

    def speaks(element: Element) -> bool:
        key = key_of(element)
        return key is not None and bool({key, key.partition(".")[0], key.partition("-")[0]} & names)

    return speaks
