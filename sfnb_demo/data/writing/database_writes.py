"""The writing half of ``Database``: one call for each thing that an API does to records."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.writing.finding import external_id_field
from sfnb_demo.data.writing.incoming import Saved, WriteOptions
from sfnb_demo.data.writing.saver import Saver


class WritingDatabase(ABC):
    """
    What ``Database`` inherits.

    Args:
        changes: grows with each write.
        saver: what writes.
        admin_id: who writes where no user is named.
    """

    changes: int
    saver: Saver
    admin_id: str

    @abstractmethod
    def _object(self, name: str, user_id: str | None = None) -> ObjectDef:
        """The object as this user sees it; ``ApiError`` NOT_FOUND if there is none."""

    @abstractmethod
    def has_permission(self, user_id: str, name: str) -> bool:
        """Whether a user has a permission, such as ``ModifyAllData``."""

    def insert(self, name: str, values: dict[str, Any], *, user_id: str | None = None) -> str:
        """Create a record and return its Id. Base64 fields take base64 text or bytes."""
        (saved,) = self.insert_many(name, [values], self._options(user_id))
        return _good(saved)

    def update(
        self, name: str, record_id: str, values: dict[str, Any], *, user_id: str | None = None
    ) -> None:
        """Change a live record."""
        (saved,) = self.update_many(name, [(record_id, values)], self._options(user_id))
        _good(saved)

    def delete(self, name: str, record_id: str, *, user_id: str | None = None) -> None:
        """Put a record and its details into the recycle bin."""
        (saved,) = self.delete_many(name, [record_id], self._options(user_id))
        _good(saved)

    def insert_many(
        self, name: str, records: Sequence[dict[str, Any]], options: WriteOptions
    ) -> list[Saved]:
        """Create records; what became of each."""
        self.changes += 1
        seen = self._object(name, options.user_id)
        return self.saver.insert(self._object(seen.name), records, options, seen)

    def update_many(
        self, name: str, records: Sequence[tuple[str, dict[str, Any]]], options: WriteOptions
    ) -> list[Saved]:
        """Change records, each named by its Id."""
        self.changes += 1
        seen = self._object(name, options.user_id)
        return self.saver.update(self._object(seen.name), records, options, seen)

    def upsert_many(
        self, name: str, key: str, records: Sequence[dict[str, Any]], options: WriteOptions
    ) -> list[Saved]:
        """
        Change the records that have these values of an external id, create the others.

        Raises:
            ApiError: NOT_FOUND when ``key`` is no external id.
        """
        self.changes += 1
        seen = self._object(name, options.user_id)
        field = external_id_field(seen, key)
        return self.saver.upsert(self._object(seen.name), field, records, options, seen)

    def delete_many(
        self,
        name: str,
        record_ids: Sequence[str],
        options: WriteOptions,
        *,
        is_hard: bool = False,
    ) -> list[Saved]:
        """Delete records with their details: into the recycle bin, or for good."""
        self.changes += 1
        obj = self._object(self._object(name, options.user_id).name)
        return self.saver.delete(obj, record_ids, options, is_hard=is_hard)

    def merge(
        self, name: str, winner: dict[str, Any], losers: Sequence[str], options: WriteOptions
    ) -> tuple[Saved, list[str], list[str]]:
        """What became of the record that stays, the Ids merged into it, the children moved to it."""
        self.changes += 1
        seen = self._object(name, options.user_id)
        return self.saver.merge(self._object(seen.name), winner, losers, options)

    def undelete(self, record_ids: Sequence[str], options: WriteOptions) -> list[Saved]:
        """Bring records of any objects back from the recycle bin."""
        self.changes += 1
        return self.saver.undelete(record_ids, options)

    def empty_bin(self, record_ids: Sequence[str], options: WriteOptions) -> list[Saved]:
        """Take records of any objects out of the recycle bin for good."""
        self.changes += 1
        may_all = self.has_permission(options.user_id, "ModifyAllData")
        return self.saver.empty_bin(record_ids, None if may_all else options.user_id)

    def _options(self, user_id: str | None) -> WriteOptions:
        return WriteOptions(user_id or self.admin_id)


def _good(saved: Saved) -> str:
    if saved.errors:
        raise saved.errors[0]
    return saved.record_id
