"""Paths and methods: exact, with a full Allow, and nothing beyond the document."""

import pytest

from generated.operations import OPERATIONS
from tests.gateway.door import Door

PATHS = sorted({row.path for row in OPERATIONS if row.house == "gateway"})


@pytest.mark.parametrize("path", PATHS)
def test_another_method_is_405_with_every_method_in_allow(door: Door, path: str) -> None:
    declared = {row.method for row in OPERATIONS if row.path == path}
    allowed = declared | {"OPTIONS"} | ({"HEAD"} if "GET" in declared else set())
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "BREW"} - allowed:
        answer = door.ask(method, path, key=None)
        assert answer.status_code == 405
        assert answer.json()["error"]["code"] == "method_not_allowed"
        assert set(answer.headers["allow"].split(", ")) == allowed


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/payments/",
        "/healthz/",
        "/V1/payments",
        "/v1//payments",
        "/v1/payments//capture",
        "/v1/tokens",
        "/openapi.toml",
        "/ui",
        "/v1/payments/%2e%2e/healthz",
    ],
)
def test_a_path_outside_the_document_is_404(door: Door, path: str) -> None:
    answer = door.ask("GET", path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "route_missing"
    assert door.requests == []


def test_head_answers_as_get_without_a_body(door: Door) -> None:
    got, headed = door.ask("GET", "/v1/payments"), door.ask("HEAD", "/v1/payments")
    assert headed.status_code == 200
    assert headed.content == b""
    assert headed.headers["content-length"] == got.headers["content-length"]
    assert headed.headers["content-type"] == "application/json"
    assert door.ask("HEAD", "/v1/payments", key=None).status_code == 401


def test_path_parameters_reach_the_handler_as_sent(door: Door) -> None:
    door.ask("GET", "/v1/payments/pay_1/refunds/ref%00%20x")
    assert door.requests[0].path == {"payment_id": "pay_1", "refund_id": "ref\x00 x"}
    assert door.requests[0].query == {}
