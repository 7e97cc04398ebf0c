"""Limits changed by a person who looks at them: only what was seen is replaced."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from sfnb.clock import FakeClock
from sfnb.errors import CallerError, StoreError
from sfnb.memory import open_state
from sfnb.quota.ledger import LimitChanged

ORG = "00D000000000001AAA"


def test_changes_are_all_or_none_and_audited(tmp_path: Path) -> None:
    """Several limits change together, each with its audit line (P6); a limit changed meanwhile stops all of them."""
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", clock=FakeClock()) as state:
        state.ledger.set_limits(
            ORG, {"api": 60, "bulk2": 70}, expected={"api": 50, "bulk2": 50}, who="ada"
        )
        assert [(e.api, e.old, e.new, e.who) for e in state.audit.entries()] == [
            ("api", 50, 60, "ada"),
            ("bulk2", 50, 70, "ada"),
        ]
        with pytest.raises(LimitChanged, match="from 50 % to 70 %"):
            state.ledger.set_limits(
                ORG, {"api": 80, "bulk2": 80}, expected={"api": 60, "bulk2": 50}
            )
        assert state.ledger.limit_percents(ORG)["api"] == 60
        assert len(state.audit.entries()) == 2
        assert state.audit.verify() == []
        with pytest.raises(CallerError, match="1 to 100"):
            state.ledger.set_limits(ORG, {"api": 0}, expected={"api": 60})


def test_a_locked_database_is_told_soon(tmp_path: Path) -> None:
    """Who saves while another process holds the database hears of it in place, and nothing is changed."""
    path = tmp_path / "state.db"
    with open_state(f"sqlite:///{path}", clock=FakeClock()) as state:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"0\.05 seconds"):
            state.ledger.set_limits(ORG, {"api": 60}, expected={"api": 50}, patience_s=0.05)
        other.execute("ROLLBACK")
        other.close()
        assert state.ledger.limit_percents(ORG)["api"] == 50
        state.ledger.set_limits(ORG, {"api": 60}, expected={"api": 50}, patience_s=0.05)
        assert state.ledger.limit_percents(ORG)["api"] == 60
