"""Where one object of a snapshot stands while it is read."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

from sfnb.jobs.plan import BULK_PAGE_ROWS
from sfnb.model import ObjectSchema, ObjectState
from sfnb.store.log import Progress


@dataclass
class ObjectRun:
    """One object on its way. Only the deciding thread touches it."""

    schema: ObjectSchema
    reader: str
    expected_rows: int | None
    mb: float
    parent_field: str | None
    progress: Progress
    bulk_refusal: str = ""
    problem: str = ""
    left_out: str = ""
    restarts: int = 0

    @property
    def name(self) -> str:
        return self.schema.name

    @property
    def page_mb(self) -> int:
        """What a Bulk result page is expected to draw on ``bulk2_mb``."""
        pages = max(1, ceil((self.expected_rows or 0) / BULK_PAGE_ROWS))
        return ceil(self.mb / pages)

    @property
    def cursor(self) -> dict[str, Any]:
        return dict(self.progress.cursor or {})

    @property
    def state(self) -> ObjectState:
        if self.progress.is_done:
            return ObjectState.COMPLETE
        return ObjectState.PARTIAL if self.progress.parts else ObjectState.UNTOUCHED
