# ruff: noqa: S608 - names come from the catalogue and are quoted, values pass `literal` or are parameters
"""
FACE of the demo org's data: everything that its HTTP half needs.

Any number of threads may read at once. Writing takes its own lock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sfnb_demo.data import content, custom, generate, ids, oddities, people, sales, service
from sfnb_demo.data import describe as describing
from sfnb_demo.data import features as featuring
from sfnb_demo.data.bulk_queries import BulkDatabase
from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.changes import Changes
from sfnb_demo.data.event_logs import EventLogs, Provider
from sfnb_demo.data.late_commits import LateCommits
from sfnb_demo.data.organization import organization_of
from sfnb_demo.data.recycle_bin import RecycleBin
from sfnb_demo.data.results import QueryResult, run
from sfnb_demo.data.schema import ObjectDef
from sfnb_demo.data.schema_dates import SchemaDates
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.templates import TEMPLATES
from sfnb_demo.data.writing.database_writes import WritingDatabase
from sfnb_demo.data.writing.finding import external_id_field
from sfnb_demo.data.writing.saver import Saver
from sfnb_demo.errors import ApiError
from sfnb_demo.soql import tree
from sfnb_demo.soql.columns import describe_columns
from sfnb_demo.soql.compile import Compiler
from sfnb_demo.soql.names import quote
from sfnb_demo.soql.parser import parse
from sfnb_demo.soql.plan import Flavour, Plan

_MOST_ROWS_OF_TEMPLATE = 10_000
_IDS_APART = 1_000_003
"""Orgs of other seeds have other Ids, the org's own among them."""
_SHARED_IDS = frozenset(
    {obj.name for obj in people.objects()} - {"Organization"}
    | {"ContentDocument", "ContentVersion", "EventLogFile"}
)
"""Users and setup have the same Ids in all orgs, as in an org and its sandboxes."""

SIZES: Mapping[str, float] = {"tiny": 1 / 15, "small": 1, "medium": 10, "large": 100}


