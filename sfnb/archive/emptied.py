"""Lookups of other records that an archive would empty: named in its plan."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from sfnb.archive.relations import Relation


@dataclass
class Emptied:
    """
    By object that goes and lookup to it, the records that have the lookup.

    The org empties these lookups when it deletes; a record that comes out of the recycle bin gets
    them back (Salesforce help, "View, Restore, and Manage the Recycle Bin"), one that was deleted for
    good does not.
    """

    found: dict[tuple[str, Relation], set[str]] = field(default_factory=dict)

    def add(self, references: Iterable[tuple[str, Relation, str]]) -> None:
        for name, one, record_id in references:
            self.found.setdefault((name, one), set()).add(record_id)

    def as_json(self, going: Collection[str]) -> list[dict[str, Any]]:
        """
        How many records would lose which lookup; those that go themselves lose nothing.

        Args:
            going: Ids of all records that go.
        """
        counts = [
            {"object": one.child, "field": one.field, "to": name, "records": len(ids - set(going))}
            for (name, one), ids in self.found.items()
        ]
        return sorted(
            (one for one in counts if one["records"]), key=lambda o: (o["object"], o["field"])
        )
