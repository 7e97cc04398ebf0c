"""What is backed up can be read without the org, without its registration, without network."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from sfnb.cli.context import App
from sfnb.cli.snapshots import COMMANDS
from sfnb.clock import FakeClock
from sfnb.errors import CallerError
from sfnb.store.tables import Store, open_store
from tests.store_samples import BEGAN, ORG_ID, SCHEMA, a_plan, a_snapshot, a_store, rows

OTHER_ID = "00D000000000002BBB"

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The commands in a home without any org, on a machine without a network."""

    def no_network(*_args: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setenv("SFNB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(socket.socket, "connect", no_network)

    def command(*args: object) -> Result:
        app = App()
        group = click.Group(commands=COMMANDS)
        result = CliRunner().invoke(group, [str(a) for a in args], obj=app, standalone_mode=False)
        app.close()
        if result.exception is not None:
            raise result.exception
        return result

    return command


def backed_up(root: Path, name: str, org_id: str, number: int) -> Store:
    store = open_store(root, clock=FakeClock(BEGAN))
    writer = store.org(org_id).begin(replace(a_plan(number=number), org=name, org_id=org_id))
    writer.put_schema("Account", SCHEMA)
    parts = writer.write_parts("Account", [rows(0, 5)])
    writer.commit("Account", parts, {}, is_done=True)
    writer.seal()
    return store


@pytest.mark.parametrize("name", ["demo", ORG_ID, ORG_ID[:15]])
def test_every_reading_command_works_from_the_store_alone(
    tmp_path: Path, run: Run, name: str
) -> None:
    """Snapshots, show, export and verify take the name or the Id of an org that nobody has registered."""
    root = tmp_path / "store"
    snapshot = a_snapshot(a_store(root))
    at = ("--store", root)
    assert snapshot in run("snapshots", name, *at).output
    assert f"{snapshot}  demo ({ORG_ID})  complete" in run("show", name, "latest", *at).output
    assert "18 records" in run("export", name, "Account", "--to", tmp_path / "a.csv", *at).output
    assert "no damage" in run("verify", name, *at).output


def test_the_installations_own_store_is_the_default(tmp_path: Path, run: Run) -> None:
    """Without --store the installation's store is read, whether or not the org is registered."""
    backed_up(tmp_path / "home" / "store", "gone", ORG_ID, 1)
    assert "complete" in run("snapshots", "gone").output
    assert "gone" in run("snapshots").output


def test_a_store_lists_its_orgs(tmp_path: Path, run: Run) -> None:
    """Each org with its names, newest first, and its newest snapshot; foreign folders are left out."""
    root = tmp_path / "store"
    backed_up(root, "old name", ORG_ID, 1)
    backed_up(root, "prod", ORG_ID, 2)
    store = backed_up(root, "sandbox", OTHER_ID, 3)
    (root / "lost+found").mkdir()
    (root / "notes.txt").write_text("x")
    told = json.loads(run("snapshots", "--store", root, "--json").output)
    assert [(o["org_id"], o["names"], o["snapshots"]) for o in told] == [
        (ORG_ID, ["prod", "old name"], 2),
        (OTHER_ID, ["sandbox"], 1),
    ]
    assert told[0]["newest"] == max(store.org(ORG_ID).snapshots)
    text = run("snapshots", "--store", root).output
    assert "prod, old name" in text
    assert OTHER_ID in text
    assert "has no snapshots yet" in run("snapshots", "--store", tmp_path / "none").output


def test_a_name_that_is_not_there_lists_what_is(tmp_path: Path, run: Run) -> None:
    """A typing error is one sentence that names the orgs of the store; two orgs of one name are told apart by Id."""
    root = tmp_path / "store"
    backed_up(root, "prod", ORG_ID, 1)
    with pytest.raises(CallerError, match=rf"no org 'prd' .*which holds: prod \({ORG_ID}\)\."):
        run("show", "prd", "latest", "--store", root)
    backed_up(root, "prod", OTHER_ID, 2)
    with pytest.raises(CallerError, match=rf"2 orgs .*by its Id: {ORG_ID}, {OTHER_ID}\."):
        run("show", "prod", "latest", "--store", root)


def test_a_damaged_plan_does_not_hide_the_org(tmp_path: Path) -> None:
    """The org's name is in each plan, manifest and summary: one that can be read is enough."""
    store = backed_up(tmp_path, "prod", ORG_ID, 1)
    next(tmp_path.rglob("plan.json")).write_text("{")
    assert [o.names for o in store.orgs()] == [("prod",)]
    next(tmp_path.rglob("manifest.json")).write_text("{")
    assert [o.names for o in store.orgs()] == [("prod",)]
    next(tmp_path.rglob("summary.json")).write_text("{")
    assert [(o.org_id, o.names) for o in store.orgs()] == [(ORG_ID, ())]
    assert store.find(ORG_ID).org_id == ORG_ID
