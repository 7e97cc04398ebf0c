"""All objects of one org, and the relations between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from sfnb_demo.data.schema import ChildRelation, Field, ObjectDef


def _pseudo() -> ObjectDef:
    """The target of a polymorphic lookup: the fields that all its targets share."""
    names = (
        "Name",
        "Type",
        "FirstName",
        "LastName",
        "Email",
        "Phone",
        "Title",
        "Username",
        "Alias",
    )
    fields = (
        Field("Id", "id", length=18),
        *(Field(n, "string", length=255) for n in names),
        Field("IsActive", "boolean"),
    )
    return ObjectDef("Name", None, fields, is_queryable=False)


POLYMORPHIC = _pseudo()


class Catalog:
    """
    The objects by name, in any case.

    Objects that share a key prefix count from far apart, so no Id is given twice.
    """

    def __init__(self, objects: Iterable[ObjectDef]) -> None:
        by_name: dict[str, ObjectDef] = {}
        shared: dict[str, int] = {}
        for obj in objects:
            place = shared.get(obj.prefix or "", 0)
            shared[obj.prefix or ""] = place + 1
            by_name[obj.name] = obj.renamed(id_start=obj.id_start + place * 62**5)
        self.objects: Mapping[str, ObjectDef] = by_name
        self._lower = {name.lower(): obj for name, obj in by_name.items()}

    def find(self, name: str) -> ObjectDef | None:
        return self._lower.get(name.lower())

    def by_prefix(self, record_id: str) -> list[ObjectDef]:
        """The objects whose ids begin like this one."""
        return [obj for obj in self.objects.values() if obj.prefix == record_id[:3]]

    @cached_property
    def children(self) -> Mapping[str, list[ChildRelation]]:
        """Parent's name to the relations that point to it."""
        found: dict[str, list[ChildRelation]] = {name: [] for name in self.objects}
        for obj in self.objects.values():
            for field in obj.fields:
                for target in field.refs:
                    if target in found:
                        found[target].append(ChildRelation(obj.name, field))
        return found

    def child(self, parent: ObjectDef, relationship: str) -> ChildRelation | None:
        """The child relation of that name, in any case."""
        for relation in self.children[parent.name]:
            if relation.field.children and relation.field.children.lower() == relationship.lower():
                return relation
        return None
