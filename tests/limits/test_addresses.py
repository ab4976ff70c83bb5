"""Limits of a client address, behind a proxy that is believed and before those that are not."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

import httpx
import pytest

from domain.allowlists import networks
from domain.client_addresses import client_address, counted_as
from tests.journeys.accounts import new_key, operate, using
from tests.oauth.partner import refused, register
from tests.serving import eventually
from tests.shop import ACCOUNT, Merchant, Shop, bearer, card, error, told

NUMBERS = count(1)
# More than an address may ask in the test's time, of its 60 requests a minute.
PUBLIC_BURST_AT_MOST = 200
REFUSED_AT_MOST = 2000
# Within a second, and what a busy machine adds to it.
NEGOTIATED_SECONDS = 3.0
TRUSTED = networks(["10.0.0.0/8", "127.0.0.1/32", "2001:db8:1::/48"])


def fresh_address() -> str:
    """An address that no test has used."""
    number = next(NUMBERS)
    return f"198.51.{number // 250}.{number % 250 + 1}"


def coming(address: str, **more: str) -> dict[str, str]:
    return {"X-Forwarded-For": address, **more}


def account(narrow: Shop) -> Merchant:
    """A merchant opened from an address of its own."""
    sent = coming(fresh_address())
    made = told(narrow.http.post("/v1/sandbox_accounts", json=ACCOUNT, headers=sent), 201)
    names = ("secret_key", "publishable_key", "webhook_secret")
    values = {name: made[name] for name in names}
    return Merchant(made["merchant"]["id"], http=narrow.http, vault=narrow.vault, **values)


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        # Who is no proxy of ours may say what it likes.
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        # What stands to the left of the client's own address was made up.
        ("127.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["1.1.1.1", "198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        ("127.0.0.1", ["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        ("127.0.0.1", ["198.51.100.1, nonsense"], "127.0.0.1"),
        ("127.0.0.1", ["198.51.100.1, 198.51.100.2:443, 10.0.0.1"], "10.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("127.0.0.1", ["2001:db8:2::1, 2001:db8:1::9"], "2001:db8:2::1"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_the_last_hop_that_is_not_ours(peer: str, forwarded: list[str], found: str) -> None:
    assert client_address(peer, forwarded, TRUSTED) == found
    assert client_address(peer, forwarded, ()) == peer


def test_one_customers_ipv6_is_counted_as_one() -> None:
    assert counted_as("2001:db8:2:3::1") == counted_as("2001:db8:2:3:ffff::9")
    assert counted_as("2001:db8:2:4::1") != counted_as("2001:db8:2:3::1")
    assert counted_as("::ffff:198.51.100.7") == counted_as("198.51.100.7")
    assert counted_as("") == counted_as("x") == "unknown"


def test_twenty_accounts_an_hour_from_one_address(narrow: Shop) -> None:
    here, elsewhere = fresh_address(), fresh_address()

    def open_from(address: str) -> httpx.Response:
        path, sent = "/v1/sandbox_accounts", coming(address)
        return narrow.http.post(path, json=ACCOUNT, headers=sent)

    assert [open_from(here).status_code for _ in range(20)] == [201] * 20
    refused = open_from(here)
    assert error(refused) == (429, "rate_limited", None)
    assert 0 < int(refused.headers["retry-after"]) <= 7200
    # Made-up hops before one's own do not help.
    assert open_from(f"8.8.8.8, {here}").status_code == 429
    assert open_from(elsewhere).status_code == 201


def test_who_shows_no_key_is_counted_by_address(narrow: Shop) -> None:
    here, elsewhere = coming(fresh_address()), coming(fresh_address())
    codes = [narrow.http.get("/openapi.json", headers=here).status_code for _ in range(40)]
    assert codes[:10] == [200] * 10
    assert 429 in codes
    assert narrow.http.get("/openapi.json", headers=elsewhere).status_code == 200
    assert {narrow.http.get("/healthz", headers=here).status_code for _ in range(80)} == {200}


def test_a_page_says_in_words_that_it_was_asked_too_often(narrow: Shop) -> None:
    here = coming(fresh_address())
    refused = refused_at_last(lambda: narrow.http.get("/sign_in", headers=here))
    assert refused.headers["content-type"] == "text/html; charset=utf-8"
    assert refused.text.startswith("<!doctype html>")
    assert "rate_limited" in refused.text and refused.headers["x-request-id"] in refused.text
    assert "content-security-policy" in refused.headers
    # A form is refused alike, before it is read.
    posted = refused_at_last(lambda: narrow.http.post("/sign_in", content=b"x", headers=here))
    assert posted.headers["content-type"] == "text/html; charset=utf-8"


def test_oauth_refuses_too_many_requests_in_its_own_words(narrow: Shop) -> None:
    here = coming(fresh_address())
    for path in ("/oauth/token", "/v1/oauth/revoke"):

        def ask(path: str = path) -> httpx.Response:
            return narrow.http.post(path, data={"token": "x"}, headers=here)

        refused = refused_at_last(ask)
        told_why = refused.json()
        assert set(told_why) == {"error", "error_description"}
        assert told_why["error"] == "temporarily_unavailable"
        assert refused.headers["content-type"] == "application/json"


def refused_at_last(ask: Callable[[], httpx.Response]) -> httpx.Response:
    """The first 429 of an address that asks without a pause; it says how long to wait."""
    for _ in range(PUBLIC_BURST_AT_MOST):
        answer = ask()
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["cache-control"] == "no-store"
            return answer
    raise AssertionError("was never refused")


def test_wrong_keys_stop_hashing_and_not_the_shop_at_the_same_address(narrow: Shop) -> None:
    merchant, here = account(narrow), fresh_address()
    told(merchant.ask("GET", "/v1/payments", headers=coming(here)), 200)
    unproven = using(merchant, new_key(merchant))

    def guess(n: int, address: str) -> httpx.Response:
        key = bearer(f"{merchant.secret_key[:-3]}{n:03}")
        return narrow.http.get("/v1/payments", headers=key | coming(address))

    assert [guess(n, here).status_code for n in range(5)] == [401] * 5
    refused = guess(6, here)
    assert error(refused) == (429, "too_many_failed_authentications", None)
    assert int(refused.headers["retry-after"]) >= 1
    told(merchant.ask("GET", "/v1/payments", headers=coming(here)), 200)
    # A key that was not used yet has to wait there, and nowhere else.
    assert unproven.ask("GET", "/v1/payments", headers=coming(here)).status_code == 429
    told(unproven.ask("GET", "/v1/payments", headers=coming(fresh_address())), 200)
    told(unproven.ask("GET", "/v1/payments", headers=coming(here)), 200)


def test_wrong_client_secrets_stop_hashing_and_not_the_client_at_the_same_address(
    narrow: Shop,
) -> None:
    here, known, unknown = fresh_address(), register(narrow), register(narrow)

    def ask(client: dict[str, Any], address: str, secret: str | None = None) -> httpx.Response:
        form = {"grant_type": "refresh_token", "refresh_token": "x", "client_id": client["id"]}
        form["client_secret"] = secret or client["secret"]
        return narrow.http.post("/oauth/token", data=form, headers=coming(address))

    assert refused(ask(known, here)) == (400, "invalid_grant")
    guesses = [refused(ask(known, here, f"pcs_{n}")) for n in range(5)]
    assert guesses == [(401, "invalid_client")] * 5
    stopped = ask(known, here, "pcs_6")
    assert stopped.status_code == 429
    assert int(stopped.headers["retry-after"]) >= 1
    # Who was proven before, or asks from elsewhere, is served.
    assert refused(ask(known, here)) == (400, "invalid_grant")
    assert ask(unknown, here).status_code == 429
    assert refused(ask(unknown, fresh_address())) == (400, "invalid_grant")
    assert refused(ask(unknown, here)) == (400, "invalid_grant")


def test_good_keys_are_not_counted_as_wrong_ones(narrow: Shop) -> None:
    merchant, here = account(narrow), fresh_address()
    for _ in range(8):
        told(
            using(merchant, new_key(merchant)).ask("GET", "/v1/payments", headers=coming(here)), 200
        )


def test_an_allowlist_and_the_request_log_see_the_client(narrow: Shop) -> None:
    merchant, here = account(narrow), fresh_address()
    bound = using(merchant, new_key(merchant, ip_allowlist=[here]))
    told(bound.ask("GET", "/v1/payments", headers=coming(here)), 200)
    for sent in (coming(f"{here}, {fresh_address()}"), coming(fresh_address()), {}):
        assert error(bound.ask("GET", "/v1/payments", headers=sent))[:2] == (403, "ip_not_allowed")

    def addresses() -> set[str]:
        return {entry["ip_address"] for entry in merchant.get("/v1/request_logs")["data"]}

    assert eventually(lambda: here in addresses(), 20.0)


def test_a_key_that_was_stolen_and_is_worthless_uses_up_nothing(narrow: Shop) -> None:
    """Outside of its allowlist a key gets 403, and its merchant is still served."""
    merchant, here, thief = account(narrow), fresh_address(), coming(fresh_address())
    bound = using(merchant, new_key(merchant, ip_allowlist=[here]))
    told(bound.ask("GET", "/v1/payments", headers=coming(here)), 200)

    def left() -> int:
        stolen = bound.ask("GET", "/v1/payments", headers=thief)
        assert error(stolen)[:2] == (403, "ip_not_allowed")
        return int(stolen.headers["x-ratelimit-remaining"])

    # More than a slow machine has to ask, whose bucket fills meanwhile.
    assert any(left() == 0 for _ in range(REFUSED_AT_MOST))
    for at in (bound, merchant):
        answer = at.ask("GET", "/v1/payments", headers=coming(here))
        assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (200, "25")


def test_a_shop_cannot_be_stopped_through_its_publishable_key(narrow: Shop) -> None:
    merchant, stranger, payer = account(narrow), fresh_address(), fresh_address()

    def tokenise(address: str) -> httpx.Response:
        return merchant.token_answer(card(), **coming(address))

    codes = [tokenise(stranger).status_code for _ in range(60)]
    assert codes[:30] == [201] * 30
    refused = tokenise(stranger)
    for _ in range(20):
        refused = refused if refused.status_code == 429 else tokenise(stranger)
    assert error(refused) == (429, "rate_limited", None)
    assert refused.headers["x-ratelimit-limit"] == "10"
    assert int(refused.headers["retry-after"]) == 1
    # Whatever a stranger writes in front of the last hop, it is one address.
    spoofed = [tokenise(f"9.9.9.{n}, {stranger}").status_code for n in range(20)]
    assert 429 in spoofed
    answer = tokenise(payer)
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (201, "10")
    # Nor does it touch what the secret key may do.
    told(merchant.pay_answer(answer.json()["id"], key=str(uuid4())), 201)


def test_what_was_negotiated_counts_for_publishable_keys_too(narrow: Shop) -> None:
    merchant, payer = account(narrow), coming(fresh_address())
    earlier = merchant.publishable_key

    def limit(key: str = earlier) -> str:
        asker = replace(merchant, publishable_key=key)
        return str(asker.token_answer(card(), **payer).headers["x-ratelimit-limit"])

    assert limit() == "10"
    path = f"/v1/merchants/{merchant.id}"
    told(operate(narrow, "PATCH", path, {"rate_limit_multiplier": 3}), 200)
    assert eventually(lambda: limit() == "30", NEGOTIATED_SECONDS), "not at the vault in time"
    later = told(merchant.ask("POST", "/v1/api_keys", {"type": "publishable", "name": "B"}), 201)
    assert limit(later["secret"]) == "30"
    told(operate(narrow, "PATCH", path, {"rate_limit_multiplier": 1}), 200)
    assert eventually(lambda: limit() == "10", NEGOTIATED_SECONDS)


@contextmanager
def unfinished(shop: Shop, merchant: Merchant) -> Iterator[socket.socket]:
    """A request whose body does not come."""
    host, _, port = shop.base_url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        head = (
            f"POST /v1/customers HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\n"
            f"Authorization: Bearer {merchant.secret_key}\r\nContent-Type: application/json\r\n\r\n"
        )
        connection.sendall(head.encode() + b"{")
        yield connection


def test_a_full_process_sheds_load_and_does_nothing(narrow: Shop) -> None:
    merchant = account(narrow)
    merchant.customer()
    with ExitStack() as held:
        waiting = []

        def full() -> bool:
            waiting.append(held.enter_context(unfinished(narrow, merchant)))
            return merchant.ask("POST", "/v1/customers", {}).status_code == 503

        assert eventually(full, 20.0)
        before = sum(merchant_rows(narrow, merchant))
        refused = merchant.ask("POST", "/v1/customers", {})
        assert error(refused) == (503, "service_unavailable", None)
        assert refused.headers["retry-after"] == "1"
        assert sum(merchant_rows(narrow, merchant)) == before
        assert narrow.http.get("/healthz").status_code == 200
        assert narrow.http.get("/readyz").status_code == 200
        for connection in waiting[:5]:
            connection.sendall(b"}")
            assert connection.recv(65536).startswith(b"HTTP/1.1 201")
    assert merchant.ask("POST", "/v1/customers", {}).status_code == 201


def merchant_rows(shop: Shop, merchant: Merchant) -> list[int]:
    with shop.database() as connection:
        found = connection.execute(
            "SELECT count(*) FROM customers WHERE merchant_id = %s",
            (merchant.id.removeprefix("mch_"),),
        )
        return [int(row[0]) for row in found]
