"""What every answer tells a browser, and what no answer and no log tells anybody."""

import gzip
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.attacks.wire.sockets import exchange, head
from tests.marks import new_mark
from tests.serving import eventually
from tests.shop import Merchant, Shop, bearer, card, error

LOG_SECONDS = 20.0
GUARDS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


def check_guards(answer: httpx.Response) -> None:
    for name, value in GUARDS.items():
        assert answer.headers.get_list(name) == [value], (answer.request.url, name)
    assert "server" not in answer.headers and "x-powered-by" not in answer.headers
    assert len(answer.headers.get_list("cache-control")) == 1
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["paymint-version"]


def test_every_kind_of_answer_is_guarded(shop: Shop, merchant: Merchant) -> None:
    made = merchant.ask("GET", "/v1/payments")
    known = {"If-None-Match": made.headers["etag"]}
    answers = [
        made,
        merchant.ask("GET", "/v1/payments", headers=known),
        merchant.ask("HEAD", "/v1/payments"),
        shop.http.options("/v1/payments"),
        shop.http.get("/none"),
        shop.http.delete("/v1/payments"),
        shop.http.get("/v1/payments"),
        merchant.ask("GET", "/v1/payments?limit=0"),
        shop.http.get("/openapi.json"),
        shop.vault.post("/v1/tokens", json=card(), headers=bearer(merchant.publishable_key)),
        shop.vault.post("/v1/tokens", json=card()),
        shop.vault.options("/v1/tokens"),
        shop.vault.get("/healthz"),
        shop.vault.get("/none"),
    ]
    expected = [200, 304, 200, 204, 404, 405, 401, 400, 200, 201, 401, 204, 200, 404]
    assert [answer.status_code for answer in answers] == expected
    for answer in answers:
        check_guards(answer)


def test_what_cannot_be_read_is_answered_with_guards(shop: Shop) -> None:
    for url in (shop.base_url, shop.vault_url):
        answer = exchange(url, b"4242424242424242\r\n\r\n").lower()
        for name, value in {**GUARDS, "cache-control": "no-store"}.items():
            assert f"\r\n{name}: {value}\r\n".lower().encode() in answer
        assert b"\r\nserver:" not in answer


def logs(shop: Shop) -> list[Path]:
    return sorted((shop.serving.directory / "log").glob("paymint-*.log*"))


def written(shop: Shop, text: str) -> bool:
    return any(text in log.read_text(errors="replace") for log in logs(shop))


def soon_written(shop: Shop, text: str) -> bool:
    return eventually(lambda: written(shop, text), LOG_SECONDS)


@pytest.mark.parametrize("name", ["api_key", "access_token", "key", "token", "authorization"])
def test_a_key_in_the_query_is_refused_and_written_nowhere(
    shop: Shop, merchant: Merchant, name: str
) -> None:
    secret = f"sk_test_{new_mark()}"
    answers = [
        shop.http.get(f"/v1/payments?{name}={merchant.secret_key}"),
        merchant.ask("GET", f"/v1/payments?{name}={secret}"),
        shop.vault.post(
            f"/v1/tokens?{name}={secret}", json=card(), headers=bearer(merchant.publishable_key)
        ),
        shop.http.get(f"/none?{name}={secret}"),
    ]
    assert [error(answer)[:2] for answer in answers] == [
        (401, "api_key_missing"),
        (400, "parameter_unknown"),
        (400, "parameter_unknown"),
        (404, "route_missing"),
    ]
    for answer in answers:
        assert secret not in answer.text and merchant.secret_key not in answer.text
    last = answers[-1].headers["x-request-id"]
    assert soon_written(shop, last)
    assert not written(shop, secret) and not written(shop, merchant.secret_key)


@pytest.mark.parametrize("scheme", ["Basic", "Digest", "Token", "Negotiate"])
def test_another_scheme_is_401_and_written_nowhere(shop: Shop, scheme: str) -> None:
    secret = new_mark()
    for door, method, path in (
        (shop.http, "GET", "/v1/payments"),
        (shop.vault, "POST", "/v1/tokens"),
    ):
        answer = door.request(method, path, headers={"Authorization": f"{scheme} {secret}"})
        assert error(answer)[:2] == (401, "api_key_missing")
        assert "Bearer" in answer.headers["www-authenticate"]
        last = answer.headers["x-request-id"]
        assert soon_written(shop, last)
    assert not written(shop, secret)


def test_a_refused_key_is_written_nowhere(shop: Shop) -> None:
    secret = f"sk_test_{new_mark()}"
    answer = shop.http.get("/v1/payments", headers=bearer(secret))
    assert error(answer)[0] == 401
    assert soon_written(shop, answer.headers["x-request-id"])
    assert not written(shop, secret)


def test_unreadable_bytes_are_written_nowhere(shop: Shop) -> None:
    secret = f"sk_test_{new_mark()}"
    for url in (shop.base_url, shop.vault_url):
        answer = exchange(url, head(f"GET /{secret} HTTP/1.1", f"Bad Header: {secret}"))
        assert secret.encode() not in answer
        name = answer.partition(b"x-request-id: ")[2][:36].decode()
        assert soon_written(shop, name)
    assert not written(shop, secret)


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "x-gzip", "identity, gzip"])
def test_a_coded_body_is_refused_undecoded(shop: Shop, merchant: Merchant, coding: str) -> None:
    """A gzip bomb: a kilobyte that would be a megabyte is never taken apart."""
    bomb = gzip.compress(b" " * 1_000_000 + b"{}")
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    paid = merchant.ask(
        "POST", "/v1/payments", content=bomb, headers={**headers, "Idempotency-Key": str(uuid4())}
    )
    token = shop.vault.post(
        "/v1/tokens", content=bomb, headers={**headers, **bearer(merchant.publishable_key)}
    )
    for answer in (paid, token):
        assert error(answer)[:2] == (415, "content_type_unsupported")
