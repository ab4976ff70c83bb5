"""`python -m models.migrate`: bring the main database to this version's tables.

The owner migrates (MIGRATION_DATABASE_URL) and grants the service (DATABASE_URL) what it
needs: everything but the audit trail and the ledger's postings may be changed, these two
read and added to (PCI DSS 4.0.1 req. 7.2.5, 10.3.2).  With one URL for both nothing is granted.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from models.partitions import ensure_partitions
from models.sealing_rows import SEALING, BoundDataKeys, MakeSealer
from runtime.clock import SystemClock
from runtime.granting import MAKE_PARTITIONS, grant

APPEND_ONLY = (
    "audit_entries",
    "audit_roots",
    "audit_heads",
    "audit_keys",
    "audit_exports",
    "ledger_postings",
)

FUNCTIONS = (MAKE_PARTITIONS, "drop_months(text, timestamptz)", "misplaced_rows()")

# Two processes that migrate at once take turns; the number only has to be this one's own.
_MIGRATION_LOCK = 0x7061_796D_696E_7431


def migrate(
    database_url: str, make_sealer: MakeSealer | None = None, service_role: str | None = None
) -> None:
    """Run every migration that has not run, make the months' partitions, grant the service.

    `make_sealer` is for what an older version stored in clear; without it a database that
    has such rows is refused.
    """
    url = sa.make_url(database_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        config.attributes["connection"] = connection
        if make_sealer is not None:
            config.attributes[SEALING] = make_sealer(BoundDataKeys(connection))
        command.upgrade(config, "head")
        for statement in ensure_partitions(SystemClock().now()):
            connection.execute(sa.text(statement))
        if service_role is not None and service_role != url.username:
            grant(connection, service_role, APPEND_ONLY, FUNCTIONS)


def owner_and_service(environment: Mapping[str, str] = os.environ) -> tuple[str, str | None]:
    """The URL of the owner of the tables, and the role of the service."""
    service = environment["DATABASE_URL"]
    owner = environment.get("MIGRATION_DATABASE_URL", service)
    return owner, sa.make_url(service).username


if __name__ == "__main__":
    url, role = owner_and_service()
    migrate(url, service_role=role)
