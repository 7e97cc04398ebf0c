# ruff: noqa: S608 - names come from the catalogue and are quoted, values are parameters
"""FACE of writing: records created, changed, deleted and brought back, a batch at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sfnb_demo.data import ids
from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.recycle_bin import AMONG, RecycleBin
from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.writing import finding, merging, standard_objects
from sfnb_demo.data.writing.companions import Companions
from sfnb_demo.data.writing.files import Files
from sfnb_demo.data.writing.hindrances import Hindrances
from sfnb_demo.data.writing.incoming import Batch, Incoming, Saved, WriteOptions, good
from sfnb_demo.data.writing.intake import AUDIT_FIELDS, Intake
from sfnb_demo.data.writing.person_accounts import PersonAccounts
from sfnb_demo.data.writing.picklists import check_picklists
from sfnb_demo.data.writing.references import References
from sfnb_demo.data.writing.rules import Rules
from sfnb_demo.data.writing.storing import Storing
from sfnb_demo.data.writing.unique import check_unique
from sfnb_demo.errors import ApiError
from sfnb_demo.soql.names import quote

ROLLED_BACK = "Record rolled back because not all records were valid and the request was using AllOrNone header"
SETUP_OBJECTS = frozenset(
    {"User", "Group", "GroupMember", "UserRole", "PermissionSet", "PermissionSetAssignment"}
)
MOST_MERGED = 2
Values = dict[str, Any]


class Saver:
    """
    Writes records. Every write sets SystemModstamp to the clock's time, to the second.

    Safe for threads: one batch at a time, and readers see all of it or nothing.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        recycle_bin: RecycleBin,
        clock: Callable[[], datetime],
        admin_id: str,
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._bin = recycle_bin
        self.storing = Storing(catalog, storage, clock, admin_id)
        self.intake = Intake()
        self.rules = Rules(storage)
        self.hindrances = Hindrances()
        self.references = References(catalog, storage)
        self._files = Files(catalog, storage, self.storing.new_row, self.storing.touch)
        self._people = PersonAccounts(catalog, storage, self.storing.new_row, self.storing.touch)
        self._companions = Companions(
            catalog,
            storage,
            self.storing.new_row,
            lambda obj, gone: recycle_bin.remove(obj, gone, self.storing.now()),
        )

    # --- batches ----------------------------------------------------------------------------------

    def insert(
        self,
        obj: ObjectDef,
        records: Sequence[Values],
        options: WriteOptions,
        seen: ObjectDef | None = None,
    ) -> list[Saved]:
        """
        Create records.

        Args:
            records: as they were sent, by field name.
            seen: the object as this user sees it.

        Returns:
            What became of each, in the same order.
        """
        batch = [Incoming(dict(values), is_new=True) for values in records]
        return self._save(obj, batch, options, seen or obj)

    def update(
        self,
        obj: ObjectDef,
        records: Sequence[tuple[str, Values]],
        options: WriteOptions,
        seen: ObjectDef | None = None,
    ) -> list[Saved]:
        """Change living records, each named by its Id."""
        batch = [Incoming(dict(values), record_id) for record_id, values in records]
        return self._save(obj, batch, options, seen or obj)

    def upsert(
        self,
        obj: ObjectDef,
        key: Field,
        records: Sequence[Values],
        options: WriteOptions,
        seen: ObjectDef | None = None,
    ) -> list[Saved]:
        """Change the records that have these values of an external id, create the others."""
        options = replace(options, is_upsert=True)
        batch = finding.matched(self._storage, obj, key, records)
        return self._save(obj, batch, options, seen or obj)

    def delete(
        self,
        obj: ObjectDef,
        record_ids: Sequence[str],
        options: WriteOptions,
        *,
        is_hard: bool = False,
    ) -> list[Saved]:
        """
        Put records and their details into the recycle bin; those of objects without one, and all
        with ``is_hard``, are gone.
        """
        batch = [Incoming({}, record_id) for record_id in record_ids]

        def write() -> None:
            self._check_open(obj, batch, "delete")
            self._check_kind(obj, batch)
            finding.find(self._storage, obj, batch)
            standard_objects.check_deletion(self._storage, obj, batch)
            kept = self._bin.blocked(obj, [i.record_id for i in good(batch)])
            for incoming in good(batch):
                if incoming.record_id in kept:
                    incoming.refuse(
                        "DELETE_FAILED",
                        f"Your attempt to delete {incoming.old.get('Name') or incoming.record_id} could not be "
                        f"completed because it is associated with the following {kept[incoming.record_id]}",
                    )
            self.hindrances.check(obj, batch)
            found = [i.record_id for i in good(batch)]
            if is_hard:
                self._bin.remove(obj, found, self.storing.now())
            else:
                self._bin.bury(obj, found, self.storing.stamps(options.user_id))
            self.storing.roll_up(obj, batch)

        return self._in_one(batch, write)

    def merge(
        self,
        obj: ObjectDef,
        winner: Values,
        losers: Sequence[str],
        options: WriteOptions,
    ) -> tuple[Saved, list[str], list[str]]:
        """
        Merge one or two records into another.

        Args:
            winner: its Id, and values that replace its own.

        Returns:
            What became of it, the Ids that were merged, and those of children that were moved.
        """
        merged: list[str] = []
        moved: list[str] = []
        winner_id, values = finding.taken(winner, "Id")
        batch = [Incoming({}, i) for i in (str(winner_id or ""), *losers)]

        def write() -> None:
            if not obj.has("MasterRecordId"):
                batch[0].refuse("INVALID_TYPE", f"merge is not supported for {obj.name}")
            elif not 1 <= len(losers) <= MOST_MERGED:
                batch[0].refuse(
                    "INVALID_NUMBER_OF_MERGE_RECORDS", "one or two records can be merged"
                )
            finding.find(self._storage, obj, batch)
            if any(i.errors for i in batch):
                return
            if values:
                (saved,) = self.update(obj, [(batch[0].record_id, values)], options)
                batch[0].errors += saved.errors
                if saved.errors:
                    return
            merged.extend(i.record_id for i in batch[1:])
            stamps = self.storing.stamps(options.user_id)
            moved.extend(
                merging.merge(
                    self._catalog,
                    self._storage,
                    obj,
                    winner=batch[0].record_id,
                    losers=merged,
                    stamps=stamps,
                )
            )

        saved = self._in_one(batch, write)
        refused = next((s for s in saved if s.errors), saved[0])
        return refused, merged, moved

    def undelete(self, record_ids: Sequence[str], options: WriteOptions) -> list[Saved]:
        """Bring records back from the recycle bin, with the details that went with them."""
        batch = [Incoming({}, ids.normal(i) or i) for i in record_ids]

        def write() -> None:
            by_object: dict[str, list[Incoming]] = defaultdict(list)
            for incoming in batch:
                obj = self.object_of(incoming.record_id)
                is_taken = obj is not None and obj.has_bin and obj.is_undeletable
                if obj is None or not is_taken or not obj.is_deletable:
                    incoming.refuse("INVALID_ID_FIELD", f"bad id {incoming.record_id}", "Id")
                else:
                    by_object[obj.name].append(incoming)
            for name, records in by_object.items():
                self._bring_back(self._catalog.objects[name], records, options)

        return self._in_one(batch, write)

    def empty_bin(self, record_ids: Sequence[str], only_of: str | None) -> list[Saved]:
        """
        Take records out of the recycle bin for good.

        Args:
            only_of: refuse what somebody else has deleted (SOAP guide, emptyRecycleBin: without
                Modify All Data, one's own); None: whoever has deleted it.
        """
        batch = [Incoming({}, ids.normal(i) or i) for i in record_ids]

        def write() -> None:
            for incoming in batch:
                obj = self.object_of(incoming.record_id)
                try:
                    if obj is None:
                        raise ApiError("INVALID_ID_FIELD", f"bad id {incoming.record_id}")
                    self._bin.check_can_return(obj, incoming.record_id)
                    if only_of is not None:
                        self._bin.check_deleted_by(obj, incoming.record_id, only_of)
                    self._bin.remove(obj, [incoming.record_id], self.storing.now())
                except ApiError as err:
                    incoming.errors.append(
                        ApiError("INVALID_ID_FIELD", "Entity is not in the recycle bin")
                        if err.code == "UNDELETE_FAILED"
                        else err
                    )

        return self._in_one(batch, write)

    # --- one record -------------------------------------------------------------------------------

    def alive(self, obj: ObjectDef, record_id: str) -> str:
        """
        The full id of a record that exists and is not deleted.

        Raises:
            ApiError: MALFORMED_ID, NOT_FOUND or ENTITY_IS_DELETED.
        """
        incoming = Incoming({}, record_id)
        finding.find(self._storage, obj, [incoming])
        if incoming.errors:
            raise incoming.errors[0]
        return incoming.record_id

    def object_of(self, record_id: str) -> ObjectDef | None:
        """The object that has a row of this Id; several may share the prefix."""
        found = self._catalog.by_prefix(record_id)
        for obj in found:
            sql = f'SELECT 1 FROM {quote(obj.name)} WHERE "Id" = ?'
            if obj.is_queryable and self._storage.rows(sql, [record_id]):
                return obj
        return found[0] if found else None

    # --- the steps of a batch; the caller holds the lock -----------------------------------------

    def _save(
        self, obj: ObjectDef, batch: list[Incoming], options: WriteOptions, seen: ObjectDef
    ) -> list[Saved]:
        def write() -> None:
            self._check_open(obj, batch, "create" if all(i.is_new for i in batch) else "update")
            self._check_kind(obj, batch)
            for incoming in good(batch):
                self.intake.read(seen, incoming, options)
            finding.find(self._storage, obj, [i for i in good(batch) if not i.is_new])
            self.references.resolve(batch)
            self.references.check(obj, batch, options.user_id)
            check_picklists(self._storage, obj, batch)
            self.rules.before(obj, batch, options)
            check_unique(self._storage, obj, batch)
            standard_objects.check_standard(self._storage, obj, batch)
            self._people.check(obj, batch)
            self._companions.check(obj, batch)
            self.hindrances.check(obj, batch)
            self.rules.assign(obj, batch, options)
            self._store(obj, list(good(batch)), options)
            self._follow_up(obj, batch, options)

        return self._in_one(batch, write)

    def _in_one(self, batch: Batch, write: Callable[[], None]) -> list[Saved]:
        """Do it in one transaction; a caller that wants all or none has opened one around it."""
        with self._storage.writing():
            write()
        return [Saved(i.record_id, i.is_new and not i.errors, tuple(i.errors)) for i in batch]

    def _check_open(self, obj: ObjectDef, batch: Batch, verb: str) -> None:
        if not obj.is_writable or (verb == "delete" and not obj.is_deletable):
            for incoming in batch:
                incoming.refuse(
                    "INVALID_TYPE_FOR_OPERATION", f"entity type {obj.name} does not support {verb}"
                )

    def _check_kind(self, obj: ObjectDef, batch: Batch) -> None:
        """Setup objects and others never in one transaction (Apex guide, mixed DML)."""
        touched = self._storage.touched
        touched.setdefault(obj.name in SETUP_OBJECTS, obj.name)
        if len(touched) > 1:
            for incoming in good(batch):
                incoming.refuse(
                    "MIXED_DML_OPERATION",
                    "DML operation on setup object is not permitted after you have updated a "
                    f"non-setup object (or vice versa): {obj.name}, original object: "
                    f"{touched[obj.name not in SETUP_OBJECTS]}",
                )

    def _store(self, obj: ObjectDef, records: list[Incoming], options: WriteOptions) -> None:
        new = [i for i in records if i.is_new]
        first = self.storing.reserve(obj, len(new)) if new else 0
        for number, incoming in enumerate(new):
            incoming.record_id = ids.make_id(obj.prefix or "000", first + number)
            audit = {n: v for n, v in incoming.row.items() if n in AUDIT_FIELDS and v is not None}
            incoming.row |= self.storing.defaults(
                obj, incoming.row, incoming.record_id, options.user_id
            )
            incoming.row |= audit
        for incoming in records:
            if not incoming.is_new:
                incoming.row |= self.storing.touched(obj, options.user_id)
            self._files.take_pictures(obj, incoming.record_id, incoming.row)
            for body in incoming.bodies:
                incoming.row |= self._files.keep(obj, incoming.record_id, body)
            if incoming.is_new and obj.name == "ContentVersion":
                self._files.complete(incoming.row)
                self.storing.load(obj, [incoming.row])
        if obj.name != "ContentVersion":
            self.storing.load(obj, [i.row for i in new])
        self.storing.change(obj, [i for i in records if not i.is_new])

    def _follow_up(self, obj: ObjectDef, batch: Batch, options: WriteOptions) -> None:
        """What the org makes by itself after a write."""
        self.storing.roll_up(obj, batch)
        self._people.follow(obj, batch)
        self._companions.follow(obj, batch)
        made: dict[str, list[Values]] = defaultdict(list)
        for name, values in self.rules.made(obj, batch):
            made[name].append(values)
        for name, records in made.items():
            self.insert(self._catalog.objects[name], records, WriteOptions(options.user_id))

    def _bring_back(self, obj: ObjectDef, records: list[Incoming], options: WriteOptions) -> None:
        for incoming in records:
            try:
                self._bin.check_can_return(obj, incoming.record_id)
            except ApiError as err:
                incoming.errors.append(err)
        sql = f'SELECT * FROM {quote(obj.name)} WHERE "Id" {AMONG}'
        wanted = [i.record_id for i in good(records)]
        rows = {row["Id"]: row for row in self._storage.arrow(sql, [wanted]).to_pylist()}
        for incoming in good(records):
            row = rows[incoming.record_id]
            incoming.row = {f.name: row[f.name] for f in obj.stored if f.is_unique or f.is_detail}
        check_unique(self._storage, obj, records)
        self.references.check_masters(obj, records)
        found = [i.record_id for i in good(records)]
        self._bin.bring_back(obj, found, self.storing.stamps(options.user_id))
        self.storing.roll_up(obj, records)
