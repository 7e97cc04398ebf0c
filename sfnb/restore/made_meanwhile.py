# ruff: noqa: S608 - SOQL of names of the store and of moments
"""
Records that appeared in the org while a restore ran and that it did not send: automation made them, or
somebody did. Named, since the snapshot's own records may have come back beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sfnb.errors import ObjectError
from sfnb.model import JobWarning
from sfnb.org.answers import text_of
from sfnb.org.ids import to18
from sfnb.restore.describes import WriteObject, write_object
from sfnb.restore.plan import RestorePlan
from sfnb.restore.present import PresentReader
from sfnb.store.snapshots import Snapshot

MOST_OBJECTS = 25
MOST_NAMED = 5
MOST_READ = 2_000
"""Records whose Ids are read, so that these can be named; above that they are counted."""


@dataclass(frozen=True)
class MadeMeanwhile:
    """
    What a restore looks for at its end.

    Args:
        since: the org's time when the first row was sent.
        created: by object, how many records the restore has made.
        is_ours: whether it has made this one.
    """

    reader: PresentReader
    snapshot: Snapshot
    plan: RestorePlan
    since: str
    created: Mapping[str, int]
    is_ours: Callable[[str], bool]

    def warnings(self) -> list[JobWarning]:
        """
        A warning for each object. Cost: 1 API call for five objects, and for five of which there is
        more than was sent; none where nothing was made, or nothing runs by itself.
        """
        is_active = any(one.is_active for one in self.plan.automation)
        made = {name for name, count in self.created.items() if count}
        if not self.since or not made or not is_active:
            return []
        names = looked_at(made, self._described())[:MOST_OBJECTS]
        moment = datetime.fromisoformat(self.since).astimezone(UTC)
        where = f"CreatedDate >= {moment:%Y-%m-%dT%H:%M:%S}Z"
        counts = self.reader.counts(
            [(name, f"SELECT COUNT() FROM {name} WHERE {where}", False) for name in names]
        )
        more = [
            (name, count)
            for name, count in zip(names, counts, strict=True)
            if not isinstance(count, ObjectError) and count > self._dated_now(name)
        ]
        if not more:
            return []
        tail = f"WHERE {where} ORDER BY CreatedDate DESC LIMIT {MOST_READ}"
        queries = [(name, f"SELECT Id FROM {name} {tail}", False) for name, _ in more]
        found: list[JobWarning] = []
        for (name, count), rows in zip(more, self.reader.rows(queries), strict=True):
            ids = [to18(text_of(row.get("Id"))) for row in rows]
            theirs = [i for i in ids if not self.is_ours(i)]
            extra = len(theirs) if count <= MOST_READ else count - self._dated_now(name)
            if extra > 0:
                found.append(meanwhile_warning(name, extra, theirs))
        return found

    def _dated_now(self, name: str) -> int:
        """Of the records made, those that have the day of today, since the org lets nobody set it."""
        waves = [w for w in self.plan.waves if w.object_name == name and w.kind != "update"]
        is_set = any("CreatedDate" in wave.columns for wave in waves)
        return 0 if is_set else self.created.get(name, 0)

    def _described(self) -> dict[str, WriteObject]:
        names = [
            n for n, entry in self.snapshot.manifest.objects.items() if entry.state == "complete"
        ]
        return {name: write_object(self.snapshot.describe(name)) for name in names}


def looked_at(made: Collection[str], described: Mapping[str, WriteObject]) -> Sequence[str]:
    """The objects of which records were made, and those that refer to them. Pure."""
    dated = [
        name for name, one in described.items() if one.has("CreatedDate") and one.is_createable
    ]
    children = [
        name
        for name in dated
        if name not in made
        and any(set(f.reference_to) & set(made) for f in described[name].references)
    ]
    return [name for name in dated if name in made] + children


def meanwhile_warning(name: str, count: int, ids: Sequence[str]) -> JobWarning:
    named = ", ".join(ids[:MOST_NAMED]) + (" …" if count > MOST_NAMED else "")
    message = (
        f"{count:,} records of {name} appeared in the org while it was restored: automation made them, "
        f"or somebody did. Where the restore brought back the same ones, they are there twice: {named}."
    )
    return JobWarning("made_meanwhile", name, message)
