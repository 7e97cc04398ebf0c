# ruff: noqa: S608 - names come from the catalogue and are quoted
"""An admin at work: fields and objects that come, go, and change while the org runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sfnb_demo.data import fills, ids
from sfnb_demo.data import system_fields as system
from sfnb_demo.data.database import Database
from sfnb_demo.data.generate import field_definitions
from sfnb_demo.data.schema import NUMBER_TYPES, Field, ObjectDef
from sfnb_demo.data.values import stored_value
from sfnb_demo.life.given import Given, check_keys, field_of, object_of
from sfnb_demo.life.rows import RowLife
from sfnb_demo.soql.names import expression, quote

TYPES = frozenset(
    {
        "string", "textarea", "picklist", "multipicklist", "boolean", "int", "long", "double", "currency",
        "percent", "date", "datetime", "time", "phone", "email", "url", "reference", "encryptedstring",
    }
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z]\w{0,79}")
_FIELD_KEYS = frozenset(
    {"field", "type", "length", "values", "refs", "formula", "is_required", "is_unique",
     "is_external_id", "is_restricted", "is_case_sensitive", "is_detail", "on_delete",
     "is_updateable", "children"}
)  # fmt: skip
_KEYS = _FIELD_KEYS | {
    "do", "object", "to", "value", "fields", "rows", "add", "retire", "rename", "replicateable",
    "deletable", "undeletable", "undeletable_alone", "queryable", "controller", "valid_for", "by_record_type",
    "is_restricted",
}  # fmt: skip
_FIXED = frozenset(
    {"Id", "Name", "IsDeleted", "OwnerId", "CreatedDate", "CreatedById", "LastModifiedDate",
     "LastModifiedById", "SystemModstamp"}
)  # fmt: skip


class SchemaLife:
    """
    Changes the schema. The object's describe, and the global one, get a new Last-Modified.

    =================  ==========================================================================
    add_field          ``field``, ``type`` (``length``, ``values``, ``refs``, ``formula``: SQL with
                       fields in braces), ``value`` for the rows that there are; of a reference
                       ``on_delete`` (clear, cascade, restrict), ``is_detail``, ``children``
    remove_field       the field and its values
    retype_field       another ``type`` or ``length``; values that do not fit become null
    rename_field       ``to`` another name, or another case of it
    change_formula     another ``formula``: every result may change, no stamp does
    picklist           ``add`` and ``retire`` values, ``rename`` them (``{"old": "new"}``: their rows
                       are written, too); ``is_restricted``; ``controller`` and ``valid_for``
                       (``{"value": [controlling values]}``); ``by_record_type`` (``{"Client_Work":
                       [values]}``)
    add_object         a custom object with ``fields`` and ``rows``
    remove_object      with its rows
    rename_object      ``to`` another name
    flags              ``replicateable``, ``deletable``, ``undeletable`` (has a recycle bin),
                       ``undeletable_alone`` (else its rows come back with their masters only),
                       ``queryable``: true or false
    =================  ==========================================================================
    """

    def __init__(self, database: Database, rows: RowLife) -> None:
        self._database = database
        self._storage = database.storage
        self._rows = rows

    def do(self, given: Given) -> dict[str, Any]:
        """
        Do what one entry says, and say what was done.

        Raises:
            ValueError: for an entry that makes no sense. Nothing is done then.
        """
        check_keys(given, _KEYS)
        ways: dict[str, Callable[[Given], str]] = {
            "add_field": self._add_field,
            "remove_field": self._remove_field,
            "retype_field": self._retype_field,
            "rename_field": self._rename_field,
            "change_formula": self._change_formula,
            "picklist": self._picklist,
            "add_object": self._add_object,
            "remove_object": self._remove_object,
            "rename_object": self._rename_object,
            "flags": self._flags,
        }
        way = ways.get(str(given.get("do")))
        if way is None:
            raise ValueError(f"do must be one of {', '.join(ways)}")
        with self._storage.writing():
            name = way(given)
            definitions = self._database.catalog.objects["FieldDefinition"]
            table = field_definitions(self._database.catalog.objects)
            self._storage.replace(definitions, table)
        if given["do"] == "add_object" and given.get("rows"):
            self._rows.do({"do": "insert", "object": name, "rows": given["rows"]})
        self._database.schema_dates.touch(name)
        self._database.changes += 1
        return {"do": given["do"], "object": name}

    # --- fields -----------------------------------------------------------------------------------

    def _add_field(self, given: Given) -> str:
        obj, field = object_of(self._database, given), _new_field(given)
        if obj.has(field.name):
            raise ValueError(f"{obj.name} has a field {field.name} already")
        if field.formula is not None:
            self._check_formula(obj, field)
        elif field.is_stored and obj.is_queryable:
            self._storage.rows(
                f"ALTER TABLE {quote(obj.name)} ADD COLUMN {quote(field.name)} {field.column_type}"
            )
            if given.get("value") is not None:
                self._storage.rows(
                    f"UPDATE {quote(obj.name)} SET {quote(field.name)} = ?",
                    [stored_value(field, given["value"])],
                )
        # Its column is the last of the table, so the field is the last too.
        return self._put(obj.renamed(fields=(*obj.fields, field)))

    def _remove_field(self, given: Given) -> str:
        obj = object_of(self._database, given)
        field = self._open(obj, given)
        if field.is_stored and obj.is_queryable:
            self._storage.rows(f"ALTER TABLE {quote(obj.name)} DROP COLUMN {quote(field.name)}")
        return self._put(obj.renamed(fields=tuple(f for f in obj.fields if f != field)))

    def _retype_field(self, given: Given) -> str:
        obj = object_of(self._database, given)
        field = self._open(obj, given)
        if not field.is_stored:
            raise ValueError(f"{obj.name}.{field.name} has no values of its own")
        shape = _new_field({**given, "field": field.name, "type": given.get("type", field.type)})
        new = shape.changed(
            label=field.label,
            is_nillable=field.is_nillable,
            refs=shape.refs or field.refs,
            relationship=field.relationship if shape.type == "reference" else None,
            fill=_plain_fill(shape),
        )
        column = quote(field.name)
        cast = f"TRY_CAST({column} AS {new.column_type})"
        cut = f"left({cast}, {new.length})" if new.column_type == "VARCHAR" and new.length else cast
        self._storage.rows(
            f"ALTER TABLE {quote(obj.name)} ALTER {column} TYPE {new.column_type} USING {cut}"
        )
        return self._replace(obj, field, new)

    def _rename_field(self, given: Given) -> str:
        obj = object_of(self._database, given)
        field, to = self._open(obj, given), _name(given, "to")
        same = obj.find(to)
        if same is not None and same != field:
            raise ValueError(f"{obj.name} has a field {to} already")
        if field.is_stored and obj.is_queryable and to.lower() != field.name.lower():
            self._storage.rows(
                f"ALTER TABLE {quote(obj.name)} RENAME {quote(field.name)} TO {quote(to)}"
            )
        return self._replace(obj, field, field.changed(name=to))

    def _change_formula(self, given: Given) -> str:
        obj = object_of(self._database, given)
        field = field_of(obj, given)
        if field.formula is None:
            raise ValueError(f"{obj.name}.{field.name} is no formula")
        new = field.changed(formula=str(given["formula"]))
        self._check_formula(obj, new)
        return self._replace(obj, field, new)

    def _picklist(self, given: Given) -> str:
        obj = object_of(self._database, given)
        field = field_of(obj, given)
        if field.type not in ("picklist", "multipicklist", "combobox"):
            raise ValueError(f"{obj.name}.{field.name} is no picklist")
        renamed = {str(old): str(new) for old, new in dict(given.get("rename") or {}).items()}
        retire = [str(v) for v in given.get("retire") or ()]
        if unknown := [v for v in [*renamed, *retire] if v not in field.values]:
            raise ValueError(f"{obj.name}.{field.name} has no value {', '.join(unknown)}")
        kept = [renamed.get(v, v) for v in field.values]
        values = (*kept, *(str(v) for v in given.get("add") or () if str(v) not in kept))
        new = _related(field.changed(values=values, retired=(*field.retired, *retire)), given)
        if new.controller and not obj.has(new.controller):
            raise ValueError(f"{obj.name} has no field {new.controller}")
        for old, value in renamed.items():
            found = self._storage.rows(
                f'SELECT "Id" FROM {quote(obj.name)} WHERE {quote(field.name)} = ?', [old]
            )
            changed = {"object": obj.name, "field": field.name, "value": value}
            self._replace(obj, field, new)  # the new value is a valid one from here on
            self._rows.do({"do": "change", "ids": [i for (i,) in found], **changed})
        return self._replace(obj, field, new)

    def _open(self, obj: ObjectDef, given: Given) -> Field:
        """A field that an admin may change: not the system's, and in no formula."""
        field = field_of(obj, given)
        if field.name in _FIXED or field.compound or field.parts:
            raise ValueError(f"{obj.name}.{field.name} is a standard field; it cannot be changed")
        users = [f.name for f in obj.fields if f.formula and "{" + field.name + "}" in f.formula]
        if users:
            raise ValueError(f"{obj.name}.{field.name} is used in {', '.join(users)}")
        return field

    def _check_formula(self, obj: ObjectDef, field: Field) -> None:
        try:
            sql = expression(obj.renamed(fields=(*obj.fields, field)), field, "t")
            self._storage.rows(f"SELECT {sql} FROM {quote(obj.name)} t LIMIT 1")
        except Exception as err:  # DuckDB has many classes of errors; each means a wrong formula
            raise ValueError(f"the formula does not compute: {err}") from err

    # --- objects ----------------------------------------------------------------------------------

    def _add_object(self, given: Given) -> str:
        name = _name(given, "object")
        if self._database.catalog.find(name) is not None:
            raise ValueError(f"there is an object {name} already")
        if not name.endswith("__c"):
            raise ValueError(f"{name} must end in __c: admins can add custom objects only")
        own = [_new_field(f) for f in given.get("fields") or ()]
        named = Field("Name", "string", length=80, is_name=True, is_nillable=False,
                      fill=fills.numbered(f"{name} ", 4))  # fmt: skip
        obj = system.table(name, self._free_prefix(), named, *own, rows=0)
        obj = obj.renamed(id_start=obj.id_start + self._database.id_shift)
        self._storage.create(obj)
        self._database.rows[name] = 0
        return self._put(obj)

    def _remove_object(self, given: Given) -> str:
        obj = object_of(self._database, given)
        self._check_unused(obj)
        self._database.catalog.remove(obj.name)
        if obj.is_queryable:
            self._storage.rows(f"DROP TABLE {quote(obj.name)}")
        return obj.name

    def _rename_object(self, given: Given) -> str:
        obj, to = object_of(self._database, given), _name(given, "to")
        self._check_unused(obj)
        same = self._database.catalog.find(to)
        if same is not None and same != obj:
            raise ValueError(f"there is an object {to} already")
        if to.lower() != obj.name.lower():
            self._storage.rows(f"ALTER TABLE {quote(obj.name)} RENAME TO {quote(to)}")
        self._storage.rows("UPDATE _gone SET object = ? WHERE object = ?", [to, obj.name])
        self._database.rows[to] = self._database.rows.pop(obj.name, 0)
        self._database.catalog.remove(obj.name)
        self._database.schema_dates.touch(obj.name)
        return self._put(obj.renamed(name=to))

    def _flags(self, given: Given) -> str:
        obj = object_of(self._database, given)
        names = {
            "replicateable": "is_replicateable",
            "deletable": "is_deletable",
            "undeletable": "has_bin",
            "undeletable_alone": "is_undeletable",
            "queryable": "is_queryable",
        }
        return self._put(obj.renamed(**{names[k]: bool(given[k]) for k in names if k in given}))

    def _check_unused(self, obj: ObjectDef) -> None:
        if not obj.name.endswith("__c"):
            raise ValueError(f"{obj.name} is a standard object; it cannot be changed so")
        users = [r.child for r in self._database.catalog.children[obj.name] if r.child != obj.name]
        if users:
            raise ValueError(f"{obj.name} is looked up from {', '.join(sorted(set(users)))}")

    def _free_prefix(self) -> str:
        taken = {o.prefix for o in self._database.catalog.objects.values()}
        found = (f"a{a}{b}" for a in reversed(ids.DIGITS) for b in ids.DIGITS)
        return next(prefix for prefix in found if prefix not in taken)

    def _replace(self, obj: ObjectDef, old: Field, new: Field) -> str:
        return self._put(obj.renamed(fields=tuple(new if f == old else f for f in obj.fields)))

    def _put(self, obj: ObjectDef) -> str:
        self._database.catalog.put(obj)
        return obj.name


