"""Records and what goes with them, as they were read. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Member:
    """
    A record of a tree as it was read.

    Args:
        digest: of what it says; see ``comparing.digest_of``. ``core``: without what a deletion
            itself writes.
        is_first: it has to be deleted before its parent.
        bytes: of its file.
        is_deleted: it is in the recycle bin.
        stamp_us: its SystemModstamp, microseconds since 1970; 0: it has none.
    """

    object_name: str
    id: str
    digest: bytes = b""
    core: bytes = b""
    is_first: bool = False
    bytes: int = 0
    is_deleted: bool = False
    stamp_us: int = 0


@dataclass
class Trees:
    """
    Some roots with all that goes with them.

    Args:
        members: by Id, every record that was found, the roots too.
        above: by Id, the records with which it goes.
        paths: by object, the files that hold the rows.
        unread: by Id, why nobody knows what would go with a record.
    """

    roots: tuple[str, ...]
    with_deleted: bool = False
    members: dict[str, Member] = field(default_factory=dict)
    above: dict[str, set[str]] = field(default_factory=dict)
    paths: dict[str, list[str]] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def by_root(self) -> dict[str, list[str]]:
        """By root, the Ids of its tree, itself first."""
        below: dict[str, list[str]] = {}
        for record_id, parents in self.above.items():
            for parent in parents:
                below.setdefault(parent, []).append(record_id)
        found = {}
        for root in self.roots:
            if root not in self.members:
                continue
            tree, queue = {root: None}, [root]
            while queue:
                for child in below.get(queue.pop(), ()):
                    if child not in tree:
                        tree[child] = None
                        queue.append(child)
            found[root] = list(tree)
        return found

    def roots_of(self) -> dict[str, set[str]]:
        """By record, the roots with which it goes."""
        found: dict[str, set[str]] = {}
        for root, tree in self.by_root().items():
            for record_id in tree:
                found.setdefault(record_id, set()).add(root)
        return found

    def unknown(self) -> dict[str, str]:
        """By root, why nobody knows all that would go with it."""
        if not self.unread:
            return {}
        return {
            root: self.unread[one]
            for root, tree in self.by_root().items()
            for one in tree
            if one in self.unread
        }
