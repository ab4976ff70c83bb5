"""How Alembic runs the vault's migrations: on the connection that vault.migrate hands it."""

from alembic import context

from vault.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
