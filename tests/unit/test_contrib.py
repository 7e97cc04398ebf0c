"""The files for other schedulers: each command in them is one that sfnb takes."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sfnb.cli.command_check import checked_command
from sfnb.schedule.cron import parse_cron

CONTRIB = Path(__file__).parents[2] / "contrib"
FILES = sorted(path for path in CONTRIB.rglob("*") if path.is_file())

COMMAND = re.compile(
    r"(?:/opt/sfnb/bin/sfnb|\bsfnb|\{SFNB\}) ((?:backup|resume|usage|report|schedule|org) .*?)(?= >>| \|\||\"|'|$)",
    re.MULTILINE,
)


def test_each_command_is_one_that_there_is() -> None:
    """What people copy runs: words and options are those of today."""
    found = 0
    for path in FILES:
        if path.suffix in (".md", ".pyc"):
            continue
        for words in COMMAND.findall(path.read_text("utf-8")):
            if words.startswith(("schedule serve", "org add")):
                continue
            checked_command(words.split())
            found += 1
    assert found >= 10


def cron_lines() -> list[tuple[str, str]]:
    """When, and what the shell is given."""
    text = (CONTRIB / "cron/sfnb.cron").read_text("utf-8")
    return re.findall(r"^([\d*,/]+(?: +[\d*,/]+){4}) +(.*)", text, re.M)


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="there is no cron here")
def test_cron_hands_secrets_on(tmp_path: Path) -> None:
    """What the file of secrets sets reaches the command."""
    (tmp_path / "environment").write_text("ACME_TOKEN=told\n")
    for _, line in cron_lines():
        here = line.replace("/etc/sfnb/", f"{tmp_path}/").partition(" >>")[0]
        here = re.sub(r"/opt/sfnb/bin/sfnb .*", "printenv ACME_TOKEN", here)
        done = subprocess.run(["/bin/sh", "-c", here], check=False, capture_output=True, text=True)
        assert done.stdout == "told\n", line


def test_cron_lines_are_cron_lines() -> None:
    """Of cron, Kubernetes and GitHub."""
    lines = [when for when, _ in cron_lines()]
    yamls = [path.read_text("utf-8") for path in FILES if path.suffix in (".yaml", ".yml")]
    lines += [line for text in yamls for line in re.findall(r'(?:schedule|cron): "([^"]+)"', text)]
    assert len(lines) == 8
    for line in lines:
        parse_cron(line)


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.suffix in (".yaml", ".yml")], ids=lambda p: p.name
)
def test_yaml_is_read(path: Path) -> None:
    """Each document is a mapping with what its reader wants."""
    for document in yaml.safe_load_all(path.read_text("utf-8")):
        assert {"apiVersion", "kind", "spec"} <= document.keys() or "jobs" in document


def test_systemd_takes_its_files(tmp_path: Path) -> None:
    """Units and times are those that systemd knows."""
    if not (analyze := shutil.which("systemd-analyze")):
        pytest.skip("there is no systemd here")
    for path in (CONTRIB / "systemd").iterdir():
        text = re.sub(r"/opt/sfnb/bin/sfnb", sys.executable, path.read_text("utf-8"))
        (tmp_path / path.name).write_text(text.replace("User=sfnb", "User=root"))
        for when in re.findall(r"OnCalendar=(.*)", text):
            subprocess.run([analyze, "calendar", when], check=True, capture_output=True)
    units = [str(one) for one in tmp_path.iterdir()]
    done = subprocess.run([analyze, "verify", *units], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_dag_runs_in_a_real_airflow(tmp_path: Path) -> None:
    """`airflow dags test` backs up a demo org by the notebook; see tools/airflow.py."""
    path = Path(__file__).parents[2] / "tools" / "airflow.py"
    spec = importlib.util.spec_from_file_location("airflow_tool", path)
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    if not tool.airflow().exists():
        pytest.skip("Airflow is not here; `python tools/airflow.py` installs it and runs the DAG")
    said = tool.run(tmp_path)
    assert "state=success" in said and "completed" in said.splitlines()[-1]
