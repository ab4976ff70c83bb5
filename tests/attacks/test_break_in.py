"""Attempts to break in by what requests say, that no other test sends.

docs/threats.md says which test sends which attack of the list.
"""

import base64
import json
import socket
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.journeys.test_webhooks_page import VECTORS, verifying
from tests.marks import new_mark
from tests.serving import eventually
from tests.shop import Merchant, Shop, bearer, error, told

__all__ = ["verifying"]

JSON = {"Content-Type": "application/json"}
KEY = "550e8400-e29b-41d4-a716-446655440000"
GOOD = b'{"amount":5000,"currency":"usd","payment_method_id":"tok_1"}'
NESTED = 100_000
LOGGED_SECONDS = 20.0
LONGEST_SECONDS = 10.0
LISTS = ("/v1/payments", "/v1/customers", "/v1/events", "/v1/webhook_endpoints", "/v1/api_keys")
INJECTIONS = (
    "'",
    "' OR '1'='1",
    "1; DROP TABLE payments; --",
    "created_at; select pg_sleep(5)",
    "-created_at,id",
    "$(id)",
    "`id`",
    "{{7*7}}",
    "${jndi:ldap://127.0.0.1/a}",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    '{"$gt":""}',
    "%",
    "*",
    "\\",
    "\u2028",
)


@pytest.fixture(scope="module")
def intruder(shop: Shop) -> Merchant:
    return shop.open_account()


def send(merchant: Merchant, body: bytes, **headers: str) -> httpx.Response:
    sent = {**JSON, "Idempotency-Key": str(uuid4()), **headers}
    return merchant.ask("POST", "/v1/payments", content=body, headers=sent)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("[", ""), ("[", "]"), ('{"a":', ""), ('{"a":', "1" + "}" * NESTED), ('[{"a":', "")],
    ids=["arrays", "closed arrays", "objects", "closed objects", "both"],
)
def test_deep_nesting_is_no_json_and_costs_little(
    intruder: Merchant, opening: str, closing: str
) -> None:
    depth = min(NESTED, 250_000 // len(opening + closing[:1]))
    end = closing if len(closing) > 1 else closing * depth
    body = (opening * depth + end).encode()[:262_144]
    began = time.monotonic()
    answer = send(intruder, body)
    assert error(answer)[:2] in ((400, "json_invalid"), (400, "json_duplicate_key"))
    assert time.monotonic() - began < LONGEST_SECONDS
    # Deep inside a field that takes any object it is no other.
    inside = b'{"metadata":' + body[:200_000] + b"}"
    assert error(send(intruder, inside))[1] == "json_invalid"


@pytest.mark.parametrize(
    "body",
    [
        GOOD[:-1] + b',"amount":1}',
        GOOD[:-1] + b',"\\u0061mount":1}',
        GOOD[:-1] + b',"\\u0061\\u006d\\u006f\\u0075\\u006e\\u0074":1}',
        GOOD[:-1] + b',"metadata":{"k":"1","\\u006b":"2"}}',
        GOOD[:-1] + b',"metadata":{"k":"1"},"metadata":{"k":"1"}}',
        b'{"payments":[],"payments":[]}',
        b'{"payments":[{"amount":1,"amount":2}]}',
    ],
)
def test_a_key_that_stands_twice_is_refused_however_it_is_written(
    intruder: Merchant, body: bytes
) -> None:
    path = "/v1/payments/batch" if b"payments" in body else "/v1/payments"
    answer = intruder.ask("POST", path, content=body, headers={**JSON, "Idempotency-Key": KEY})
    assert error(answer) == (400, "json_duplicate_key", None)


@pytest.mark.parametrize(
    "body",
    [
        b"// comment\n" + GOOD,
        GOOD[:-1] + b"/* comment */}",
        GOOD[:-1] + b",}",
        GOOD.replace(b"5000", b"NaN"),
        GOOD.replace(b"5000", b"-Infinity"),
        GOOD.replace(b"5000", b"1" * 5000),
        b"\xef\xbb\xbf" + GOOD,
        GOOD.decode().encode("utf-16"),
        GOOD.decode().encode("utf-32"),
        GOOD.replace(b"tok_1", b"\xc0\xafetc"),
        GOOD.replace(b"tok_1", b"\xed\xa0\x80"),
        GOOD.replace(b"tok_1", b"\\ud800"),
        GOOD + b"\x00",
        GOOD.replace(b'"', b"'"),
        b"amount: 5000",
        b"<payment><amount>5000</amount></payment>",
    ],
)
def test_what_is_no_strict_json_is_refused(intruder: Merchant, body: bytes) -> None:
    assert error(send(intruder, body)) == (400, "json_invalid", None)


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/json", "application/x-json", "application/json5", "application/ld+json"),
        *("application/problem+json", "application/json; charset=utf-16", "application/json;a=b"),
        *("application/json; charset=utf-8; charset=utf-16", "application/xml", "*/*"),
        *("application/json,application/json", "application/json\t;charset=latin1", "json"),
        *("application/merge-patch+json", "multipart/form-data", "application/json/x"),
    ],
)
def test_a_variant_of_the_content_type_is_415(intruder: Merchant, content_type: str) -> None:
    answer = send(intruder, GOOD, **{"Content-Type": content_type})
    assert error(answer) == (415, "content_type_unsupported", None)


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate", "identity, gzip", "x-gzip", "zstd"])
def test_a_coded_body_is_never_unpacked(intruder: Merchant, coding: str) -> None:
    """A bomb of any size is refused by its header."""
    answer = send(intruder, b"\x1f\x8b\x08\x00" + b"\x00" * 1000, **{"Content-Encoding": coding})
    assert error(answer) == (415, "content_type_unsupported", None)


