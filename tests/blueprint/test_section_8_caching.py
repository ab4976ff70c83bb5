"""Blueprint section 8, line by line: caching headers, ETags and compression."""

from tests.shop import Merchant, told

COMPRESSED_FROM_BYTES = 1024


def test_who_may_keep_what(merchant: Merchant) -> None:
    payment = merchant.pay()["id"]
    customer = merchant.customer()["id"]
    method = told(merchant.save_card(customer), 201)["id"]
    merchant.refund(payment, amount=100)
    expected = {
        f"/v1/merchants/{merchant.id}": "private, max-age=300",
        f"/v1/payments/{payment}": "private, no-cache",
        "/v1/payments": "private, no-cache",
        f"/v1/customers/{customer}": "private, no-cache",
        f"/v1/payments/{payment}/refunds": "no-store",
        f"/v1/customers/{customer}/payment_methods/{method}": "no-store",
        "/openapi.json": "public, max-age=86400",
        "/openapi.yaml": "public, max-age=86400",
    }
    found = {path: merchant.ask("GET", path).headers["cache-control"] for path in expected}
    assert found == expected
    created = merchant.pay_answer()
    assert created.headers["cache-control"] == "no-store"
    assert merchant.ask("GET", "/v1/payments/pay_0").headers["cache-control"] == "no-store"


def test_an_etag_as_printed(merchant: Merchant) -> None:
    path = f"/v1/merchants/{merchant.id}"
    etag = merchant.ask("GET", path).headers["etag"]
    answer = merchant.ask("GET", path, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    told(merchant.ask("PATCH", path, {"business_name": "Other"}), 200)
    assert merchant.ask("GET", path, headers={"If-None-Match": etag}).status_code == 200


def test_brotli_is_preferred(merchant: Merchant) -> None:
    for _ in range(5):
        merchant.pay()
    for accepted, coding in (("br, gzip", "br"), ("gzip", "gzip"), ("identity", None)):
        answer = merchant.ask("GET", "/v1/payments", headers={"Accept-Encoding": accepted})
        assert answer.headers.get("content-encoding") == coding
        assert len(told(answer, 200)["data"]) == 5
    small = merchant.ask("GET", "/v1/disputes", headers={"Accept-Encoding": "br, gzip"})
    assert len(small.content) < COMPRESSED_FROM_BYTES
    assert "content-encoding" not in small.headers
