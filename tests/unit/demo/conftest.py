"""One small org for all tests that only read; those that write make their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sfnb_demo.data.database import Database

BORN = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


class Hand:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.now = BORN

    def __call__(self) -> datetime:
        return self.now

    def move(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture(scope="session")
def org() -> Iterator[Database]:
    database = Database(size="tiny", clock=lambda: BORN)
    yield database
    database.close()


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def living(clock: Hand) -> Iterator[Database]:
    """An org to write to, whose time is ``clock``."""
    database = Database(size="tiny", clock=clock)
    yield database
    database.close()
