"""Old Ids and new ones: what a row's references become in the target, or why they cannot."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sfnb.restore.compact import IdPairs, IdSet
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.plan import PlannedRow

HEAD = ("object", "old_id", "new_id")

Standing = Literal["lost", "pending"]


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A row that cannot be sent now: its field points at a record that is not in the target."""

    standing: Standing
    field: str
    old_id: str


@dataclass
class IdMap:
    """
    What became of the snapshot's Ids. An Id that nothing is known of is the target's own.

    Attributes:
        new: by old Id, the target's.
        lost: old Ids whose records were refused.
        pending: old Ids whose records are still to be created.
    """

    new: IdPairs = field(default_factory=IdPairs)
    lost: IdSet = field(default_factory=IdSet)
    pending: IdSet = field(default_factory=IdSet)

    def add(self, old_id: str, new_id: str) -> None:
        self.pending.discard(old_id)
        self.lost.discard(old_id)
        if new_id != old_id:
            self.new[old_id] = new_id

    def lose(self, old_id: str) -> None:
        self.pending.discard(old_id)
        self.lost.add(old_id)

    def of(self, old_id: str) -> str:
        return self.new.get(old_id, old_id)

    def values(self, row: PlannedRow, links: Sequence[str]) -> dict[str, Any] | Unmapped:
        """A row's values with the Ids of the target, or the reference that has none."""
        values = dict(row.values)
        waits: Unmapped | None = None
        for name in links:
            old_id = values.get(name)
            if not isinstance(old_id, str) or not old_id:
                continue
            if old_id in self.lost:
                return Unmapped("lost", name, old_id)
            if old_id in self.pending and waits is None:
                waits = Unmapped("pending", name, old_id)
            values[name] = self.of(old_id)
        return waits or values

    def known(self, row: PlannedRow, links: Sequence[str]) -> dict[str, Any]:
        """A row's values with the Ids of the target; references that have none are left out."""
        values = dict(row.values)
        for name in links:
            old_id = values.get(name)
            if not isinstance(old_id, str) or not old_id:
                continue
            if old_id in self.lost or old_id in self.pending:
                del values[name]
            else:
                values[name] = self.of(old_id)
        return values


def write_id_map(folder: RestoreFolder, created: Iterable[tuple[str, str, str]]) -> str | None:
    """Write the CSV of new records (object, old Id, new Id); its path, or None without any."""
    rows = iter(created)
    first = next(rows, None)
    if first is None:
        return None
    with folder.files.open_new(folder.id_map_path) as sink:
        out = csv.writer(Utf8(sink), lineterminator="\n")
        out.writerow(HEAD)
        out.writerow(first)
        out.writerows(rows)
    return folder.files.uri(folder.id_map_path)


def read_id_map(folder: RestoreFolder) -> Iterator[tuple[str, str, str]]:
    """Object, old Id and new Id of the records that a restore has created."""
    content = folder.files.read(folder.id_map_path)
    if content is None:
        return
    for row in csv.DictReader(io.StringIO(content.decode())):
        yield row["object"], row["old_id"], row["new_id"]


class Utf8:
    """Takes text for a binary sink, as a CSV writer needs it."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink

    def write(self, text: str) -> int:
        # A value may hold half of a character pair, which UTF-8 does not have.
        self._sink.write(text.encode(errors="replace"))
        return len(text)