def _name(given: Given, key: str) -> str:
    name = str(given.get(key, ""))
    if not _NAME.fullmatch(name):
        raise ValueError(f"{key}: {name!r} is no API name")
    return name


def _new_field(given: Given) -> Field:
    check_keys(given, _KEYS)
    kind = str(given.get("type", "string"))
    if kind not in TYPES:
        raise ValueError(f"type must be one of {', '.join(sorted(TYPES))}")
    name = _name(given, "field")
    lengths = {"string": 255, "textarea": 32000, "picklist": 255, "multipicklist": 4099, "phone": 40,
               "email": 80, "url": 255, "reference": 18, "encryptedstring": 175}  # fmt: skip
    refs = tuple(str(r) for r in given.get("refs") or ())
    if (kind == "reference") != bool(refs):
        raise ValueError("a reference needs refs, and nothing else has them")
    on_delete = given.get("on_delete", "")
    if on_delete not in ("", "clear", "cascade", "restrict"):
        raise ValueError("on_delete must be clear, cascade or restrict")
    is_detail = bool(given.get("is_detail"))
    formula = given.get("formula")
    is_long = kind in ("textarea", "encryptedstring")
    field = Field(
        name,
        kind,
        length=int(given.get("length", lengths.get(kind, 0))),
        precision=18 if kind in NUMBER_TYPES else 0,
        values=tuple(str(v) for v in given.get("values") or ()),
        refs=refs,
        relationship=re.sub(r"__c$", "__r", name) if refs else None,
        formula=None if formula is None else str(formula),
        children=str(given["children"]) if given.get("children") else None,
        is_detail=is_detail,
        on_delete=on_delete,
        is_nillable=not given.get("is_required") and kind != "boolean" and not is_detail,
        is_createable=formula is None,
        is_updateable=formula is None and bool(given.get("is_updateable", not is_detail)),
        is_defaulted=kind == "boolean",
        is_unique=bool(given.get("is_unique")),
        is_external_id=bool(given.get("is_external_id")),
        is_restricted=bool(given.get("is_restricted")),
        is_case_sensitive=bool(given.get("is_case_sensitive")),
        is_filterable=not is_long,
        is_sortable=not is_long and kind != "multipicklist",
    )
    return field.changed(fill=None if formula is not None else _plain_fill(field))


def _related(field: Field, given: Given) -> Field:
    """A picklist as an entry restricts it."""
    changes: dict[str, Any] = {}
    if "is_restricted" in given:
        changes["is_restricted"] = bool(given["is_restricted"])
    if "controller" in given:
        changes["controller"] = str(given["controller"] or "")
    for key in ("valid_for", "by_record_type"):
        if key in given:
            changes[key] = tuple(
                (str(one), tuple(str(v) for v in some)) for one, some in dict(given[key]).items()
            )
    return field.changed(**changes)


def _plain_fill(field: Field) -> Any:
    """Values for rows that come later; null where it does not matter."""
    if field.is_unique or field.column_type == "VARCHAR":
        if field.refs or field.type == "time":
            return None
        return fills.pick(field.values) if field.values else fills.numbered("v", 4)
    if field.type == "boolean":
        return fills.flag(0.5)
    return fills.number(0, 1000, decimals=2) if field.column_type == "DOUBLE" else None