class Database(WritingDatabase, BulkDatabase):
    """
    One org: its catalogue, its rows, its people.

    Args:
        seed: the same seed, size and day of the clock give the same org; another one another org,
            with other Ids.
        size: ``tiny`` (some 2,000 records), ``small`` (30,000), ``medium`` (300,000) or ``large``
            (3,000,000).
        clock: the time, aware. System fields of written rows come from it.
        overrides: how many rows single objects have, ``{"Contact": 1_000_000}``.
        empty_objects: how many mostly empty custom objects to add.
        has_oddities: add what real orgs have and careless clients stumble over (see ``oddities``).
        features: what an admin has switched on (see ``features``).
        has_hourly_logs: EventLogFile has the field Interval. Orgs without hourly logs lack it.
        folder: where the files go. None: a temporary folder that is deleted with the org.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        size: str = "small",
        clock: Callable[[], datetime],
        overrides: Mapping[str, int] | None = None,
        empty_objects: int = 0,
        has_oddities: bool = True,
        features: Collection[str] = (),
        has_hourly_logs: bool = True,
        folder: Path | None = None,
    ) -> None:
        if size not in SIZES:
            raise ValueError(f"size is {size!r}, but must be one of {', '.join(SIZES)}")
        self.clock = clock
        rooms = (people, sales, service, content, custom)
        self.features = featuring.checked(features)
        objects = [obj for room in rooms for obj in room.objects()]
        objects = featuring.with_features(objects, self.features)
        if has_oddities:
            objects = [oddities.odd(obj) for obj in [*objects, *oddities.objects()]]
        if not has_hourly_logs:
            objects = [oddities.without_interval(obj) for obj in objects]
        self.id_shift = (seed - 1) * _IDS_APART
        objects = [*objects, *custom.empty_objects(empty_objects)]
        self.catalog = Catalog(
            obj if obj.name in _SHARED_IDS else obj.renamed(id_start=obj.id_start + self.id_shift)
            for obj in objects
        )
        self.changes = 0  # grows with each record written
        self.rows = dict(generate.planned_rows(self.catalog, SIZES[size], overrides or {}))
        now = clock()
        rows = tuple(self.rows.items())
        like = (
            seed, generate.first_midnight(now), rows, has_oddities, has_hourly_logs, self.features
        )  # fmt: skip
        template = TEMPLATES.find(like)
        self.storage = Storage(folder, template[0] if template else None)
        if template is not None:
            self.rows = dict(template[1])
        if template is None:
            generate.fill(
                self.storage,
                self.catalog,
                seed=seed,
                now=now,
                rows=self.rows,
                rollups=custom.ROLLUPS,
            )
            featuring.fill_features(self.storage, self.catalog, self.features, now, self.rows)
            if sum(self.rows.values()) < _MOST_ROWS_OF_TEMPLATE:
                TEMPLATES.offer(like, self.storage, self.rows)
        self.schema_dates = SchemaDates(self._now)
        self.late = LateCommits()
        self.recycle_bin = RecycleBin(self.catalog, self.storage)
        self.admin_id = ids.make_id("005", ids.FIRST)
        self.saver = Saver(self.catalog, self.storage, self.recycle_bin, self._now, self.admin_id)
        self.replication = Changes(self.storage, self._now, self.late.oldest)
        self._logs = EventLogs(self.storage, self.catalog.objects["EventLogFile"], clock)
        self._hidden: dict[str, frozenset[tuple[str, str]]] = {}
        self._seen: dict[str, tuple[Mapping[str, ObjectDef], Catalog]] = {}
        self.organization = organization_of(self.storage)

    def close(self) -> None:
        """Delete the org's files."""
        self.storage.close()

    def _now(self) -> datetime:
        return self.clock()

    # --- objects ----------------------------------------------------------------------------------

    def catalog_of(self, user_id: str | None) -> Catalog:
        """The objects and fields that a user may see; None: all that there are."""
        hidden = self._hidden.get(user_id) if user_id else None
        if user_id is None or not hidden:
            return self.catalog
        made = self._seen.get(user_id)
        if made is None or made[0] is not self.catalog.objects:
            made = self._seen[user_id] = self.catalog.objects, self.catalog.without(hidden)
        return made[1]

    def hide(self, user_id: str, object_name: str, field: str = "", *, is_hidden: bool) -> None:
        """Hide an object, or one field of it, from a user; or show it again."""
        entry, hidden = (object_name, field), self._hidden.get(user_id, frozenset())
        self._seen.pop(user_id, None)
        self._hidden[user_id] = hidden | {entry} if is_hidden else hidden - {entry}
        self.schema_dates.touch(object_name)

    def _object(self, name: str, user_id: str | None = None) -> ObjectDef:
        obj = self.catalog_of(user_id).find(name)
        if obj is None:
            raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
        return obj

    def object_names(self, user_id: str | None = None) -> list[str]:
        return sorted(self.catalog_of(user_id).objects)

    def global_entry(self, name: str, version: str) -> dict[str, Any]:
        """One entry of the global describe, all keys."""
        return describing.global_entry(self._object(name), version)

    def describe(self, name: str, version: str, user_id: str | None = None) -> dict[str, Any]:
        """The whole describe, as a user sees it: all top-level keys, all 57 keys on each field."""
        obj = self._object(name, user_id)
        if audit := self.saver.intake.audit_fields(obj):
            obj = obj.renamed(
                fields=tuple(
                    f.changed(is_createable=f.is_createable or f.name in audit) for f in obj.fields
                )
            )
        return describing.describe(
            obj, self.catalog_of(user_id), version, self._record_types(obj, version, user_id)
        )

    def _record_types(
        self, obj: ObjectDef, version: str, user_id: str | None
    ) -> list[dict[str, Any]]:
        if not obj.has("RecordTypeId"):
            return []
        path = f"/services/data/v{version.removeprefix('v')}/sobjects/{obj.name}"
        sql = 'SELECT "Id", "Name", "DeveloperName" FROM "RecordType" WHERE "SobjectType" = ? ORDER BY "Id"'
        lacking = self.saver.references.unassigned.get(user_id or self.admin_id, frozenset())
        return [
            describing.record_type(
                record_id,
                label,
                developer_name,
                path,
                is_default=number == 0,
                is_available=record_id not in lacking,
            )
            for number, (record_id, label, developer_name) in enumerate(
                self.storage.rows(sql, [obj.name])
            )
        ]

    def count(self, name: str) -> int:
        """Live rows without archived ones, as ``/limits/recordCount`` counts them."""
        obj = self._object(name)
        if not obj.is_queryable or obj.name == "FieldDefinition":
            return 0
        flags = [f"NOT {quote(f)}" for f in ("IsDeleted", "IsArchived") if Compiler.hides(obj, f)]
        where = f" WHERE {' AND '.join(flags)}" if flags else ""
        return int(self.storage.rows(f"SELECT count(*) FROM {quote(obj.name)}{where}")[0][0])

    # --- reading ----------------------------------------------------------------------------------

    def plan(
        self,
        soql: str,
        *,
        all_rows: bool,
        version: str,
        flavour: Flavour = "json",
        user_id: str | None = None,
    ) -> Plan:
        """The statement, checked and compiled. Nothing is read yet."""
        return self._compiler(all_rows, version, flavour, user_id).compile(parse(soql))

    def has_permission(self, user_id: str, name: str) -> bool:
        """Whether a user has a permission, such as ``ViewAllData``."""
        row = ids.make_id("0uP", ids.number_of(user_id))
        column = quote(f"Permissions{name}")
        found = self.storage.rows(
            f'SELECT {column} FROM "UserPermissionAccess" WHERE "Id" = ?', [row]
        )
        return bool(found and found[0][0])

    def columns(
        self, soql: str, *, all_rows: bool, version: str, user_id: str | None = None
    ) -> dict[str, Any]:
        """The columns of a statement, without its rows: the answer to ``columns=true``."""
        # The plan refuses what Salesforce would refuse.
        self.plan(soql, all_rows=all_rows, version=version, user_id=user_id)
        return describe_columns(self.catalog_of(user_id), parse(soql))

    def _compiler(
        self, all_rows: bool, version: str, flavour: Flavour, user_id: str | None
    ) -> Compiler:
        today = self.clock().astimezone(UTC).date()
        user = user_id or self.admin_id
        return Compiler(
            self.catalog_of(user),
            all_rows=all_rows,
            today=today,
            flavour=flavour,
            version=version,
            user_id=user,
            sees_all=self.has_permission(user, "ViewAllData"),
        )

    def query(
        self,
        soql: str,
        *,
        all_rows: bool,
        version: str,
        flavour: Flavour = "json",
        user_id: str | None = None,
    ) -> QueryResult:
        """
        Run a statement.

        Args:
            all_rows: include deleted rows and archived activities (``queryAll``).
            flavour: ``epoch`` gives datetimes as epoch milliseconds, as JSON jobs of Bulk API 1.0
                do.
            user_id: the user who asks; None: the administrator. A user without View All Data sees
                only their own records.

        Raises:
            ApiError: with Salesforce's code and frame.
        """
        plan = self.plan(soql, all_rows=all_rows, version=version, flavour=flavour, user_id=user_id)
        if plan.object.name == "EventLogFile":
            self._logs.refresh(self.admin_id)
        return run(plan, self.storage, path=_path(version))

    def retrieve(
        self,
        name: str,
        record_id: str,
        fields: Sequence[str] | None = None,
        *,
        version: str = "66.0",
        user_id: str | None = None,
    ) -> dict[str, Any]:
        """
        One live record.

        Args:
            fields: names of the object's own fields; None: all.

        Raises:
            ApiError: MALFORMED_ID, NOT_FOUND, ENTITY_IS_DELETED, INVALID_FIELD.
        """
        obj = self._readable(name, user_id)
        if obj.name == "EventLogFile":
            self._logs.refresh(self.admin_id)
        full = self.saver.alive(obj, record_id)
        for wanted in fields or ():
            if not obj.has(wanted):
                raise ApiError(
                    "INVALID_FIELD", f"No such column '{wanted}' on sobject of type {obj.name}"
                )
        names = list(dict.fromkeys(fields)) if fields else [f.name for f in obj.fields]
        items = tuple(tree.Item(tree.Path((n,))) for n in names)
        where = tree.Condition(tree.Path(("Id",)), "=", full)
        query = tree.Query(items=items, object=obj.name, text="", where=where)
        plan = self._compiler(True, version, "json", user_id).compile(query, is_retrieve=True)
        rows = run(plan, self.storage, path=_path(version)).rows()
        if not rows:  # it exists, but this user may not see it
            raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
        return rows[0]

    def _readable(self, name: str, user_id: str | None = None) -> ObjectDef:
        obj = self._object(name, user_id)
        if not obj.is_queryable:
            raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
        return obj

    def by_external_id(self, name: str, field: str, value: str) -> list[str]:
        """Ids of the live records with this external id: several if it is not unique."""
        obj = self._readable(name)
        key = external_id_field(obj, field)
        if key.type == "id":
            return [self.saver.alive(obj, value)]
        alive = ' AND NOT "IsDeleted"' if obj.has("IsDeleted") else ""
        sql = f'SELECT "Id" FROM {quote(obj.name)} WHERE lower({quote(key.name)}) = lower(?){alive} ORDER BY "Id"'
        return [i for (i,) in self.storage.rows(sql, [value])]

    def body(self, name: str, record_id: str, field: str) -> bytes:
        """
        The bytes of a file: Attachment and Document ``Body``, ContentVersion ``VersionData``,
        EventLogFile ``LogFile``.

        Raises:
            ApiError: NOT_FOUND when there is no such file.
        """
        obj = self._readable(name)
        found = obj.find(field)
        if found is None or found.type != "base64":
            raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
        full = self.saver.alive(obj, record_id)
        if obj.name == "EventLogFile":
            log = self._logs.body(full)
            if log is None:
                raise ApiError("NOT_FOUND", "The requested resource does not exist", 404)
            return log
        return content.stored_body(self.storage, obj, full)

    # --- what changed -----------------------------------------------------------------------------

    def updated(
        self, name: str, start: datetime, end: datetime, *, user_id: str | None = None
    ) -> tuple[list[str], datetime]:
        """
        Ids of live records written between two moments, of those that a user sees, and the latest
        date covered.
        """
        obj = self._object(name, user_id)
        return self.replication.updated(obj, start, end, self._own_rows(obj, user_id))

    def deleted(
        self, name: str, start: datetime, end: datetime, *, user_id: str | None = None
    ) -> tuple[list[tuple[str, datetime]], datetime, datetime]:
        """Ids and moments of deletion; earliest date available; latest date covered."""
        obj = self._object(name, user_id)
        own = self._own_rows(obj, user_id)
        return self.replication.deleted(obj, start, end, own, user_id if own else None)

    def _own_rows(self, obj: ObjectDef, user_id: str | None) -> str:
        compiler = self._compiler(True, "66.0", "json", user_id)
        return "" if compiler.sees_all else compiler.own_rows(obj, "t")

    def commit_due(self) -> None:
        """Make visible what transactions wrote that end by now."""
        self.changes += self.late.commit(self.clock())

    def set_event_log(self, provider: Provider) -> None:
        """Ask ``provider(start, end)`` for the EventLogFiles at each query."""
        self._logs.provider = provider


def _path(version: str) -> str:
    return f"/services/data/v{version.removeprefix('v')}"
