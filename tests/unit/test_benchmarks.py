"""The benchmarks run: with tiny sizes, without peers that need installing, without looking at the figures."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import left_out
from tests.contracts import postgres

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def printed(script: str, *arguments: str) -> str:
    command = [sys.executable, str(BENCHMARKS / script), *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, encoding="utf-8"
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def cells(table: str) -> dict[str, list[str]]:
    """The first column of a Markdown table, and the other columns."""
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")]
        for line in table.splitlines()
        if line[:1] == "|"
    ]
    return {row[0]: row[1:] for row in rows}


def test_backup_beside_the_floor_gives_a_table_and_equal_values(tmp_path: Path) -> None:
    """sfnb and the floor read the same records, the org counts the calls of both, absent peers are named."""
    out = printed("backup_peers.py", "--rows", "400", "--repeat", "1", "--peers", str(tmp_path))
    table = cells(out)
    titles = next(iter(table.values()))
    assert titles[0] == "rows"
    assert table["floor"][0] == "400"
    assert 0 < int(table["sfnb"][titles.index("calls")]) <= 12
    assert "values of" in out and "are the same" in out
    assert "aio-sf (Parquet): not installed" in out


def test_values_that_differ_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The comparison of values finds one that differs, and a record that is missing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    def compare(table: pa.Table) -> None:
        pq.write_table(table, tmp_path / "other.parquet")
        paths = [str(tmp_path / "floor.parquet"), str(tmp_path / "other.parquet")]
        monkeypatch.setattr(sys, "argv", ["same_values.py", *paths])
        runpy.run_path(str(BENCHMARKS / "same_values.py"), run_name="__main__")

    floor = pa.table(
        {"Id": ["b", "a", "c"], "IsDeleted": [False, False, True], "Name": ["Bea", "Ada", "Cid"]}
    )
    same = pa.table({"Id": ["a", "b"], "IsDeleted": [False, False], "Name": ["Ada", "Bea"]})
    others = {
        "Name differs": pa.table(
            {"Id": ["a", "b"], "IsDeleted": [False, False], "Name": ["Ada", "bea"]}
        ),
        "2 records are alive in the one, 1 in the other": same.slice(1),
        "the columns differ": same.drop_columns("Name"),
    }
    pq.write_table(floor, tmp_path / "floor.parquet")
    compare(same)
    assert capsys.readouterr().out.strip() == "6 values of 2 records are the same"
    for said, table in others.items():
        with pytest.raises(SystemExit, match=said):
            compare(table)


@pytest.mark.parametrize("script", ["backup_peers.py", "small_objects.py"])
def test_bad_sizes_are_a_sentence(script: str) -> None:
    """A size that cannot be is told, with 2."""
    option = "--rows" if script == "backup_peers.py" else "--objects"
    ended = subprocess.run(
        [sys.executable, str(BENCHMARKS / script), option, "0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "or more" in ended.stderr


def test_calls_of_a_small_org_are_told_by_kind() -> None:
    """The table of a whole org's backup sums up to what the org counted."""
    table = cells(printed("small_objects.py", "--objects", "80"))
    assert int(table["composite: describes"][0]) == 4
    numbers = [
        int(row[0]) for name, row in table.items() if row[0].isdigit() and name != "all told"
    ]
    assert int(table["all told"][0]) == sum(numbers) < 80


def test_a_large_file_is_measured() -> None:
    """The file is fetched whole, and the peak of memory is told."""
    out = printed("large_file.py", "--mb", "3")
    assert out.startswith("3 MB in 1 file") and "MB at the peak" in out


def test_a_key_of_ones_own_is_measured() -> None:
    """The same commands with the key and without it, each with its ratio."""
    found = cells(printed("encrypted.py", "--rows", "400", "--mb", "2", "--repeat", "1"))
    assert {"backup of the rows", "backup of the file", "export of the rows", "verify"} < set(found)
    assert all(float(figure) > 0 for figure in found["verify"])


def test_a_year_of_snapshots_prints_ratios() -> None:
    """Each figure stands beside its goal; the script itself checks that no record is lost."""
    out = printed("store_year.py", "--rows", "400", "--days", "12", "--objects", "1")
    lines = [line.rsplit(None, 3) for line in out.splitlines() if "≤" in line or "<" in line]
    assert len(lines) == 5 and all(float(line[-3]) >= 0 for line in lines)


def test_start_up_measures_each_way() -> None:
    """The CPU time of each command, and of a backup until its first call."""
    table = cells(printed("start_up.py", "--repeat", "1"))
    assert len(table) == 7 and all(len(line) == 3 for line in table.values())
    assert float(table["sfnb jobs"][1]) > 0 < float(table["sfnb backup, until its first call"][2])


def test_the_gate_far_from_its_database_is_measured() -> None:
    """
    Trips are counted and times told, where PostgreSQL is there. How few they are:
    `tests/contracts/test_gate_trips.py`.
    """
    pytest.importorskip("psycopg")
    if postgres.initdb_path() is None:
        left_out("there is no PostgreSQL here")
    out = printed("gate_trips.py", "--calls", "12", "--threads", "2")
    told = dict(line.rsplit(None, 1) for line in out.splitlines())
    assert int(told["ask: trips, median"]) >= 2 and int(told["settle: trips, median"]) >= 2


def test_the_view_of_many_orgs_gives_a_table() -> None:
    """Each org is in it, those that are real and those that only have a past."""
    table = cells(printed("fleet.py", "--orgs", "3", "--real", "1", "--days", "9"))
    assert table["3"][:2] == ["2,592", "27"]


def test_workers_of_a_cluster_give_a_table() -> None:
    """One and two workers read the same records, and a question to the coordinator has its price."""
    out = printed(
        "dask_workers.py", "--rows", "400", "--pages", "2", "--late", "0", "--questions", "5"
    )
    table = cells(out)
    assert table["one Dask worker"][:2] == ["1", table["two Dask workers"][1]]
    assert "A worker's question: median" in out


def test_the_schedules_start_is_measured() -> None:
    """From the service's start to the first call of what was due."""
    out = printed("schedule.py", "start", "--repeat", "1")
    assert out.startswith("start to first call: median ")
