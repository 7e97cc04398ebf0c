"""P1 and P4 for an archive: paused at the limit again and again, all the way through."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.archive_campaign.campaign import Outcome, Place, check
from tests.command_line import CommandLine
from tests.conftest import RunningOrg

OBJECTS = {"Account": 10, "Contact": 10, "Case": 24, "CaseComment": 30, "Attachment": 8}
MOST_CALLS = 1000


def test_an_archive_pauses_at_the_limit_and_goes_on(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path
) -> None:
    """
    A limit that leaves room for one call more each time: each pause is below the threshold by the
    org's own ledger, each resumption goes on where it stood, and at every pause what is gone is whole
    in the store (P1, P4, P5).
    """
    org = fresh_org(own_data=True, has_oddities=False, objects=OBJECTS, max_calls=MOST_CALLS)
    sfnb = CommandLine.with_org(tmp_path / "home", org)
    place = Place(org, sfnb, Outcome(0))
    closed = sorted(place.rows("Case", "Status = 'Closed'"))
    before = place.trees(closed)
    arguments: tuple[object, ...] = (
        *("archive", "x", "--object", "Case", "--where", "Status = 'Closed'", "--yes"),
    )
    assert org.server is not None
    the_org, deleted = org.server.org, []
    for room, percent in enumerate(range(20, 50), start=4):
        threshold = MOST_CALLS * percent // 100
        used = the_org.quota.used("api", the_org.clock.now_s())
        org.control("quota", {"spend": {"api": threshold - room - used}})
        assert sfnb("limit", "x", percent).code == 0
        mark = org.mark()
        ran = sfnb(*arguments, "--on-pause", "exit", "--json")
        ledger = org.ledger(after=mark, threshold=threshold)
        assert ledger["over_threshold"] == ledger["refused"] == 0
        check(place, before, f"paused at {percent} %")
        deleted.append(len(closed) - len(place.rows("Case", "Status = 'Closed'")))
        if ran.code != 75:
            break
        assert ran.json["state"] == "paused", ran.err
        arguments = ("resume", ran.json["job_id"])
    assert ran.code == 0, ran.err
    assert len(deleted) >= 4, "it paused at several steps"
    assert 0 in deleted[:-1] and len(closed) in deleted
    assert place.outcome.is_good, place.outcome.findings
    assert ran.json["deleted"]["Case"] == ran.json["archived"]["Case"] == len(closed)
    assert ran.json["kept"] == []
