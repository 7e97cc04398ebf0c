"""Asking the org what there is to back up: objects, fields, sizes. The answers make the plan."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar

from sfnb.backup import plan as planning
from sfnb.backup.history import History, catalogue_json
from sfnb.backup.learned import Learned, still_learned
from sfnb.backup.plan import Facts, Plan, choose_names, plan_backup, reason_not_read
from sfnb.backup.plan_changes import plan_changes
from sfnb.backup.policy import (
    RATES,
    Choice,
    News,
    Wishes,
    choose,
    describes_wanted,
)
from sfnb.backup.schema_changes import SchemaChange, catalogue_changes, with_renames
from sfnb.errors import ObjectError, OrgUnavailable, TransientError
from sfnb.model import ObjectInfo, ObjectSchema, Price
from sfnb.org import describe
from sfnb.org.away import is_away
from sfnb.org.client import OrgClient
from sfnb.org.composite import SubResponse
from sfnb.org.permissions import (
    SEES_ALL,
    fetch_permissions,
    newest_stamp,
    stamp_of,
    visibility_warnings,
)
from sfnb.org.transport import call_context

T = TypeVar("T")

MARGIN = timedelta(minutes=1)
"""Dates have whole seconds: what was read just before a change is read again."""


@dataclass
class Discovery:
    """
    What the org has answered so far. It survives a pause: nothing is requested twice.

    Args:
        objects: the objects wanted; None: all.
        exclude: objects not wanted.
        history: what earlier snapshots know.
        wishes: what the backup was asked for.
        calls: that the plan has taken; ``described``: objects that were asked for with them.
    """

    org: OrgClient
    job_id: str
    stop: threading.Event
    history: History
    objects: Sequence[str] | None = None
    exclude: Sequence[str] = ()
    wishes: Wishes = field(default_factory=Wishes)
    calls: int = 0
    described: int = 0
    schema_changes: list[SchemaChange] = field(default_factory=list)
    catalogue: dict[str, Any] = field(default_factory=dict)
    planned: dict[str, Any] = field(default_factory=dict)
    learned: Mapping[str, Learned] = field(default_factory=dict)
    _infos: dict[str, ObjectInfo] | None = None
    _news: News = "unknown"
    _schemas: dict[str, ObjectSchema | ObjectError] = field(default_factory=dict)
    _counts: dict[str, int] | None = None
    _permissions: Mapping[str, bool | None] | None = None
    _rates_at: str = ""

    def plan(self) -> tuple[Plan, dict[str, ObjectSchema]]:
        """
        The plan, and the schema of each object in it.

        Cost: one call for the list of objects (none if they are named), one for 25 describes, one
            or more for sizes, one for the user's permissions. Describes are kept with the
            snapshots and requested again only where the org says, or may hide, that they have
            changed.

        Raises:
            CallerError: an object was named that the org does not have.
            QuotaSignal: ask again when calls have come back.
        """
        infos = self._objects()
        names = choose_names(infos, objects=self.objects, exclude=self.exclude)
        readable = [name for name in names if reason_not_read(infos[name]) is None]
        now = self._time()
        self.history.today = now.weekday()
        known = self.history.known(readable)
        wanted = describes_wanted(readable, known, self._news, wishes=self.wishes, now=now)
        self._describe(wanted)
        self._take_from_history(readable)
        if self._counts is None:
            self._counts = self._sizes(readable)
        counts = self._counts
        gone = ObjectError("it was not described")
        facts = [Facts(infos[n], self._schemas.get(n, gone), counts.get(n)) for n in names]
        warnings = visibility_warnings(self._may())
        choices = self._choices(readable, now)
        schemas = {n: s for n, s in self._schemas.items() if isinstance(s, ObjectSchema)}
        self.learned = still_learned(
            self.history.learned, readable, now, wants_full=self.wishes.full
        )
        plan = plan_backup(
            facts, preparation_calls=self.calls, warnings=warnings, learned=self.learned
        )
        damaged = {name for name in plan.objects if self.history.is_damaged(name)}
        plan = plan_changes(
            plan,
            choices,
            known,
            schemas,
            runs=self.history.runs,
            damaged=damaged,
            spent=self.history.spent_in_full,
            counted=self.history.counted,
        )
        learned = self.history.learned_calls(plan.kind, self.objects)
        plan = replace(plan, learned_calls=learned)
        self.planned = {
            "at": now.isoformat(),
            "kind": plan.kind,
            "calls": round(plan.object_calls, 1),
            "rows": sum(o.expected_rows or 0 for o in plan.objects.values()),
            "preparing": self.calls,
            "described": self.described,
            "knows_304": bool(self.catalogue.get("knows_304")),
            "ahead_s": self._ahead_s(now),
        }
        self.catalogue["drifting"] = self.history.drifting
        return plan, {name: schemas[name] for name in plan.objects}

    def _choices(self, names: Sequence[str], now: datetime) -> dict[str, Choice]:
        """How each object is read; what has changed of the schema is noted."""
        known = self.history.known(names)
        choices = {}
        changes = list(self._catalogue_changes())
        for name in names:
            schema = self._schemas.get(name)
            if isinstance(schema, ObjectSchema):
                choices[name] = choose(
                    schema,
                    known.get(name),
                    now,
                    self.wishes,
                    (self._counts or {}).get(name),
                    is_older=name in self.history.older,
                    rates_at=self._rates_at,
                    ahead_s=self._ahead_s(now),
                )
                changes += choices[name].changes
        self.schema_changes = changes
        return choices

    def _catalogue_changes(self) -> list[SchemaChange]:
        """Objects that came, went or got another name since the last backup of the whole org."""
        before = {info.name: info for info in self.history.objects()}
        if not before or self.objects or self._infos is None:
            return []
        changes = catalogue_changes(before, self._infos)
        prefixes = {name: info.prefix for name, info in self._infos.items()}
        return with_renames(changes, prefixes, {n: i.prefix for n, i in before.items()})

    def schemas(self, names: Sequence[str]) -> dict[str, ObjectSchema | ObjectError]:
        """The describes of some objects. Cost: one call for 25 of them."""
        self._describe(names)
        self._take_from_history(names)
        return {name: self._schemas[name] for name in names}

    def _take_from_history(self, names: Sequence[str]) -> None:
        """What was not asked for is as it was stored."""
        missing = [name for name in names if name not in self._schemas]
        for name, known in self.history.known(missing).items():
            self._schemas[name] = describe.parse_schema(name, known.describe)

    def _objects(self) -> dict[str, ObjectInfo]:
        if self._infos is None and self.objects:
            self._describe(list(dict.fromkeys(self.objects)))
            described = [s for s in self._schemas.values() if isinstance(s, ObjectSchema)]
            if len(described) == len(self._schemas):
                self._infos = {s.name: describe.parse_object(s.raw) for s in described}
                self._schemas = {s.name: s for s in described}
                self.catalogue = dict(self.history.catalogue) | self.catalogue
        if self._infos is None:
            self._infos = self._all_objects()
        return self._infos

    def _all_objects(self) -> dict[str, ObjectInfo]:
        """The org's list of objects; where it says that nothing has changed, the one that is kept."""
        kept = self.history.catalogue
        before = self.history.objects()
        modified, asked_at = str(kept.get("last_modified") or ""), str(kept.get("asked_at") or "")
        since = modified or (_earlier(asked_at) if asked_at else "")
        answer = self._ask(
            partial(describe.fetch_catalogue, self.org, since=since if before else "")
        )
        asked_at = self._now()
        infos = before if answer.objects is None else answer.objects
        if answer.objects is None or (modified and answer.last_modified == modified):
            self._news = "same"
        elif before and ((modified and answer.last_modified) or kept.get("knows_304")):
            self._news = "changed"
        self.catalogue |= catalogue_json(
            infos,
            asked_at=asked_at,
            modified=answer.last_modified or modified,
            knows_304=answer.objects is None or bool(kept.get("knows_304")),
        )
        return {info.name: info for info in infos}

    def _sizes(self, names: Sequence[str]) -> dict[str, int]:
        try:
            return self._ask(lambda: describe.fetch_counts(self.org, names))
        except (ObjectError, TransientError) as err:
            self._raise_if_away(err)
            # They need View Setup and Configuration. Without them the first page of each object
            # tells its size.
            return {}

    def _may(self) -> Mapping[str, bool | None]:
        if self._permissions is None:
            try:
                self._permissions = self._ask(self._fetch_permissions)
            except (ObjectError, TransientError) as err:
                self._raise_if_away(err)
                self._permissions = dict.fromkeys(SEES_ALL)
        return self._permissions

    def _fetch_permissions(self) -> dict[str, bool | None]:
        """The user's permissions; in the same call, when an exchange rate was changed last."""
        there = {info.name for info in self.history.objects()} | {*(self._infos or ())}
        asked = [newest_stamp(self.org, name) for name in RATES if name in there]
        answers: list[SubResponse] = []
        found = fetch_permissions(self.org, SEES_ALL, beside=asked, answers=answers)
        self._rates_at = max((stamp_of(answer) for answer in answers), default="")
        return found

    def _raise_if_away(self, err: ObjectError | TransientError) -> None:
        """What a backup can do without is missed where the org answers other calls."""
        if isinstance(err, OrgUnavailable) and is_away(self.org):
            raise err

    def _describe(self, names: Sequence[str]) -> None:
        missing = [name for name in names if name not in self._schemas]
        described = self.catalogue.setdefault(
            "described", dict(self.history.catalogue.get("described") or {})
        )
        self.described += len(missing)
        for start in range(0, len(missing), planning.DESCRIBES_PER_CALL):
            some = missing[start : start + planning.DESCRIBES_PER_CALL]
            known = self.history.known(some)
            since = {n: _earlier(described[n]) for n in some if n in known and n in described}
            found = self._ask(partial(describe.fetch_schemas, self.org, some, since))
            for name, schema in found.items():
                if schema is not None:
                    self._schemas[name] = schema
                if not isinstance(schema, ObjectError):
                    described[name] = self._now()
        self._take_from_history(missing)

    def _now(self) -> str:
        """The org's time as an HTTP date: that of its last answer, which the margin makes up for."""
        return format_datetime(self._time(), usegmt=True)

    def _time(self) -> datetime:
        """The org's time; ours, less an hour, where its answers do not have it."""
        try:
            return self.org.org_now()
        except ObjectError:
            return self.org.clock.now() - timedelta(hours=1)

    def _ahead_s(self, now: datetime) -> float:
        """How far the org's clock is ahead of ours."""
        return round((now - self.org.clock.now()).total_seconds(), 1)

    def _ask(self, fn: Callable[[], T]) -> T:
        with call_context(job_id=self.job_id, object_name="", on_call=self._count, stop=self.stop):
            return fn()

    def _count(self, price: Price) -> None:
        self.calls += price.get("api", 0)


def _earlier(date: str) -> str:
    """An HTTP date, a minute earlier; empty where it is none."""
    try:
        return format_datetime(parsedate_to_datetime(date) - MARGIN, usegmt=True)
    except (ValueError, TypeError):
        return ""
