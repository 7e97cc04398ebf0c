"""What the whole log of a table says: its live parts, its readings, and what was replaced when."""

from __future__ import annotations

from dataclasses import dataclass, field

from sfnb.store.commits import READ
from sfnb.store.files import Files
from sfnb.store.log import read_forward
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
    for commit in read_forward(table):
        if commit.restates:
            found.live = {part.path: part for part in commit.live}
            found.named |= set(found.live)
        moments = commit.removed_at
        for gone in commit.removed:
            found.live.pop(gone, None)
            found.replaced[gone] = moments.get(gone, 0)
        if not commit.restates:
            found.live |= {part.path: part for part in commit.parts}
            found.named |= {part.path for part in commit.parts}
        held, proof = commit.progress.held, commit.progress.proof
        if commit.kind == READ and held is not None and proof is not None:
            found.settled.append((commit.snapshot, held.starts_with or "", proof.key))
    found.settled.sort()
    return found
