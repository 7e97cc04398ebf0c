"""What the whole log of a table says: its live parts, its readings, and what was replaced when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sfnb.errors import StoreError
from sfnb.store.actions import read_actions
from sfnb.store.files import Files
from sfnb.store.log import READ, log_path, newest_version, parse_commit
from sfnb.store.parts import Part


@dataclass
class Catalog:
    """
    Args:
        live: by path, in the order of the commits.
        settled: of each snapshot whose reading has ended, its id, the oldest snapshot whose
            versions count in its state (empty: all do), and the key of its rows.
        replaced: paths that a commit removed, and when (milliseconds since 1970).
        named: every path that a commit ever named.
    """

    live: dict[str, Part] = field(default_factory=dict)
    settled: list[tuple[str, str, str | None]] = field(default_factory=list)
    replaced: dict[str, int] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)


def read_catalog(table: Files) -> Catalog:
    """
    Cost: reads every commit.

    Raises:
        StoreError: a commit is missing or damaged, so that nothing may be rewritten.
    """
    found = Catalog()
    for version in range(newest_version(table) + 1):
        path = log_path(version)
        text = table.read(path)
        if text is None:
            raise StoreError(f"{table.uri(path)} is missing. Run `sfnb verify`.")
        commit = parse_commit(text, version, table.uri(path))
        if commit is None:
            continue
        actions: Mapping[str, list[dict[str, object]]] = read_actions(text)
        moments = {str(r["path"]): r.get("deletionTimestamp") for r in actions.get("remove", [])}
        for gone in commit.removed:
            found.live.pop(gone, None)
            found.replaced[gone] = int(str(moments.get(gone) or 0))
        found.live |= {part.path: part for part in commit.parts}
        found.named |= {part.path for part in commit.parts}
        held, proof = commit.progress.held, commit.progress.proof
        if commit.kind == READ and held is not None and proof is not None:
            found.settled.append((commit.snapshot, held.starts_with or "", proof.key))
    found.settled.sort()
    return found
