"""What anybody may ask: the document as JSON, and whether the servers are well."""

import json

import httpx
import pytest

from tests.shop import Shop, told


def test_the_document_as_json(shop: Shop) -> None:
    answer = shop.http.get("/openapi.json")
    document = told(answer, 200)
    assert document["openapi"].startswith("3.1.")
    assert "post" in document["paths"]["/v1/payments"]
    assert answer.headers["cache-control"] == "public, max-age=86400"
    tag = answer.headers["etag"]
    again = shop.http.get("/openapi.json", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    version = answer.headers["paymint-version"]
    assert json.loads(shop.http.get(f"/openapi/{version}/openapi.json").content) == document


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_told_to_anybody_and_kept_by_nobody(shop: Shop, path: str) -> None:
    answer = shop.http.get(path)
    assert answer.status_code == httpx.codes.OK, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers


def test_a_running_stack_is_alive_and_ready(shop: Shop) -> None:
    assert told(shop.http.get("/healthz"), 200) == {"status": "ok"}
    ready = told(shop.http.get("/readyz"), 200)
    assert ready["status"] == "ready"
    assert ready["checks"].pop("redis") in ("ok", "degraded")
    sound = ("database", "card_network_gateway", "vault", "audit")
    assert ready["checks"] == dict.fromkeys(sound, "ok")
