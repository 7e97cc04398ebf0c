"""What the org says of the objects that an archive touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sfnb.archive.relations import Relation, emptied_by
from sfnb.archive.relations import relations_of as relations_between
from sfnb.errors import CallerError, JobError
from sfnb.model import ObjectSchema
from sfnb.org.client import OrgClient
from sfnb.org.describe import fetch_objects, fetch_schemas
from sfnb.org.transport import call_context


class Describes:
    """What the org says of the objects that an archive touches, asked once."""

    def __init__(self, client: OrgClient, job_id: str = "", *, with_restricting: bool) -> None:
        self._client = client
        self._job_id = job_id
        self._with_restricting = with_restricting
        self._queryable: dict[str, bool] = {}
        self._schemas: dict[str, ObjectSchema] = {}
        self._refused: dict[str, str] = {}

    def root(self, name: str) -> ObjectSchema:
        """
        The describe of the object that is archived, in the org's spelling. Cost: 2 API calls.

        Raises:
            CallerError: the org has no such object, or nobody can delete its records.
        """
        spelled = {one.lower(): one for one in self._objects()}.get(name.lower())
        if spelled is None:
            raise CallerError(f"the org has no object {name} that this user can see.")
        schema = self.of([spelled])[spelled]
        if schema.raw.get("deletable") is not True:
            raise CallerError(f"records of {spelled} cannot be deleted by this user.")
        return schema

    def _objects(self) -> Mapping[str, bool]:
        if not self._queryable:
            with call_context(job_id=self._job_id, object_name=""):
                found = fetch_objects(self._client)
            self._queryable = {one.name: one.is_queryable for one in found}
        return self._queryable

    def of(self, names: Iterable[str]) -> dict[str, ObjectSchema]:
        """
        Describes by name. Cost: 1 API call for 25 that are not known yet.

        Raises:
            JobError: the org refuses one.
        """
        wanted = list(dict.fromkeys(names))
        for name, why in self.refused(wanted).items():
            raise JobError(f"nothing is archived: {name} cannot be described: {why}")
        return {name: self._schemas[name] for name in wanted}

    def refused(self, names: Iterable[str]) -> dict[str, str]:
        """Those of these objects that the org does not describe, and why. Cost: as ``of``."""
        wanted = list(dict.fromkeys(names))
        known = self._schemas.keys() | self._refused.keys()
        if missing := [n for n in wanted if n not in known]:
            with call_context(job_id=self._job_id, object_name=""):
                for name, found in fetch_schemas(self._client, missing).items():
                    if isinstance(found, ObjectSchema):
                        self._schemas[name] = found
                    else:
                        self._refused[name] = str(found)
        return {name: self._refused[name] for name in wanted if name in self._refused}

    def relations(self, name: str) -> list[Relation]:
        """What goes with records of an object."""
        (schema,) = self.of([name]).values()
        return relations_between(schema, self._objects(), with_restricting=self._with_restricting)

    def emptied_by(self, name: str) -> list[Relation]:
        """Lookups that the org empties when records of an object go."""
        (schema,) = self.of([name]).values()
        return emptied_by(schema, self._objects())

    def is_deletable(self, name: str) -> bool:
        return self._schemas[name].raw.get("deletable") is True
