"""What a transaction on the state database promises, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from sfnb.errors import StoreError
from sfnb.memory import State, open_state
from sfnb.state import schema

COUNT = select(func.count()).select_from(schema.gates)
ROW = {"last_number": 0}


def test_a_reading_transaction_sees_one_moment(state: State, state_url: str) -> None:
    """What others commit meanwhile is not seen: two counts in one transaction agree."""
    with open_state(state_url) as other, state.database.read() as connection:
        before = connection.execute(COUNT).scalar_one()
        with other.database.write() as writing:
            other.database.upsert(
                writing, schema.gates, [{"org_id": str(n), **ROW} for n in range(4)]
            )
        assert connection.execute(COUNT).scalar_one() == before == 0
    with state.database.read() as connection:
        assert connection.execute(COUNT).scalar_one() == 4


def test_a_reading_transaction_changes_nothing(state: State) -> None:
    """A statement that would change something is refused, so a reader can never hold up the gate."""
    with pytest.raises(StoreError, match=r"read.?only"), state.database.read() as connection:
        state.database.upsert(connection, schema.gates, [{"org_id": "1", **ROW}])
    with state.database.write() as connection:
        state.database.upsert(connection, schema.gates, [{"org_id": "2", **ROW}])
        assert connection.execute(COUNT).scalar_one() == 1
