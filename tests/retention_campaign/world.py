"""An org that was backed up for a while, its store copied as often as a campaign wants."""

from __future__ import annotations

import json
import random
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfnb.clock import FakeClock
from sfnb.store.compaction.org import compact_org
from sfnb.store.files import Files
from sfnb.store.restating.one_at_a_time import LOCK
from sfnb.store.tables import OrgStore, open_store
from sfnb.store.verify import verify
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.command_line import CommandLine
from tests.conftest import RunningOrg
from tests.contracts.s3_server import environment
from tests.unit.store.erasing.byte_search import found_in

OBJECTS = (
    "Account", "Contact", "Case", "CaseComment", "Attachment", "Task",
    "ContentDocument", "ContentVersion", "ContentDocumentLink",
)  # fmt: skip
SIZES = {
    "Account": 12, "Contact": 20, "Case": 24, "CaseComment": 30, "Attachment": 12, "Task": 16,
    "ContentDocument": 6, "ContentVersion": 7, "ContentDocumentLink": 14,
}  # fmt: skip
BACKUPS = 6

State = dict[str, dict[str, str]]
"""Of one snapshot: by object, each record's text by its Id, or by ``bin Id`` in the recycle bin."""

Past = dict[str, State]
"""By snapshot; those of archives, too."""


@dataclass
class World:
    """
    A home and its store; ``copied`` makes another one of the same.

    Args:
        root: where the store is; empty: below the home.
        held: the contact on hold; it is in the states of the first snapshots alone.
    """

    shell: CommandLine
    org_id: str
    root: str = ""
    held: str = ""
    copies: int = 0
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return self.root or str(self.shell.home / "store")

    @property
    def store(self) -> OrgStore:
        return open_store(self.place).org(self.org_id)

    @contextmanager
    def at_hand(self) -> Iterator[OrgStore]:
        """The store as it is now; that in a bucket as a copy on disk, which reads much faster."""
        if not self.root:
            yield self.store
            return
        with tempfile.TemporaryDirectory(prefix="sfnb-at-hand-") as folder:
            source, target = Files(self.root), Files(folder)
            for path in source.walk(""):
                target.put(path, source.read(path) or b"")
            yield open_store(folder).org(self.org_id)

    def copied(self) -> World:
        """The same, to be changed at will."""
        self.copies += 1
        home = self.shell.home.parent / f"copy{self.copies}"
        shutil.copytree(self.shell.home, home)
        root = ""
        if self.root:
            root = f"{self.root}-{self.copies}"
            source, target = Files(self.root), Files(root)
            for path in source.walk(""):
                target.put(path, source.read(path) or b"")
        return World(shell_at(home, self.environ, root), self.org_id, root, self.held)

    def remove(self) -> None:
        shutil.rmtree(self.shell.home)
        if self.root:
            files = Files(self.root)
            for path in files.walk(""):
                files.delete(path)

    def past(self) -> Past:
        """Everything that can be read: each snapshot's records and recycle bin."""
        found: Past = {}
        with self.at_hand() as store:
            for name in (*store.snapshots, *store.archives):
                snapshot = store.snapshots[name]
                found[name] = {}
                for of in snapshot.objects:
                    rows, mine = snapshot.rows(of), found[name].setdefault(of, {})
                    for batch in rows.batches():
                        mine.update(
                            (r["Id"], json.dumps(r, default=str)) for r in batch.to_pylist()
                        )
                    for batch in rows.recycle_bin(rows.columns.names):
                        mine.update(
                            (f"bin {r['Id']}", json.dumps(r, default=str))
                            for r in batch.to_pylist()
                        )
        return found

    def troubles(self) -> list[str]:
        """Damage; an orphan is none."""
        with self.at_hand() as store:
            return [f"{f.path}: {f.message}" for f in verify(store) if f.is_damage]

    def orphans(self) -> list[str]:
        with self.at_hand() as store:
            return [f.path for f in verify(store) if f.kind == "orphan"]

    def size(self) -> int:
        """Bytes of the org's files."""
        return sum(size for path, size in self.store.files.walk("").items() if path != LOCK)

    def where_found(self, values: Collection[str]) -> list[str]:
        """Files that have one of the values: of the home, and of the store as it is and opened."""
        if not self.root and self.store.files.cipher is None:
            return found_in(self.shell.home, values)
        plain = self.shell.home.parent / "plain"
        opened, lying = open_store(self.place).org(self.org_id).files, Files(self.place)
        for files, folder in ((opened, plain / "opened"), (lying, plain / "lying")):
            for path in files.walk(""):
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                # What lies sealed is no Parquet file.
                is_apart = files is lying and target.suffix == ".parquet"
                content = files.read(path) or b""
                (target.with_suffix(".raw") if is_apart else target).write_bytes(content)
        found = [*found_in(self.shell.home, values), *found_in(plain, values)]
        shutil.rmtree(plain)
        return found


