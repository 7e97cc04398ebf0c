"""Standard objects with rules of their own: what is sent of a record, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from sfnb.restore.matching import STANDARD_KEYS, Matches, key_by, match_rows
from sfnb.restore.standard.rules import JUNCTION_LISTS, rule_of


def sent(name: str, values: dict[str, Any], **old: Any) -> dict[str, Any]:
    rule = rule_of(name)
    derived = rule.derived(old) if rule.derived else frozenset()
    left = {n: v for n, v in values.items() if n not in derived}
    return rule.shape(left, old) if rule.shape else left


@pytest.mark.parametrize("name", ["OpportunityLineItem", "QuoteLineItem", "OrderItem"])
def test_a_line_has_a_price_or_a_total(name: str) -> None:
    """With both the org refuses it (FIELD_INTEGRITY_EXCEPTION); the price wins."""
    both = {"UnitPrice": 5.0, "TotalPrice": 10.0, "Quantity": 2.0}
    assert sent(name, both) == {"UnitPrice": 5.0, "Quantity": 2.0}
    total = {"UnitPrice": None, "TotalPrice": 10.0}
    assert sent(name, total) == {"TotalPrice": 10.0}


def test_an_amount_that_is_a_sum_is_not_written() -> None:
    """Of lines or a synced quote; without either it is a value like any other."""
    amount = {"Amount": 5.0, "Name": "Deal"}
    assert sent("Opportunity", amount) == amount
    assert sent("Opportunity", amount, HasOpportunityLineItem=True) == {"Name": "Deal"}
    assert sent("Opportunity", amount, SyncedQuoteId="0Q0") == {"Name": "Deal"}


def test_a_lead_is_converted_only_with_both_dates() -> None:
    """One date alone is refused: the lead would be converted before it was created."""
    whole = {
        "LastName": "L", "IsConverted": True, "ConvertedDate": "2026-01-02",
        "CreatedDate": "2026-01-01T00:00:00.000Z",
    }  # fmt: skip
    assert sent("Lead", whole) == whole
    del whole["CreatedDate"]
    assert sent("Lead", whole) == {"LastName": "L"}


def test_a_person_has_two_names_and_a_business_one() -> None:
    """Fields of the other kind are not sent."""
    values = {"Name": "N", "LastName": "L", "PersonEmail": "e", "Tier__pc": "t", "Phone": "1"}
    person = sent("Account", values, IsPersonAccount=True)
    assert person == {"LastName": "L", "PersonEmail": "e", "Tier__pc": "t", "Phone": "1"}
    assert sent("Account", values, IsPersonAccount=False) == {"Name": "N", "Phone": "1"}


@pytest.mark.parametrize("name", ["Event", "Task", "EmailMessage"])
def test_no_list_of_junctions_is_ever_sent(name: str) -> None:
    """Null in one of them deletes the junction records for good."""
    assert set(JUNCTION_LISTS) <= rule_of(name).hidden.keys()


def test_a_queue_and_a_group_of_one_name_are_two() -> None:
    """By type and developer name; two of the same are ambiguous, and nobody guesses."""
    old = [
        {"Id": "q", "Type": "Queue", "DeveloperName": "Sales"},
        {"Id": "g", "Type": "Regular", "DeveloperName": "Sales"},
    ]
    new = [
        {"Id": "G", "Type": "Regular", "DeveloperName": "sales"},
        {"Id": "Q", "Type": "Queue", "DeveloperName": "Sales"},
    ]
    key = key_by(STANDARD_KEYS["Group"])
    matches = Matches()
    match_rows(matches, old, new, key)
    assert matches.pairs == {"q": "Q", "g": "G"} and not matches.ambiguous
    matches = Matches()
    match_rows(matches, old, [*new, new[1] | {"Id": "Q2"}], key)
    assert matches.pairs == {"g": "G"} and matches.ambiguous == {"q"}


def test_nobodys_words_are_put_into_anothers_mouth() -> None:
    """Posts and comments need their author; tracked changes are not made at all."""
    assert rule_of("FeedItem").needs_author and rule_of("FeedComment").needs_author
    tracked = rule_of("FeedItem").not_made
    assert tracked is not None
    assert tracked({"Type": "TrackedChange"}) and not tracked({"Type": "TextPost"})


def test_versions_of_articles_are_refused_by_name() -> None:
    """A query shows the latest version alone: the others would look gone."""
    assert "article" in rule_of("Knowledge__kav").not_by_rows
