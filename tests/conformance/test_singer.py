"""
Bulk API 1 as Singer's tap-salesforce speaks it, call by call.

The tap itself wants a Python environment of its own and waits in real time, so it is run by hand;
what it depends on and no other client here does is kept as this conversation.
"""

from __future__ import annotations

import threading
from xml.etree import ElementTree

import requests

from tests.conformance.readings import TEXT_FIELDS, csv_rows, text_rows
from tests.conftest import RunningOrg

NAMESPACE = {"a": "http://www.force.com/2009/06/asyncapi/dataload"}


def xml_text(answer: requests.Response, path: str) -> str:
    found = ElementTree.fromstring(answer.content).find(path, NAMESPACE)  # noqa: S314 - our own demo org
    assert found is not None, answer.text
    return str(found.text)


def test_a_csv_job_made_in_json(living_org: RunningOrg) -> None:
    """
    A CSV job made by a JSON request answers JSON once, and XML from then on, whatever the requests'
    type.
    """
    session = requests.Session()
    session.headers.update(
        {"X-SFDC-Session": living_org.access_token, "Content-Type": "application/json"}
    )
    jobs = f"{living_org.url}/services/async/61.0/job"
    asked = {"operation": "queryAll", "object": "Contact", "contentType": "CSV"}
    with session:
        made = session.post(jobs, json=asked, headers={"Sforce-Disable-Batch-Retry": "true"})
        job = f"{jobs}/{made.json()['id']}"
        soql = f"SELECT Id,{','.join(TEXT_FIELDS)} FROM Contact ORDER BY SystemModstamp ASC"
        added = session.post(f"{job}/batch", data=soql, headers={"Content-Type": "text/csv"})
        batch = f"{job}/batch/{xml_text(added, 'a:id')}"
        session.post(job, json={"state": "Closed"}).raise_for_status()

        pause = threading.Event()
        for _ in range(400):
            state = xml_text(session.get(batch), "a:state")
            if state in ("Completed", "Failed"):
                break
            pause.wait(0.05)
        assert state == "Completed"
        result_id = xml_text(session.get(f"{batch}/result"), "a:result")
        rows = csv_rows(
            session.get(
                f"{batch}/result/{result_id}", headers={"Content-Type": "text/csv"}
            ).content.decode()
        )

    answer = living_org.get("/services/data/v61.0/queryAll", params={"q": soql}).json()
    records = answer["records"]
    while not answer["done"]:
        answer = living_org.get(answer["nextRecordsUrl"]).json()
        records += answer["records"]
    assert len(records) > 4_000
    assert text_rows(rows) == text_rows(records)
