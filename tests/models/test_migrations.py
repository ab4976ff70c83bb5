"""The migrations make exactly the tables that the code speaks of, forth and back."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from models.migrate import migrate as migrate_main
from models.tables import METADATA as MAIN
from tests.cluster import Cluster
from tests.house.tree import ROOT
from tests.models.catalogue import ask, shape
from vault.migrate import migrate as migrate_vault
from vault.store.tables import METADATA as VAULT

FEWEST_TABLES = 5
_LEFT = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'S') AND relname !~ '^(pg|sql)_'"


@dataclass(frozen=True)
class House:
    """One house: its tables, its migrations, and what runs them."""

    metadata: sa.MetaData
    folder: str
    migrate: Callable[[str], None]


HOUSES = {
    "main": House(MAIN, "models/migrations", migrate_main),
    "vault": House(VAULT, "vault/migrations", migrate_vault),
}


@pytest.fixture(params=HOUSES)
def house(request: pytest.FixtureRequest) -> House:
    return HOUSES[request.param]


def engine(url: str) -> sa.Engine:
    driver = sa.make_url(url).set(drivername="postgresql+psycopg")
    return sa.create_engine(driver, poolclass=sa.NullPool)


def downgrade(house: House, url: str) -> None:
    """Back to before the first migration."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / house.folder))
    with engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")


def differences(house: House, url: str) -> list[object]:
    """What Alembic would change to come from the database to the metadata."""

    def is_no_partition(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or name in house.metadata.tables

    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": is_no_partition,
    }
    with engine(url).connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        found: list[object] = compare_metadata(context, house.metadata)
    return found


def test_the_migrated_database_is_the_one_the_code_speaks_of(
    house: House, cluster: Cluster
) -> None:
    migrated, declared = cluster.database(), cluster.database()
    house.migrate(migrated)
    house.metadata.create_all(engine(declared))
    assert differences(house, migrated) == []
    # Alembic does not look at checks, partial indexes and the order within an index.
    assert shape(migrated) == shape(declared)
    assert len(shape(migrated)["tables"]) >= FEWEST_TABLES


def test_differences_are_seen(house: House, cluster: Cluster) -> None:
    url = cluster.database()
    house.migrate(url)
    before = shape(url)
    table = next(iter(house.metadata.tables))
    with engine(url).begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} ADD COLUMN stray text"))
        connection.execute(sa.text(f"ALTER TABLE {table} ADD CHECK (stray <> 'x')"))
    assert differences(house, url)
    assert shape(url)["constraints"] != before["constraints"]


def test_there_and_back_and_there_again(house: House, cluster: Cluster) -> None:
    url = cluster.database()
    house.migrate(url)
    first = shape(url)
    downgrade(house, url)
    assert ask(url, _LEFT) == [("alembic_version",)]
    house.migrate(url)
    assert shape(url) == first
    house.migrate(url)
    assert shape(url) == first
