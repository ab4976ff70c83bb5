"""Server-side request forgery by webhook addresses, at the public door.

tests/domain/test_webhook_urls.py judges every spelling by the rule itself,
tests/workers/test_addresses.py what names resolve to, at each delivery.  Here the same
spellings come through every field that takes an address, and a receiver redirects inwards.
"""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest

from domain.ids import from_text
from tests.domain.test_webhook_urls import BAD, NEARLY_LOOPBACK
from tests.journeys.accounts import OPENED, operate
from tests.receiver import Receiver
from tests.serving import eventually
from tests.shop import Merchant, Shop, error

DELIVERED_SECONDS = 30.0
REFUSED = {"url_not_https", "url_not_public", "parameter_invalid", "parameter_invalid_format"}
# With --allow-loopback-webhooks, as this stack runs, two plain spellings are admitted; they
# are refused by the rule everywhere else.
SPELLINGS = [url for url, _ in BAD if not url.startswith("http://127.0.0.1:")] + NEARLY_LOOPBACK
INWARDS = (301, 302, 303, 307, 308)


@pytest.fixture(scope="module")
def intruder(shop: Shop) -> Merchant:
    return shop.open_account()


@pytest.fixture(scope="module")
def good_endpoint(intruder: Merchant) -> str:
    return str(intruder.endpoint("https://shop.example.com/hook")["id"])


@pytest.mark.parametrize("url", SPELLINGS)
def test_an_inward_address_is_refused_in_every_field(
    shop: Shop, intruder: Merchant, good_endpoint: str, url: str
) -> None:
    body = {**OPENED, "webhook_url": url}
    answers = [
        (intruder.ask("POST", "/v1/webhook_endpoints", {"url": url}), "url"),
        (intruder.ask("PATCH", f"/v1/webhook_endpoints/{good_endpoint}", {"url": url}), "url"),
        (
            intruder.ask("PATCH", f"/v1/merchants/{intruder.id}", {"webhook_url": url}),
            "webhook_url",
        ),
        (operate(shop, "POST", "/v1/merchants", body), "webhook_url"),
    ]
    for answer, field in answers:
        status, code, param = error(answer)
        assert (status, param) == (400, field)
        assert code in REFUSED
        assert len(url) < 12 or url not in answer.text


def test_nothing_of_it_was_kept(intruder: Merchant, good_endpoint: str) -> None:
    (kept,) = intruder.get("/v1/webhook_endpoints")["data"]
    assert (kept["id"], kept["url"]) == (good_endpoint, "https://shop.example.com/hook")
    assert intruder.get(f"/v1/merchants/{intruder.id}")["webhook_url"] is None


class Redirecting:
    """Answers every POST with a redirect to another server on this machine."""

    def __init__(self, status: int, location: str) -> None:
        self.asked = 0
        redirecting = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                redirecting.asked += 1
                self.send_response(status)
                self.send_header("Location", location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                """The test's output is for the test."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(params=INWARDS)
def redirecting(request: pytest.FixtureRequest, receiver: Receiver) -> Iterator[Redirecting]:
    made = Redirecting(request.param, receiver.url)
    yield made
    made.close()


def test_a_redirect_is_not_followed(
    merchant: Merchant, receiver: Receiver, redirecting: Redirecting
) -> None:
    merchant.endpoint(redirecting.url)
    payment = merchant.pay()["id"]
    assert eventually(lambda: redirecting.asked > 0, DELIVERED_SECONDS)
    event = merchant.events()[0]
    assert event["data"]["object"]["id"] == payment
    path = f"/v1/events/{event['id']}/deliveries"
    # The attempt has ended: it was judged by the redirect's own status, and is a failure.
    assert eventually(lambda: merchant.get(path)["data"][0]["attempts"], DELIVERED_SECONDS)
    assert receiver.deliveries == []


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:PORT/hook",
        "http://localhost:PORT/hook",
        "http://0.0.0.0:PORT/hook",
        "http://2130706433:PORT/hook",
        "http://[::ffff:127.0.0.1]:PORT/hook",
        "https://localtest.invalid:PORT/hook",
    ],
)
def test_a_stored_address_is_judged_again_at_delivery(
    shop: Shop, merchant: Merchant, receiver: Receiver, url: str
) -> None:
    """As if the rule had been laxer when it was registered: the row is changed behind it."""
    endpoint = merchant.endpoint("https://shop.example.com/hook")["id"]
    inward = url.replace("PORT", receiver.url.rpartition(":")[2].removesuffix("/hook"))
    with shop.database() as database:
        changed = store_address(database, endpoint, inward)
    assert changed == 1
    merchant.pay()
    event = merchant.events()[0]["id"]

    def attempts() -> list[dict[str, Any]]:
        shown: list[dict[str, Any]] = merchant.get(f"/v1/events/{event}/deliveries")["data"]
        return [attempt for each in shown for attempt in each["attempts"]]

    assert eventually(attempts, DELIVERED_SECONDS)
    assert {attempt["status_code"] for attempt in attempts()} == {None}
    assert receiver.deliveries == []


def store_address(database: psycopg.Connection[Any], endpoint: str, url: str) -> int:
    """Writes an address past every check; says how many rows have it."""
    identifier = from_text("whe", endpoint)
    return database.execute(
        "UPDATE webhook_endpoints SET url = %s WHERE id = %s", (url, identifier)
    ).rowcount