@pytest.mark.parametrize("text", INJECTIONS)
def test_an_injection_into_a_query_is_a_value_like_any_other(intruder: Merchant, text: str) -> None:
    for path in LISTS:
        for name in ("sort", "fields", "starting_after", "ending_before", "limit", "created_gte"):
            answer = intruder.ask("GET", path, params={name: text})
            status, code, param = error(answer)
            assert (status, param) == (400, name), code
            assert text == "%" or len(text) < 3 or text not in answer.text
    assert answer.elapsed.total_seconds() < 4
    for header in ("Paymint-Version", "Idempotency-Key"):
        known = {"Authorization": f"Bearer {intruder.secret_key}".encode()}
        given: dict[str, bytes] = {**known, "Content-Type": b"application/json"}
        given[header] = text.encode()
        answer = intruder.http.post("/v1/customers", content=b"{}", headers=given)  # type: ignore[arg-type]
        assert error(answer)[0] == 400


@pytest.mark.parametrize("text", INJECTIONS)
def test_an_injection_into_a_text_is_kept_as_it_was_sent(intruder: Merchant, text: str) -> None:
    made = intruder.customer(name=text, metadata={"a": text})
    answer = intruder.ask("GET", f"/v1/customers/{made['id']}")
    shown = told(answer, 200)
    assert (shown["name"], shown["metadata"]) == (text, {"a": text})
    # Nothing that a browser could run (contract-decisions, "Shape").
    assert not [mark for mark in ("<", ">", "&", "\u2028") if mark in answer.text]


def test_a_forged_cursor_shows_nothing_that_its_maker_may_not_see(
    intruder: Merchant, merchant: Merchant
) -> None:
    """Each byte changed, cut, prolonged, another's: 400, or a page of one's own."""
    for merchant_ in (intruder, merchant):
        for number in range(3):
            merchant_.customer(name=f"Customer {number}")
    own = {each["id"] for each in intruder.get("/v1/customers", limit=100)["data"]}
    cursor = merchant.get("/v1/customers", limit=1)["next_cursor"]
    data = base64.urlsafe_b64decode(cursor.removeprefix("crs_") + "==")
    forged = [bytes([*data[:n], data[n] ^ 0xFF, *data[n + 1 :]]) for n in range(len(data))]
    forged += [data[:-1], data + b"\0", b"", b"\0" * len(data), b"\xff" * len(data), data]
    texts = ["crs_" + base64.urlsafe_b64encode(each).decode().rstrip("=") for each in forged]
    for text in [*texts, cursor.upper(), cursor + "=", cursor + " ", "crs_", "crs_" + "A" * 508]:
        for name in ("starting_after", "ending_before"):
            answer = intruder.ask("GET", "/v1/customers", params={name: text, "limit": 100})
            if answer.status_code == 200:
                assert {each["id"] for each in answer.json()["data"]} <= own
            else:
                assert error(answer)[::2] == (400, name)


def test_what_is_logged_of_a_request_cannot_forge_a_line(shop: Shop, intruder: Merchant) -> None:
    """Line breaks, escapes and quotes of the client's stay inside of their line's strings."""
    mark = new_mark()
    forged = f'{{"event":"forged","mark":"{mark}"}}'
    agents = [
        f'x"}}\\n{forged}',
        f"x\x1b[2J{mark}",
        f"x\x85{forged}",
        "x" * 7000 + mark,
        f"x\t{forged}",
    ]
    for agent in agents:
        headers = {**bearer(intruder.secret_key), "User-Agent": agent.encode("latin-1")}
        intruder.http.get("/v1/payments", headers=headers)  # type: ignore[arg-type]
    for path in (f"/%0a{forged}", f"/%0d%0a{forged}", f"/v1/%1b%5b2J{mark}", f"/%E2%80%A8{mark}"):
        shop.http.get(path)
    last = shop.http.get(f"/v1/{mark}").headers["x-request-id"]
    log = shop.serving.directory / "log" / "paymint-api.log"
    assert eventually(lambda: last in log.read_text(), LOGGED_SECONDS)
    lines = [line for line in log.read_bytes().split(b"\n") if mark.encode() in line]
    assert lines
    for line in lines:
        entry = json.loads(line)
        assert entry["event"] == "request" and "mark" not in entry
        assert not any(byte < 0x20 or byte == 0x7F for byte in line)
        assert len(line) < 2500


