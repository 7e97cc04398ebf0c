"""What the form of a restore asks of the engine, and of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sfnb.cli.main import cli
from sfnb.dashboard.restore_form import arguments_of, request_of
from sfnb.errors import CallerError
from sfnb.restore.request import RestoreRequest

FORM: dict[str, Any] = {
    "snapshot": "20261122T043812Z-1a2b3c",
    "what": "ids",
    "names": "001000000000001AAA, 001000000000002AAA",
    "fields": "Name, Phone",
    "owner": " ada@acme.test ",
    "children": 2,
    "files": True,
    "conflict": "fill-empty",
    "automation_off": True,
}


def test_each_choice_of_the_form_reaches_the_plan() -> None:
    """The preview is of what was chosen: nothing that a person typed is left out."""
    request = request_of(FORM, "acme")
    assert request.source_org == "acme"
    assert (request.fields, request.owner) == (("Name", "Phone"), "ada@acme.test")
    assert request.ids == ("001000000000001AAA", "001000000000002AAA")
    assert (request.children, request.files) == (2, True)
    assert (request.on_conflict, request.automation) == ("fill-empty", "off")


def test_the_command_does_what_the_preview_showed(tmp_path: Path) -> None:
    """The command line takes the arguments, and reads from them what the form said."""
    file = tmp_path / "ids.txt"
    file.write_text("001000000000001AAA\n", "utf-8")
    command = cli.get_command(None, "restore")  # type: ignore[arg-type]
    assert command is not None
    told = arguments_of(request_of(FORM, "acme"), "acme", "globex", file)[1:]
    heard = command.make_context("restore", told).params
    assert (heard["name"], heard["snapshot"], heard["to"]) == ("acme", FORM["snapshot"], "globex")
    assert (heard["fields"], heard["owner"]) == (["Name", "Phone"], "ada@acme.test")
    assert heard["ids"] == ["001000000000001AAA"]
    assert (heard["with_children"], heard["files"]) == (2, True)
    assert (heard["on_conflict"], heard["automation"]) == ("fill-empty", "off")
    assert "--to" not in arguments_of(
        RestoreRequest("00D000000000001AAA", "s"), "acme", "acme", None
    )


@pytest.mark.parametrize(
    ("said", "names"),
    [("ids", "001"), ("ids", ""), ("objects", " , ")],
)
def test_what_cannot_be_meant_is_refused(said: str, names: str) -> None:
    """A text that is no record Id, or nothing where something is needed, is a sentence in the form."""
    with pytest.raises(CallerError):
        request_of({**FORM, "what": said, "names": names}, "")
