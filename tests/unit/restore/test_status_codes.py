"""The codes of the rejects file are Salesforce's, whoever refused the row."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import get_args

import pytest

from sfnb.restore import adopting, collection_sending, lookup, wave_run
from sfnb.restore.files import one_file, pictures
from sfnb.restore.plan import PlannedRow, Reason
from sfnb.restore.rejects import Reject, write_rejects
from sfnb.restore.status_codes import as_status

OWN = (
    *get_args(Reason),
    wave_run.PARENT_MISSING,
    lookup.UNKNOWN_OUTCOME,
    adopting.NOT_MADE,
    adopting.AMBIGUOUS,
    collection_sending.NO_ANSWER,
    one_file.NO_ANSWER,
    pictures.DIFFERS,
)


def written(path: Path, code: str, message: str) -> dict[str, str]:
    write_rejects(
        path, [Reject(PlannedRow("Contact", "0037Q00000A0001QAB", "refuse"), code, message)]
    )
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    return row


@pytest.mark.parametrize("code", OWN)
def test_a_word_of_ours_becomes_the_status_code_of_the_org(tmp_path: Path, code: str) -> None:
    """A program reads one vocabulary; our word, which says more, begins the message."""
    row = written(tmp_path / "rejects.csv", code, "why")
    assert row["sfnb_code"] not in OWN
    assert re.fullmatch("[A-Z_]+", row["sfnb_code"])
    assert row["sfnb_message"] == f"{code}: why"


def test_what_the_org_says_is_kept(tmp_path: Path) -> None:
    """The org's own code and message are not touched."""
    row = written(tmp_path / "rejects.csv", "UNABLE_TO_LOCK_ROW", "unable to obtain")
    assert (row["sfnb_code"], row["sfnb_message"]) == ("UNABLE_TO_LOCK_ROW", "unable to obtain")


def test_every_refusal_of_a_file_has_a_status_code() -> None:
    """No word in lower case, and none of ours, is left in the code of a file that was not sent."""
    folder = Path(one_file.__file__).parent
    said = [
        code
        for path in folder.glob("*.py")
        for code in re.findall(r'refuse\([^()]*?, "(\w+)",', path.read_text(encoding="utf-8"))
    ]
    assert len(said) >= 5
    assert not [code for code in said if as_status(code, "")[0] == code]
