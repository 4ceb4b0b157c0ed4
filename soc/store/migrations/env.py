"""Run revisions on the connection that is handed over."""

from alembic import context

from soc.store import tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.Alert.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
