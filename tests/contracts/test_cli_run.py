"""`sfnb run`: notebooks without a browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.command_line import CommandLine
from tests.conftest import RunningOrg


@pytest.fixture
def home(tmp_path: Path, demo_org: RunningOrg) -> CommandLine:
    """A home in which the demo org is known as x."""
    return CommandLine.with_org(tmp_path / "home", demo_org)


def notebook(path: Path, *cells: str) -> Path:
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    nbformat.write(made, path)
    return path


def test_a_killed_kernel_is_one_sentence(home: CommandLine, tmp_path: Path) -> None:
    """What the cells printed is shown, the job that died with the kernel is named, and can be resumed."""
    path = notebook(
        tmp_path / "dies.ipynb",
        "import os, signal, sfnb\nfrom sfnb import engine\nprint('before', flush=True)",
        "job = engine.start(sfnb.connect('x'), engine.backup(objects=['Account']))",
        "os._exit(9)",
    )
    ran = home.apart("run", path, "--output", tmp_path / "out.ipynb")
    assert ran.code == 1 and "before" in ran.out
    assert ran.is_one_sentence() and "kernel ended" in ran.err, ran.err
    job_id = home("jobs", "--json").json[-1]["job_id"]
    assert f"`sfnb resume {job_id}`" in ran.err
    done = home("resume", job_id, "--json")
    assert done.code == 0 and done.json["state"] == "completed"


def test_a_cell_that_fails_is_one_sentence(home: CommandLine, tmp_path: Path) -> None:
    """The error's own words and the executed notebook are named; JSON goes to standard output alone."""
    path = notebook(tmp_path / "fails.ipynb", "print('\\x1b[31mred')", "1 / 0")
    ran = home.apart("run", path, "--output", tmp_path / "out.ipynb", "--json")
    assert ran.code == 1 and ran.out == "" and "red" in ran.err and "\x1b" not in ran.err
    assert "ZeroDivisionError: division by zero" in ran.sentence and "out.ipynb" in ran.sentence
    good = notebook(tmp_path / "works.ipynb", "print('said')")
    ran = home.apart("run", good, "--output", tmp_path / "out.ipynb", "--json")
    assert ran.code == 0 and ran.err == "said\n", "nothing of the kernel's own is shown"
    assert ran.json == {"notebook": str(tmp_path / "out.ipynb"), "job": None}


def test_make_demo_pauses_and_resumes_in_sight(tmp_path: Path) -> None:
    """`make demo` shows progress, the pause and the resume as they happen, on a machine of any speed."""
    demo = Path(__file__).parents[2] / "tools" / "demo.py"
    home = CommandLine(tmp_path / "home")
    ran = subprocess.run(
        [sys.executable, str(demo)], env=home.environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    at = 0
    for words in (" records so far", "paused: ", "resumed: ", "completed"):
        at = ran.stdout.index(words, at)
    assert "resumed by itself; exit code 0" in ran.stdout and ran.stderr == ""