def test_a_header_cannot_be_split(shop: Shop, intruder: Merchant) -> None:
    """What comes back in a header is ours alone, whatever came in one."""
    host, port = "127.0.0.1", int(shop.base_url.rpartition(":")[2])
    lines = (
        "GET /v1/payments/pay_1%0d%0aX-Split:%20yes HTTP/1.1",
        f"Host: {host}",
        f"Authorization: Bearer {intruder.secret_key}",
        "Paymint-Version: 2026-04-01\rX-Split: yes",
        "X-Request-Id: req_1\rX-Split: yes",
        "Connection: close",
    )
    with socket.create_connection((host, port), 10) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 4")
    assert b"x-split" not in answer.lower()


@pytest.mark.parametrize("name", ["api_key", "access_token", "key", "token", "Authorization"])
def test_a_key_in_the_query_is_refused_and_not_logged(
    shop: Shop, merchant: Merchant, name: str
) -> None:
    """Whoever sends it there learns it from 401, and no log has it to be read later."""
    for headers in ({}, bearer(merchant.secret_key)):
        answer = shop.http.get("/v1/payments", params={name: merchant.secret_key}, headers=headers)
        assert error(answer)[0] == (400 if headers else 401)
        assert merchant.secret_key not in answer.text
    last = shop.http.get(f"/v1/{new_mark()}").headers["x-request-id"]
    log = shop.serving.directory / "log" / "paymint-api.log"
    assert eventually(lambda: last in log.read_text(), LOGGED_SECONDS)
    for path in (shop.serving.directory / "log").glob("*.log"):
        assert merchant.secret_key not in path.read_text(errors="replace"), path


# What a receiver must refuse, as changes of the right call: header, body, secret, clock.
TIMESTAMP, SIGNATURE = (
    VECTORS["paymint_signature"].partition(",")[0],
    VECTORS["paymint_signature"].partition(",v1=")[2],
)
BODY = VECTORS["body"]
FORGERIES: dict[str, dict[str, Any]] = {
    "old": {"now": VECTORS["timestamp"] + 301},
    "future": {"now": VECTORS["timestamp"] - 301},
    "another body": {"body": "{}"},
    "written anew": {"body": json.dumps(json.loads(BODY), indent=1)},
    "another secret": {"secret": "whsec_" + base64.b64encode(bytes(32)).decode()},
    "v0 only": {"header": f"{TIMESTAMP},v0={SIGNATURE}"},
    "no version": {"header": f"{TIMESTAMP},{SIGNATURE}"},
    "two v1, none right": {"header": f"{TIMESTAMP},v1={'0' * 64},v1={'f' * 64}"},
    "another time": {"header": f"t={VECTORS['timestamp'] + 1},v1={SIGNATURE}"},
    "two times": {"header": f"{TIMESTAMP},t={VECTORS['timestamp'] + 9},v1={SIGNATURE}"},
    "no time": {"header": f"v1={SIGNATURE}"},
    "cut short": {"header": f"{TIMESTAMP},v1={SIGNATURE[:-1]}"},
    "no signature": {"header": TIMESTAMP},
    "no ascii": {"header": f"{TIMESTAMP},v1=\u00e9"},
    "nothing": {"header": ""},
}


def judged(verifying: dict[str, Any], **changes: Any) -> bool:
    """What the guide's code says to `Paymint-Signature`."""
    header = changes.get("header", VECTORS["paymint_signature"])
    body = changes.get("body", BODY).encode()
    secret, now = changes.get("secret", VECTORS["secret"]), VECTORS["timestamp"]
    return bool(verifying["paymint_fits"](header, body, secret, changes.get("now", now)))


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_webhook_is_refused_by_the_guides_code(
    verifying: dict[str, Any], forgery: str
) -> None:
    assert judged(verifying)
    assert not judged(verifying, **FORGERIES[forgery])


def test_two_signatures_of_which_one_is_right_are_taken(verifying: dict[str, Any]) -> None:
    """As while a secret is rolled; a v0 beside a right v1 changes nothing."""
    for others in (f"v1={'0' * 64}", "v0=anything"):
        assert judged(verifying, header=f"{TIMESTAMP},{others},v1={SIGNATURE}")
        assert judged(verifying, header=f"{TIMESTAMP},v1={SIGNATURE},{others}")


@pytest.mark.parametrize(
    "changes",
    [
        {"webhook-timestamp": str(VECTORS["timestamp"] + 1)},
        {"webhook-id": "evt_1"},
        {"webhook-signature": VECTORS["webhook_signature"].replace("v1,", "v0,")},
        {"webhook-signature": VECTORS["webhook_signature"].replace("v1,", "v1a,")},
        {"webhook-signature": "v1,AAAA v1,BBBB"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,\u00e9"},
    ],
)
def test_a_forged_standard_webhook_is_refused_by_the_guides_code(
    verifying: dict[str, Any], changes: dict[str, str]
) -> None:
    right = {
        "webhook-id": VECTORS["id"],
        "webhook-timestamp": str(VECTORS["timestamp"]),
        "webhook-signature": VECTORS["webhook_signature"],
    }
    judge = verifying["standard_fits"]
    given = (BODY.encode(), VECTORS["secret"], VECTORS["timestamp"])
    assert judge(right, *given)
    assert not judge({**right, **changes}, *given)
