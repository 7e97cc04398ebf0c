"""What was spent and reported in the last half hour, call by call; gauges know since when a reading is complete."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "recent",
        sa.Column("org_id", sa.String(18), primary_key=True),
        sa.Column("api", sa.String(16), primary_key=True),
        sa.Column("at_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("reported", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("gauges") as gauges:
        gauges.add_column(sa.Column("since", sa.DateTime(timezone=True), nullable=True))
        gauges.add_column(sa.Column("heard_from", sa.DateTime(timezone=True), nullable=True))
        for name in ("source", "sent_at", "read_number", "own_number"):
            gauges.drop_column(name)
    # What was read before does not say what it may have missed: it is read again before the next call.
    op.execute(sa.text("UPDATE gauges SET is_known = :no").bindparams(no=False))
