"""
Servers that speak Salesforce's API with habits of their own: what does not matter changes nothing,
what does is never called complete.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sfnb import engine
from sfnb.clock import Clock, FakeClock, SystemClock
from sfnb.connection import Connection
from sfnb.engine import backup
from sfnb.installation import connect
from sfnb.store.verify import verify
from tests.conftest import RunningOrg
from tests.faults.conftest import settings_for
from tests.odd_server import Habits, OddServer, Sent

OBJECTS = ["Account", "Contact", "Vote", "ContentDocumentLink", "AppDefinition"]
Tables = Mapping[str, pa.Table]


def everywhere(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[str, Any], Any]:
    """A change of each JSON object in an answer, inner ones first."""

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(one) for one in value]
        if isinstance(value, dict):
            return change({name: walk(inner) for name, inner in value.items()})
        return value

    return lambda _path, value: walk(value)


COUNTS = frozenset(
    "totalSize size Max Remaining count numberRecordsProcessed retries httpStatusCode".split()  # noqa: SIM905
)


def numbers_as_text(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: str(inner) if name in COUNTS and type(inner) is int else inner
        for name, inner in value.items()
    }


def short_ids(value: dict[str, Any]) -> dict[str, Any]:
    """Ids of 15 characters wherever a record has an Id or a reference."""
    if "attributes" not in value:
        return value
    is_id = re.compile(r"[0-9A-Za-z]{18}")
    return {
        name: inner[:15]
        if isinstance(inner, str) and name.endswith("Id") and is_id.fullmatch(inner)
        else inner
        for name, inner in value.items()
    }


def last_first(value: dict[str, Any]) -> dict[str, Any]:
    return dict(reversed(value.items()))


def no_done(value: dict[str, Any]) -> dict[str, Any]:
    """Of a last page, neither ``done`` nor an empty ``nextRecordsUrl``."""
    return {
        n: v for n, v in value.items() if not (n == "done" and v is True and "records" in value)
    }


def carriage_returns(text: str) -> str:
    """CSV whose records end as on Windows; line ends within values stay."""
    out = io.StringIO()
    rows = csv.reader(io.StringIO(text, newline=""))
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def without_records(value: dict[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in value.items() if not (n == "records" and v == [])}


OPTIONAL = (
    "sforce-limit-info",
    "sforce-numberofrecords",
    "last-modified",
    "date",
    "server",
    "vary",
)


def in_utf16(sent: Sent) -> Sent:
    """The answer in another encoding, which it declares."""
    kinds = [
        (n, v.partition(";")[0]) for n, v in sent.headers.items() if n.lower() == "content-type"
    ]
    if not kinds or not ("json" in kinds[0][1] or "csv" in kinds[0][1]):
        return sent
    name, kind = kinds[0]
    declared = {**sent.headers, name: f'{kind}; charset="UTF-16"'}
    return replace(sent, headers=declared, body=sent.body.decode().encode("utf-16"))


def packed(sent: Sent, *, kept: float = 1.0) -> Sent:
    """The answer as gzip, cut off where only a share of it is kept."""
    body = gzip.compress(sent.body)
    headers = {**sent.headers, "content-encoding": "gzip"}
    return replace(sent, headers=headers, body=body[: int(len(body) * kept)])


HARMLESS = {
    "an old proxy": Habits(
        # HTTP/1.0: the end of the connection is the end of an answer; packed; small pages.
        headers=lambda h: {n.lower(): v for n, v in h.items()},
        asks={"Sforce-Query-Options": "batchSize=200"},
        last=lambda _path, sent: packed(sent) if sent.body else sent,
        protocol="HTTP/1.0",
    ),
    "spoken louder, in pieces": Habits(
        # Header names in upper case, bodies in chunks, keys that nobody knows, in another order.
        headers=lambda h: {n.upper(): v for n, v in h.items()},
        is_chunked=True,
        shape=everywhere(lambda v: {"zNew": {"a": [1]}, **last_first(v), "aNew": None}),
        text=lambda kind, text: json.dumps(json.loads(text), indent=2) if "json" in kind else text,
    ),
    "only what must be": Habits(
        # No optional header, counts as text, no ``done`` on a last page, pages of 200.
        headers=lambda h: {n.lower(): v for n, v in h.items() if n.lower() not in OPTIONAL},
        shape=everywhere(lambda v: numbers_as_text(no_done(v))),
        asks={"Sforce-Query-Options": "batchSize=200"},
    ),
    "from Windows": Habits(
        # A byte order mark, other line ends, UTF-16, no list where it would be empty.
        shape=everywhere(without_records),
        text=lambda kind, text: "\ufeff" + (carriage_returns(text) if "csv" in kind else text),
        last=lambda _path, sent: in_utf16(sent),
    ),
}


@pytest.fixture(autouse=True)
def small_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few hundred records go by Bulk."""
    monkeypatch.setattr("sfnb.backup.plan.BULK_FROM_ROWS", 180)


@pytest.fixture
def behind(demo_org: RunningOrg, tmp_path: Path) -> Iterator[Callable[..., Connection]]:
    """Connects to the org through a server with these habits."""
    with ExitStack() as stack:

        def start(habits: Habits, home: str = "odd", clock: Clock | None = None) -> Connection:
            server = stack.enter_context(OddServer(demo_org.url, habits))
            settings = settings_for(demo_org, tmp_path / home)
            orgs = {"demo": replace(settings.orgs["demo"], instance_url=server.url)}
            changed = replace(settings, orgs=orgs)
            clock = clock or SystemClock()
            return stack.enter_context(connect("demo", settings=changed, clock=clock))

        yield start


