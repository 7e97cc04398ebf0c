"""A restore on the screen: its preview before, its panel meanwhile, its outcome after."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sfnb import engine, notebook, widgets
from sfnb.clock import FakeClock
from sfnb.errors import CallerError
from sfnb.jobs.summary import job_summary
from sfnb.model import RESTORE
from sfnb.ui.outcome import outcome_html
from tests.conftest import RunningOrg
from tests.faults.conftest import Connector, settings_for
from tests.faults.restore_world import World


@pytest.fixture
def world(fresh_org: Callable[..., RunningOrg], connected: Connector) -> World:
    """An org with contacts in a snapshot, of which one was deleted and one changed since."""
    org = fresh_org(own_data=True)
    here = World(org, connected(org, clock=FakeClock()))
    here.backup("Account", "Contact")
    # Deleting one to whom others report would empty their lookups, too.
    chiefs = {row["ReportsToId"] for row in here.rows("SELECT ReportsToId FROM Contact")}
    deleted, changed = [one for one in here.ids("Contact", limit=200) if one not in chiefs][:2]
    here.update("Contact", changed, FirstName="<b>Changed</b>")
    here.delete([deleted])
    return here


def test_the_preview_has_counts_and_fields_side_by_side(world: World) -> None:
    """What would be written is counted; a record shows the org's value beside the snapshot's."""
    before = world.ids("Contact", limit=10)
    screen = widgets.restore_preview(
        world.mine, engine.plan(world.mine, engine.restore(objects=["Contact"]))
    )
    assert "1 undeleted, 1 updated, 0 created" in screen.html()
    assert [one["name"] for one in screen.view()["objects"]] == ["Contact"]
    listed = screen.heard({"kind": "records", "object": "Contact"}) or {}
    texts = {row["id"]: row["text"] for row in listed["records"]}
    (changed,) = (one for one, text in texts.items() if text.endswith("updated"))
    shown = screen.heard({"kind": "record", "object": "Contact", "record": changed}) or {}
    fields = {name: (there, here) for name, there, here in shown["fields"]}
    assert (
        fields["FirstName"][0] == "<b>Changed</b>"
        and fields["FirstName"][1] != fields["FirstName"][0]
    )
    (gone,) = (one for one, text in texts.items() if text.endswith("undeleted"))
    lost = screen.heard({"kind": "record", "object": "Contact", "record": gone}) or {}
    assert lost["ok"] and all(there == here for _, there, here in lost["fields"])
    assert not (screen.heard({"kind": "record", "object": "Contact", "record": "x"}) or {})["ok"]
    assert world.ids("Contact", limit=10) == before, "a preview writes nothing"


def test_over_the_limit_the_preview_says_why(world: World) -> None:
    """The limit of restores is what counts: over it the preview is a sentence, under it there is a plan."""
    engine.set_limit(world.mine, 1)
    world.org.control("quota", {"spend": {"api": 1000}})
    world.mine.limits()
    assert "could not be made now" in notebook.preview(world.mine, engine.restore()).html()
    engine.set_limit(world.mine, 90, kind=RESTORE)
    assert "1 undeleted" in notebook.preview(world.mine, engine.restore()).html()


def test_panel_and_outcome_have_a_restores_words(world: World) -> None:
    """The panel counts records; the outcome says undeleted, updated, created, skipped, refused."""
    summary = world.restore(objects=["Contact"])
    panel = widgets.job_panel(summary["job_id"], org=world.mine)
    html = outcome_html(job_summary(world.mine.state, summary["job_id"]))
    assert "restore of demo" in panel.html() and "2 records" in panel.html()
    assert "1 undeleted, 1 updated, 0 created, 0 skipped, 0 refused" in html
    assert "rows" not in html


@pytest.mark.parametrize(
    "wrong",
    [
        {"ids": "nonsense"},
        {"files": "yes"},
        {"only": "new"},
        {"with_children": 99},
        {"snapshot": ""},
    ],
)
def test_a_wrong_parameter_of_a_restore_is_refused(wrong: dict[str, object]) -> None:
    """As on the command line: one sentence, before any call."""
    with pytest.raises(CallerError):
        notebook.restore_request(**wrong)


def test_the_notebook_restores_headless(world: World, tmp_path: Path) -> None:
    """`sfnb run restore` ends with the job's exit code and leaves outcome and preview in the notebook."""
    settings = settings_for(world.org, tmp_path / "home")
    (tmp_path / "home" / "sfnb.toml").write_text(
        f'[orgs.demo]\nlogin = "token"\ninstance_url = "{world.org.url}"\norg_id = "{world.org.org_id}"\n'
        f'header_lag_s = 0\n[orgs.demo.secrets]\ntoken = "file:{(tmp_path / "home" / "token").as_posix()}"\n',
        "utf-8",
    )
    assert settings.home == tmp_path / "home"
    import os

    def run(*parameters: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sfnb", "run", "restore", "-p", "objects", "Contact", *parameters,
             "--output", str(tmp_path / "out.ipynb"), "--json"],
            env=os.environ | {"SFNB_HOME": str(tmp_path / "home"), "PYTHONUTF8": "1"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    before = world.ids("Contact", limit=10)
    dry = run("-p", "dry_run", "True")
    assert dry.returncode == 0, dry.stderr
    assert world.ids("Contact", limit=10) == before
    done = run()
    assert done.returncode == 0, done.stderr
    job = json.loads(done.stdout)["job"]
    assert job["kind"] == "restore" and job["restored"]["undeleted"] == 1
    text = (tmp_path / "out.ipynb").read_text("utf-8")
    assert "1 undeleted, 1 updated" in text
    assert run("-p", "only", "new").returncode == 2
