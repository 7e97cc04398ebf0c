"""The plan: which reader, at what price, and what is left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfnb.backup.filters import filter_field, is_filter_refusal
from sfnb.backup.plan import (
    BULK_FROM_ROWS,
    Facts,
    choose_names,
    choose_reader,
    plan_backup,
    plan_object,
)
from sfnb.backup.units import Query
from sfnb.errors import CallerError, ObjectError
from sfnb.model import BudgetStatus, FieldInfo, ObjectInfo, ObjectSchema
from sfnb.quota.sentences import first_pause
from sfnb.store.part_writer import PartTarget
from sfnb.store.place import place_of

SNAPSHOT = "20261122T043812Z-1a2b3c"

ID = FieldInfo("Id", "id")


def soql_of(asked: ObjectSchema) -> str:
    return Query.of(
        asked, PartTarget("store", SNAPSHOT, asked.name, place_of(asked.name, SNAPSHOT, 3), ())
    ).soql()


def schema(name: str = "Account", *fields: FieldInfo) -> ObjectSchema:
    return ObjectSchema(name, (ID, *(fields or (FieldInfo("Name", "string"),))))


def info(name: str, *, is_queryable: bool = True) -> ObjectInfo:
    return ObjectInfo(name, is_queryable)


def standing(used: int, limit_percent: int = 50) -> BudgetStatus:
    threshold = 1000 * limit_percent // 100
    return BudgetStatus(
        "api", used, 0, 1000, limit_percent, threshold, threshold - 50, None, is_known=True
    )


@given(rows=st.one_of(st.none(), st.integers(0, 50_000_000)))
def test_the_cheaper_road_is_chosen(rows: int | None) -> None:
    """An object goes by Bulk exactly when keyset pages of its own would cost more calls."""
    assert choose_reader(schema(), rows) == ("bulk2" if (rows or 0) > BULK_FROM_ROWS else "keyset")


def test_a_query_too_long_for_an_address_goes_by_bulk() -> None:
    """A small object of 800 fields is not lost to the 16 kB that an address may have."""
    wide = schema(
        "Wide__c", *(FieldInfo(f"A_rather_long_field_name_{n}__c", "string") for n in range(800))
    )
    assert choose_reader(wide, 3) == "bulk2"


def test_compounds_and_bodies_are_not_asked_for() -> None:
    """Bulk refuses compounds and base64; a compound's parts are fields of their own."""
    asked = soql_of(
        schema(
            "Account", FieldInfo("BillingAddress", "address"), FieldInfo("BillingCity", "string")
        )
    ) + soql_of(schema("Attachment", FieldInfo("Body", "base64"), FieldInfo("Name", "string")))
    assert asked == "SELECT Id,BillingCity FROM AccountSELECT Id,Name FROM Attachment"


def test_an_org_of_860_mostly_empty_objects_is_planned_under_220_calls() -> None:
    """Describes ride 25 to a call, queries 5."""
    facts = [Facts(info(f"Thing_{n}__c"), schema(f"Thing_{n}__c"), 0) for n in range(860)]
    assert plan_backup(facts, preparation_calls=3 + 35).price()["api"] <= 220


def test_a_million_rows_are_planned_with_at_most_twelve_calls() -> None:
    """One creation, some polls, a call for each large page."""
    plan = plan_backup([Facts(info("Contact"), schema("Contact"), 1_000_000)], preparation_calls=3)
    assert plan.price()["api"] <= 12 and plan.price()["bulk2"] == 1


def test_what_cannot_be_read_is_left_out_with_its_reason() -> None:
    """Nothing is passed over in silence."""
    facts = [
        Facts(info("AccountChangeEvent"), schema("AccountChangeEvent"), None),
        Facts(info("Name", is_queryable=False), schema("Name"), None),
        Facts(
            info("Secret__c"),
            ObjectError("Secret__c: no access (FORBIDDEN).", code="FORBIDDEN"),
            None,
        ),
        Facts(info("Account"), schema(), 1),
    ]
    plan = plan_backup(facts, preparation_calls=1)
    assert set(plan.objects) == {"Account"}
    assert "subscribed" in plan.left_out["AccountChangeEvent"] and plan.left_out["Name"]
    assert plan.failed == {"Secret__c": "Secret__c: no access (FORBIDDEN)."}


def test_names_are_found_whatever_their_case_and_unknown_ones_have_neighbours() -> None:
    """A misspelt object is a sentence with what may be meant."""
    known = ["Account", "Contact", "Order"]
    assert choose_names(known, objects=["contact", "ACCOUNT"]) == ["Account", "Contact"]
    assert choose_names(known, exclude=["order"]) == ["Account", "Contact"]
    with pytest.raises(CallerError, match=r"no object Acount.*Did you mean Account"):
        choose_names(known, objects=["Acount"])


def test_the_lookup_to_filter_by_is_read_from_the_refusal() -> None:
    """An object that wants a filter is read through its parents, also one no list knows."""
    refusal = (
        "Implementation restriction: ContentDocumentLink requires a filter by a single Id on ContentDocumentId or "
        "LinkedEntityId using the equals operator or multiple Id's using the IN operator."
    )
    link = schema(
        "ContentDocumentLink",
        FieldInfo("LinkedEntityId", "reference", reference_to=tuple(f"O{n}" for n in range(90))),
        FieldInfo("ContentDocumentId", "reference", reference_to=("ContentDocument",)),
    )
    assert is_filter_refusal(refusal) and filter_field(refusal, link) == "ContentDocumentId"
    assert filter_field("a filter on a reified column is required [DurableId]", link) is None


@given(used=st.integers(0, 1200), limit_percent=st.integers(1, 100), rows=st.integers(0, 9_999))
def test_a_pause_is_foretold_exactly_when_the_plan_does_not_fit(
    used: int, limit_percent: int, rows: int
) -> None:
    """The plan's sentence agrees with the gate's rule."""
    price = plan_backup([Facts(info("Account"), schema(), rows)], preparation_calls=3).price()
    now = standing(used, limit_percent)
    assert bool(first_pause(price, {"api": now})) == (used + price["api"] > now.threshold)


def test_the_price_grows_with_the_rows() -> None:
    """No object becomes cheaper by becoming larger."""
    prices = [plan_object(schema(), rows).calls for rows in range(0, BULK_FROM_ROWS + 1, 500)]
    assert prices == sorted(prices)


def test_the_later_pages_of_a_large_object_share_no_calls() -> None:
    """
    First pages ride five to a call; a second page comes after the first one, with those of the few
    objects that have one.
    """
    small = [Facts(info(f"Small{n}"), schema(f"Small{n}"), 10) for n in range(10)]
    large = [Facts(info("Large"), schema("Large"), 5_000)]
    planned = plan_backup([*small, *large], preparation_calls=0)
    assert round(planned.object_calls, 6) == 3 + 1 + 1
    assert round(plan_backup(small, preparation_calls=0).object_calls, 6) == 2
