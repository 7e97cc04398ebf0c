# ruff: noqa: S608 - names come from the catalogue and are quoted, values are parameters
"""Parents that records point to: they must exist, be alive, be of the right object, and be in use."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from sfnb_demo.data.catalog import Catalog
from sfnb_demo.data.fields import label_of
from sfnb_demo.data.recycle_bin import AMONG
from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.writing.incoming import Batch, Incoming, good
from sfnb_demo.soql.names import quote

MASTER_RECORD_TYPE = "012000000000000AAA"


class References:
    """One statement for each object that a batch points to."""

    def __init__(self, catalog: Catalog, storage: Storage) -> None:
        self._catalog = catalog
        self._storage = storage
        self.unassigned: dict[str, frozenset[str]] = {}
        """User to the record types that this user's profile does not have."""

    def resolve(self, batch: Batch) -> None:
        """Put Ids where parents were named by an external id."""
        wanted: dict[tuple[Field, str, str], list[Incoming]] = defaultdict(list)
        for incoming in good(batch):
            for field, object_name, key, _ in incoming.links:
                wanted[field, object_name, key].append(incoming)
        for (field, object_name, key), records in wanted.items():
            self._resolve(field, object_name or field.refs[0], key, records)

    def _resolve(self, field: Field, object_name: str, key: str, records: list[Incoming]) -> None:
        parent = self._catalog.find(object_name)
        name = parent.find(key) if parent is not None else None
        is_key = name is not None and (
            name.is_external_id or name.type in ("id", "email") or name.name in ("Username", "Name")
        )
        for incoming in records:
            if parent is None or name is None or not is_key:
                incoming.refuse(
                    "INVALID_FIELD",
                    f"Foreign key external ID: {key} is not an external id or indexed field of {object_name}",
                    field.name,
                )
        if parent is None or name is None or not is_key:
            return
        values = {
            str(value)
            for incoming in records
            for f, _, k, value in incoming.links
            if f == field and k == key
        }
        alive = ' AND NOT "IsDeleted"' if parent.has("IsDeleted") else ""
        found: dict[str, list[str]] = defaultdict(list)
        column = f"lower({quote(name.name)})"
        sql = f'SELECT {column}, "Id" FROM {quote(parent.name)} WHERE {column} {AMONG}{alive}'
        for value, record_id in self._storage.rows(sql, [[v.lower() for v in values]]):
            found[value].append(record_id)
        for incoming in records:
            for f, _, k, value in incoming.links:
                if f != field or k != key:
                    continue
                matches = found.get(str(value).lower(), [])
                if len(matches) == 1:
                    incoming.row[field.name] = matches[0]
                    continue
                code = "DUPLICATE_EXTERNAL_ID" if matches else "INVALID_FIELD"
                said = "Foreign key external ID: {} {} for field {} in entity {}".format(
                    str(value).lower(),
                    "matches several records" if matches else "not found",
                    name.name,
                    parent.name,
                )
                incoming.refuse(code, said)

    def check(self, obj: ObjectDef, batch: Batch, user_id: str) -> None:
        """Refuse records whose parents are not there, or are something else."""
        fields = [f for f in obj.stored if f.type == "reference"]
        wanted: dict[str, set[str]] = defaultdict(set)
        for incoming in good(batch):
            for field in fields:
                value = incoming.row.get(field.name)
                if value is None:
                    continue
                target = self._target(field, value)
                if target is None:
                    incoming.refuse(
                        "FIELD_INTEGRITY_EXCEPTION",
                        f"{field.label or label_of(field.name)}: id value of incorrect type: {value}",
                        field.name,
                    )
                else:
                    wanted[target].add(value)
        states = {name: self._states(name, values) for name, values in wanted.items()}
        for record_type in self.unassigned.get(user_id, ()):
            states.get("RecordType", {}).pop(record_type, None)
        for incoming in good(batch):
            for field in fields:
                value = incoming.row.get(field.name)
                target = self._target(field, value) if value is not None else None
                if target is not None:
                    self._judge(obj, field, incoming, states[target].get(str(value)))

    def _target(self, field: Field, value: str) -> str | None:
        """The object that an Id belongs to, of those that the field may point to."""
        found = [t.name for t in self._catalog.by_prefix(value) if t.name in field.refs]
        return found[0] if found else None

    def _states(self, name: str, values: set[str]) -> dict[str, dict[str, Any]]:
        parent = self._catalog.objects[name]
        columns = [c for c in ("IsDeleted", "IsActive", "SobjectType", "Type") if parent.has(c)]
        stored = [c for c in columns if parent.by_lower_name[c.lower()].is_stored]
        chosen = "".join(f", {quote(c)}" for c in stored)
        sql = f'SELECT "Id"{chosen} FROM {quote(name)} WHERE "Id" {AMONG}'
        return {
            row[0]: dict(zip(stored, row[1:], strict=True))
            for row in self._storage.rows(sql, [list(values)])
        }

    @staticmethod
    def _judge(
        obj: ObjectDef, field: Field, incoming: Incoming, state: dict[str, Any] | None
    ) -> None:
        value = str(incoming.row[field.name])
        label = field.label or label_of(field.name)
        if field.name == "RecordTypeId":
            if state is None or state.get("SobjectType") != obj.name or value == MASTER_RECORD_TYPE:
                incoming.refuse(
                    "INVALID_CROSS_REFERENCE_KEY",
                    f"{label}: this ID value isn't valid for the user: {value}",
                    field.name,
                )
        elif state is None:
            incoming.refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", field.name)
        elif state.get("IsDeleted"):
            incoming.refuse("ENTITY_IS_DELETED", "entity is deleted", field.name)
        elif field.name == "OwnerId" and value[:3] == "005" and state.get("IsActive") is False:
            incoming.refuse(
                "INACTIVE_OWNER_OR_USER",
                f"operation performed with inactive user [{value}] as owner of {obj.name.lower()}",
                field.name,
            )
        elif field.name == "OwnerId" and value[:3] == "00G" and state.get("Type") != "Queue":
            incoming.refuse(
                "INVALID_CROSS_REFERENCE_KEY",
                "Owner ID: owner cannot be a public group",
                field.name,
            )

    def check_masters(self, obj: ObjectDef, batch: Batch) -> None:
        """Refuse to bring back a detail whose master is gone or in the recycle bin itself."""
        for field in (f for f in obj.stored if f.is_detail):
            master = self._catalog.find(field.refs[0])
            if master is None:
                continue
            wanted = {str(i.row[field.name]) for i in good(batch)}
            states = self._states(master.name, wanted)
            for incoming in good(batch):
                state = states.get(str(incoming.row[field.name]))
                if state is None or state.get("IsDeleted"):
                    incoming.refuse("UNDELETE_FAILED", "Entity is not in the recycle bin", "Id")
