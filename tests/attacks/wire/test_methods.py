"""Methods: HEAD as GET without a body, OPTIONS everywhere, nothing by another name."""

import re
from uuid import uuid4

import httpx
import pytest

from generated.operations import OPERATIONS, OperationRow
from tests.attacks.wire.sockets import connect, exchange, head, statuses
from tests.marks import new_mark
from tests.shop import Merchant, Shop, bearer, error

READS = [row for row in OPERATIONS if row.method == "GET"]
# They tell of one answer or its moment, and the next answer may have others.
OWN = {"date", "x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit"}
PATHS = sorted({row.path for row in OPERATIONS})


def door_of(shop: Shop, row: OperationRow) -> httpx.Client:
    return shop.vault if row.house == "vault" else shop.http


@pytest.fixture(scope="module")
def reader(shop: Shop) -> Merchant:
    """A merchant who has one of everything that a payment makes."""
    opened = shop.open_account()
    opened.pay()
    return opened


def some_path(reader: Merchant, row: OperationRow) -> str:
    """The operation's path; the ids in it are of what the merchant has, or nobody's."""
    known = {"merchant_id": reader.id}

    def filled(match: re.Match[str]) -> str:
        return known.get(match[1], f"pay_{uuid4().hex}")

    return re.sub(r"\{(\w+)\}", filled, row.path)


@pytest.mark.parametrize("row", READS, ids=[row.operation_id for row in READS])
def test_head_has_the_head_of_get_and_no_body(
    shop: Shop, reader: Merchant, row: OperationRow
) -> None:
    door, path = door_of(shop, row), some_path(reader, row)
    key = "" if row.house == "vault" else reader.secret_key
    headers = bearer(key) if key and row.scopes else {}
    got, asked = (door.request(method, path, headers=headers) for method in ("GET", "HEAD"))
    assert asked.content == b""
    assert asked.status_code == got.status_code
    assert {*asked.headers} == {*got.headers}
    changing = OWN | ({"content-length", "etag"} if "readyz" in path else set())
    changing |= {"content-length", "etag"} if row.operation_id == "list_request_logs" else set()
    for name in {*got.headers} - changing:
        assert asked.headers[name] == got.headers[name], name


def test_head_sends_nothing_behind_its_head(shop: Shop) -> None:
    for url in (shop.base_url, shop.vault_url):
        for path, status in (("/healthz", 200), ("/none", 404)):
            answer = exchange(url, head(f"HEAD {path} HTTP/1.1", "Connection: close"))
            assert statuses(answer) == [status]
            assert answer.endswith(b"\r\n\r\n") and answer.count(b"\r\n\r\n") == 1


@pytest.mark.parametrize("path", PATHS)
def test_options_tells_the_methods_of_each_path(shop: Shop, path: str) -> None:
    rows = [row for row in OPERATIONS if row.path == path]
    methods = {row.method for row in rows} | {"OPTIONS"}
    methods |= {"HEAD"} if "GET" in methods else set()
    answer = door_of(shop, rows[0]).request("OPTIONS", path)
    assert answer.status_code == 204 and answer.content == b""
    assert set(answer.headers["allow"].split(", ")) == methods
    assert "content-length" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "QUERY", "LINK", "PURGE"])
def test_methods_of_others_are_405_and_mirror_nothing(shop: Shop, method: str) -> None:
    secret = f"sk_test_{new_mark()}"
    asked = head(
        f"{method} /healthz HTTP/1.1", f"Authorization: Bearer {secret}", "Connection: close"
    )
    for url in (shop.base_url, shop.vault_url):
        answer = exchange(url, asked)
        assert statuses(answer) == [405]
        assert secret.encode() not in answer


@pytest.mark.parametrize(
    "name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"]
)
def test_no_header_makes_one_method_another(shop: Shop, merchant: Merchant, name: str) -> None:
    customer = merchant.customer()["id"]
    path = f"/v1/customers/{customer}"
    assert merchant.ask("GET", path, headers={name: "DELETE"}).status_code == 200
    assert error(merchant.ask("POST", path, headers={name: "DELETE"}))[0] == 405
    assert merchant.ask("GET", path).status_code == 200


def test_no_field_makes_one_method_another(merchant: Merchant) -> None:
    customer = merchant.customer()["id"]
    answer = merchant.ask("GET", f"/v1/customers/{customer}?_method=DELETE")
    assert error(answer)[:2] == (400, "parameter_unknown")
    assert merchant.ask("GET", f"/v1/customers/{customer}").status_code == 200


def test_an_announced_body_is_asked_for(shop: Shop, merchant: Merchant) -> None:
    """Expect: 100-continue (RFC 9110 section 10.1.1): asked for when somebody reads it."""
    body = b'{"type":"card"}'
    with connect(shop.vault_url) as connection:
        connection.sendall(
            head(
                "POST /v1/tokens HTTP/1.1",
                f"Authorization: Bearer {merchant.publishable_key}",
                "Content-Type: application/json",
                f"Content-Length: {len(body)}",
                "Expect: 100-continue",
            )
        )
        assert connection.recv(1_000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert connection.recv(1_000).startswith(b"HTTP/1.1 400 ")
