"""Opening and migrating the state, and what a broken one says."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData

import sfnb.state
from sfnb.clock import FakeClock
from sfnb.errors import StoreError
from sfnb.memory import open_state
from sfnb.state import migration, owner
from sfnb.state.database import Database
from sfnb.state.owner import Owner, is_alive, this_process
from sfnb.state.schema import metadata


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def test_the_revisions_make_what_a_new_database_has(tmp_path: Path) -> None:
    """
    All revisions from the first on make the tables of schema.py and the rows of a new database.

    HEAD names the newest revision.
    """
    migrated = Database(url_of(tmp_path / "migrated.db"), clock=FakeClock())
    with migrated.write() as connection:
        migration.upgrade(connection, "migrated.db")
    with open_state(url_of(tmp_path / "deep" / "down" / "state.db")) as state:
        contents = []
        for database in (migrated, state.database):
            with database.read() as connection:
                assert compare_metadata(MigrationContext.configure(connection), metadata) == []
                found = MetaData()
                found.reflect(connection)
                contents.append(
                    {
                        name: [tuple(row) for row in connection.execute(table.select())]
                        for name, table in found.tables.items()
                    }
                )
        assert contents[0] == contents[1] and contents[0]["alembic_version"]
    migrated.close()
    config = Config()
    config.set_main_option("script_location", str(Path(sfnb.state.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [migration.HEAD]


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    """What was set stays set."""
    for expected in (50, 60):
        with open_state(url_of(tmp_path / "state.db")) as state:
            assert state.ledger.limit_percents("org")["api"] == expected
            state.ledger.set_limits("org", 60)


def test_processes_that_open_a_new_state_at_once_all_get_it(tmp_path: Path) -> None:
    """Whoever comes first makes it, the others wait."""
    code = (
        f"from sfnb.memory import open_state; open_state({url_of(tmp_path / 'state.db')!r}).close()"
    )
    children = [subprocess.Popen([sys.executable, "-W", "error", "-c", code]) for _ in range(4)]
    assert [child.wait(timeout=60) for child in children] == [0, 0, 0, 0]


def test_a_newer_sfnbs_state_is_left_alone(tmp_path: Path) -> None:
    """A revision that this sfnb does not know is refused with a sentence."""
    path = tmp_path / "state.db"
    open_state(url_of(path)).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(StoreError, match=r"made by a newer sfnb \(revision 9999\); update sfnb"):
        open_state(url_of(path))


def test_a_file_that_is_no_database_is_a_clear_sentence(tmp_path: Path) -> None:
    """Damage names the file and what to do."""
    path = tmp_path / "state.db"
    path.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(
        StoreError, match=r"state\.db cannot be used: file is not a database\. Move the file away"
    ):
        open_state(url_of(path))


def test_a_folder_that_cannot_be_made_is_a_clear_sentence(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "here").write_text("a file")
    with pytest.raises(StoreError, match="cannot be made"):
        open_state(url_of(tmp_path / "here" / "state.db"))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("state.db", "is no URL"),
        ("mysql://someone:secret@host/db", "SQLite or PostgreSQL, not mysql"),
        ("sqlite://", "must be a file"),
        ("postgresql://someone:secret@127.0.0.1:1/db", "Check state_url"),
    ],
)
def test_a_wrong_address_is_a_clear_sentence_without_its_password(url: str, words: str) -> None:
    """P7: the sentence helps, and the password is not in it."""
    with pytest.raises(StoreError, match=words) as error:
        open_state(url)
    assert "secret" not in str(error.value)


def test_moments_come_back_aware_in_utc(tmp_path: Path) -> None:
    """Whatever zone they were given in; one without a zone is refused."""
    berlin = datetime(2026, 11, 2, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
    with open_state(url_of(tmp_path / "state.db"), clock=FakeClock(berlin)) as state:
        job = state.jobs.create("backup", "demo", "org", {}, None)
        assert job.started_at == berlin
        assert job.started_at.tzinfo is UTC
        with pytest.raises(StoreError, match="no time zone"):
            state.jobs.update(job.job_id, started_at=datetime(2026, 11, 2))  # noqa: DTZ001


def test_an_owner_lives_as_long_as_its_process() -> None:
    """P2: this process lives, an ended one does not, a pid used again is another process, other hosts are unknown."""
    here = this_process()
    assert is_alive(here) is True
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    there = owner._owner_of(child.pid)
    assert is_alive(there) is True
    child.kill()
    child.communicate()
    assert is_alive(there) is False
    assert is_alive(Owner(here.host, here.pid, here.pid_started_s - 60)) is False
    assert is_alive(Owner("elsewhere", here.pid, here.pid_started_s)) is None
