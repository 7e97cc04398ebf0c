"""A lookup that is set only when its record is made, to a record that comes back under a new Id."""

from __future__ import annotations

from pathlib import Path

from sfnb.clock import FakeClock
from sfnb.installation import connect
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for
from tests.faults.restore_world import World
from tests.restore_campaign.records import save

FIELD = {"do": "add_field", "object": "Alpha__c", "field": "Parent__c", "type": "reference"}


def test_what_cannot_be_set_again_is_named_and_not_sent(tmp_path: Path) -> None:
    """The plan names the fields, in the living and in the undeleted record; the org refuses nothing."""
    options = Options(size="tiny", competitors="off", minutes_per_second=0.0, header_lag_s=0.0)
    with DemoServer(options, tmp_path / "org") as server:
        org = RunningOrg(**server.ready(), server=server)
        org.control("schema", {"do": "add_object", "object": "Alpha__c", "fields": []})
        org.control("schema", {**FIELD, "refs": ["Alpha__c"], "is_updateable": False})
        (parent,) = (r["id"] for r in save(org, "POST", "Alpha__c", [{"Name": "parent"}]))
        children = [{"Name": name, "Parent__c": parent} for name in ("in the bin", "alive")]
        buried, alive = (r["id"] for r in save(org, "POST", "Alpha__c", children))
        with connect(
            "demo", settings=settings_for(org, tmp_path / "home"), clock=FakeClock()
        ) as mine:
            world = World(org, mine)
            world.backup("Alpha__c")
            world.delete([buried])
            world.delete([parent], hard=True)
            summary = world.restore()
        assert summary["state"] == "completed", summary
        assert summary["restored"] == {
            "created": 1,
            "updated": 0,
            "undeleted": 1,
            "skipped": 1,
            "refused": 0,
        }
        named = {
            (one["object"], one["field"], one["reason"]): one["rows"] for one in summary["refusals"]
        }
        assert named["Alpha__c", "Parent__c", "field_not_writable"] >= 1, summary["refusals"]
        assert sum(one["rows"] for one in summary["refusals"]) == 2, summary["refusals"]
        assert {r["Id"] for r in world.rows("SELECT Id FROM Alpha__c")} >= {buried, alive}
