"""
What a backup will read, by which reader, at what price. Pure: the dry run is this plan, printed.

A reader is chosen by calls, the scarce good. Five keyset pages of 2,000 rows ride in one composite
call; a Bulk API 2.0
job costs its creation, some polls and one call per result page, whatever the object's width.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

from sfnb.backup.filters import PARENT_FIELDS, SINGLE_PARENT, TYPED_PARENT, parent_types
from sfnb.backup.learned import Learned
from sfnb.backup.ways import queries_of, soql_chars
from sfnb.errors import CallerError, ObjectError
from sfnb.model import (
    JobWarning,
    ObjectInfo,
    ObjectSchema,
    Price,
    ReaderName,
)
from sfnb.org.arrow import readable_fields
from sfnb.org.ids import is_api_name

REST_PAGE_ROWS = 2_000
"""A query page's default and maximum (REST API guide, Query Options Header)."""

QUERIES_PER_CALL = 5
"""Query subrequests that one composite call carries (REST API guide, Composite)."""

DESCRIBES_PER_CALL = 25
"""Subrequests of any kind that one composite call carries."""

BULK_FROM_ROWS = 10_000
"""
From here on Bulk 2 costs no more calls than keyset pages do, even if no other object shares their
calls.
"""

BULK_PAGE_ROWS = 250_000
"""
Rows asked for with each Bulk result page: large, since each page is a call; it is read as a stream.
"""

BULK_POLLS = 1.2
"""
Polls that a job is planned with. Most jobs are ready at the first; polling slows down with the
job's age, so calls grow with its logarithm. Planned with 4 polls, a backup of ten large objects
took 50 calls where 79 had been announced.
"""

MAX_URL_CHARS = 12_000
"""
A longer query goes by Bulk: URI and headers together may have 16,384 bytes (REST API guide, Status
Codes).
"""

PARENTS_PER_QUERY = 200
"""Ids in one IN list when an object wants a filter by its parent."""

ROW_OVERHEAD_BYTES = 12
"""Assumed bytes of one value in CSV, quotes and comma included, for the plan's MB."""

NEVER_READ: Mapping[str, str] = {
    "ChangeEvent": "change events can only be subscribed to, not queried",
    "__e": "platform events can only be subscribed to, not queried",
    "__b": "big objects can only be queried by their index fields",
    "__x": "external objects live in another system; back them up there",
    "__Tag": "tags of custom settings cannot be queried",
}
"""By the end of the name: what Salesforce does not let one query whole."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the org told about one object. ``rows`` is None where it has no statistic."""

    info: ObjectInfo
    schema: ObjectSchema | ObjectError
    rows: int | None


Mode = Literal["full", "incremental"]


