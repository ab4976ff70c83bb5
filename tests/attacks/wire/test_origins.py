"""Pages of other origins: the dashboard's reads the API, nobody else does (blueprint section 9)."""

import httpx
import pytest

from generated.operations import OPERATIONS
from tests.shop import Merchant, Shop, bearer, card

DASHBOARD = "https://merchant-dashboard.paymint.com"
OTHERS = [
    "null",
    "*",
    "",
    "https://evil.example",
    "https://merchant-dashboard.paymint.com.evil.example",
    "https://evilmerchant-dashboard.paymint.com",
    "https://merchant-dashboard.paymint.com:8443",
    "https://merchant-dashboard.paymint.com/",
    "https://merchant-dashboard.paymint.com.",
    "https://MERCHANT-DASHBOARD.paymint.com",
    "http://merchant-dashboard.paymint.com",
    "https://user@merchant-dashboard.paymint.com",
    "https://merchant-dashboard.paymint.com, https://evil.example",
    "https://checkout.paymint.com",
    "http://localhost:5173",
    "file://",
]
# Of the vault's door in the sandbox; loopback origins are allowed there besides.
STRANGERS = [
    "null",
    "*",
    "",
    "https://paymint.com",
    "https://evilpaymint.com",
    "https://paymint.com.evil.example",
    "https://checkout.paymint.com.evil.example",
    "https://checkout.paymint.com:8443",
    "https://checkout.paymint.com.",
    "https://CHECKOUT.paymint.com",
    "https://checkout.PAYMINT.com",
    "https://.paymint.com",
    "https://a..paymint.com",
    "https://check_out.paymint.com",
    "https://evil.example/.paymint.com",
    "https://evil.example#.paymint.com",
    "https://evil.example\\.paymint.com",
    "https://user@checkout.paymint.com",
    "http://checkout.paymint.com",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.2",
    "http://localhost:123456",
    "https://localhost",
    "http://evil.example:80",
]
PATHS = sorted({row.path for row in OPERATIONS if row.house == "gateway" and row.tag != "pages"})


def shown(answer: httpx.Response) -> dict[str, str]:
    return {n: v for n, v in answer.headers.items() if n.startswith("access-control-")}


def varies(answer: httpx.Response) -> bool:
    return "Origin" in answer.headers["vary"].split(", ")


@pytest.mark.parametrize("path", PATHS)
def test_the_dashboard_is_told_the_methods_of_each_path(shop: Shop, path: str) -> None:
    asked = {"Origin": DASHBOARD, "Access-Control-Request-Method": "POST"}
    answer = shop.http.options(path, headers=asked)
    assert answer.status_code == 204 and answer.content == b""
    headers = shown(answer)
    assert headers.pop("access-control-allow-methods") == answer.headers["allow"]
    assert headers == {
        "access-control-allow-origin": DASHBOARD,
        "access-control-allow-headers": "Authorization, Content-Type, Idempotency-Key, "
        "Paymint-Version, If-Match, If-None-Match",
        "access-control-max-age": "7200",
    }
    assert varies(answer)


def test_the_dashboard_reads_answers_refusals_too(shop: Shop, merchant: Merchant) -> None:
    for path, key in (
        ("/v1/payments", merchant.secret_key),
        ("/v1/payments", "sk_test_none"),
        ("/v1/payments?limit=0", merchant.secret_key),
        ("/none", ""),
    ):
        answer = shop.http.get(path, headers={"Origin": DASHBOARD} | (bearer(key) if key else {}))
        assert shown(answer) == {
            "access-control-allow-origin": DASHBOARD,
            "access-control-expose-headers": "X-Request-Id, X-RateLimit-Limit, "
            "X-RateLimit-Remaining, ETag, Retry-After, Idempotent-Replayed, Paymint-Version",
        }
        assert varies(answer)


@pytest.mark.parametrize("origin", OTHERS)
def test_no_other_origin_is_told_anything(shop: Shop, merchant: Merchant, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    answers = [
        shop.http.options("/v1/payments", headers=asked),
        merchant.ask("GET", "/v1/payments", headers={"Origin": origin}),
        shop.http.get("/none", headers={"Origin": origin}),
    ]
    assert [answer.status_code for answer in answers] == [204, 200, 404]
    for answer in answers:
        assert shown(answer) == {}
        assert varies(answer)
        assert not origin or origin == "*" or origin not in str(answer.headers)


@pytest.mark.parametrize("origin", STRANGERS)
def test_the_vault_tells_strangers_nothing(shop: Shop, merchant: Merchant, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answers = [
        shop.vault.options("/v1/tokens", headers=asked),
        shop.vault.post(
            "/v1/tokens",
            json=card(),
            headers={"Origin": origin, **bearer(merchant.publishable_key)},
        ),
        shop.vault.get("/none", headers={"Origin": origin}),
    ]
    assert [answer.status_code for answer in answers] == [204, 201, 404]
    for answer in answers:
        assert shown(answer) == {}
        assert varies(answer)


@pytest.mark.parametrize("origin", ["https://checkout.paymint.com", "http://[::1]:8000"])
def test_the_vault_tells_our_pages_without_credentials(shop: Shop, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    headers = shown(shop.vault.options("/v1/tokens", headers=asked))
    assert headers["access-control-allow-origin"] == origin
    assert headers["access-control-allow-methods"] == "POST, OPTIONS"
    assert "access-control-allow-credentials" not in headers
