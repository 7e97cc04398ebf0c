"""The proof of a restore: it says what is not as it was, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from sfnb.restore.comparison import Written, pictures_aside
from sfnb.restore.folder import RestoreFolder
from sfnb.restore.present import PresentReader
from sfnb.restore.proof import Proof, ProofResult, proof_calls
from sfnb.restore.written import WrittenRows
from sfnb_demo.server.options import Options
from sfnb_demo.server.server import DemoServer
from tests.conftest import RunningOrg
from tests.contracts.test_restore_plan import Backed, make_backed

V = "/services/data/v66.0"


@pytest.fixture(scope="module")
def backed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backed]:
    """One org with a backup for all tests here; each changes records of its own."""
    folder = tmp_path_factory.mktemp("proof")
    options = Options(
        size="tiny", competitors="off", minutes_per_second=0.0, bulk_job_s=0.0, header_lag_s=0.0
    )
    with DemoServer(options, folder / "org") as server:
        org = RunningOrg(**server.ready(), server=server)
        with make_backed(lambda **_: org, folder, "--no-files") as made:
            yield made


def prove(
    backed: Backed,
    written: dict[str, dict[str, Written]],
    new_ids: dict[str, str] | None = None,
    job: str = "proof1",
) -> ProofResult:
    """The proof of these records, as if a restore had just written them."""
    folder = RestoreFolder(backed.connection.store.files, job)
    plan = backed.plan(ids=tuple(i for rows in written.values() for i in rows)).plan
    reader = PresentReader(backed.connection.client, folder.files, f"{folder.path}/proof")
    ids = new_ids or {}
    proof = Proof(
        reader,
        backed.snapshot,
        folder,
        plan,
        {name: WrittenRows(rows) for name, rows in written.items()},
        lambda i: ids.get(i, i),
        datetime.now(UTC),
    )
    return proof.run(lambda: None)


def test_a_record_that_is_as_it_was_is_compared_and_not_different(backed: Backed) -> None:
    """Untouched records, whole, of several objects: compared, none different."""
    contacts = [row["Id"] for row in backed.table("Contact")[20:40]]
    accounts = [row["Id"] for row in backed.table("Account")[:20]]
    result = prove(
        backed,
        {
            "Contact": {i: Written(i, "undelete") for i in contacts},
            "Account": {i: Written(i, "undelete") for i in accounts},
        },
    )
    assert (result.compared, result.different) == (40, 0), result.listed
    assert result.objects["Contact"].compared == 20


def test_archived_activities_are_alive_and_deleted_ones_are_not(backed: Backed) -> None:
    """What only queryAll shows is compared: a closed task of years ago, but not one in the bin."""
    tasks = backed.table("Task")
    archived = [row["Id"] for row in tasks if row["IsArchived"]][:3]
    (deleted,) = [row["Id"] for row in tasks if not row["IsArchived"]][:1]
    assert archived
    backed.do("delete", "Task", [deleted])
    written = {i: Written(i, "undelete") for i in (*archived, deleted)}
    result = prove(backed, {"Task": written}, job="archived")
    assert [d["old_id"] for d in result.listed] == [deleted], result.listed
    assert (result.compared, result.different) == (len(archived) + 1, 1)


def test_each_difference_is_named_with_both_values(backed: Backed) -> None:
    """A changed text, a changed number, a wrong parent, a record that is gone: all found, all listed."""
    text, parent, gone, sent = (row["Id"] for row in backed.table("Contact")[:4])
    accounts = [row["Id"] for row in backed.table("Account")]
    was = {row["Id"]: row for row in backed.table("Contact")}
    backed.do("change", "Contact", [text], field="Description", value="not as it was")
    other = next(a for a in accounts if a != was[parent]["AccountId"])
    backed.do("change", "Contact", [parent], field="AccountId", value=other)
    backed.do("hard_delete", "Contact", [gone])
    backed.do("change", "Contact", [sent], field="Title", value="changed, but not by us")
    written = {i: Written(i, "undelete") for i in (text, parent, gone)}
    written[sent] = Written(sent, "update", ("Description",))
    result = prove(backed, {"Contact": written}, job="differences")
    assert (result.compared, result.different) == (4, 3)
    assert result.objects["Contact"].fields == {"AccountId": 1, "Description": 1, "Id": 1}
    listed = {d["field"]: d for d in result.listed}
    assert listed["Description"]["wanted"] == was[text]["Description"]
    assert listed["Description"]["found"] == "not as it was"
    assert listed["AccountId"]["found"] == other
    folder = RestoreFolder(backed.connection.store.files, "differences")
    saved = folder.files.read_json(folder.proof_path)
    assert saved is not None
    assert (saved["compared"], saved["different"]) == (4, 3)


def test_references_are_compared_through_the_id_map(backed: Backed) -> None:
    """A new record under a new parent is the same record; under another parent it is not."""
    contact = backed.table("Contact")[45]
    values = {
        name: contact[name]
        for name in ("FirstName", "LastName", "Email", "Phone", "Title", "OwnerId", "LeadSource")
    }
    account = backed.org.send("POST", f"{V}/sobjects/Account", json={"Name": "again"}).json()["id"]
    made = backed.org.send(
        "POST", f"{V}/sobjects/Contact", json=values | {"AccountId": account}
    ).json()
    written = {"Contact": {contact["Id"]: Written(made["id"], "create")}}
    ids = {contact["Id"]: made["id"], contact["AccountId"]: account}
    fields = prove(backed, written, ids, job="mapped").objects["Contact"].fields
    assert "AccountId" not in fields
    assert "LastName" not in fields
    wrong = prove(backed, written, {contact["Id"]: made["id"]}, job="not mapped")
    assert "AccountId" in wrong.objects["Contact"].fields


def test_a_proof_goes_on_where_it_stopped(backed: Backed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two objects, the first one is not read again, and the counts are the same."""
    written = {
        name: {row["Id"]: Written(row["Id"], "undelete") for row in backed.table(name)[50:55]}
        for name in ("Account", "Contact")
    }

    class Killed(BaseException):
        pass

    compare = Proof._compare

    def dying(self: Proof, result: Any, name: str, *rest: Any) -> None:
        if name == "Contact":
            raise Killed
        compare(self, result, name, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(Proof, "_compare", dying)
        with pytest.raises(Killed):
            prove(backed, written, job="killed")
    result = prove(backed, written, job="killed")
    assert (result.compared, result.different) == (10, 0)


def test_pictures_in_rich_texts_may_have_other_addresses() -> None:
    """The address of a picture holds the record's Id; the text around it counts."""
    one = '<p>a</p><img src="https://x.my.salesforce.com/servlet/rtaImage?eid=001A&amp;refid=0EM1">'
    two = '<p>a</p><img src="/servlet/rtaImage?eid=001B&amp;feoid=00N&amp;refid=0EM2">'
    assert pictures_aside(one) == pictures_aside(two)
    assert pictures_aside(one) != pictures_aside(two.replace("<p>a", "<p>b"))
    assert pictures_aside(one) != pictures_aside("<p>a</p>")


def test_the_price_of_a_proof() -> None:
    """2,000 records to a call; a Bulk query for many of one object."""
    assert proof_calls({"Contact": 1}) == 1
    assert proof_calls({"Contact": 2_000, "Account": 1}) == 2
    assert proof_calls({"Contact": 200_000}) == 6