@dataclass(frozen=True, slots=True)
class ObjectPlan:
    """
    How one object will be read.

    Args:
        expected_rows: rows to read; None: not known.
        calls: its share of the shared calls, so it may be a fraction.
        mode: all its rows, or what has changed. ``why`` all of them.
        since: changed rows are those with a stamp from then on (ISO).
        is_counted: a query counts them; otherwise ``/updated`` names them.
        wants_sweep: why all Ids are compared; empty: they are not.
        record_count: the org's statistic of live records.
        has_new_schema: its describe differs from the one that is stored.
        refresh: fields that are read for all rows; ``why_refresh``.
        is_sampled: some of its records are compared whole.
        is_afresh: what is stored of it is damaged, so the reading is compared with nothing.
        is_single: it is known to take one parent at a time.
        queries: over so many queries its columns are spread, since one would be too long.
    """

    name: str
    reader: ReaderName
    expected_rows: int | None
    calls: float
    bulk2_jobs: int
    mb: float
    parent_field: str | None = None
    mode: Mode = "full"
    why: str = ""
    since: str = ""
    is_counted: bool = False
    wants_sweep: str = ""
    record_count: int | None = None
    has_new_schema: bool = False
    refresh: tuple[str, ...] = ()
    why_refresh: str = ""
    is_sampled: bool = False
    is_afresh: bool = False
    is_single: bool = False
    queries: int = 1

    def as_json(self) -> dict[str, object]:
        return {
            "mode": self.mode,
            "reader": self.reader,
            "expected_rows": self.expected_rows,
            "calls": round(self.calls, 1),
            "mb": round(self.mb, 1),
            "parent_field": self.parent_field,
            "why": self.why,
            "since": self.since,
            "is_counted": self.is_counted,
            "wants_sweep": self.wants_sweep,
            "record_count": self.record_count,
            "has_new_schema": self.has_new_schema,
            "refresh": list(self.refresh),
            "why_refresh": self.why_refresh,
            "is_sampled": self.is_sampled,
            "is_afresh": self.is_afresh,
            "is_single": self.is_single,
            "queries": self.queries,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What a backup will read and what it leaves out, with the reason.

    Args:
        warnings: what its user may not see.
        file_calls, file_mb: bodies of files, one call each.
        metadata_calls: what the org's metadata will cost.
        learned_calls: what the last backups of this kind have spent on objects more (or less) than
            they were planned with: how pages share calls cannot be foretold.
    """

    objects: Mapping[str, ObjectPlan]
    left_out: Mapping[str, str]
    failed: Mapping[str, str]
    preparation_calls: int
    warnings: Sequence[JobWarning] = ()
    file_calls: int = 0
    file_mb: float = 0.0
    metadata_calls: int = 0
    learned_calls: float = 0.0

    @property
    def kind(self) -> str:
        """``incremental`` as soon as one object is read by its changes only, else ``full``."""
        is_some = any(o.mode == "incremental" for o in self.objects.values())
        return "incremental" if is_some else "full"

    @property
    def object_calls(self) -> float:
        """The objects' calls, before what the last backups have taught."""
        return sum(o.calls for o in self.objects.values())

    def price(self) -> Price:
        """The whole job in each budget's unit, preparation included."""
        objects = max(self.object_calls + self.learned_calls, 0.0)
        calls = self.preparation_calls + ceil(objects)
        calls += self.file_calls + self.metadata_calls
        bulk_mb = sum(o.mb for o in self.objects.values() if o.bulk2_jobs)
        return {
            "api": calls,
            "bulk": 0,
            "bulk2": sum(o.bulk2_jobs for o in self.objects.values()),
            "bulk2_mb": ceil(bulk_mb),
        }


def choose_names(
    known: Iterable[str], *, objects: Sequence[str] | None = None, exclude: Sequence[str] = ()
) -> list[str]:
    """
    The objects asked for, in the org's spelling and order.

    Raises:
        CallerError: a name that the org does not have, with the nearest ones; or nothing is left.
    """
    from difflib import get_close_matches

    names = list(known)
    spelled = {name.lower(): name for name in names}
    for asked in objects or exclude:
        if asked.lower() not in spelled:
            near = get_close_matches(asked.lower(), spelled, n=3)
            hint = f" Did you mean {' or '.join(spelled[n] for n in near)}?" if near else ""
            raise CallerError(f"the org has no object {asked} (or this user may not see it).{hint}")
    wanted = {spelled[name.lower()] for name in objects} if objects else set(names)
    unwanted = {spelled.get(name.lower()) for name in exclude}
    chosen = [name for name in names if name in wanted and name not in unwanted]
    if not chosen:
        raise CallerError("no object is left to back up; name others, or exclude fewer.")
    return chosen


def reason_not_read(info: ObjectInfo) -> str | None:
    """Why Salesforce does not let this object be queried, or None if it seems to."""
    if not is_api_name(info.name):
        # It would mean something else in a query, an address or a file name.
        return "its name is not one that an object can have"
    for ending, reason in NEVER_READ.items():
        if info.name.endswith(ending):
            return reason
    return None if info.is_queryable else "the org says that it cannot be queried"


def choose_reader(schema: ObjectSchema, rows: int | None) -> ReaderName:
    """The cheapest reader that this object allows, as far as describe can tell."""
    if schema.name in PARENT_FIELDS and schema.has(PARENT_FIELDS[schema.name]):
        return "by_parent"
    is_ordered = all(f.is_sortable and f.is_filterable for f in schema.fields if f.name == "Id")
    if not is_ordered and (rows or 0) <= BULK_FROM_ROWS:
        # Describe says so of virtual objects and of event stores (recorded answers of real orgs).
        return "locator"
    chars = soql_chars(schema.name, readable_fields(schema))
    if queries_of(schema) > 1:
        return "keyset"  # a Bulk job has one query, and two jobs are of two moments
    if (rows or 0) > BULK_FROM_ROWS or chars > MAX_URL_CHARS:
        return "bulk2"
    return "keyset"


def plan_object(
    schema: ObjectSchema,
    rows: int | None,
    counts: Mapping[str, int | None] | None = None,
    learned: Learned | None = None,
) -> ObjectPlan:
    """
    One object's reader and price.

    Args:
        counts: the rows of all objects that are known: those of its parents, where it is read
            through them.
        learned: how it was read last, where describe does not tell.
    """
    learned = learned or Learned()
    lookup = learned.parent_field or PARENT_FIELDS.get(schema.name, "")
    reader = learned.reader or choose_reader(schema, rows)
    if reader == "by_parent" and not schema.has(lookup):
        reader = "keyset"  # a refusal will name another one
    count = rows or 0
    mb = count * len(readable_fields(schema)) * ROW_OVERHEAD_BYTES / 1_000_000
    if reader == "bulk2":
        return ObjectPlan(
            schema.name, reader, rows, 1 + BULK_POLLS + max(1, ceil(count / BULK_PAGE_ROWS)), 1, mb
        )
    pages = max(1, ceil(count / REST_PAGE_ROWS))
    spread = queries_of(schema)
    shared = ceil(spread / QUERIES_PER_CALL)
    if reader == "locator":
        # Where columns are spread, further pages come by themselves, those of each query.
        calls: float = pages if spread == 1 else shared + (pages - 1) * spread
        return ObjectPlan(schema.name, reader, rows, calls, 0, mb, queries=spread)
    if reader == "by_parent":
        is_single = learned.is_single
        queries = _parent_queries(schema, lookup, counts or {}, is_single=is_single)
        asked = max(pages, queries)
        # Its queries share calls with one another, not with those of other objects.
        calls = float(ceil(asked / QUERIES_PER_CALL)) if spread == 1 else asked * shared
        return ObjectPlan(
            schema.name, reader, rows, calls, 0, mb, lookup, is_single=is_single, queries=spread
        )
    # Where columns are spread, a page's first query says which rows the others are asked for.
    others = ceil((spread - 1) / QUERIES_PER_CALL)
    calls = pages / QUERIES_PER_CALL if spread == 1 else pages * (1 + others)
    return ObjectPlan(schema.name, reader, rows, calls, 0, mb, queries=spread)


def _parent_queries(
    schema: ObjectSchema, lookup: str, counts: Mapping[str, int | None], *, is_single: bool
) -> int:
    """How many queries it takes to name all parents, or their types."""
    if schema.name in TYPED_PARENT and (types := parent_types(schema, lookup)):
        return len(types)
    targets = next(f.reference_to for f in schema.fields if f.name == lookup)
    parents = sum(counts.get(name) or 0 for name in targets)
    is_single = is_single or schema.name in SINGLE_PARENT
    return ceil(parents / (1 if is_single else PARENTS_PER_QUERY))


def plan_backup(
    facts: Iterable[Facts],
    *,
    preparation_calls: int,
    warnings: Sequence[JobWarning] = (),
    learned: Mapping[str, Learned] | None = None,
) -> Plan:
    """
    The plan of a full backup of these objects.

    Args:
        learned: what the last backups found out, by object.
    """
    facts, learned = list(facts), learned or {}
    counts = {fact.info.name: fact.rows for fact in facts}
    objects: dict[str, ObjectPlan] = {}
    left_out: dict[str, str] = {}
    failed: dict[str, str] = {}
    for fact in facts:
        name = fact.info.name
        if not is_api_name(name):
            name = ascii(name)[1:-1][:80]
        if reason := reason_not_read(fact.info):
            left_out[name] = reason
        elif isinstance(fact.schema, ObjectError):
            failed[name] = str(fact.schema)
        elif not fact.schema.has("Id"):
            left_out[name] = "it has no Id, so its rows cannot be distinguished"
        elif name in learned and learned[name].left_out:
            left_out[name] = learned[name].left_out
        else:
            objects[name] = plan_object(fact.schema, fact.rows, counts, learned.get(name))
    return Plan(_in_rounds(objects), left_out, failed, preparation_calls, tuple(warnings))


def _in_rounds(objects: Mapping[str, ObjectPlan]) -> dict[str, ObjectPlan]:
    """
    The objects with their shares of the calls that carry keyset pages.

    An object's pages come one after the other, so a call has pages of different objects: those that
    have a second page are fewer than those that have a first one, and the last pages of the largest
    one travel alone.
    """
    pages = {
        name: max(1, ceil((one.expected_rows or 0) / REST_PAGE_ROWS))
        for name, one in objects.items()
        if one.reader == "keyset" and one.queries == 1
    }
    shares, share = [0.0], 0.0
    for number in range(1, max(pages.values(), default=0) + 1):
        there = sum(most >= number for most in pages.values())
        share += ceil(there / QUERIES_PER_CALL) / there
        shares.append(share)
    return {
        name: replace(one, calls=shares[pages[name]]) if name in pages else one
        for name, one in objects.items()
    }


def readers(plan: Plan) -> Counter[str]:
    """How many objects take each reader."""
    return Counter(o.reader for o in plan.objects.values())
