"""The migrations make what the tables describe, and can be taken back to nothing."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

import models.migrate
import vault.migrate
from models.partitions import MONTHS_AHEAD, PARTITIONED_TABLES
from models.tables import METADATA
from tests.models import databases
from tests.vault.cluster import Cluster
from vault.store.tables import METADATA as VAULT_METADATA

ROOT = Path(models.migrate.__file__).resolve().parents[1]
HOUSES = {
    "models": (models.migrate.migrate, METADATA),
    "vault": (vault.migrate.migrate, VAULT_METADATA),
}
CATALOGUE = (
    databases.COLUMNS,
    databases.CONSTRAINTS,
    databases.INDEXES,
    databases.PARTITIONING,
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with databases.cluster() as made:
        yield made


@pytest.fixture(scope="module")
def migrated(cluster: Cluster) -> dict[str, str]:
    """A migrated database of each house, by its name."""
    urls = {house: cluster.database() for house in HOUSES}
    for house, url in urls.items():
        HOUSES[house][0](url)
    return urls


@pytest.mark.parametrize("house", HOUSES)
def test_the_catalogue_is_the_same_as_the_tables_make_it(
    cluster: Cluster, migrated: dict[str, str], house: str
) -> None:
    described = cluster.database()
    HOUSES[house][1].create_all(databases.engine(described))
    for question in CATALOGUE:
        made = databases.rows(migrated[house], question)
        assert made == databases.rows(described, question)
    assert len(databases.rows(described, databases.COLUMNS)) > 20


@pytest.mark.parametrize("house", HOUSES)
def test_alembic_finds_nothing_to_do(migrated: dict[str, str], house: str) -> None:
    metadata = HOUSES[house][1]
    options = {"compare_type": True, "compare_server_default": True, "include_name": is_ours}
    with databases.engine(migrated[house]).connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def is_ours(name: str | None, kind: str, parents: object) -> bool:
    """Partitions are made by the month, and described by nobody."""
    return kind != "table" or not (name or "").startswith(
        tuple(f"{table}_" for table in PARTITIONED_TABLES)
    )


@pytest.mark.parametrize("house", HOUSES)
def test_a_second_run_changes_nothing(migrated: dict[str, str], house: str) -> None:
    before = databases.rows(migrated[house], databases.RELATIONS)
    HOUSES[house][0](migrated[house])
    assert databases.rows(migrated[house], databases.RELATIONS) == before


@pytest.mark.parametrize("house", HOUSES)
def test_the_way_back_leads_to_nothing_and_forth_again(cluster: Cluster, house: str) -> None:
    url = cluster.database()
    migrate = HOUSES[house][0]
    migrate(url)
    full = databases.rows(url, databases.RELATIONS)
    downgrade(url, house)
    assert {name for name, _ in databases.rows(url, databases.RELATIONS)} <= {
        "alembic_version",
        "alembic_version_pkc",
    }
    migrate(url)
    assert databases.rows(url, databases.RELATIONS) == full


def downgrade(url: str, house: str) -> None:
    config = configuration(house)
    with databases.engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")


def configuration(house: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(ROOT / house / "migrations"))
    return config


@pytest.mark.parametrize("house", HOUSES)
def test_migrations_are_one_line_without_branches(house: str) -> None:
    script = ScriptDirectory.from_config(configuration(house))
    revisions = list(script.walk_revisions())
    assert len(script.get_heads()) == len(script.get_bases()) == 1
    assert all(not revision.is_merge_point for revision in revisions)
    assert len(revisions) >= 1


def test_months_have_partitions_ahead_and_a_default(migrated: dict[str, str]) -> None:
    statement = "SELECT inhparent::regclass::text, count(*) FROM pg_inherits GROUP BY 1"
    children = {parent: count for parent, count in databases.rows(migrated["models"], statement)}
    for table in PARTITIONED_TABLES:
        assert children[table] == MONTHS_AHEAD + 2
    keys = dict(databases.rows(migrated["models"], databases.PARTITIONING))
    assert {name for name, key in keys.items() if key} == set(PARTITIONED_TABLES)
    assert {keys[table] for table in PARTITIONED_TABLES} == {"RANGE (id)"}


def test_an_event_of_any_time_finds_a_partition(migrated: dict[str, str]) -> None:
    for identifier in ("0" * 32, "f" * 32):
        statement = sa.text("INSERT INTO audit_entries VALUES (:id, :id, '{}', now())").bindparams(
            id=identifier
        )
        with databases.engine(migrated["models"]).begin() as connection:
            connection.execute(statement)
    with psycopg.connect(migrated["models"]) as connection:
        found = connection.execute("SELECT count(*) FROM audit_entries_default").fetchone()
    assert found == (2,)
