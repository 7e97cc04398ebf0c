"""One seed of the restore campaign: backup, damage, restore, compare; then into an empty second org."""

from __future__ import annotations

import csv
import random
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.command_line import CommandLine, Ran
from tests.conftest import RunningOrg
from tests.restore_campaign.records import (
    Difference,
    Key,
    Truth,
    compare,
    damage,
    gone_parents,
    make_records,
    read_truth,
)
from tests.restore_campaign.schemas import Object, entries, random_schema

WRITES = r"^(POST|PATCH|DELETE) .*/composite/sobjects|/jobs/ingest|/services/Soap/u/"
STANDARD = (
    "Account", "Contact", "Opportunity", "Case", "Task", "Campaign", "CampaignMember", "Project__c",
    "Milestone__c",
)  # fmt: skip
KILL_WAIT_S = 900.0
"""A call that a killed client left on its way is never carried out later: that ends with the org."""
FAULTS: tuple[dict[str, Any], ...] = (
    {"fault": "cut"},
    {"fault": "status503"},
    {"fault": "html"},
    {"fault": "empty406"},
    {"fault": "half_body"},
    {"fault": "stall", "seconds": 0.2},
    {"fault": "late_answer", "seconds": 0.2},
    {"fault": "concurrent_limit"},
    {"fault": "error", "code": "UNABLE_TO_LOCK_ROW"},
    {"fault": "error", "code": "SERVER_UNAVAILABLE"},
    {"fault": "error", "code": "REQUEST_RUNNING_TOO_LONG"},
)


@dataclass
class Outcome:
    """What one seed has shown."""

    seed: int
    faults: int = 0
    kills: int = 0
    lost: int = 0
    doubled: int = 0
    changed: int = 0
    refused: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        return not (self.lost or self.doubled or self.changed or self.findings)

    @property
    def line(self) -> str:
        return (
            f"seed {self.seed}: {self.faults} faults, {self.kills} kills, "
            f"{self.lost + self.changed} lost, {self.doubled} doubled"
        )

    def note(self, where: str, found: Difference) -> None:
        self.lost += len(found.lost)
        self.doubled += len(found.doubled)
        self.changed += len(found.changed)
        for kind in ("lost", "doubled", "changed"):
            some = getattr(found, kind)
            self.findings += [f"{where}: {kind}: {one}" for one in some[:8]]
            if len(some) > 8:
                self.findings.append(f"{where}: {kind}: and {len(some) - 8} more")


@contextmanager
def demo_org(folder: Path, **options: Any) -> Iterator[RunningOrg]:
    chosen = {
        "size": "tiny", "competitors": "off", "minutes_per_second": 0.0, "bulk_job_s": 0.0,
        "header_lag_s": 0.0, "max_calls": 1_000_000, "has_oddities": False,
    } | options  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    with DemoServer(Options(**chosen), folder) as server:
        yield RunningOrg(**server.ready(), server=server)


