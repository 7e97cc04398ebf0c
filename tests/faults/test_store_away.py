"""A store that goes wrong in mid-run: one sentence, exit 1, and `resume` finishes the snapshot."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfnb.store import files as files_module
from sfnb.store.settling.outcome import Settled
from sfnb.store.writer import Writer
from tests.command_line import CommandLine
from tests.conftest import RunningOrg

OBJECTS = "Account,Product2,Campaign"


def after_the_first_object(patch: pytest.MonkeyPatch, happens: Callable[[], None]) -> None:
    settle, done = Writer.settle, list[str]()

    def settle_and_more(writer: Writer, name: str, *arguments: Any, **options: Any) -> Settled:
        settled = settle(writer, name, *arguments, **options)
        if not done:
            happens()
        done.append(name)
        return settled

    patch.setattr(Writer, "settle", settle_and_more)


def no_room(patch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(_sink: files_module.HashingSink, _content: Any) -> int:
        raise OSError(code, os.strerror(code))

    patch.setattr(files_module.HashingSink, "write", refuse)


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        ("gone", "Bring it back"),
        (errno.ENOSPC, "the disk is full; make room"),
        (errno.EROFS, "read-only; make it writable"),
    ],
)
def test_the_job_fails_with_a_sentence_and_is_resumed(
    fresh_org: Callable[..., RunningOrg],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trouble: str | int,
    says: str,
) -> None:
    """Nothing of what was stored is lost, nothing is stored where it would be lost."""
    sfnb = CommandLine.with_org(tmp_path / "home", fresh_org())
    store, away = tmp_path / "home" / "store", tmp_path / "away"
    with monkeypatch.context() as patch:
        happens = (
            (lambda: no_room(patch, trouble))
            if isinstance(trouble, int)
            else lambda: store.rename(away) and None
        )
        after_the_first_object(patch, happens)
        ran = sfnb("backup", "x", "--objects", OBJECTS, "--no-files", "--workers", "1")
        (job,) = sfnb("jobs", "--json").json
        assert ran.code == 1 and job["state"] == "failed", ran.err
        assert says in ran.sentence and f"`sfnb resume {job['job_id']}`" in ran.sentence
        again = sfnb("resume", job["job_id"])
        assert again.code == 1 and says in again.sentence, again.err
    if trouble == "gone":
        shutil.rmtree(store, ignore_errors=True)
        away.rename(store)
    done = sfnb("resume", job["job_id"], "--json")
    assert done.code == 0 and done.json["snapshot"] == job["snapshot"], done.err
    assert {entry["state"] for entry in done.json["objects"].values()} == {"complete"}
    assert sfnb("verify", "x").code == 0


def test_a_job_whose_snapshot_is_gone_can_be_cancelled(
    fresh_org: Callable[..., RunningOrg], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nothing left to seal; the job would stand there for ever."""
    sfnb = CommandLine.with_org(tmp_path / "home", fresh_org())
    with monkeypatch.context() as patch:
        after_the_first_object(patch, lambda: shutil.rmtree(tmp_path / "home" / "store"))
        assert sfnb("backup", "x", "--objects", OBJECTS, "--no-files").code == 1
    (job,) = sfnb("jobs", "--json").json
    cancelled = sfnb("cancel", job["job_id"])
    assert cancelled.code == 0 and "is no longer in" in cancelled.out, cancelled.err
    assert sfnb("backup", "x", "--objects", OBJECTS, "--no-files").code == 0
