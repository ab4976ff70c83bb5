"""Tenant rules: a database sharded by merchant could hold these tables unchanged.

The merchant stands in every primary key, unique index and foreign key; nothing counts through
a sequence; the few tables that belong to no merchant are named as such.
"""

from collections.abc import Iterator

import pytest

import models.migrate
import vault.migrate
from models.tables import GLOBAL_TABLES, METADATA
from tests.models import databases
from vault.store.tables import METADATA as VAULT_METADATA

MERCHANT = "merchant_id"
# PK (id, merchant_id) with a UUIDv7; these are named by something else.
NAMED_OTHERWISE = {
    "counters": "a sum of slots, not a thing",
    "idempotency_keys": "the client's own key",
    "token_claims": "the token's id",
    "webhook_deliveries": "event and endpoint",
    "webhook_attempts": "delivery and number",
    "publishable_keys": "the key itself, which is public",
    "data_keys": "merchant, purpose and version",
    "token_requests": "the client's own key",
}
HOUSES = {"models": (METADATA, GLOBAL_TABLES), "vault": (VAULT_METADATA, frozenset[str]())}


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    """A migrated database of each house."""
    with databases.cluster() as cluster:
        made = {house: cluster.database() for house in HOUSES}
        models.migrate.migrate(made["models"])
        vault.migrate.migrate(made["vault"])
        yield made


@pytest.mark.parametrize("house", HOUSES)
def test_the_merchant_is_in_every_unique_index(urls: dict[str, str], house: str) -> None:
    metadata, of_nobody = HOUSES[house]
    seen = set()
    for table, index, _, columns in databases.rows(urls[house], databases.KEYS):
        seen.add(table)
        if table not in of_nobody:
            assert MERCHANT in columns, index
    assert seen == set(metadata.tables)


@pytest.mark.parametrize("house", HOUSES)
def test_primary_keys_are_id_and_merchant(urls: dict[str, str], house: str) -> None:
    _, of_nobody = HOUSES[house]
    for table, _, primary, columns in databases.rows(urls[house], databases.KEYS):
        if primary and table not in of_nobody and table not in NAMED_OTHERWISE:
            assert columns == ["id", MERCHANT], table


@pytest.mark.parametrize("house", HOUSES)
def test_foreign_keys_stay_within_a_merchant(urls: dict[str, str], house: str) -> None:
    _, of_nobody = HOUSES[house]
    found = databases.rows(urls[house], databases.FOREIGN_KEYS)
    for table, target, own, referred in found:
        assert MERCHANT in own and MERCHANT in referred, (table, target)
        assert target not in of_nobody, "a shard does not have the other table's rows"
    assert len(found) >= (2 if house == "models" else 0)


@pytest.mark.parametrize("house", HOUSES)
def test_every_row_of_a_merchant_says_whose_it_is(urls: dict[str, str], house: str) -> None:
    metadata, of_nobody = HOUSES[house]
    columns = databases.rows(urls[house], databases.COLUMNS)
    own = {row[0]: row for row in columns if row[1] == MERCHANT}
    assert own.keys() == set(metadata.tables) - of_nobody
    assert {(row[2], row[3]) for row in own.values()} == {("uuid", True)}


@pytest.mark.parametrize("house", HOUSES)
def test_nothing_counts_through_a_sequence(urls: dict[str, str], house: str) -> None:
    kinds = {kind for _, kind in databases.rows(urls[house], databases.RELATIONS)}
    assert b"S" not in kinds and "S" not in kinds
    for _, name, kind, _, default, identity, generated in databases.rows(
        urls[house], databases.COLUMNS
    ):
        assert not identity.strip("\0") and not generated.strip("\0"), name
        assert "nextval" not in (default or "")
        assert name != "id" or kind == "uuid"


@pytest.mark.parametrize("house", HOUSES)
def test_no_table_has_a_trigger_or_a_rule(urls: dict[str, str], house: str) -> None:
    triggers = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
    rules = "SELECT rulename FROM pg_rules WHERE schemaname = 'public'"
    assert databases.rows(urls[house], triggers) == databases.rows(urls[house], rules) == []


def test_the_exceptions_are_there(urls: dict[str, str]) -> None:
    assert set(METADATA.tables) >= GLOBAL_TABLES == {"merchants", "platform_keys"}
    assert set(METADATA.tables) | set(VAULT_METADATA.tables) >= NAMED_OTHERWISE.keys()
