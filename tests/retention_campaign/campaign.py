"""One seed: prunes and erasures of copies of one store, each killed at random until it ends."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.command_line import Ran
from tests.contracts.s3_server import environment
from tests.dying import dies_after, dies_at, steps_of
from tests.retention_campaign.world import Past, World, made

MOST_KILLS = 3
CHILDREN = {"CaseComment": "ParentId", "Attachment": "ParentId"}
"""What surely goes with a case, and by which field."""


@dataclass
class Outcome:
    """What one seed has shown."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not self.findings

    @property
    def line(self) -> str:
        return (
            f"seed {self.seed}: {self.kills['prune']} kills of {self.ended['prune']} prunes, "
            f"{self.kills['erase']} kills of {self.ended['erase']} erasures, all SIGKILL; "
            f"{self.ended['refused']} refused for a hold; {len(self.findings)} findings"
        )


def run_seed(
    seed: int, kills: int, folder: Path, *, address: str = "", is_sealed: bool = False
) -> Outcome:
    """
    Prune and erase until each was killed so often.

    Args:
        address: of an S3 server; empty: the store is a folder.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, guards nothing
    outcome = Outcome(seed)
    with _surrounded(folder, address, is_sealed=is_sealed):
        world = made(chance, folder, address=address, is_sealed=is_sealed)
        before = world.past()
        works = (Pruning(world, before, chance, outcome), Erasing(world, before, chance, outcome))
        while any(outcome.kills[work.kind] < kills for work in works):
            for work in works:
                if outcome.kills[work.kind] < kills:
                    work.one()
        for work in works:
            assert outcome.ended[work.kind], f"no {work.kind} has come to its end"
    return outcome


@contextmanager
def _surrounded(folder: Path, address: str, *, is_sealed: bool) -> Iterator[None]:
    """This process reads the store, too."""
    own = environment(address) if address else {}
    if is_sealed:
        own = {**own, "SFNB_STORE_KEY_FILE": str(folder / "key")}
    with patch.dict(os.environ, own):
        yield


@dataclass
class _Work:
    world: World
    before: Past
    chance: random.Random
    outcome: Outcome
    kind = ""
    steps: int = 0
    seconds: float = 3.0

    def found(self, wrong: str, *, on: str) -> None:
        self.outcome.findings.append(f"{self.kind} {on}: {wrong}")

    def killed(self, copy: World, *arguments: str, again: tuple[str, ...] = ()) -> Ran:
        """Run it, dead again and again, and once to its end; checked after each death."""
        if not self.steps:
            trial = self.world.copied()
            self.steps = steps_of(ran := dies_at(0, trial.shell.environ, *arguments) or _no())
            assert ran.code in (0, 3), ran.err
            trial.remove()
        words = arguments
        for _ in range(self.chance.randint(1, MOST_KILLS)):
            if self.chance.random() < 0.7:
                at = self.chance.randint(1, self.steps)
                on, ran_or_none = f"step {at}", dies_at(at, copy.shell.environ, *words)
            else:
                late = self.chance.uniform(0.5, self.seconds)
                on = f"after {late:.2f} s"
                ran_or_none = dies_after(late, copy.shell.environ, *words)
            if ran_or_none is not None:
                return ran_or_none
            self.outcome.kills[self.kind] += 1
            self.check(copy, on)
            if again and self._is_begun(copy):
                words = again
                self.meddle(copy)
        return copy.shell(*words)

    def meddle(self, copy: World) -> None:
        """What people do while it is dead."""

    def _is_begun(self, copy: World) -> bool:
        return bool({"running", "queued"} & self._states(copy))

    def _states(self, copy: World) -> set[str]:
        jobs = copy.shell("jobs", "--json").json
        return {j["state"] for j in jobs if j["kind"] == self.kind}

    def check(self, copy: World, on: str) -> None:
        raise NotImplementedError


def _no() -> Any:
    raise AssertionError("a command that nobody kills was killed")


@dataclass
class Pruning(_Work):
    """Prunes by a policy of chance; the snapshots that stay are what the dry run has said."""

    kind = "prune"
    stays: tuple[str, ...] = ()

    def one(self) -> None:
        copy = self.world.copied()
        keep = ("--keep-last", str(self.chance.randint(1, 2)))
        promised = copy.shell("prune", "demo", *keep, "--dry-run", "--json").json
        archives = copy.store.archives
        self.stays = (*promised["kept"], *promised["held"], *archives)
        if not promised["removed"]:
            self.found("the policy removes nothing, so nothing is tried", on=str(keep))
        if not any(self.world.held in self.before[s].get("Contact", {}) for s in self.stays):
            self.found("the record on hold is in no snapshot that stays", on=str(keep))
        ran = self.killed(copy, "prune", "demo", *keep, "--yes", "--json")
        if ran.code != 0:
            self.found(f"exit {ran.code}: {ran.err[-300:]}", on=str(keep))
        if self.chance.random() < 0.5:  # again, upon one that has come to its end
            ran = copy.shell("prune", "demo", *keep, "--yes", "--json")
        self.outcome.ended[self.kind] += 1
        now = copy.past()
        if now != {s: self.before[s] for s in self.stays}:
            self.found("what stays is not as before", on="its end")
        if wrong := [*copy.troubles(), *copy.orphans()]:
            self.found(str(wrong), on="its end")
        if ran.json["bytes_after"] != copy.size():
            self.found(f"{ran.json['bytes_after']} bytes, it says; {copy.size()}", on="its end")
        freed = promised["bytes_before"] - copy.size()
        said = promised["bytes_before"] - promised["bytes_after"]
        if abs(said - freed) > 0.05 * freed:
            self.found(f"{said} bytes were promised, {freed} freed", on="its end")
        copy.remove()

    def check(self, copy: World, on: str) -> None:
        now = copy.past()
        for snapshot in self.stays:
            if now.get(snapshot) != self.before[snapshot]:
                self.found(f"{snapshot} is not as before", on=on)
        for snapshot in now.keys() - set(self.stays):
            if now[snapshot] != self.before[snapshot]:
                self.found(f"{snapshot}, still there, is not as before", on=on)
        if wrong := copy.troubles():
            self.found(str(wrong), on=on)


@dataclass
class Erasing(_Work):
    """Erases a contact or a case, with what hangs on it or without; sometimes one comes on hold."""

    kind = "erase"
    missing: set[str] = field(default_factory=set)
    name: str = ""
    victims: list[str] = field(default_factory=list)
    late: str = ""

    def one(self) -> None:
        copy, self.missing, self.late = self.world.copied(), set(), ""
        name = self.chance.choice(("Contact", "Case"))
        there = sorted({i for s in self.before.values() for i in s.get(name, {})})
        victims = self.chance.sample(
            [i for i in there if not i.startswith("bin ") and i != self.world.held],
            self.chance.randint(1, 2),
        )
        self.name, self.victims = name, victims
        is_deep = self.chance.random() < 0.5
        ids, paper = copy.shell.home.parent / "ids", copy.shell.home.parent / "certificate.json"
        ids.write_text("\n".join(victims))
        paper.unlink(missing_ok=True)
        ran = self.killed(
            copy,
            *("erase", "demo", "--object", name, "--ids", str(ids), "--confirm", "demo"),
            *("--certificate", str(paper), "--json", *(["--with-children"] * is_deep)),
            again=("resume", "--all", "--json"),
        )
        if self.late:
            self.outcome.ended["refused"] += 1
            # A plan that was noted before the hold is stopped; one that is made after it refuses.
            if ran.code not in (1, 3) or self.late not in ran.out + ran.err:
                self.found(f"exit {ran.code} with {self.late} on hold: {ran.err[-300:]}", on="hold")
            if not any(self.late in s[name] for s in copy.past().values()):
                self.found(f"{self.late} went after it came on hold", on="hold")
            copy.remove()
            return
        if ran.code != 0:
            self.found(f"exit {ran.code}: {ran.err[-300:]}", on="its end")
            return
        self.outcome.ended[self.kind] += 1
        told = json.loads(paper.read_text())
        self.at_end(copy, told, victims, is_deep=is_deep)
        copy.remove()

    def meddle(self, copy: World) -> None:
        """One of the records comes on hold: what is left of it stays."""
        left = {i for s in copy.past().values() for i in s.get(self.name, {})} & set(self.victims)
        if self.late or not left or self.chance.random() < 0.7:
            return
        self.late = min(left)
        ids = copy.shell.home.parent / "late"
        ids.write_text(self.late)
        on = ("--object", self.name, "--ids", ids, "--reason", "law", "--json")
        assert copy.shell("hold", "add", "demo", *on).code == 0

    def at_end(
        self, copy: World, told: dict[str, Any], victims: list[str], *, is_deep: bool
    ) -> None:
        """The certificate is true: what it names is gone everywhere, and nothing else is."""
        on = f"{victims} at its end"
        hashes = {one["id_sha256"] for one in told["records"]}
        everybody = {i for s in self.before.values() for rows in s.values() for i in rows}
        gone = {i for i in everybody if hashlib.sha256(i[-18:].encode()).hexdigest() in hashes}
        named = {i.removeprefix("bin ") for i in gone}
        if told["verified"] is not True or len(named) != len(hashes) or not set(victims) <= named:
            self.found(f"the certificate is not true: {told}", on=on)
        if self.world.held in named or not self.missing <= gone:
            self.found(f"others went: {self.missing - gone}, {self.world.held in named}", on=on)
        wanted = {
            child
            for state in self.before.values()
            for name, parent in CHILDREN.items()
            for child, row in state.get(name, {}).items()
            if not child.startswith("bin ") and json.loads(row).get(parent) in victims
        }
        if is_deep and not wanted <= named:
            self.found(f"what hangs on it is left: {wanted - named}", on=on)
        if not is_deep and named != set(victims):
            self.found(f"more went than was asked for: {named}", on=on)
        expected = {
            s: {of: {i: r for i, r in rows.items() if i not in gone} for of, rows in state.items()}
            for s, state in self.before.items()
        }
        if copy.past() != expected:
            self.found("what is left is not as before", on=on)
        left = set(copy.orphans()) - set(self.world.orphans())
        # A kill leaves what it was about to write; where it has a value, the search below finds it.
        if wrong := [*copy.troubles(), *(path for path in left if "/.tmp-" not in path)]:
            self.found(str(wrong), on=on)
        # Lookups of records that stay may name them: that is a value of those.
        values = [one for one in self.values(named) if one not in named]
        if found := copy.where_found(values):
            self.found(f"values are left: {found}", on=on)

    def values(self, named: set[str]) -> list[str]:
        """Texts that only these records have."""
        mine, others = set(), []
        for state in self.before.values():
            for rows in state.values():
                for one, row in rows.items():
                    if one.removeprefix("bin ") in named:
                        mine |= {v for v in json.loads(row).values() if isinstance(v, str)}
                    else:
                        others.append(row)
        rest = "\n".join(others)
        return [v for v in mine if len(v) > 9 and json.dumps(v)[1:-1] not in rest]

    def check(self, copy: World, on: str) -> None:
        now = copy.past()
        if now.keys() != self.before.keys():
            self.found(f"snapshots are gone: {self.before.keys() - now.keys()}", on=on)
        for snapshot, state in now.items():
            for of, rows in self.before[snapshot].items():
                self.missing |= rows.keys() - state[of].keys()
                left = {i: r for i, r in rows.items() if i in state[of]}
                if left != state[of]:
                    self.found(f"{of} in {snapshot} says something else", on=on)
        if not self._states(copy) and self.missing:
            self.found("records went and no job says so", on=on)
