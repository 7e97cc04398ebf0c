"""DuckDB as a scratch pad, and nothing of it in what a command prints."""

from __future__ import annotations

import subprocess
import sys

SHOWS = """
import duckdb
from sfnb.store.history.scratch import scratch
ask = "select current_setting('enable_progress_bar')"
with scratch() as ours:
    print(duckdb.connect().execute(ask).fetchone()[0], ours.execute(ask).fetchone()[0])
"""


def test_no_bar_gets_into_the_json_of_a_command() -> None:
    """
    Where Python has no file to run, as in a notebook, DuckDB prints a bar to standard output as soon as
    a query takes two seconds; ours does not.
    """
    ran = subprocess.run([sys.executable, "-c", SHOWS], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", "False"], ran.stderr
