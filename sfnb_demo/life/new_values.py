"""SQL that gives rows another value: used where it does not matter which."""

from __future__ import annotations

from sfnb_demo.data.schema import Field, ObjectDef
from sfnb_demo.soql.names import literal, quote

_SYSTEM = frozenset(
    {
        "Id", "IsDeleted", "OwnerId", "CreatedDate", "CreatedById", "LastModifiedDate",
        "LastModifiedById", "SystemModstamp", "MasterRecordId", "RecordTypeId", "IsArchived",
    }
)  # fmt: skip
_TEXTS = ("string", "textarea", "phone", "email", "url", "encryptedstring")


def is_free(field: Field) -> bool:
    """Whether any value will do: no key, no reference, nothing that the org itself sets."""
    return (
        field.is_stored
        and field.name not in _SYSTEM
        and field.type not in ("reference", "id", "masterrecord", "anyType", "json", "complexvalue")
        and not (field.is_unique or field.is_external_id or field.is_auto_number or field.is_json)
        and not field.is_rollup
        and not (field.type in _TEXTS and 0 < field.length < 24)
    )


def free_field(obj: ObjectDef) -> Field | None:
    """A field that can take any value, the plainest first; None: the object has none."""
    free = [f for f in obj.fields if is_free(f)]
    order = ("textarea", "string", "double", "currency", "phone", "email", "picklist", "boolean")
    ranked = [f for kind in order for f in free if f.type == kind]
    return next(iter(ranked or free), None)


def new_value_sql(field: Field, number: int) -> str:  # noqa: PLR0911 - a table of types
    """
    An expression over a row that differs from the row's value.

    Args:
        number: differs from one change to the next.
    """
    column = quote(field.name)
    if field.type == "boolean":
        return f"NOT coalesce({column}, false)"
    if field.column_type in ("BIGINT", "DOUBLE"):
        return f"CASE WHEN abs({column}) > 1e12 THEN 0 ELSE coalesce({column}, 0) + 1 END"
    if field.column_type == "DATE":
        return f"coalesce({column} + 1, DATE '2026-01-01' + {number % 1000})"
    if field.column_type == "TIMESTAMP":
        return f"coalesce({column} + INTERVAL 1 HOUR, TIMESTAMP '2026-01-01')"
    if field.type == "time":
        return f"CASE WHEN {column} = '08:00:00.000Z' THEN '09:00:00.000Z' ELSE '08:00:00.000Z' END"
    if field.values and field.type in ("picklist", "multipicklist", "combobox"):
        first, second = (*field.values, *field.values)[:2]
        return f"CASE WHEN {column} = {literal(first)} THEN {literal(second)} ELSE {literal(first)} END"
    text = f"'changed ' || {number} || ' ' || right(\"Id\", 6)"
    return f"left({text}, {field.length})" if field.length else text
