"""What an archive is asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from dataclasses import fields as fields_of
from typing import Any

from sfnb.errors import CallerError
from sfnb.org.ids import is_api_name

MAX_ROWS = 50_000
"""Records of the object that one run archives, where nobody says another number."""


@dataclass(frozen=True, slots=True)
class ArchiveRequest:
    """
    Which records leave the org, and how.

    Args:
        where: SOQL after WHERE. Never empty: all records of an object are named by a condition, too.
        with_children: also the records that forbid a deletion (restricting lookups, such as the
            cases of an account). What the org deletes along with a record goes in any case.
        hard: gone for good: out of the recycle bin, too, once it has been compared with the store.
        max_rows: of the object; what the condition matches beyond that is kept.
    """

    object_name: str
    where: str
    with_children: bool = False
    hard: bool = False
    max_rows: int = MAX_ROWS

    def __post_init__(self) -> None:
        if not is_api_name(self.object_name):
            raise CallerError(f"{self.object_name!r} is not the name of an object.")
        if not self.where.strip():
            raise CallerError("an archive needs a condition: which records may leave the org.")
        if self.max_rows < 1:
            raise CallerError("--max-rows is a whole number from 1.")

    def as_json(self) -> dict[str, Any]:
        """For the job's options."""
        return asdict(self)

    @classmethod
    def of(cls, saved: Mapping[str, Any]) -> ArchiveRequest:
        """From its JSON; what a newer sfnb added is not known."""
        known = {one.name for one in fields_of(cls)}
        return cls(**{name: value for name, value in saved.items() if name in known})


def archive(
    object_name: str,
    where: str,
    *,
    with_children: bool = False,
    hard: bool = False,
    max_rows: int = MAX_ROWS,
) -> ArchiveRequest:
    """
    An archive of the records of an object that meet a SOQL condition, with their children and
    files; see `ArchiveRequest`.
    """
    return ArchiveRequest(object_name, where, with_children, hard, max_rows)
