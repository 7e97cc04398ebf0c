"""Alembic runs this; the connection and its transaction are ``migration.migrate``'s."""

from alembic import context

from sfnb.state.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
