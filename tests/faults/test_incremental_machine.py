"""
Weeks of an org's life in a state machine: rows come, change, vanish; fields come and go; stamps are
equal, late or missing; backups run, pause and are killed between. After each backup the newest
snapshot equals the org, and every older one equals what it was.
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from sfnb import engine
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.installation import connect
from sfnb.store.writer import Writer
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.faults.conftest import SharedClock, settings_for
from tests.faults.test_incremental import BORN, stored, truth

IS_FULL = os.environ.get("SFNB_CAMPAIGN") == "full"
SEEDS = int(os.environ.get("SFNB_SEEDS") or (300 if IS_FULL else 2))
STEPS = 30 if IS_FULL else 12

OBJECTS = ["Account", "Contact", "Case", "CampaignMember"]
NAMES = st.sampled_from(OBJECTS)
FEW = st.integers(1, 4)

# Hundreds of seeds are one test: the limits of a test are not meant for it.
pytestmark = [pytest.mark.campaign, *([pytest.mark.timeout(0)] if IS_FULL else [])]


@pytest.fixture(autouse=True)
def as_long_as_it_takes() -> None:
    """pytest would end the process after ``faulthandler_timeout``."""
    if IS_FULL:
        faulthandler.cancel_dump_traceback_later()


class Killed(BaseException):
    """The process ends here: nothing that it would do afterwards is done."""


@contextmanager
def killed_at(number: int) -> Iterator[None]:
    """The writer's commit of this number, and all later ones, do not happen."""
    seen = 0
    patched = {}

    def dying(name: str, real: Any) -> Any:
        def call(self: Writer, *args: Any, **more: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen >= number:
                raise Killed
            return real(self, *args, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("commit", "settle", "unchanged", "seal"):
            patched[name] = getattr(Writer, name)
            patch.setattr(Writer, name, dying(name, patched[name]))
        yield


class OrgLife(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.fields = 0
        self.added: dict[tuple[str, str], str] = {}
        self.hidden: set[tuple[str, str]] = set()
        self.kept: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}

    @initialize()
    def born(self) -> None:
        folder = Path(self.stack.enter_context(TemporaryDirectory(prefix="sfnb-machine-")))
        options = Options(
            size="tiny",
            competitors="off",
            minutes_per_second=0.0,
            bulk_job_s=0.0,
            header_lag_s=0.0,
            start_at=BORN,
        )
        server = self.stack.enter_context(DemoServer(options, folder / "org"))
        self.org = RunningOrg(**server.ready(), server=server)
        self.there: Connection = self.stack.enter_context(
            connect(
                "demo",
                settings=settings_for(self.org, folder / "home"),
                clock=SharedClock(self.org),
            )
        )
        self.run()

    def teardown(self) -> None:
        self.stack.close()

    def life(self, do: str, name: str, **more: Any) -> None:
        self.org.control("rows", {"do": do, "object": name, **more})

    # what happens in the org

    @rule(name=NAMES, rows=FEW)
    def insert(self, name: str, rows: int) -> None:
        self.life("insert", name, rows=rows)

    @rule(name=NAMES, rows=FEW)
    def change(self, name: str, rows: int) -> None:
        self.life("change", name, rows=rows)

    @rule(name=NAMES, rows=FEW)
    def touch(self, name: str, rows: int) -> None:
        self.life("touch", name, rows=rows)

    @rule(name=NAMES, rows=FEW)
    def delete(self, name: str, rows: int) -> None:
        self.life("delete", name, rows=rows)

    @rule(name=st.sampled_from(["Account", "Contact", "Case"]), rows=FEW)
    def undelete(self, name: str, rows: int) -> None:
        self.life("undelete", name, rows=rows)

    @rule(name=NAMES, rows=FEW)
    def hard_delete(self, name: str, rows: int) -> None:
        self.life("hard_delete", name, rows=rows)

    @rule(name=st.sampled_from(["Account", "Contact"]))
    def merge(self, name: str) -> None:
        self.life("merge", name, rows=1)

    @rule(name=st.sampled_from(["Account", "Contact", "Case"]))
    def purge(self, name: str) -> None:
        self.life("purge", name)

    @rule(name=NAMES, rows=FEW, late_s=st.sampled_from([30, 300, 590]))
    def late(self, name: str, rows: int, late_s: int) -> None:
        self.life("change", name, rows=rows, late_s=late_s)

    @rule(name=NAMES, kind=st.sampled_from(["string", "double", "boolean"]))
    def add_field(self, name: str, kind: str) -> None:
        self.fields += 1
        field = f"Machine{self.fields}__c"
        given = {"string": "x", "double": 2.5, "boolean": True}[kind]
        change = {"do": "add_field", "object": name, "field": field, "type": kind, "value": given}
        self.org.control("schema", change)
        self.added[name, field] = kind

    @precondition(lambda self: self.added)
    @rule(data=st.data())
    def remove_field(self, data: st.DataObject) -> None:
        name, field = data.draw(st.sampled_from(sorted(self.added)))
        self.added.pop((name, field))
        self.hidden.discard((name, field))
        self.org.control("schema", {"do": "remove_field", "object": name, "field": field})

    @precondition(lambda self: self.added)
    @rule(data=st.data())
    def retype_field(self, data: st.DataObject) -> None:
        name, field = data.draw(st.sampled_from(sorted(self.added)))
        kind = "double" if self.added[name, field] == "string" else "string"
        self.added[name, field] = kind
        change = {"do": "retype_field", "object": name, "field": field, "type": kind}
        self.org.control("schema", change)

    @rule(
        one=st.sampled_from([("Contact", "Title"), ("Account", "Description"), ("Case", "Subject")])
    )
    def hide_or_show(self, one: tuple[str, str]) -> None:
        word = "show" if one in self.hidden else "hide"
        self.org.control("access", {word: ".".join(one)})
        self.hidden ^= {one}

    @rule(minutes=st.sampled_from([0.2, 2, 11, 60, 1440, 6 * 1440]))
    def time_passes(self, minutes: float) -> None:
        self.org.control("clock", {"advance_minutes": minutes})

    # backups

    @rule(sweep=st.booleans(), full=st.booleans())
    def run(self, sweep: bool = False, full: bool = False) -> None:
        wish = backup(objects=OBJECTS, files=False, metadata=False, sweep=sweep, full=full)
        self.ended(engine.run(self.there, wish))

    @rule(sweep=st.booleans())
    def drift_and_refresh(self, sweep: bool) -> None:
        """All results of a formula are others, and no stamp moves: a refresh has them."""
        self.life("drift", "Contact", field="Name")
        wish = backup(objects=OBJECTS, files=False, metadata=False, sweep=sweep, refresh=True)
        self.ended(engine.run(self.there, wish))

    @rule(calls=st.integers(4, 12))
    def run_and_pause(self, calls: int) -> None:
        """The allowance ends in mid-backup; the job resumes by itself a day later."""
        # What becomes visible during the pause belongs to the next backup where its object was read.
        self.org.control("rows", {"do": "commit"})
        status = self.org.control("status")
        left = status["budgets"]["api"]["max"] // 2 - status["budgets"]["api"]["used"]
        spend = max(0, left - calls)
        self.org.control("quota", {"spend": {"api": spend}})
        self.ended(engine.run(self.there, backup(objects=OBJECTS, files=False, metadata=False)))

    @rule(number=st.integers(1, 16), refresh=st.booleans())
    def run_and_be_killed(self, number: int, refresh: bool) -> None:
        wish = backup(objects=OBJECTS, files=False, metadata=False, refresh=refresh)
        with killed_at(number), suppress(Killed):
            engine.run(self.there, wish)
        job = self.there.state.jobs.find()[-1]
        if not job.state.is_final:
            self.ended(engine.resume(self.there, job.job_id))

    def ended(self, summary: dict[str, Any]) -> None:
        assert summary["state"] == "completed", summary["objects"]
        snapshot = summary["snapshot"]
        self.kept[snapshot] = {name: stored(self.there, snapshot, name) for name in OBJECTS}
        for name in OBJECTS:
            entry = summary["objects"][name]
            assert entry["org_count"] in (None, entry["our_count"]), (name, entry)
            assert self.kept[snapshot][name] == truth(self.org, name), (name, entry)

    @invariant()
    def old_snapshots_stay(self) -> None:
        for snapshot, tables in list(self.kept.items())[:-1][-3:]:
            for name, rows in tables.items():
                assert stored(self.there, snapshot, name) == rows, (snapshot, name)


OrgLife.TestCase.settings = settings(
    max_examples=SEEDS,
    stateful_step_count=STEPS,
    deadline=None,
    print_blob=True,
    # Each step is a backup or two: shrinking would take hours.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
TestOrgLife = OrgLife.TestCase
