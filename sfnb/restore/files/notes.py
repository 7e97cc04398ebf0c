"""What is noted of each file on disk, before it is sent and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sfnb.restore.folder import RestoreFolder

MOST_TRIES = 3
"""So often a call is sent whose answer is lost and of which the org shows nothing."""


@dataclass(frozen=True)
class FileNotes:
    """
    The notes of one job.

    Args:
        folder: the job's.
    """

    folder: RestoreFolder

    def of(self, old_id: str) -> dict[str, Any]:
        """What is known of a document or an attachment."""
        saved = self.folder.files.read_json(self._path(old_id))
        return {k: v for k, v in (saved or {}).items() if k != "checksum"}

    def keep(self, old_id: str, note: Mapping[str, Any]) -> None:
        """On disk when this returns."""
        self.folder.files.put_json(self._path(old_id), note)

    def may_try(self, old_id: str, what: str) -> bool:
        """Whether a call whose answer was lost is worth another pause; counted on disk."""
        note = self.of(old_id)
        tries = int(note.get(f"{what}_tries") or 0) + 1
        self.keep(old_id, {**note, f"{what}_tries": tries})
        return tries < MOST_TRIES

    def _path(self, old_id: str) -> str:
        return f"{self.folder.path}/files/{old_id}.json"
