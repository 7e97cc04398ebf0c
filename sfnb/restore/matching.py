"""
Which record of the target is which of the snapshot: by what earlier restores made, by unique external
ids, by the keys of standard objects. Never by a name that people give.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sfnb.errors import StoreError
from sfnb.restore.describes import WriteObject
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.plan import PlannedRow

Key = tuple[Any, ...]
Row = Mapping[str, Any]

STANDARD_KEYS: Mapping[str, tuple[str, ...]] = {
    "User": ("Username",),
    "Group": ("Type", "DeveloperName"),
    "UserRole": ("DeveloperName",),
    "Pricebook2": ("IsStandard",),
}
"""
What tells records of these apart in any org. Of price books only the standard one is there in each
org; the key of the others is none.
"""


@dataclass
class Matches:
    """
    Records of the target by the snapshot's Ids.

    Attributes:
        pairs: old Id → the target's.
        ambiguous: old Ids for which two records of the target stand, or two keys disagree.
    """

    pairs: dict[str, str] = field(default_factory=dict)
    ambiguous: set[str] = field(default_factory=set)

    def add(self, old_id: str, target_id: str) -> None:
        """One more sign that these two are one record."""
        if self.pairs.setdefault(old_id, target_id) != target_id:
            self.ambiguous.add(old_id)


def match_rows(
    matches: Matches, old: Iterable[Row], new: Iterable[Row], key_of: Callable[[Row], Key | None]
) -> None:
    """
    Match records by a key. Pure.

    Args:
        key_of: a record's key; None: it has none, and matches nothing.
    """
    known: dict[Key, str] = {}
    twice: set[Key] = set()
    for row in new:
        key = key_of(row)
        if key is not None and known.setdefault(key, str(row["Id"])) != row["Id"]:
            twice.add(key)
    for row in old:
        key = key_of(row)
        if key is None or key not in known:
            continue
        if key in twice:
            matches.ambiguous.add(str(row["Id"]))
        else:
            matches.add(str(row["Id"]), known[key])


def key_by(fields: tuple[str, ...], *, is_exact: bool = False) -> Callable[[Row], Key | None]:
    """A key of some fields, all of them filled; compared as the org does: without case unless it says so."""

    def key_of(row: Row) -> Key | None:
        values = [row.get(name) for name in fields]
        if any(value in (None, "") or value is False for value in values):
            return None
        return tuple(
            value.lower() if isinstance(value, str) and not is_exact else value for value in values
        )

    return key_of


def sandbox_users(old: Iterable[Row], new: Iterable[Row], matches: Matches) -> None:
    """
    Users of a sandbox: their user name is the production's with the sandbox's name after it (Help,
    "Sandbox Setup Considerations").
    """
    by_base: dict[str, set[str]] = {}
    for row in new:
        name = str(row.get("Username") or "").lower()
        by_base.setdefault(name.rpartition(".")[0], set()).add(str(row["Id"]))
    for row in old:
        found = by_base.get(str(row.get("Username") or "").lower(), set())
        if str(row["Id"]) not in matches.pairs and len(found) == 1:
            matches.add(str(row["Id"]), next(iter(found)))


def match_record_types(source: WriteObject, target: WriteObject, matches: Matches) -> None:
    """Record types of an object by their developer name; the master type is no record."""
    by_name = {r.developer_name: r for r in target.record_types if not r.is_master}
    for found in source.record_types:
        there = by_name.get(found.developer_name)
        if there is not None and not found.is_master:
            matches.pairs[found.record_type_id] = there.record_type_id


def earlier_ids(of: RestoreFolder, source_org_id: str) -> dict[str, str]:
    """
    What earlier restores of this source have made in this target: old Id → new Id. Of two the later
    one, whose Id is the higher. Cost: no calls.

    Args:
        of: the restore that wants to know.
    """
    found: dict[str, str] = {}
    for folder in of.earlier():
        if not folder.files.has(folder.id_map_path):
            continue
        try:
            plan = folder.plan()
        except StoreError:
            continue  # `sfnb verify` names it; what it made is found by other keys or not at all
        if plan is None or plan.source.org_id != source_org_id:
            continue
        text = (folder.files.read(folder.id_map_path) or b"").decode()
        for row in csv.DictReader(io.StringIO(text)):
            old_id, new_id = row.get("old_id") or "", row.get("new_id") or ""
            if new_id and new_id > found.get(old_id, ""):
                found[old_id] = new_id
    return found


def skipped(name: str, old_id: str, target_id: str) -> PlannedRow:
    """A record that the other org has already."""
    return PlannedRow(name, old_id, "skip", target_id, reason="matched")
