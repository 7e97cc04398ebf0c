"""Documentation that cannot fall behind: what people meet by name is explained by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

import sfnb
from sfnb import errors
from sfnb.cli.main import cli
from sfnb.engine import EXIT_CODES
from sfnb.jobs import events
from sfnb.model import APIS, JobState, ObjectState
from sfnb.settings import OrgConfig, Settings
from sfnb_demo.server import faults

ROOT = Path(sfnb.__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
IN_THE_FILE = {
    *("header_lag_s", "state_url", "store", "poll_s", "workers", "api_version", "orgs"),
    *("runs", "keep_runs", "notices"),
    *("mass_change_pct", "mass_change", "file_calls", "lost_answer_s", "metadata_days", "keep"),
}


@pytest.fixture(scope="module")
def named() -> set[str]:
    """All that stands in code marks or code blocks of the pages, word by word and as a whole."""
    found: set[str] = set()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"```.*?```", text, re.DOTALL)
        spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        indented = [line for line in text.splitlines() if line.startswith("    ")]
        for piece in [*blocks, *spans, *indented]:
            found |= {piece, *re.findall(r"[\w-]+", piece)}
            found |= {" ".join(words.split()) for words in re.findall(r"sfnb(?: [a-z]+)+", piece)}
    return found


def classes(module: object, base: type) -> list[str]:
    return [
        name for name, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, base)
    ]


@pytest.mark.parametrize("state", [*JobState, *ObjectState])
def test_each_state_is_documented(named: set[str], state: str) -> None:
    """What `sfnb jobs` and a manifest say is explained."""
    assert state in named


@pytest.mark.parametrize("event", classes(events, events.Event))
def test_each_event_is_documented(named: set[str], event: str) -> None:
    """Who listens to a job finds what it tells."""
    assert event in named


@pytest.mark.parametrize("error", classes(errors, BaseException))
def test_each_error_is_documented(named: set[str], error: str) -> None:
    """Who catches an error finds what to do about it."""
    assert error in named


@pytest.mark.parametrize("api", APIS)
def test_each_budget_is_documented(named: set[str], api: str) -> None:
    """The four budgets are told apart."""
    assert api in named


def test_each_setting_is_documented(named: set[str]) -> None:
    """What sfnb.toml may hold, of an org too, and the variables that override it."""
    table = {field.name for field in fields(OrgConfig)} - {"name"}
    assert {field.name for field in fields(Settings)} - {"home", "store_root"} <= IN_THE_FILE
    files = sorted((ROOT / "sfnb" / "settings").glob("*.py"))
    variables = set(re.findall(r"SFNB_[A-Z_]+", "".join(f.read_text("utf-8") for f in files)))
    assert variables and (IN_THE_FILE | table | variables) - named == set()


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(cli, "sfnb"))


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_documented(named: set[str], command: str) -> None:
    """Each command stands in the pages as people type it, and explains itself and its options."""
    assert any(text == command or text.startswith(f"{command} ") for text in named)
    assert COMMANDS[command].help
    unexplained = [
        option.name
        for option in COMMANDS[command].params
        if isinstance(option, click.Option)
        and not (option.help or option.name in ("as_json", "on_pause", "username", "size"))
    ]
    assert unexplained == []


@pytest.mark.parametrize("code", sorted({*EXIT_CODES.values(), 2}))
def test_each_exit_code_is_documented(named: set[str], code: int) -> None:
    """A scheduler's author finds what a code means."""
    assert str(code) in named


@pytest.mark.parametrize("kind", faults.KINDS)
def test_each_fault_of_the_demo_org_is_documented(kind: str) -> None:
    """Who scripts a fault finds its name and what a client sees."""
    assert re.search(rf"^{kind} +\S", faults.__doc__ or "", re.MULTILINE)


def test_the_pages_name_no_command_that_is_not_there() -> None:
    """What the pages tell people to type exists, apart from what the design plans."""
    planned = {
        "sfnb diff",
        "sfnb prune",
        "sfnb restore",
        "sfnb archive",
        "sfnb hold",
        "sfnb erase",
        "sfnb schedule",
    }
    known = {" ".join(command.split()[:2]) for command in COMMANDS}
    for page in PAGES:
        typed = re.findall(
            r"(?:^|`|\$ )(sfnb [a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
        assert {text for text in typed if text not in known | planned} == set(), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    """A path in code marks, from the repository's root, and each link to a file or a heading."""
    text = page.read_text(encoding="utf-8")
    rooms = "sfnb|sfnb_demo|tests|docs|tools|benchmarks|notebooks|changes"
    named = set(re.findall(rf"`((?:{rooms})/[\w./-]*)`", text))
    assert {name for name in named if not (ROOT / name).exists()} == set()
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        linked = page if not target else page.parent / target
        assert linked.exists(), target
        if heading:
            lines = linked.read_text(encoding="utf-8").splitlines()
            titles = [line.lstrip("# ") for line in lines if line.startswith("#")]
            anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
            assert heading in anchors, f"{target}#{heading}"


ANSWERS = {
    "the price of a call": ("sfnb/org/prices.py", "def price_of"),
    "the threshold and the lower mark": ("sfnb/quota/policy.py", "def lower_mark"),
    "where a page becomes a part": ("sfnb/backup/pages.py", "def written"),
    "which state may follow which": ("sfnb/jobs/states.py", "MAY_FOLLOW"),
    "the words under the slider": ("sfnb/ui/limits.py", "def stop_sentence"),
}
"""What a stranger asks: the file that answers, and what stands in it."""


@pytest.mark.parametrize("question", ANSWERS)
def test_a_stranger_finds_the_file(question: str) -> None:
    """docs/architecture.md names the file, and the file has it."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    file, content = ANSWERS[question]
    assert f"| {question} | `{file}`" in text
    assert content in (ROOT / file).read_text(encoding="utf-8")
