"""
Units of work: frozen values that pickle, so that a unit runs on a thread or in another process. What
they bring is in ``unit_outcomes``.

A unit is one call and its retries, so its price is known before it starts: the gate reserves it in
the transport.
No unit holds a connection, a lock or a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from sfnb.backup.ways import Way
from sfnb.model import FieldInfo, ObjectSchema
from sfnb.org.arrow.columns import Wider
from sfnb.org.changes import ChangeQuery
from sfnb.store.part_writer import PartTarget


@dataclass(frozen=True, slots=True)
class Query:
    """
    What is asked of one object.

    Args:
        fields: the columns. A subset of the object's fields is allowed: what is not asked for is
            stored as null.
        target: where the rows go.
        where: a condition that every page keeps, such as the one of an incremental backup; empty:
            all rows.
        wider: columns whose values do not fit describe's type, and the wider type they need.
    """

    object_name: str
    fields: tuple[FieldInfo, ...]
    target: PartTarget
    where: str = ""
    wider: tuple[tuple[str, Wider], ...] = ()

    @classmethod
    def of(cls, schema: ObjectSchema, target: PartTarget, way: Way | None = None) -> Query:
        """The query of the object's readable fields, or as ``way`` has it."""
        way = way or Way()
        return cls(
            schema.name, way.fields(schema), target, way.where, tuple(sorted(way.wider.items()))
        )

    @staticmethod
    def both(one: str, other: str) -> str:
        """The condition that both conditions make; an empty one is none."""
        return f"({one}) AND ({other})" if one and other else one or other

    @property
    def schema(self) -> ObjectSchema:
        """The object as this query sees it: these fields, and nothing of the describe answer."""
        return ObjectSchema(self.object_name, self.fields)

    def soql(self, *, where: str = "", order: str = "") -> str:
        """
        The text of the query.

        Args:
            where: one more condition, that of a page.
        """
        names = ",".join(field.name for field in self.fields)
        conditions = [
            f"({text})" if self.where and where else text for text in (self.where, where) if text
        ]
        soql = f"SELECT {names} FROM {self.object_name}"  # noqa: S608 - SOQL of described names
        if conditions:
            soql += f" WHERE {' AND '.join(conditions)}"
        return soql + (f" ORDER BY {order}" if order else "")


def query_path(soql: str) -> str:
    """The address of a query that sees deleted and archived records too, below the API version."""
    return f"queryAll?q={quote(soql, safe='')}"


# -------------------------------------------------------------------------------------------------------
# units


@dataclass(frozen=True, slots=True)
class KeysetPage:
    """
    The next page of an object read in the order of its Ids.

    Args:
        after: the last Id read; empty at the start.
        large_from: with more rows than this the object should use another reader; None: there is no
            other.
        most: rows that are wanted; 0: all. Then it is a sample, and the page after it is not read.
    """

    query: Query
    after: str = ""
    large_from: int | None = None
    most: int = 0

    @property
    def object_name(self) -> str:
        return self.query.object_name

    def soql(self) -> str:
        limit = f" LIMIT {self.most}" if self.most else ""
        where = f"Id > '{self.after}'" if self.after else ""
        return self.query.soql(where=where, order="Id") + limit


@dataclass(frozen=True, slots=True)
class KeysetPages:
    """Pages and counts of up to five objects, in one call."""

    pages: tuple[KeysetPage | CountRows, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(page.object_name for page in self.pages)


@dataclass(frozen=True, slots=True)
class OneObject:
    """A unit that works for one object; the call is booked on it."""

    object_name: str

    @property
    def names(self) -> tuple[str, ...]:
        return (self.object_name,)


@dataclass(frozen=True, slots=True)
class SplitPage(OneObject):
    """
    The next page of an object whose columns are spread over several queries, joined by Id.

    Args:
        groups: the fields of each query; see ``Way.spread``.
    """

    query: Query
    after: str
    groups: tuple[tuple[FieldInfo, ...], ...]


@dataclass(frozen=True, slots=True)
class LocatorPage(OneObject):
    """
    One page of a query cursor.

    Args:
        path: the org's ``nextRecordsUrl``; empty: the first page.
        groups: the fields of each query, where they are spread over several; then all rows are
            read, since nothing says that the pages of two cursors end at the same row.
    """

    query: Query
    path: str = ""
    groups: tuple[tuple[FieldInfo, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class CountRows(OneObject):
    """
    How many rows meet a condition, from one Id (not included) to another (included); empty: no
    bound.
    """

    where: str = ""
    after: str = ""
    upto: str = ""

    def soql(self) -> str:
        bounds = [
            f"Id > '{self.after}'" if self.after else "",
            f"Id <= '{self.upto}'" if self.upto else "",
        ]
        conditions = [self.where and f"({self.where})", *bounds]
        where = " AND ".join(condition for condition in conditions if condition)
        return f"SELECT COUNT() FROM {self.object_name}" + (f" WHERE {where}" if where else "")  # noqa: S608 - SOQL


@dataclass(frozen=True, slots=True)
class ChangeLists:
    """The change lists of some objects, up to 25 of them in one call."""

    queries: tuple[ChangeQuery, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(query.object_name for query in self.queries))


@dataclass(frozen=True, slots=True)
class FindIds(OneObject):
    """Which of some Ids the org still has, alive or in the recycle bin."""

    ids: tuple[str, ...]


NO_PARENT = "~"
"""Stands among the Ids of parents for none at all; it comes after all of them."""


@dataclass(frozen=True, slots=True)
class ParentsPage(OneObject):
    """
    The rows of up to five lists of parent Ids, by the lookup ``field``: one call and further pages.

    Args:
        groups: the fields of each query, where they are spread over several: then each list costs
            the calls that its groups take, five to a call.
    """

    query: Query
    field: str
    slices: tuple[tuple[str, ...], ...]
    groups: tuple[tuple[FieldInfo, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ParentIds(OneObject):
    """One page of the Ids of ``parent``, in their order, for an object whose query needs them."""

    parent: str
    after: str = ""


@dataclass(frozen=True, slots=True)
class CreateJob(OneObject):
    """A new Bulk 2 query job."""

    query: Query


@dataclass(frozen=True, slots=True)
class PollJob(OneObject):
    """How a Bulk 2 job stands."""

    job: str


@dataclass(frozen=True, slots=True)
class ResultPage(OneObject):
    """
    One result page of a Bulk 2 job. ``locator`` empty: the first; ``expected_mb`` is reserved of
    bulk2_mb.
    """

    query: Query
    job: str
    locator: str
    max_rows: int
    expected_mb: int


@dataclass(frozen=True, slots=True)
class AbortJob(OneObject):
    """Ask the org to stop working on a Bulk 2 job whose results nobody will read."""

    job: str


Unit = (
    KeysetPages
    | SplitPage
    | LocatorPage
    | CountRows
    | ChangeLists
    | FindIds
    | ParentsPage
    | ParentIds
    | CreateJob
    | PollJob
    | ResultPage
    | AbortJob
)
