"""Queries of few records: every answer is proven, whoever asks (P9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfnb.errors import ObjectError, TransientError
from sfnb.model import FieldInfo, ObjectSchema
from sfnb.org.client import OrgClient
from sfnb.org.rows import all_rows
from sfnb.restore.present import PresentReader
from sfnb.restore.wanted import Wanted
from sfnb.store.files import Files
from tests.unit.org.scripted import DATA, LIMITS, Answer, Asked, ScriptedOrg

OK = {"Sforce-Limit-Info": "api-usage=12/1000"}
PATH = f"{DATA}/query/01g-2000"


@pytest.fixture(autouse=True)
def limits(scripted: ScriptedOrg) -> None:
    scripted.script(f"{DATA}/limits", Answer(body=LIMITS, headers=OK))


def ids(*numbers: int) -> list[dict[str, Any]]:
    return [{"Id": f"500000000000{n:03}AAA"} for n in numbers]


def page(records: list[dict[str, Any]], total: object, following: str = "") -> dict[str, Any]:
    more = {"nextRecordsUrl": following} if following else {}
    return {"totalSize": total, "done": not following, "records": records, **more}


GOOD: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    ("one page", page(ids(1, 2), 2), []),
    ("two pages", page(ids(1, 2), 3, PATH), [page(ids(3), 3)]),
    ("no count, one page", {"records": ids(1)}, []),
    ("a count as text", page(ids(1), "1"), []),
    ("empty Ids", page([{"Id": "000000000000000AAA"}] * 2, 2), []),
]
BAD: list[tuple[str, dict[str, Any], list[dict[str, Any]]]] = [
    ("short, though done", page(ids(1), 2), []),
    ("more than counted", page(ids(1, 2), 1), []),
    ("a record twice", page(ids(1, 1), 2), []),
    ("a page twice", page(ids(1, 2), 4, PATH), [page(ids(1, 2), 4)]),
    ("not done, no address", {"totalSize": 2, "done": False, "records": ids(1)}, []),
    ("pages that go in a circle", page(ids(1), 9, PATH), [page(ids(2), 9, PATH)] * 2),
    ("no count and more pages", page(ids(1), None, PATH), [page(ids(2), None)]),
    ("more than counted, and more pages", page(ids(1, 2), 1, PATH), []),
    ("no records", {"totalSize": 0, "done": True}, []),
    ("a record that is none", page([None], 1), []),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("first", "more"), [g[1:] for g in GOOD], ids=[g[0] for g in GOOD])
def test_all_records_of_an_answer(first: dict[str, Any], more: list[dict[str, Any]]) -> None:
    rest = iter(more)
    found = all_rows(first, lambda _: next(rest), what="Case")
    assert found == [r for one in (first, *more) for r in one["records"]]


@pytest.mark.parametrize(("first", "more"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_an_answer_that_proves_nothing_is_refused(
    first: dict[str, Any], more: list[dict[str, Any]]
) -> None:
    rest = iter(more)
    with pytest.raises(TransientError):
        all_rows(first, lambda _: next(rest), what="Case")


def answering(answers: list[dict[str, Any]]) -> Callable[[Asked], Answer]:
    """Composite calls, each with the next answer to its only query; then the last one again."""

    def decide(_: Asked) -> Answer:
        body = answers.pop(0) if len(answers) > 1 else answers[0]
        part = {"referenceId": "q0", "httpStatusCode": 200, "httpHeaders": {}, "body": body}
        return Answer(body={"compositeResponse": [part]}, headers=OK)

    return decide


def reader_at(org: OrgClient, place: Path) -> tuple[PresentReader, Wanted]:
    schema = ObjectSchema("Case", (FieldInfo("Id", "id"),), {})
    return PresentReader(org, Files(place), ""), Wanted(schema, "", "case.parquet")


SHORT = [page(ids(1), 2), page(ids(1, 1), 2), page(ids(1, 2, 3), 2)]


@pytest.mark.parametrize("wrong", SHORT, ids=["short", "repeated", "too many"])
def test_rows_for_a_restore_or_an_archive_are_proven(
    org: OrgClient, scripted: ScriptedOrg, tmp_path: Path, wrong: dict[str, Any]
) -> None:
    """A wrong answer is asked for once more; a wrong one again is that object's trouble."""
    scripted.decide(f"{DATA}/composite", answering([wrong, page(ids(1, 2), 2)]))
    reader, wanted = reader_at(org, tmp_path)
    assert reader.read([wanted]) == {wanted.path: 2}
    scripted.decide(f"{DATA}/composite", answering([json.loads(json.dumps(wrong))]))
    reader, wanted = reader_at(org, tmp_path / "again")
    failed = reader.read([wanted])[wanted.path]
    assert isinstance(failed, ObjectError)
    assert failed.code == "UNREADABLE"
    assert not reader.files.has(wanted.path)
    with pytest.raises(ObjectError):
        list(reader.rows([("Case", "SELECT Id FROM Case", True)]))


@pytest.mark.parametrize("locators", [("MQ", "MQ", "MQ"), ("MQ", "Mg", "MQ", "Mg")])
def test_pages_of_a_bulk_query_that_do_not_end(
    org: OrgClient, scripted: ScriptedOrg, tmp_path: Path, locators: tuple[str, ...]
) -> None:
    """They are refused after as many rows as the job counts, or when a locator comes again."""
    refused = {"errorCode": "MALFORMED_QUERY", "message": "no order for this object"}
    part = {"referenceId": "q0", "httpStatusCode": 400, "httpHeaders": {}, "body": [refused]}
    scripted.script(f"{DATA}/composite", Answer(body={"compositeResponse": [part]}, headers=OK))
    job = {"id": "7507Q00000JoB01QAF", "object": "Case", "state": "JobComplete"}
    path = f"{DATA}/jobs/query"
    scripted.script(path, Answer(body=job, headers=OK))
    told = {**job, "numberRecordsProcessed": 1_000_000}
    scripted.script(f"{path}/{job['id']}", Answer(body=told, headers=OK))
    pages = [
        Answer(
            body=f'"Id"\n"500000000000{number:03}AAA"\n'.encode(),
            headers={**OK, "Content-Type": "text/csv", "Sforce-Locator": locator},
        )
        for number, locator in enumerate(locators)
    ]
    scripted.script(f"{path}/{job['id']}/results", *pages)
    reader, wanted = reader_at(org, tmp_path)
    failed = reader.read([wanted])[wanted.path]
    assert isinstance(failed, ObjectError)
    assert "do not end" in str(failed)
    assert scripted.paths().count(f"{path}/{job['id']}/results") <= 3 * (len(locators) + 1)
