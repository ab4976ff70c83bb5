"""Tenant rules: every table could be distributed by merchant as it stands.

No key, unique rule or reference holds for rows of two merchants; no number is handed out by a
sequence that all would share; what only grows is partitioned by month.
"""

from typing import Any

import pytest

from models.partitions import PARTITIONED_TABLES
from models.tables import GLOBAL_TABLES
from tests.models.catalogue import COLUMNS, PARTITIONS, SEQUENCES, TABLES, TIES, ask
from vault.store.tables import GLOBAL_TABLES as VAULT_GLOBAL_TABLES

# Ids of other kinds than our records' own: the text that a log line carries.
NO_UUIDS = {("events", "request_id")}


@pytest.fixture(params=["main", "vault"])
def database(request: pytest.FixtureRequest) -> tuple[str, frozenset[str]]:
    """A migrated database and its global tables."""
    url: str = request.getfixturevalue(f"{request.param}_database")
    return url, GLOBAL_TABLES if request.param == "main" else VAULT_GLOBAL_TABLES


def tables(url: str) -> set[str]:
    return {str(row[0]) for row in ask(url, TABLES)}


def test_global_tables_are_named_and_few(main_database: str) -> None:
    assert tables(main_database) >= GLOBAL_TABLES
    merchants_own = {row[0] for row in ask(main_database, COLUMNS) if row[1] == "merchant_id"}
    assert tables(main_database) - merchants_own == GLOBAL_TABLES


def test_the_merchant_stands_in_every_key_and_reference(
    database: tuple[str, frozenset[str]],
) -> None:
    url, shared = database
    ties: list[Any] = ask(url, TIES)
    checked = [tie for tie in ties if tie[0] not in shared]
    assert {tie[0] for tie in checked} == tables(url) - shared
    assert [tie for tie in checked if "merchant_id" not in tie[2]] == []
    assert [tie for tie in checked if tie[1].removeprefix("reference to ") in shared] == []


def test_no_number_is_handed_out_by_the_server(database: tuple[str, frozenset[str]]) -> None:
    url, _ = database
    assert ask(url, SEQUENCES) == []
    columns: list[Any] = ask(url, COLUMNS)
    assert [column for column in columns if column[5] or "nextval" in column[4]] == []


def test_ids_are_uuids(database: tuple[str, frozenset[str]]) -> None:
    url, _ = database
    ids = [row for row in ask(url, COLUMNS) if row[1] == "id" or str(row[1]).endswith("_id")]
    assert len(ids) > len(tables(url))
    others = {(row[0], row[1]) for row in ids if row[2] != "uuid"}
    assert others <= NO_UUIDS


def test_what_only_grows_is_partitioned_by_month(main_database: str) -> None:
    partitioned = {row[0]: row[1] for row in ask(main_database, TABLES) if row[1]}
    assert partitioned == dict.fromkeys(PARTITIONED_TABLES, "RANGE (id)")
    partitions: list[Any] = ask(main_database, PARTITIONS)
    for table in PARTITIONED_TABLES:
        own = [row for row in partitions if row[0] == table]
        assert [row[1] for row in own if row[2] == "DEFAULT"] == [f"{table}_default"]
        assert len(own) > 1
