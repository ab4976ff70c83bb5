"""Blueprint section 5, line by line."""

from email.utils import parsedate_to_datetime

import httpx

from tests.midlife import put_clock
from tests.shop import Merchant, Shop, error, told

LEGACY = {"Paymint-Version": "2025-09-15"}


def test_the_example_uris(shop: Shop, merchant: Merchant) -> None:
    put_clock(shop, merchant)
    path = f"/v1/payments/{merchant.pay()['id']}"
    current = merchant.ask("GET", path, headers={"Paymint-Version": "2026-04-01"})
    legacy = merchant.ask("GET", path, headers=LEGACY)
    assert current.headers["paymint-version"] == "2026-04-01"
    assert legacy.headers["paymint-version"] == "2025-09-15"
    assert "data" not in told(current, 200) and "data" in told(legacy, 200)
    assert merchant.ask("GET", path).headers["paymint-version"] == "2026-04-01"


def test_deprecation_is_told_on_every_answer(shop: Shop, merchant: Merchant) -> None:
    put_clock(shop, merchant)

    def check(answer: httpx.Response) -> None:
        sunset = parsedate_to_datetime(answer.headers["sunset"])
        assert sunset.isoformat() == "2027-04-01T00:00:00+00:00"
        assert answer.headers["deprecation"].startswith("@")
        assert 'rel="sunset"' in answer.headers["link"]

    check(merchant.ask("GET", "/v1/payments", headers=LEGACY))
    check(merchant.ask("GET", "/v1/payments/pay_0", headers=LEGACY))
    assert "sunset" not in merchant.ask("GET", "/v1/payments").headers


def test_an_unknown_version(merchant: Merchant) -> None:
    for version in ("2026-04-02", "yesterday", "2026-4-1"):
        headers = {"Paymint-Version": version}
        assert error(merchant.ask("GET", "/v1/payments", headers=headers))[0] == 400
