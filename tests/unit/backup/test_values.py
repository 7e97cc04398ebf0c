"""What crosses a process: units, results and errors are values that pickle and come back equal."""

from __future__ import annotations

import inspect
import pickle
from datetime import UTC, datetime
from typing import get_args

import pytest

from sfnb import errors
from sfnb.backup import units
from sfnb.backup.units import Query
from sfnb.backup.ways import Way
from sfnb.errors import ObjectError, QuotaSignal, ResultsGone, StopSignal, TransientError
from sfnb.model import FieldInfo
from sfnb.org.changes import ChangeQuery, Window
from sfnb.org.retry import GaugeUnreadable, StillUnavailable, TriesSpent
from sfnb.store.part_writer import PartTarget
from sfnb.store.place import place_of

SNAPSHOT = "20261122T043812Z-1a2b3c"
PLACE = place_of("Account", SNAPSHOT, 3)

QUERY = Query(
    "Account",
    (FieldInfo("Id", "id"), FieldInfo("Name", "string", 255)),
    PartTarget("store/00D", SNAPSHOT, "Account", PLACE, (("Id", "string"),)),
    "SystemModstamp > 2026-11-01T00:00:00Z",
)
AT = datetime(2026, 11, 26, tzinfo=UTC)
UNITS: list[units.Unit] = [
    units.KeysetPages((units.KeysetPage(QUERY, "001A", 10_000),)),
    units.SplitPage("Account", QUERY, "001A", ((FieldInfo("Id", "id"),),)),
    units.LocatorPage("Account", QUERY, "/services/data/v66.0/query/01g-2000"),
    units.CountRows("Account", QUERY.where, "001A", "001B"),
    units.ChangeLists((ChangeQuery("Account", "deleted", Window(AT, AT)),)),
    units.FindIds("Account", ("001A",)),
    units.ParentsPage("Account", QUERY, "ParentId", (("001A", "001B"), ("001C",))),
    units.ParentIds("Vote", "Idea", "087A"),
    units.CreateJob("Account", QUERY),
    units.PollJob("Account", "750A"),
    units.ResultPage("Account", QUERY, "750A", "MTAw", 250_000, 3),
    units.AbortJob("Account", "750A"),
]
SIGNAL = QuotaSignal("api", used=7, in_flight=1, maximum=10, threshold=5, reason="used up")
RAISED: list[BaseException] = [
    *(
        kind("Account: what happened.")
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.SfnbError)
    ),
    TransientError("busy", retry_after_s=7.5),
    ObjectError("no access", code="FORBIDDEN"),
    ResultsGone("gone", code="NOT_FOUND"),
    GaugeUnreadable("no limits"),
    TriesSpent("spent"),
    StillUnavailable("away"),
    SIGNAL,
    StopSignal("cancel"),
]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: type(unit).__name__)
def test_a_unit_comes_back_equal(unit: units.Unit) -> None:
    """A unit is a frozen value: it pickles, and nothing in it changes on the way."""
    back = pickle.loads(pickle.dumps(unit))  # noqa: S301 - our own bytes
    assert back == unit and back.names == unit.names
    with pytest.raises((AttributeError, TypeError)):
        unit.object_name = "Contact"  # type: ignore[misc, union-attr]


def test_each_kind_of_unit_is_in_this_test() -> None:
    """A new kind of unit is added to the list above."""
    assert {type(unit) for unit in UNITS} == set(get_args(units.Unit))


@pytest.mark.parametrize("raised", RAISED, ids=lambda raised: type(raised).__name__)
def test_an_error_comes_back_as_it_was(raised: BaseException) -> None:
    """
    What a worker process met is the same error in the deciding thread: class, text and attributes.
    """
    back = pickle.loads(pickle.dumps(raised))  # noqa: S301 - our own bytes
    assert type(back) is type(raised) and str(back) == str(raised) and vars(back) == vars(raised)


def test_a_condition_and_columns_are_part_of_a_query() -> None:
    """
    An incremental backup's condition stands beside a page's, in brackets; columns can be fewer.
    """
    page = units.KeysetPage(QUERY, "001A")
    assert page.soql() == (
        "SELECT Id,Name FROM Account WHERE (SystemModstamp > 2026-11-01T00:00:00Z) "
        "AND (Id > '001A') ORDER BY Id"
    )
    few = Query.of(QUERY.schema, QUERY.target, Way(without=frozenset({"Name"})))
    assert few.soql() == "SELECT Id FROM Account"
