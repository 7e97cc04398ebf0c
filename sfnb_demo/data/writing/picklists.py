"""Values of restricted picklists that go with the record type and with the controlling field only."""

from __future__ import annotations

from collections.abc import Mapping

from sfnb_demo.data.fields import label_of
from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.data.storage import Storage
from sfnb_demo.data.writing.incoming import Batch, Incoming, good


def check_picklists(storage: Storage, obj: ObjectDef, batch: Batch) -> None:
    """
    Refuse values that are written and do not fit. Without ``is_restricted`` the API takes them, as
    Salesforce does.
    """
    fields = [f for f in obj.stored if f.is_restricted and (f.controller or f.by_record_type)]
    if not fields:
        return
    sql = 'SELECT "Id", "DeveloperName" FROM "RecordType" WHERE "SobjectType" = ?'
    types: Mapping[str, str] = dict(storage.rows(sql, [obj.name]))
    for incoming in good(batch):
        for field in fields:
            value = incoming.row.get(field.name)
            wrong = [v for v in str(value).split(";") if not _fits(field, v, incoming, types)]
            if value is not None and wrong:
                incoming.refuse(
                    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                    f"{field.label or label_of(field.name)}: bad value for restricted picklist "
                    f"field: {wrong[0]}",
                    field.name,
                )


def _fits(field: Field, value: str, incoming: Incoming, types: Mapping[str, str]) -> bool:
    record_type = types.get(str(incoming.value("RecordTypeId")), "")
    by_type = dict(field.by_record_type).get(record_type)
    if by_type is not None and value not in by_type:
        return False
    allowed = dict(field.valid_for).get(value)
    if not field.controller or allowed is None:
        return True
    controlling = incoming.value(field.controller)
    text = str(controlling).lower() if isinstance(controlling, bool) else str(controlling)
    return text in allowed
