"""`python -m vault.migrate`: bring the vault's database to this version's tables."""

import os
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

# Two processes that migrate at once take turns; the number only has to be this one's own.
_MIGRATION_LOCK = 0x7061_796D_7661_756C


def migrate(database_url: str) -> None:
    """Run every migration that has not run; does nothing when there is none."""
    url = sa.make_url(database_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


if __name__ == "__main__":
    migrate(os.environ["VAULT_DATABASE_URL"])
