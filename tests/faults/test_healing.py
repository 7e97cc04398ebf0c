"""What `verify` finds damaged and the org still has is whole again after the next backup."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sfnb import engine
from sfnb.clock import SystemClock
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.installation import connect
from sfnb.store.bodies.listing import list_bodies
from sfnb.store.metadata.view import contents, metadata_of
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for
from tests.faults.test_incremental import BORN, life, pass_minutes, stored, truth

OBJECTS = ["Account", "Contact", "Attachment"]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningOrg, Path]]:
    """An org and a home with two backups of it: all there is, and a few changes."""
    folder = tmp_path_factory.mktemp("healing")
    options = Options(
        size="tiny",
        competitors="off",
        minutes_per_second=0.0,
        bulk_job_s=0.0,
        header_lag_s=0.0,
        start_at=BORN,
    )
    with DemoServer(options, folder / "org") as server:
        org = RunningOrg(**server.ready(), server=server)
        with connect("demo", settings=settings_for(org, folder / "home")) as there:
            run(there)
            pass_minutes(org, 60)
            life(org, "change", "Account", rows=20, field="Description")
            pass_minutes(org, 5)
            run(there)
        yield org, folder / "home"


def run(there: Connection, objects: list[str] | None = OBJECTS) -> dict[str, Any]:
    return engine.run(there, backup(objects=objects, files=True, metadata=True))


def a_file(root: Path, pattern: str, number: int = 0) -> Path:
    return sorted(p for p in root.glob(pattern) if p.is_file())[number]


def remove(path: Path) -> None:
    path.unlink()


def flip(path: Path) -> None:
    """One byte in the middle is another one; the size stays. Of a zip: one of a member's content."""
    content = bytearray(path.read_bytes())
    place = len(content) // 2
    if path.suffix == ".zip":  # its dates and the like say nothing of what is in it
        with zipfile.ZipFile(path) as pack:
            member = max(pack.infolist(), key=lambda one: one.compress_size)
        place = member.header_offset + 30 + len(member.filename) + member.compress_size // 2
    content[place] ^= 0x55
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


PLACES = {
    "first part": ("records/Account/_sfnb_generation=*/*.parquet", 0),
    "last part": ("records/Account/_sfnb_generation=*/*.parquet", -1),
    "first commit": ("records/Account/_delta_log/*.json", 0),
    "last commit": ("records/Account/_delta_log/*.json", -1),
    "schema": ("snapshots/*/schema/Account.json", -1),
    "manifest": ("snapshots/*/manifest.json", -1),
    "plan": ("snapshots/*/plan.json", -1),
    "body": ("bodies/[0-9a-f][0-9a-f]/*", 0),
    "index of bodies": ("bodies/index/*.json", 0),
    "metadata record": ("snapshots/*/metadata.json", 0),
    "later metadata record": ("snapshots/*/metadata.json", -1),
    "pack": ("metadata/*.zip", 0),
}
WAYS: dict[str, Callable[[Path], None]] = {"removed": remove, "flipped": flip, "cut": cut}


EVERY = [(place, how) for place in PLACES for how in WAYS]
# Each place once, each way at four places; the campaign has all pairs.
FEW = [pair for n, pair in enumerate(EVERY) if n % 3 == n // 3 % 3]
SOME = EVERY if os.environ.get("SFNB_CAMPAIGN") == "full" else FEW


@pytest.mark.parametrize(("place", "how"), SOME)
def test_the_next_backup_heals_what_verify_found(
    begun: tuple[RunningOrg, Path], tmp_path: Path, place: str, how: str
) -> None:
    """The newest snapshot is the org, with bodies and metadata, and nothing damaged belongs to it."""
    org, home = begun
    shutil.copytree(home, tmp_path / "home")
    settings = settings_for(org, tmp_path / "home")
    with connect("demo", settings=settings, clock=SystemClock()) as there:
        pattern, number = PLACES[place]
        WAYS[how](a_file(Path(there.store.root), pattern, number))
        command = CommandLine.with_org(tmp_path / "home", org, "demo")
        found = command("verify", "demo", "--json")
        assert found.code == 1, "it is found"
        # Whose bodies an index had is not known without it: all of the org's are looked for.
        healed = run(there, None if place == "index of bodies" else OBJECTS)
        assert healed["state"] == "completed", (healed["objects"], healed["warnings"])
        newest = healed["snapshot"]
        for name in OBJECTS:
            assert stored(there, newest, name) == truth(org, name), name
        after = command("verify", "demo", "--json").json
        whole(
            there,
            newest,
            [f for f in after if f["kind"] in ("missing", "damaged", "count", "digest")],
        )
        again = run(there)
        assert {again["objects"][name]["mode"] for name in OBJECTS} == {"incremental"}
        assert again["state"] == "completed"


def whole(there: Connection, snapshot: str, damage: list[dict[str, Any]]) -> None:
    """Nothing that this snapshot needs is among what is damaged still."""
    assert not [f for f in damage if f["snapshot"] == snapshot], damage
    assert not [f for f in damage if f["path"].startswith("bodies/")], damage
    bodies = list(list_bodies(there.snapshots[snapshot]))
    assert bodies and {b.state for b in bodies} == {"held"}
    newest = there.snapshots[snapshot]
    assert list(contents(newest, metadata_of(there.snapshots, newest)))


def test_what_only_an_older_snapshot_had_is_said_to_be_lost_and_the_rest_is_healed(
    begun: tuple[RunningOrg, Path], tmp_path: Path
) -> None:
    """
    The versions of a snapshot in the middle are damaged, and the org has later ones by now. The
    snapshots beside it are whole, and `verify` promises nothing that no backup can do.
    """
    org, home = begun
    shutil.copytree(home, tmp_path / "home")
    settings = settings_for(org, tmp_path / "home")
    command = CommandLine.with_org(tmp_path / "home", org, "demo")
    with connect("demo", settings=settings, clock=SystemClock()) as there:
        first, second = sorted(there.snapshots)
        kept = stored(there, first, "Account")
        pass_minutes(org, 60)
        life(org, "change", "Account", rows=100_000, field="Description")
        pass_minutes(org, 5)
        flip(a_file(Path(there.store.root), f"records/Account/*/*{second}*.parquet"))
        found = command("verify", "demo")
        assert found.code == 1 and second in found.out
        assert "reads again what the org still has" in found.err and "No backup" not in found.err
        healed = run(there)
        assert healed["state"] == "completed"
        again = command("verify", "demo")
        assert again.code == 1 and second in again.out
        assert f"No backup heals Account as of {second}" in again.err
        assert "made after that was found" in again.err and "reads again" not in again.err
        assert stored(there, first, "Account") == kept
        assert stored(there, healed["snapshot"], "Account") == truth(org, "Account")
        lost = command("export", "demo", "Account", "--as-of", second, "--to", tmp_path / "x.csv")
        assert lost.code == 1 and "sfnb verify" in lost.err and not (tmp_path / "x.csv").exists()
        assert run(there)["objects"]["Account"]["mode"] == "incremental"
