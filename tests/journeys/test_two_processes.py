"""Two API processes over one database: what one revokes, the other refuses within a second."""

import time
from collections.abc import Iterator
from dataclasses import replace

import httpx
import psycopg
import pytest

from tests.another_process import another_api
from tests.journeys.accounts import new_key, operate, using
from tests.serving import eventually
from tests.shop import Merchant, Shop, error, told

# And what a busy machine adds to it; without a word a key is looked up again after a minute.
SECOND = 3.0


@pytest.fixture(scope="module")
def second(shop: Shop) -> Iterator[httpx.Client]:
    """A client of one more API process beside the stack's own."""
    with another_api(shop) as client:
        yield client


def refused(user: Merchant) -> tuple[int, str, str | None]:
    """The refusal that a key comes to within a second."""
    began = time.monotonic()
    eventually(lambda: user.ask("GET", "/v1/payments").status_code != 200, SECOND)
    assert time.monotonic() - began < SECOND
    return error(user.ask("GET", "/v1/payments"))


def test_a_revoked_key_is_refused_by_the_other_process(
    shop: Shop, merchant: Merchant, second: httpx.Client
) -> None:
    key = new_key(merchant)
    user = replace(using(merchant, key), http=second)
    user.get("/v1/payments")
    with shop.database() as database:
        # A word that nobody of ours says must not make anybody deaf.
        database.execute("SELECT pg_notify('paymint_merchants', 'nonsense')")
    told(merchant.ask("DELETE", f"/v1/api_keys/{key['id']}"), 200)
    assert refused(user) == (401, "api_key_revoked", None)


def test_a_suspended_key_and_a_closed_account_are_refused_by_the_other_process(
    shop: Shop, merchant: Merchant, second: httpx.Client
) -> None:
    key = new_key(merchant, scopes=["payments:write"])
    user, own = replace(using(merchant, key), http=second), replace(merchant, http=second)
    user.get("/v1/payments")
    own.get("/v1/payments")
    told(operate(shop, "POST", f"/v1/api_keys/{key['id']}/suspend"), 200)
    assert refused(user) == (401, "api_key_suspended", None)
    told(operate(shop, "PATCH", f"/v1/merchants/{merchant.id}", {"status": "terminated"}), 200)
    body = {"name": "Ada"}
    assert eventually(lambda: own.ask("POST", "/v1/customers", body).status_code == 403, SECOND)


def test_what_was_missed_without_a_connection_is_read_again(
    shop: Shop, merchant: Merchant, second: httpx.Client
) -> None:
    """Nobody announces this revocation; losing the listening connection is enough."""
    key = new_key(merchant)
    user = replace(using(merchant, key), http=second)
    user.get("/v1/payments")
    with shop.database() as database:
        database.execute(
            "UPDATE api_keys SET revoked_at = now() WHERE display = %s", [key["display"]]
        )
        user.get("/v1/payments")
        end_listeners(database)
    assert eventually(lambda: user.ask("GET", "/v1/payments").status_code == 401, 5.0)


def end_listeners(database: psycopg.Connection[tuple[object, ...]]) -> None:
    """Ends every connection that listens, as a restart of the server would."""
    ended = database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE query LIKE 'LISTEN%' OR query = 'SELECT 1'"
    ).fetchall()
    assert ended