def run_seed(seed: int, folder: Path) -> Outcome:
    """The whole of one seed."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, guards nothing
    outcome = Outcome(seed)
    objects = random_schema(chance)
    has_standard = chance.random() < 0.4
    with demo_org(folder / "source") as org:
        for entry in entries(objects):
            org.control("schema", entry)
        make_records(org, objects, chance)
        names = [one.name for one in objects]
        chosen = [*names, *(STANDARD if has_standard else ())]
        shell = shell_for(org, folder / "home")
        org.control("clock", {"advance_minutes": 30})
        good(shell("backup", "demo", "--objects", ",".join(chosen), "--json"), 0)
        before = truth(org, chosen)
        for number in range(2):
            org.control("clock", {"advance_minutes": 60})
            done = damage(org, chosen, chance)
            where = f"seed {seed} round {number} ({', '.join(done)})"
            before = _restored(outcome, org, shell, before, chosen, where, chance)
        if not has_standard and chance.random() < 0.7:
            _into_another(outcome, folder, org, shell, objects, chance)
    return outcome


def shell_for(org: RunningOrg, home: Path) -> CommandLine:
    """
    `sfnb` with the org as ``demo``. No call of a demo org works on once its client is gone, so a lost
    answer is not waited for as long as Salesforce's.
    """
    shell = CommandLine.with_org(home, org, "demo")
    config = home / "sfnb.toml"
    config.write_text(f"lost_answer_s = 2\n{config.read_text(encoding='utf-8')}", encoding="utf-8")
    return shell


def truth(org: RunningOrg, names: Sequence[str]) -> Truth:
    assert org.server is not None
    return read_truth(org.server, names)


def good(ran: Ran, *codes: int) -> Any:
    """The JSON of a command that ended with one of these codes."""
    assert ran.code in codes, f"exit {ran.code}: {ran.err[-2000:]} {ran.out[-500:]}"
    return ran.json


def _restored(  # noqa: PLR0917 - what a round needs
    outcome: Outcome,
    org: RunningOrg,
    shell: CommandLine,
    before: Truth,
    names: Sequence[str],
    where: str,
    chance: random.Random,
) -> Truth:
    """Restore into the same org, perhaps with faults and kills; what is there afterwards."""
    command = ("restore", "demo", "latest", "--objects", ",".join(names), "--json")
    # Others undelete what was in the bin at the backup: nothing to restore, and it stays.
    ignored = truth(org, names).rows.keys() - before.rows.keys()
    way = chance.choice(("plain", "fault", "kill"))
    if way == "kill":
        result, kills = killed(org, shell, command, chance)
        outcome.kills += kills
    else:
        if way == "fault":
            rule = dict(chance.choice(FAULTS)) | {
                "match": WRITES, "nth": chance.randint(1, 6), "times": chance.randint(1, 3),
            }  # fmt: skip
            org.fail(**rule)
            outcome.faults += 1
            where += f" {rule}"
        result = good(shell(*command), 0, 3)
        org.control("faults", method="DELETE")
    after = truth(org, names)
    refused = rejected(result)
    if refused:
        outcome.refused += len(refused)
        outcome.findings.append(f"{where}: {len(refused)} refused: {sorted(refused.values())[:3]}")
    assert org.server is not None
    lost_parents = gone_parents(org.server, before)
    named = {(one["object"], one["field"]) for one in result["refusals"]}
    for name, field_name in lost_parents.keys() - named:
        outcome.findings.append(f"{where}: {name}.{field_name} is left empty, and nobody says so")
    gone = {i for some in lost_parents.values() for i in some}
    new_ids = dict.fromkeys(gone) | id_map(result)
    found = compare(before, after, new_ids, refused=refused, ignored=ignored)
    outcome.note(f"{where} [{way}]", found)
    # The next round compares with what a new backup has, under the new Ids.
    org.control("clock", {"advance_minutes": 30})
    good(shell("backup", "demo", "--objects", ",".join(names), "--json"), 0)
    return after


def _into_another(  # noqa: PLR0917 - what it needs
    outcome: Outcome,
    folder: Path,
    org: RunningOrg,
    shell: CommandLine,
    objects: Sequence[Object],
    chance: random.Random,
) -> None:
    """
    The same graph up to Ids in a second org that has the schema and none of the records. Accounts
    are not chosen: another snapshot knows them, and their external ids, or none does.
    """
    names = [one.name for one in objects]
    before = truth(org, names)
    mine = truth(org, ["Account"])
    knows_accounts = chance.random() < 0.5
    if knows_accounts:
        good(shell("backup", "demo", "--objects", "Account", "--json"), 0)
        good(shell("backup", "demo", "--objects", ",".join(names), "--json"), 0)
    with demo_org(folder / "target", seed=2) as other:
        # In another order, so that key prefixes differ; lookups come after all objects.
        schema = entries(list(objects))
        added = [e for e in schema if e["do"] == "add_object"]
        chance.shuffle(added)
        for entry in [*added, *(e for e in schema if e["do"] != "add_object")]:
            other.control("schema", entry)
        ids = "X2_TOKEN"
        shell.environ[ids] = other.access_token
        good_add = shell(
            "org", "add", "other", "--instance-url", other.url, "--access-token-env", ids
        )
        assert good_add.code == 0, good_add.err
        was_there = truth(other, [*names, "Account"])
        ran = shell(
            "restore", "demo", "latest", "--objects", ",".join(names), "--to", "other", "--json"
        )
        result = good(ran, 0, 3)
        after = truth(other, names)
        refused = rejected(result)
        where = f"seed {outcome.seed} into another org"
        if refused:
            outcome.refused += len(refused)
            outcome.findings.append(
                f"{where}: {len(refused)} refused: {sorted(refused.values())[:3]}"
            )
        accounts: dict[str, str | None] = dict.fromkeys(mine.of("Account"))
        if knows_accounts:
            accounts |= _matched_accounts(mine, was_there)
        elif any(row[f] in accounts for row in before.rows.values() for f in row):
            named = {(one["reason"], one["field"]) for one in result["refusals"]}
            if not named & {("parent_missing", "Account__c"), ("parent_missing", "Any__c")}:
                outcome.findings.append(f"{where}: accounts are left out, and nobody says so")
        found = compare(
            before, after, accounts | id_map(result), refused=refused, ignored=was_there.rows.keys()
        )
        outcome.note(where, found)


def _matched_accounts(mine: Truth, theirs: Truth) -> dict[str, str]:
    """Accounts are in both orgs, and have a unique external id."""
    by_key = {key: i for i, row in theirs.of("Account").items() if (key := row["External_Id__c"])}
    return {
        i: by_key[row["External_Id__c"]]
        for i, row in mine.of("Account").items()
        if row["External_Id__c"] in by_key
    }


def killed(
    org: RunningOrg, shell: CommandLine, command: tuple[str, ...], chance: random.Random
) -> tuple[Any, int]:
    """
    Run the restore in a process of its own, and kill it while a write is on its way: before the org
    has seen it, or after the org has done it. Then resume, until it ends by itself.
    """
    kills, arguments = 0, command
    for _ in range(chance.randint(1, 3)):
        kind = chance.choice(("stall", "late_answer"))
        org.fail(match=WRITES, nth=chance.randint(1, 5), times=1, fault=kind, seconds=KILL_WAIT_S)
        running = shell.start(*arguments)
        if wait_for_fault(org, running.process.poll):
            running.process.send_signal(
                signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM
            )
            kills += 1
        ended = running.ended()
        _release(org)
        if ended.code in (0, 3):
            return _last(ended), kills
        arguments = ("resume", "--all", "--json")
    return _last(shell.apart(*arguments)), kills


def wait_for_fault(org: RunningOrg, poll: Callable[[], Any]) -> bool:
    """
    Whether the fault was met before the command ended. A late answer counts once the org has done
    what it was sent: a kill before that would try what a stall tries.
    """
    assert org.server is not None
    while poll() is None:
        for rule in org.server.org.faults.listed():
            if rule["served" if rule["fault"] == "late_answer" else "hit"]:
                return True
        org.server.org.stopping.wait(0.02)
    return False


def _release(org: RunningOrg) -> None:
    org.control("faults", method="DELETE")


def _last(ran: Ran) -> Any:
    assert ran.code in (0, 3), f"exit {ran.code}: {ran.err[-2000:]} {ran.out[-500:]}"
    found = ran.json
    return found[-1] if isinstance(found, list) else found


def id_map(result: dict[str, Any]) -> dict[str, str]:
    """Old Id to new Id."""
    path = result.get("id_map")
    if not path:
        return {}
    with Path(path).open(encoding="utf-8", newline="") as file:
        return {row["old_id"]: row["new_id"] for row in csv.DictReader(file)}


def rejected(result: dict[str, Any]) -> dict[Key, str]:
    """The refused records, and why."""
    path = result.get("rejects")
    if not path:
        return {}
    with Path(path).open(encoding="utf-8", newline="") as file:
        return {
            (
                row["sfnb_object"],
                row["sfnb_id"],
            ): f"{row['sfnb_object']} {row['sfnb_code']}: {row['sfnb_message']}"[:200]
            for row in csv.DictReader(file)
        }
