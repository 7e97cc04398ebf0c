"""Fault rules: which calls they hit, and what is wrong with a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from sfnb_demo.server.calls import Call, ledger_summary
from sfnb_demo.server.faults import KINDS, Faults, read_rule


def hits(
    rules: list[dict[str, Any]], calls: int, *, target: str = "/services/data/v66.0/query?q=x"
) -> list[bool]:
    faults = Faults()
    faults.add([read_rule(rule) for rule in rules])
    return [faults.next("GET", target, b"") is not None for _ in range(calls)]


def test_nth_and_times_count_matches() -> None:
    """``nth`` lets the matches before it pass, ``times`` ends the rule."""
    assert hits([{"match": "query", "fault": "cut", "nth": 3, "times": 2}], 6) == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]


def test_probability_is_the_same_for_a_seed() -> None:
    """A drawn fault hits the same calls in every run, and about as many as it says."""
    rule = {"match": "query", "fault": "cut", "probability": 0.25, "seed": 7}
    first, again = hits([rule], 400), hits([rule], 400)
    assert first == again
    assert 60 < sum(first) < 140


def test_rules_look_at_method_path_and_body() -> None:
    """
    A rule that fits neither method, path nor body lets the call pass; the first that fits is taken.
    """
    faults = Faults()
    faults.add([read_rule({"match": "^POST .*/jobs", "body": "Contact", "fault": "cut"})])
    assert faults.next("GET", "/jobs", b"Contact") is None
    assert faults.next("POST", "/jobs", b"Account") is None
    assert faults.next("POST", "/jobs", b"SELECT Id FROM Contact") is not None
    assert faults.listed() == [
        {"fault": "cut", "match": "^POST .*/jobs", "matched": 1, "hit": 1, "served": 0}
    ]
    faults.clear()
    assert faults.next("POST", "/jobs", b"Contact") is None


def test_rules_for_subrequests_do_not_hit_calls() -> None:
    """``inside`` rules see subrequests only, the others only calls."""
    faults = Faults()
    faults.add([read_rule({"match": "describe", "fault": "error", "inside": True})])
    assert faults.next("GET", "/describe", b"") is None
    assert faults.next("GET", "/describe", b"", is_inside=True) is not None


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"fault": "explode"}, "there is no fault 'explode'; use one of status503"),
        ({"fault": "cut", "match": "("}, "no regular expression"),
        ({"fault": "cut", "when": 1}, "knows no when"),
        ({"fault": "limit_header", "form": "tiny"}, "no header form 'tiny'"),
        ({"fault": "cut", "inside": True}, "'cut' cannot hit a subrequest"),
        ({"fault": "huge", "form": "wide"}, "no form of a huge answer 'wide'"),
        ({"fault": "rewrite", "replace": [["(", ""]]}, "no regular expression"),
    ],
)
def test_wrong_rules_say_what_is_wrong(rule: dict[str, Any], said: str) -> None:
    """A rule that cannot work is refused with a sentence."""
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        read_rule(rule)


def test_every_fault_is_documented() -> None:
    """The module's table lists each kind."""
    from sfnb_demo.server import faults

    assert all(f"\n{kind} " in (faults.__doc__ or "") for kind in KINDS)


def test_ledger_counts_calls_over_the_threshold() -> None:
    """P1's witness: charged calls above the threshold count, probes and refused ones do not."""

    def call(
        number: int,
        used: int,
        told: int,
        *,
        target: str = "/query",
        units: int = 1,
        in_flight: int = 0,
    ) -> Call:
        spent = {"api": units} if units else {}
        return Call(number, 0.0, "GET", target, 200, spent, used, told, in_flight)

    calls = [
        call(1, 10, 9),
        call(2, 11, 10),
        call(3, 12, 11, target="/services/data/v66.0/limits/"),
        call(4, 12, 11, units=0),
        call(5, 25, 9),
        call(6, 10, 8, in_flight=2),
    ]
    summary = ledger_summary(calls, threshold=10)
    assert (summary["over_threshold"], summary["over_reading"], summary["probes"]) == (2, 2, 1)
    assert summary["spent"] == {"api": 5}