def shell_at(home: Path, environ: Mapping[str, str], root: str) -> CommandLine:
    shell = CommandLine(home, **environ)
    if root:
        shell.environ["SFNB_STORE"] = root
    return shell


def made(
    chance: random.Random, folder: Path, *, address: str = "", is_sealed: bool = False
) -> World:
    """
    An org's past of some backups, with changes of all kinds between, compacted in the middle of it,
    an archive, and a hold.

    Args:
        address: of an S3 server; empty: the store is a folder.
        is_sealed: sfnb encrypts the store. The caller's environment must name its key.
    """
    options: dict[str, Any] = {
        "size": "tiny", "competitors": "off", "minutes_per_second": 0.0, "bulk_job_s": 0.0,
        "header_lag_s": 0.0, "max_calls": 1_000_000, "has_oddities": False, "objects": SIZES,
    }  # fmt: skip
    (folder / "org").mkdir(parents=True)
    with DemoServer(Options(**options), folder / "org") as server:
        org = RunningOrg(**server.ready(), server=server)
        root = f"s3://sfnb-{secrets.token_hex(4)}/store" if address else ""
        environ = {"X_TOKEN": org.access_token, **(environment(address) if address else {})}
        if is_sealed:
            environ["SFNB_STORE_KEY_FILE"] = str(folder / "key")
        shell = shell_at(folder / "home", environ, root)
        world = World(shell, org.org_id, root, environ=environ)

        def good(*words: object) -> Any:
            ran = shell(*words, "--json")
            assert ran.code in (0, 3), (words, ran.err)
            return ran.json

        if is_sealed:
            ran = shell("store", "encrypt", "--key-file", folder / "key")
            assert ran.code == 0, ran.err
        good("org", "add", "demo", "--instance-url", org.url, "--access-token-env", "X_TOKEN")
        held = org.control("rows", {"do": "insert", "object": "Contact", "rows": 1})
        world.held = held["done"][0]["ids"][0]
        for number in range(BACKUPS):
            good("backup", "demo", "--objects", ",".join(OBJECTS))
            if number == 2:
                list(compact_org(world.store.files, FakeClock(), objects=None, force=True))
            if number < 2:
                changed = {"do": "change", "object": "Contact", "ids": [world.held]}
                org.control("rows", changed)
            elif number == 2:
                gone = {"do": "hard_delete", "object": "Contact", "ids": [world.held]}
                org.control("rows", gone)
            live(org, chance)
        where = f"CreatedDate >= LAST_N_DAYS:{chance.choice((100, 400, 9000))}"
        archived = ("--object", "Case", "--where", where, "--max-rows", 6, "--yes")
        good("archive", "demo", *archived)
        (folder / "held").write_text(world.held)
        on = ("--object", "Contact", "--ids", folder / "held", "--reason", "law")
        good("hold", "add", "demo", *on)
    return world


def live(org: RunningOrg, chance: random.Random) -> None:
    """A while passes."""
    org.control("clock", {"advance_minutes": chance.randint(60, 2000)})
    for name in chance.sample(("Account", "Contact", "Case", "Task", "CaseComment"), 3):
        org.control("rows", {"do": "change", "object": name, "rows": chance.randint(1, 5)})
    for do in chance.sample(("insert", "delete", "undelete", "hard_delete", "purge", "touch"), 3):
        name = chance.choice(("Contact", "Task", "Case"))
        org.control("rows", {"do": do, "object": name, **({} if do == "purge" else {"rows": 1})})
