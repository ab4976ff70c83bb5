"""`python -m models.migrate`: bring the main database to this version's tables."""

import os
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from models.partitions import ensure_partitions
from models.sealing_rows import SEALING, BoundDataKeys, MakeSealer
from runtime.clock import SystemClock

# Two processes that migrate at once take turns; the number only has to be this one's own.
_MIGRATION_LOCK = 0x7061_796D_696E_7431


def migrate(database_url: str, make_sealer: MakeSealer | None = None) -> None:
    """Run every migration that has not run, and make the months' partitions.

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


if __name__ == "__main__":
    migrate(os.environ["DATABASE_URL"])
