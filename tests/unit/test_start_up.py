"""What is imported before a command answers: a figure of `benchmarks/start_up.py` that needs no clock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from sfnb.cli.main import COMMANDS
from tests.command_line import CommandLine
from tests.conftest import RunningOrg

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
NETWORK = {"requests", "urllib3", "cryptography", "jwt", "keyring", "simple_salesforce"}
ROWS = {"numpy", "pandas", "pyarrow", "deltalake", "duckdb", "polars"}
SCREEN = {"plotly", "jinja2", "ipywidgets", "anywidget", "IPython", "papermill", "nbformat", "lark"}
DATABASE = {"sqlalchemy", "alembic", "mako"}

MODULES_AT_THE_END = """
import sys
from sfnb.cli.main import run
run(sys.argv[1:])
print(*{name.split(".")[0] for name in sys.modules})
"""
MODULES_AT_THE_FIRST_CALL = """
import os, sys

def first_call(event, arguments):
    if event == "socket.connect":
        print(*{name.split(".")[0] for name in sys.modules}, flush=True)
        os._exit(0)

sys.addaudithook(first_call)
from sfnb.cli.main import run
run(sys.argv[1:])
sys.exit("no call was made")
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """A home that knows an org which nobody serves."""
    home = CommandLine(tmp_path_factory.mktemp("home"), X_TOKEN="00D!x")
    add = ("org", "add", "x", "--no-check", "--instance-url", "http://127.0.0.1:9")
    assert home(*add, "--access-token-env", "X_TOKEN").code == 0
    return home


def modules(home: CommandLine, code: str, *arguments: str) -> set[str]:
    command = [sys.executable, "-c", code, *arguments]
    ended = subprocess.run(command, env=home.environ, capture_output=True, text=True, check=True)
    return set(ended.stdout.splitlines()[-1].split())


def test_importing_sfnb_loads_nothing_heavy(home: CommandLine) -> None:
    """`import sfnb` gives the version and two names; what they need loads when they are used."""
    code = "import sys, sfnb; print(*{name.split('.')[0] for name in sys.modules})"
    assert modules(home, code) & (NETWORK | ROWS | SCREEN | DATABASE | {"click"}) == set()


def test_help_loads_no_command(home: CommandLine) -> None:
    """`sfnb --help` answers from its own table."""
    loaded = modules(home, MODULES_AT_THE_END, "--help")
    assert loaded & (NETWORK | ROWS | SCREEN | DATABASE) == set()


def test_jobs_loads_the_database_alone(home: CommandLine) -> None:
    """`sfnb jobs`, in a new home too, needs SQLAlchemy and nothing else that is heavy."""
    loaded = modules(home, MODULES_AT_THE_END, "jobs")
    assert "sqlalchemy" in loaded
    assert loaded & (NETWORK | ROWS | SCREEN | {"alembic", "mako"}) == set()


def test_a_search_by_id_loads_what_reads_rows_alone(home: CommandLine) -> None:
    """One archived record is read with Arrow and NumPy: neither the database nor pandas is loaded."""
    made = [
        sys.executable,
        str(BENCHMARKS / "archive_rows.py"),
        str(home.home / "store"),
        "40",
        "2",
    ]
    subprocess.run(made, check=True)
    arguments = ("archive", "search", "00D000000000001AAA", "--id", "500000000000033AAA", "--json")
    assert home(*arguments).json[0]["record"]["SuppliedEmail"] == "33.person@example.com"
    loaded = modules(home, MODULES_AT_THE_END, *arguments)
    assert loaded & (NETWORK | SCREEN | DATABASE | {"pandas", "duckdb", "polars"}) == set()
    assert "pyarrow" in loaded


def test_the_fleet_loads_no_frames(home: CommandLine) -> None:
    """`sfnb fleet` works out forecasts of a hundred orgs with numpy alone: pandas takes half a second."""
    loaded = modules(home, MODULES_AT_THE_END, "fleet")
    assert "numpy" in loaded and loaded & ((ROWS | SCREEN) - {"numpy"}) == set()


def test_a_backup_loads_the_store_after_its_first_call(home: CommandLine) -> None:
    """`sfnb backup` logs in before it loads what reads and stores rows."""
    loaded = modules(home, MODULES_AT_THE_FIRST_CALL, "backup", "x")
    assert {"sqlalchemy", "requests"} <= loaded
    unneeded = {"cryptography", "jwt", "keyring", "simple_salesforce", "alembic", "mako"}
    assert loaded & (unneeded | ROWS | SCREEN) == set()


def test_the_table_of_commands_is_whole() -> None:
    """`sfnb --help` lists every command that a module has, and none that it has not."""
    for module in {module for module, _ in COMMANDS.values()}:
        inside = {command.name for command in import_module(f"sfnb.cli.{module}").COMMANDS}
        assert inside == {name for name, (room, _) in COMMANDS.items() if room == module}


def test_a_restore_loads_neither_pandas_nor_duckdb(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path
) -> None:
    """Planning, sending and comparing do without libraries that take 100 MB, whatever the rows."""
    org = fresh_org(objects={"Contact": 60})
    home = CommandLine.with_org(tmp_path / "home", org)
    backup = home("backup", "x", "--objects", "Account,Contact", "--no-files", "--no-metadata")
    assert backup.code == 0, backup.err
    for do in ("hard_delete", "delete", "change"):
        org.control("rows", {"do": do, "object": "Contact", "rows": 9})
    loaded = modules(home, MODULES_AT_THE_END, "restore", "x", "latest")
    assert loaded & {"pandas", "duckdb", "polars"} == set()
    (job,) = (one for one in home("jobs", "--json").json if one["kind"] == "restore")
    assert job["restored"]["created"] and job["restored"]["updated"]
    assert job["proof"]["compared"] and not job["proof"]["different"]
