"""All objects of one org, and the relations between them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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


class _Index:
    """The objects of one moment; replaced as a whole, so that readers never see half a change."""

    def __init__(self, objects: Mapping[str, ObjectDef]) -> None:
        self.objects = objects
        self.lower = {name.lower(): obj for name, obj in objects.items()}

    @cached_property
    def children(self) -> Mapping[str, list[ChildRelation]]:
        found: dict[str, list[ChildRelation]] = {name: [] for name in self.objects}
        for obj in self.objects.values():
            for field in obj.fields:
                for target in field.refs:
                    if target in found:
                        found[target].append(ChildRelation(obj.name, field))
        return found


class Catalog:
    """
    The objects by name, in any case; safe for threads.

    Objects that share a key prefix count from far apart, so no Id is given twice.
    """

    def __init__(self, objects: Iterable[ObjectDef]) -> None:
        by_name: dict[str, ObjectDef] = {}
        shared: dict[str, int] = {}
        for obj in objects:
            place = shared.get(obj.prefix or "", 0)
            shared[obj.prefix or ""] = place + 1
            by_name[obj.name] = obj.renamed(id_start=obj.id_start + place * 62**5)
        self._index = _Index(by_name)

    @property
    def objects(self) -> Mapping[str, ObjectDef]:
        return self._index.objects

    def find(self, name: str) -> ObjectDef | None:
        return self._index.lower.get(name.lower())

    def by_prefix(self, record_id: str) -> list[ObjectDef]:
        """The objects whose ids begin like this one."""
        return [obj for obj in self.objects.values() if obj.prefix == record_id[:3]]

    @property
    def children(self) -> Mapping[str, list[ChildRelation]]:
        """Parent's name to the relations that point to it."""
        return self._index.children

    def child(self, parent: ObjectDef, relationship: str) -> ChildRelation | None:
        """The child relation of that name, in any case."""
        for relation in self.children[parent.name]:
            if relation.field.children and relation.field.children.lower() == relationship.lower():
                return relation
        return None

    # --- changes while the org runs ---------------------------------------------------------------

    def put(self, obj: ObjectDef) -> None:
        """Add an object, or replace the one of that name."""
        self._index = _Index({**self.objects, obj.name: obj})

    def remove(self, name: str) -> None:
        self._index = _Index({n: obj for n, obj in self.objects.items() if n != name})

    def without(self, hidden: Collection[tuple[str, str]]) -> Catalog:
        """
        What a user sees who may not see these objects (``("Lead", "")``) and fields
        (``("Contact", "Email")``).
        """
        seen = Catalog(())
        seen._index = _Index(
            {
                name: obj.concealing({field for owner, field in hidden if owner == name})
                for name, obj in self.objects.items()
                if (name, "") not in hidden
            }
        )
        return seen
