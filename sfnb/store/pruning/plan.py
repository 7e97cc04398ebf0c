"""Which snapshots stay, which go, and what those that stay need of each object."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

from sfnb.model import ObjectState
from sfnb.store.files import Files
from sfnb.store.manifest import Manifest, read_manifest, read_plan, read_unchanged
from sfnb.store.older.refusing import refuse_older
from sfnb.store.pruned import read_pruned
from sfnb.store.pruning.keep import KeepPolicy, kept_by
from sfnb.store.snapshots import Snapshots


@dataclass(frozen=True)
class PrunePlan:
    """
    What a prune does to the snapshots of an org.

    Args:
        kept: by snapshot, why it stays.
        held: by snapshot that would go, the hold that keeps it, in words.
        removed: those that go.
        readings: by object, the snapshots whose reading of it a snapshot that stays needs.
    """

    kept: Mapping[str, list[str]]
    held: Mapping[str, str]
    removed: tuple[str, ...]
    readings: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def staying(self) -> list[str]:
        """Those that are still there afterwards, oldest first."""
        return sorted({*self.kept, *self.held})


def plan_prune(
    files: Files,
    policy: KeepPolicy,
    *,
    zone: tzinfo,
    held: Callable[[Collection[str]], Mapping[str, str]],
    is_grouped: bool = True,
) -> PrunePlan:
    """
    What a policy lets go.

    A snapshot that is not sealed stays: a job may still add to it. So does the newest complete one
    of each group. An archive's is in a store of its own, which no prune looks at.

    Args:
        is_grouped: the policy counts for backups of the same objects, so that one of some objects
            takes the place of none of the whole org.
        held: those of some snapshots that a hold keeps, and the hold in words.

    Raises:
        CallerError: something is stored in an older format.
        StoreError: a manifest is damaged, so nobody knows what its snapshot needs.
    """
    refuse_older(files)
    pruned = read_pruned(files)
    manifests = {s: read_manifest(files, s) for s in Snapshots(files) if s not in pruned}
    kept: dict[str, list[str]] = defaultdict(list)
    asked = []
    for snapshot, manifest in manifests.items():
        if manifest is None:
            kept[snapshot].append("not finished")
        else:
            asked.append(snapshot)
    for group in _groups(asked, manifests, is_grouped=is_grouped):
        for snapshot, why in kept_by(group, policy, zone).items():
            kept[snapshot] += why
        complete = [s for s in group if (m := manifests[s]) is not None and m.state == "complete"]
        if complete and max(complete) not in kept:
            kept[max(complete)].append("newest complete")
    going = [snapshot for snapshot in asked if snapshot not in kept]
    on_hold = dict(held(going)) if going else {}
    removed = tuple(snapshot for snapshot in going if snapshot not in on_hold)
    staying = {s: m for s, m in manifests.items() if s not in removed}
    return PrunePlan(dict(sorted(kept.items())), on_hold, removed, _readings(files, staying))


def _groups(
    snapshots: Sequence[str], manifests: Mapping[str, Manifest | None], *, is_grouped: bool
) -> list[list[str]]:
    """Snapshots for which the same objects were asked."""
    found: dict[str, list[str]] = defaultdict(list)
    for snapshot in snapshots:
        manifest = manifests[snapshot]
        found[manifest.scope if manifest is not None and is_grouped else ""].append(snapshot)
    return list(found.values())


def _readings(files: Files, staying: Mapping[str, Manifest | None]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for snapshot, manifest in staying.items():
        if manifest is None:
            plan = read_plan(files, snapshot)
            for name in plan.objects:
                found[name].add(snapshot)
            for name, entry in read_unchanged(files, plan).items():
                found[name].add(entry.unchanged_since or snapshot)
            continue
        for name, entry in manifest.objects.items():
            if entry.state is not ObjectState.UNTOUCHED:
                found[name].add(entry.unchanged_since or snapshot)
    return {name: frozenset(snapshots) for name, snapshots in found.items()}
