"""The terms of the demo org's catalogue: fields and objects as frozen values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

from sfnb_demo.data import ids

COLUMN_TYPES: Mapping[str, str] = {
    "boolean": "BOOLEAN",
    "int": "BIGINT",
    "long": "BIGINT",
    "double": "DOUBLE",
    "currency": "DOUBLE",
    "percent": "DOUBLE",
    "date": "DATE",
    "datetime": "TIMESTAMP",
}
"""
DuckDB's type for Salesforce's; everything else is text. Times of day are text as Salesforce prints
them.
"""

DeleteRule = Literal["clear", "cascade", "restrict"]

_RESTORED_LOOKUPS = {
    ("ParentId", ("Account",)),
    ("ParentId", ("Case",)),
    ("ReportsToId", ("Contact",)),
    ("Product2Id", ("Product2",)),
    ("OpportunityId", ("Opportunity",)),
}

ID_TYPES = frozenset({"id", "reference", "masterrecord"})
NUMBER_TYPES = frozenset({"int", "long", "double", "currency", "percent"})
COMPOUND_TYPES = frozenset({"address", "location"})

ADDRESS_PARTS = (
    "Street",
    "City",
    "State",
    "PostalCode",
    "Country",
    "Latitude",
    "Longitude",
    "GeocodeAccuracy",
)


@dataclass(frozen=True, slots=True)
class Field:
    """
    One field of an object.

    Args:
        type: Salesforce's type word.
        refs: objects that a reference may point to; more than one makes it polymorphic.
        relationship: what the parent is called in a path (``Account`` in ``Account.Name``).
        children: the parent's name for these rows (``Contacts``); None if it has none.
        is_detail: master-detail: deleting the parent deletes this row.
        on_delete: what deleting the parent does to this row: ``clear`` the field, ``cascade``,
            ``restrict`` (the parent stays); empty: the default, see ``delete_rule``.
        formula: a DuckDB expression over the row, with other fields in braces. It has no column.
        compound: the field that this one is a part of.
        parts: of a compound: key in JSON to field name.
        is_json: stored as JSON text and sent as the value in it: objects, and values of any type.
        has_fractions: described as an int, but holds values such as 12.5.
        retired: values of ``values`` that an admin has switched off.
        controller, valid_for: of a dependent picklist: the field that controls it, and with which
            of its values each value goes; a value that is not listed goes with all.
        by_record_type: which values a record type allows, by its DeveloperName; a type that is not
            listed allows all. Only a restricted picklist refuses the others.
        is_case_sensitive: of a unique field: ``a`` and ``A`` are two values.
        is_rollup: a roll-up summary: kept in a column, described as calculated.
        drift: of a formula: how often its results have changed while its definition has not.
        fill: makes the column's values; None: all null.
    """

    name: str
    type: str
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    refs: tuple[str, ...] = ()
    relationship: str | None = None
    children: str | None = None
    is_detail: bool = False
    on_delete: DeleteRule | Literal[""] = ""
    values: tuple[str, ...] = ()
    formula: str | None = None
    compound: str | None = None
    parts: tuple[tuple[str, str], ...] = ()
    is_nillable: bool = True
    is_createable: bool = True
    is_updateable: bool = True
    is_defaulted: bool = False
    is_unique: bool = False
    is_external_id: bool = False
    is_auto_number: bool = False
    is_name: bool = False
    is_filterable: bool = True
    is_sortable: bool = True
    is_html: bool = False
    is_restricted: bool = False
    is_json: bool = False
    has_fractions: bool = False
    retired: tuple[str, ...] = ()
    controller: str = ""
    valid_for: tuple[tuple[str, tuple[str, ...]], ...] = ()
    by_record_type: tuple[tuple[str, tuple[str, ...]], ...] = ()
    is_case_sensitive: bool = False
    is_rollup: bool = False
    drift: int = 0
    fill: Callable[[Any], Any] | None = None

    @property
    def is_custom(self) -> bool:
        return self.name.endswith(("__c", "__s"))

    def changed(self, **changes: Any) -> Field:
        return replace(self, **changes)

    def filled(self, fill: Callable[[Any], Any] | None) -> Field:
        """The same field with other values."""
        return replace(self, fill=fill)

    @property
    def is_stored(self) -> bool:
        """Whether the table has a column for it."""
        return self.formula is None and self.type not in COMPOUND_TYPES and self.type != "base64"

    @property
    def delete_rule(self) -> DeleteRule:
        """
        Required lookups keep their parent alive; the others are emptied ("What to do if the lookup
        record is deleted?", Salesforce help 000383277).
        """
        if self.is_detail:
            return "cascade"
        return self.on_delete or ("clear" if self.is_nillable else "restrict")

    @property
    def comes_back(self) -> bool:
        """
        Whether undeleting the parent fills the field again: custom lookups, and a list of standard
        ones (Apex guide, undelete).
        """
        return self.is_custom or (self.name, self.refs) in _RESTORED_LOOKUPS

    @property
    def is_calculated(self) -> bool:
        """A formula or a roll-up; the Name of a person is composed, not calculated."""
        return self.is_rollup or (self.formula is not None and not self.is_name)

    @property
    def column_type(self) -> str:
        return "DOUBLE" if self.has_fractions else COLUMN_TYPES.get(self.type, "VARCHAR")


@dataclass(frozen=True)
class ObjectDef:
    """
    One object of the org.

    Args:
        rows: rows in an org of size ``small``; with ``is_fixed`` in any size.
        wanted_filters: a query must filter by one of these; ``refusal`` is the answer otherwise.
        wants_single: that filter must be ``= one Id``; only ``Id IN`` may have a list.
        shows_latest_only: older versions are hidden from a query that does not name
            IsLatestVersion.
        has_bulk: whether the Bulk API reads it.
        has_bin: whether deleted rows go to the recycle bin. Recorded describes say
            ``undeletable: false`` of CampaignMember, OpportunityContactRole, Vote and all shares.
        is_undeletable: whether describe says so where there is a bin; else rows come back from it
            with their masters alone.
        concealed: fields that exist, but not for the user whose view this is.
        id_start: first counter of its Ids; different for objects that share a prefix.
    """

    name: str
    prefix: str | None
    fields: tuple[Field, ...]
    label: str = ""
    plural: str = ""
    rows: int = 0
    is_fixed: bool = False
    is_queryable: bool = True
    is_writable: bool = True
    is_deletable: bool = True
    is_replicateable: bool = True
    has_bulk: bool = True
    has_explicit_rows: bool = False
    is_custom_setting: bool = False
    wanted_filters: tuple[str, ...] = ()
    refusal: str = ""
    wants_single: bool = False
    shows_latest_only: bool = False
    associate_type: str | None = None
    associate_parent: str | None = None
    has_bin: bool = True
    is_undeletable: bool = True
    concealed: tuple[Field, ...] = ()
    id_start: int = ids.FIRST

    @cached_property
    def by_lower_name(self) -> Mapping[str, Field]:
        return {f.name.lower(): f for f in self.fields}

    def find(self, name: str) -> Field | None:
        """The field of that name in any case, None if there is none."""
        return self.by_lower_name.get(name.lower())

    def has(self, name: str) -> bool:
        return name.lower() in self.by_lower_name

    def column(self, name: str) -> Field | None:
        """The field of that name in any case, also one that this user may not see."""
        concealed = (f for f in self.concealed if f.name.lower() == name.lower())
        return self.find(name) or next(concealed, None)

    def concealing(self, names: Collection[str]) -> ObjectDef:
        """The object as a user sees it who may not see these fields."""
        if not names:
            return self
        return replace(
            self,
            fields=tuple(f for f in self.fields if f.name not in names),
            concealed=self.concealed + tuple(f for f in self.fields if f.name in names),
        )

    @property
    def is_custom(self) -> bool:
        return self.name.endswith(("__c", "__b", "__e"))

    @cached_property
    def stored(self) -> tuple[Field, ...]:
        """The fields that have a column, in the table's order."""
        return tuple(f for f in self.fields if f.is_stored)

    @cached_property
    def name_field(self) -> Field | None:
        return next((f for f in self.fields if f.is_name), None)

    @cached_property
    def parents(self) -> Mapping[str, Field]:
        """Reference fields by the lower-case name of their relationship."""
        return {f.relationship.lower(): f for f in self.fields if f.relationship}

    def renamed(self, **changes: Any) -> ObjectDef:
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class ChildRelation:
    """Rows of ``child`` point by ``field`` to the object that owns this relation."""

    child: str
    field: Field


@dataclass(frozen=True, slots=True)
class User:
    """Someone who may log in."""

    user_id: str
    username: str
    name: str
    email: str
    profile_id: str
    profile: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Organization:
    """The org itself. ``id`` has 18 characters; tokens and log files use ``id15``."""

    id: str
    id15: str
    name: str
    instance_name: str
    organization_type: str
    is_sandbox: bool
    users: tuple[User, ...]

    def find_user(self, username: str) -> User | None:
        return next((u for u in self.users if u.username.lower() == username.lower()), None)
