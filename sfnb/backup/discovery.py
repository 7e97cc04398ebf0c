"""Asking the org what there is to back up: objects, fields, sizes. The answers make the plan."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from sfnb.backup import plan as planning
from sfnb.backup.plan import Facts, Plan, choose_names, plan_backup, reason_not_read
from sfnb.errors import ObjectError, OrgUnavailable, TransientError
from sfnb.model import ObjectInfo, ObjectSchema, Price
from sfnb.org import describe
from sfnb.org.client import OrgClient
from sfnb.org.permissions import SEES_ALL, fetch_permissions, visibility_warnings
from sfnb.org.transport import call_context

T = TypeVar("T")


@dataclass
class Discovery:
    """
    What the org has answered so far. It survives a pause: nothing is requested twice.

    Args:
        objects: the objects wanted; None: all.
        exclude: objects not wanted.
    """

    org: OrgClient
    job_id: str
    stop: threading.Event
    objects: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    calls: int = 0
    _infos: dict[str, ObjectInfo] | None = None
    _schemas: dict[str, ObjectSchema | ObjectError] = field(default_factory=dict)
    _counts: dict[str, int] | None = None
    _permissions: Mapping[str, bool | None] | None = None

    def plan(self) -> tuple[Plan, dict[str, ObjectSchema]]:
        """
        The plan, and the schema of each object in it.

        Cost: one call for the list of objects (none if they are named), one for 25 describes, one
            or more for sizes, one for the user's permissions.

        Raises:
            CallerError: an object was named that the org does not have.
            QuotaSignal: ask again when calls have come back.
        """
        infos = self._objects()
        names = choose_names(infos, objects=self.objects, exclude=self.exclude)
        readable = [name for name in names if reason_not_read(infos[name]) is None]
        self._describe(readable)
        if self._counts is None:
            self._counts = self._sizes(readable)
        counts = self._counts
        gone = ObjectError("it was not described")
        facts = [Facts(infos[n], self._schemas.get(n, gone), counts.get(n)) for n in names]
        warnings = visibility_warnings(self._may())
        plan = plan_backup(facts, preparation_calls=self.calls, warnings=warnings)
        schemas = {
            n: s
            for n, s in self._schemas.items()
            if n in plan.objects and isinstance(s, ObjectSchema)
        }
        return plan, schemas

    def schemas(self, names: Sequence[str]) -> dict[str, ObjectSchema | ObjectError]:
        """The describes of some objects. Cost: one call for 25 of them."""
        self._describe(names)
        return {name: self._schemas[name] for name in names}

    def _objects(self) -> dict[str, ObjectInfo]:
        if self._infos is None and self.objects:
            self._describe(list(dict.fromkeys(self.objects)))
            described = [s for s in self._schemas.values() if isinstance(s, ObjectSchema)]
            if len(described) == len(self._schemas):
                self._infos = {s.name: describe.parse_object(s.raw) for s in described}
                self._schemas = {s.name: s for s in described}
        if self._infos is None:
            infos = self._ask(lambda: describe.fetch_objects(self.org))
            self._infos = {info.name: info for info in infos}
        return self._infos

    def _sizes(self, names: Sequence[str]) -> dict[str, int]:
        try:
            return self._ask(lambda: describe.fetch_counts(self.org, names))
        except OrgUnavailable:
            raise
        except (ObjectError, TransientError):
            # They need View Setup and Configuration. Without them the first page of each object
            # tells its size.
            return {}

    def _may(self) -> Mapping[str, bool | None]:
        if self._permissions is None:
            try:
                self._permissions = self._ask(partial(fetch_permissions, self.org, SEES_ALL))
            except OrgUnavailable:
                raise
            except (ObjectError, TransientError):
                self._permissions = dict.fromkeys(SEES_ALL)
        return self._permissions

    def _describe(self, names: Sequence[str]) -> None:
        missing = [name for name in names if name not in self._schemas]
        for start in range(0, len(missing), planning.DESCRIBES_PER_CALL):
            some = missing[start : start + planning.DESCRIBES_PER_CALL]
            self._schemas.update(self._ask(partial(describe.fetch_schemas, self.org, some)))

    def _ask(self, fn: Callable[[], T]) -> T:
        with call_context(job_id=self.job_id, object_name="", on_call=self._count, stop=self.stop):
            return fn()

    def _count(self, price: Price) -> None:
        self.calls += price.get("api", 0)
