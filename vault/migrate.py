"""`python -m vault.migrate`: bring the vault's database to this version's tables.

The owner migrates (VAULT_MIGRATION_DATABASE_URL) and grants the service (VAULT_DATABASE_URL)
what it needs; the audit trail it may only read and add to (PCI DSS 4.0.1 req. 10.3.2).
"""

import os
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from runtime.clock import SystemClock
from runtime.granting import grant
from vault.store.audit import MAKE_PARTITIONS

APPEND_ONLY = ("audit_entries",)

# Two processes that migrate at once take turns; the number only has to be this one's own.
_MIGRATION_LOCK = 0x7061_796D_7661_756C


def migrate(database_url: str, service_role: str | None = None) -> None:
    """Run every migration that has not run, make the months' partitions, grant the service."""
    url = sa.make_url(database_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(sa.text(MAKE_PARTITIONS), {"moment": SystemClock().now()})
        if service_role is not None and service_role != url.username:
            grant(connection, service_role, APPEND_ONLY)


if __name__ == "__main__":
    service = os.environ["VAULT_DATABASE_URL"]
    owner = os.environ.get("VAULT_MIGRATION_DATABASE_URL", service)
    migrate(owner, sa.make_url(service).username)
