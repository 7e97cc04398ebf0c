"""What keeps records from being written though nothing is wrong with them: locks, limits, a full disk."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.writing.incoming import Batch, good

TRIGGER_ROWS = 200
"""Automation runs for so many records at a time."""


@dataclass
class Hindrances:
    """
    Scripted by ``/control/writes``; safe for threads.

    Args:
        locked: Id to how many more writes find it locked: of the record itself, or of a child.
        most_rows: object to the largest number of records whose automation stays within its limits.
        job_stops_after: the next Bulk 2.0 job fails after so many rows; None: it does not.
        free_rows: how many more records the org has room for; None: enough.
    """

    locked: dict[str, int] = field(default_factory=dict)
    most_rows: dict[str, int] = field(default_factory=dict)
    free_rows: int | None = None
    job_stops_after: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, obj: ObjectDef, batch: Batch) -> None:
        """Refuse what cannot be written now."""
        most = self.most_rows.get(obj.name)
        references = [f.name for f in obj.stored if f.type == "reference"]
        with self._lock:
            for place, incoming in enumerate(batch):
                if incoming.errors:
                    continue
                chunk = min(len(batch) - place // TRIGGER_ROWS * TRIGGER_ROWS, TRIGGER_ROWS)
                if most is not None and chunk > most:
                    incoming.refuse(
                        "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                        f"{obj.name}Trigger: System.LimitException: Too many SOQL queries: 101",
                    )
                touched = [incoming.record_id, *(str(incoming.value(n)) for n in references)]
                for record_id in touched:
                    if self.locked.get(record_id, 0) > 0:
                        self.locked[record_id] -= 1
                        incoming.refuse(
                            "UNABLE_TO_LOCK_ROW",
                            f"unable to obtain exclusive access to this record or 1 records: {record_id}",
                        )
                        break
            for incoming in good(batch):
                if incoming.is_new and self.free_rows is not None:
                    if self.free_rows <= 0:
                        incoming.refuse("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
                    else:
                        self.free_rows -= 1