@pytest.fixture(scope="module")
def plainly(demo_org: RunningOrg, tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """What the org has."""
    settings = settings_for(demo_org, tmp_path_factory.mktemp("plain"))
    with connect("demo", settings=settings) as there:
        return tables(there, engine.run(there, backup(objects=OBJECTS)))


def tables(there: Connection, summary: dict[str, Any]) -> Tables:
    assert summary["state"] == "completed", summary
    snapshot = there.snapshots[summary["snapshot"]]
    return {name: snapshot.table(name).sort_by("Id") for name in OBJECTS}


def both_runs(there: Connection) -> tuple[dict[str, Any], dict[str, Any]]:
    request = backup(objects=OBJECTS)
    return engine.run(there, request), engine.run(there, request)


@pytest.mark.parametrize("habit", HARMLESS)
def test_habits_that_do_not_matter_change_nothing(
    habit: str, behind: Callable[..., Connection], plainly: Tables
) -> None:
    """Full and incremental, by pages, Bulk, parents and locators: the rows are those of the org."""
    odd = behind(HARMLESS[habit])
    for summary in both_runs(odd):
        found = tables(odd, summary)
        for name in OBJECTS:
            assert found[name].equals(plainly[name]), (habit, name)
    assert verify(odd.store) == []


def test_ids_of_15_characters_tell_records_apart_as_those_of_18_do(
    behind: Callable[..., Connection], plainly: Tables
) -> None:
    """Both spellings name a record (SOAP API guide, Id); a second backup finds nothing changed."""
    odd = behind(Habits(shape=everywhere(short_ids)))
    objects = ["Account", "ContentDocumentLink"]
    for summary in (engine.run(odd, backup(objects=objects)) for _ in range(2)):
        assert summary["state"] == "completed", summary
        for name in objects:
            ids = odd.snapshots[summary["snapshot"]].table(name).column("Id").to_pylist()
            assert sorted(ids) == sorted(i[:15] for i in plainly[name].column("Id").to_pylist())
            assert summary["objects"][name]["deleted"] == 0


@pytest.mark.parametrize("by", [1, -1])
def test_a_count_that_is_wrong_by_one_is_never_complete(
    by: int, behind: Callable[..., Connection]
) -> None:
    """P9: where the org counts another number of records than it sends, the object is named."""

    def off_by(value: dict[str, Any]) -> dict[str, Any]:
        is_page = bool(value.get("records")) and "totalSize" in value
        return {**value, "totalSize": value["totalSize"] + by} if is_page else value

    odd = behind(Habits(shape=everywhere(off_by)), clock=FakeClock())
    summary = engine.run(odd, backup(objects=["Account", "Vote"]))
    assert summary["state"] == "completed_with_errors"
    for name, entry in summary["objects"].items():
        assert entry["state"] != "complete" and "count" in entry["message"], (name, entry)


def test_a_job_without_a_number_of_rows_is_read_and_that_is_said(
    behind: Callable[..., Connection], plainly: Tables
) -> None:
    """P9: what an org does not count cannot be compared: the pages' own counts stand, and a note says so."""

    def uncounted(value: dict[str, Any]) -> dict[str, Any]:
        return {name: inner for name, inner in value.items() if name != "numberRecordsProcessed"}

    odd = behind(Habits(shape=everywhere(uncounted)))
    summary = engine.run(odd, backup(objects=["Contact"]))
    assert summary["state"] == "completed", summary
    assert "gives no count" in summary["objects"]["Contact"]["message"]
    table = odd.snapshots[summary["snapshot"]].table("Contact").sort_by("Id")
    assert table.equals(plainly["Contact"])


class Sometimes:
    """
    An answer that is another one for every second call of an address: whoever asks again gets it,
    whatever others ask meanwhile.
    """

    def __init__(self, change: Callable[[Sent], Sent], kinds: tuple[str, ...]) -> None:
        self._change = change
        self._kinds = kinds
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self.changed = 0

    def __call__(self, path: str, sent: Sent) -> Sent:
        if not any(kind in path for kind in self._kinds):
            return sent
        with self._lock:
            self._calls[path] += 1
            if self._calls[path] % 2 == 0:
                return sent
            self.changed += 1
        return self._change(sent)


BUSY = Sent(503, {"content-type": "text/html"}, b"<html>Service Unavailable</html>")
READING = ("/query", "/composite", "/describe")


@pytest.mark.parametrize(
    "change",
    [lambda _sent: BUSY, lambda sent: packed(sent, kept=0.5), lambda s: replace(s, length=9**6)],
    ids=["503", "gzip that is cut off", "a length that is too great"],
)
def test_every_second_answer_lost_costs_calls_and_no_row(
    change: Callable[[Sent], Sent], behind: Callable[..., Connection], plainly: Tables
) -> None:
    """P2, P9: what is broken is asked for again; in the end all is there, and nothing twice."""
    sometimes = Sometimes(change, READING)
    odd = behind(Habits(last=sometimes), clock=FakeClock())
    # One call at a time: composite calls share an address.
    summary = engine.run(odd, backup(objects=OBJECTS), workers=1)
    assert sometimes.changed > 5
    found = tables(odd, summary)
    for name in OBJECTS:
        assert found[name].equals(plainly[name]), name
    assert verify(odd.store) == []
