"""Card numbers and CVCs stay in the vault, and there under seal only.

Marked numbers are paid with on every path, and sent to every wrong place in several spellings.
Then everything is searched that outlives a request: both databases, Valkey, the logs, the
metrics, the simulator's journal (PCI DSS 4.0.1 req. 3.3.1, 3.4.1, 3.5.1).
"""

import socket
from uuid import uuid4

import httpx
import pytest

from tests.marks import new_mark
from tests.serving import eventually
from tests.shop import EXPIRY_YEAR, Merchant, Shop, bearer, card, told
from tests.tenancy.searching import files, held_by_valkey, rows_with, tables

# Luhn-valid numbers that nothing else of the tests uses, and a CVC that is no part of an id.
PAID, SAVED, DECLINED = "4929939187355598", "4485383550284604", "4000000000000341"
ASTRAY = "5555341244441115"
WRONG = "4929939187355599"
CVC = "8163"
AMEX = "371449635398431"
# How else a number can be written, so that a reader sees the same one.
SPELLINGS = (
    *(mark.join(ASTRAY[n : n + 4] for n in range(0, 16, 4)) for mark in ("-", " ", ".", "_")),
    *(mark.join(ASTRAY) for mark in (" ", "\u200b")),
    ASTRAY.translate({ord("0") + digit: 0xFF10 + digit for digit in range(10)}),
    ASTRAY.translate({ord("0") + digit: 0x0660 + digit for digit in range(10)}),
)
MARKED = (PAID, SAVED, DECLINED, ASTRAY, WRONG, AMEX, *SPELLINGS)
HEADERS = (
    *("User-Agent", "X-Forwarded-For", "Forwarded", "X-Real-IP", "Cookie", "Referer", "Origin"),
    *("Accept", "Accept-Language", "If-None-Match", "If-Match", "X-Request-Id", "Traceparent"),
    *("X-Http-Method-Override", "Paymint-Version", "Idempotency-Key", "Content-Type"),
)
NO_REQUESTS = (
    f"{ASTRAY}\r\n\r\n",
    f"GET /{ASTRAY} HTTP/9.9\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\n{ASTRAY}\r\n\r\n",
    f"POST /v1/payments HTTP/1.1\r\nHost: x\r\nContent-Length: {ASTRAY}x\r\n\r\n",
    f"POST /v1/payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {ASTRAY}\r\n\r\n",
)
LARGEST_LOG_BYTES = 200 * 1024 * 1024


@pytest.fixture(scope="module")
def used(shop: Shop) -> Merchant:
    """A merchant at whom every marked number was used, rightly and wrongly."""
    merchant = shop.open_account()
    pay_on_every_path(merchant)
    send_astray(shop, merchant)
    for spelling in (ASTRAY, *SPELLINGS):
        send_in_texts(merchant, spelling)
    for spelling in (ASTRAY, SPELLINGS[0], SPELLINGS[-2]):
        send_in_headers(shop, merchant, spelling)
    send_what_is_no_http(shop)
    return merchant


def pay_on_every_path(merchant: Merchant) -> None:
    key = str(uuid4())
    body = card(PAID)
    for _ in range(2):
        told(merchant.token_answer(body, **{"Idempotency-Key": key}), 201)
    sale = merchant.pay(merchant.tokenise(PAID))["id"]
    merchant.refund(sale)
    held = merchant.pay(merchant.tokenise(AMEX, cvc=CVC), capture=False)["id"]
    told(merchant.act(held, "capture", {"amount": 5000}), 200)
    cancelled = merchant.pay(merchant.tokenise(PAID), capture=False)["id"]
    told(merchant.act(cancelled, "cancel"), 200)
    customer = merchant.customer()["id"]
    saved = told(merchant.save_card(customer, SAVED), 201)["id"]
    merchant.pay(saved)
    path = f"/v1/customers/{customer}/payment_methods/{saved}"
    told(merchant.ask("DELETE", path), 200)
    told(merchant.save_card(customer, SAVED), 201)
    assert merchant.pay_answer(merchant.tokenise(DECLINED)).status_code == 402
    merchant.tokenise(AMEX, cvc=CVC)
    assert merchant.token_answer(card(WRONG)).status_code == 402
    assert merchant.token_answer(card(PAID, cvc="81631")).status_code == 400
    assert merchant.token_answer(card(PAID, exp_year=EXPIRY_YEAR - 9)).status_code == 402


def send_astray(shop: Shop, merchant: Merchant) -> None:
    """Numbers where none belong; each is refused, and no refusal repeats them."""
    answers = [
        merchant.pay_answer("tok_1", amount=int(ASTRAY)),
        merchant.pay_answer("tok_1", currency=ASTRAY),
        merchant.pay_answer(ASTRAY),
        merchant.pay_answer("tok_1", customer_id=ASTRAY),
        merchant.ask("POST", "/v1/payments", {f"n{ASTRAY}": 1}, key=str(uuid4())),
        merchant.pay_answer("tok_1", metadata={"n " + ASTRAY: "x"}),
        merchant.pay_answer("tok_1", key=ASTRAY),
        merchant.ask("POST", "/v1/payments", content=b'{"n":' + ASTRAY.encode() + b","),
        merchant.ask("GET", f"/v1/payments/{ASTRAY}"),
        merchant.ask("GET", f"/v1/{ASTRAY}"),
        merchant.ask("GET", "/v1/payments", params={"limit": ASTRAY}),
        merchant.ask("GET", "/v1/payments", params={ASTRAY: "1"}),
        merchant.ask("GET", "/v1/payments", params={"starting_after": "crs_" + ASTRAY}),
        merchant.ask("GET", "/v1/payments/pay_1", headers={"X-Card": ASTRAY, "Referer": ASTRAY}),
        merchant.ask("POST", "/v1/customers", {"email": ASTRAY}),
        merchant.ask("POST", "/v1/webhook_endpoints", {"url": f"ftp://{ASTRAY}"}),
        shop.http.get("/v1/payments", headers=bearer(ASTRAY)),
        shop.http.get("/v1/payments", headers=bearer(f"sk_test_{ASTRAY}")),
        merchant.token_answer(card(exp_month=int(ASTRAY))),
        merchant.token_answer({**card(), f"n{ASTRAY}": 1}),
        merchant.token_answer(card(), **{"Idempotency-Key": ASTRAY}),
        shop.vault.get(f"/v1/{ASTRAY}"),
        shop.vault.post("/v1/tokens", content=ASTRAY, headers=bearer(merchant.publishable_key)),
        merchant.http.request(ASTRAY, "/v1/payments"),
    ]
    for answer in answers:
        assert_refused_without(answer, ASTRAY)


def assert_refused_without(answer: httpx.Response, number: str) -> None:
    assert 400 <= answer.status_code < 500, answer.text
    assert number not in answer.text and number not in str(answer.headers)


def send_in_texts(merchant: Merchant, number: str) -> None:
    """In every kind of text, in paths and queries."""
    body = f'{{"description":"{number}","metadata":{{"a":"{number}"'.encode()
    endpoint = {"url": "https://shop.example.com/hook", "description": number}
    answers = [
        merchant.pay_answer("tok_1", description=f"card {number}."),
        merchant.pay_answer("tok_1", metadata={"order_id": number}),
        merchant.pay_answer("tok_1", metadata={f"n{number}": "x"}),
        merchant.ask("POST", "/v1/customers", {"name": number}),
        merchant.ask("POST", "/v1/webhook_endpoints", endpoint),
        merchant.ask("POST", "/v1/disputes/dsp_1/evidence", {"text": number}),
        merchant.ask("POST", "/v1/payments", content=body, key=str(uuid4())),
        merchant.ask("GET", f"/v1/{number}"),
        merchant.ask("GET", f"/v1/payments/{number}/refunds/{number}"),
        merchant.ask("GET", "/v1/payments", params={number: number}),
        merchant.ask("GET", "/v1/customers", params={"email": f"{number}@shop.example"}),
        merchant.ask("GET", "/v1/request_logs", params={"path": f"/{number}"}),
        merchant.vault.get(f"/{number}"),
    ]
    for answer in answers:
        assert_refused_without(answer, number)


def send_in_headers(shop: Shop, merchant: Merchant, number: str) -> None:
    """In each header that a client may send, and as its name, to both doors."""
    given: list[dict[str, bytes]] = [{name: number.encode()} for name in HEADERS]
    if number == ASTRAY:
        given.append({f"X-{ASTRAY}": b"1"})
    for headers in given:
        known = {"Authorization": f"Bearer {merchant.secret_key}".encode()}
        # Of no version and of no type; each is told apart before the id is looked for.
        answers = [
            shop.http.get("/v1/payments/pay_1", headers={**known, **headers}),  # type: ignore[arg-type]
            shop.http.get(f"/v1/{new_mark()}", headers=headers),  # type: ignore[arg-type]
            shop.vault.get(f"/v1/{new_mark()}", headers=headers),  # type: ignore[arg-type]
        ]
        for answer in answers:
            assert_refused_without(answer, number)


def send_what_is_no_http(shop: Shop) -> None:
    """Bytes that the HTTP reader refuses, whose words could be logged."""
    for door in (shop.base_url, shop.vault_url):
        for sent in NO_REQUESTS:
            address = ("127.0.0.1", int(door.rpartition(":")[2]))
            with socket.create_connection(address, timeout=5) as connection:
                connection.sendall(sent.encode())
                assert ASTRAY.encode() not in connection.makefile("rb").read()


@pytest.mark.parametrize("number", MARKED)
def test_no_table_of_the_main_house_has_a_number(shop: Shop, used: Merchant, number: str) -> None:
    with shop.superuser_database() as connection:
        found = tables(connection)
        assert {"payments", "events", "audit_entries", "idempotency_keys"} <= dict(found).keys()
        for table, _ in found:
            assert rows_with(connection, table, number, without="") == 0, table


@pytest.mark.parametrize("number", MARKED)
def test_the_vaults_tables_have_it_under_seal_only(shop: Shop, used: Merchant, number: str) -> None:
    with shop.superuser_database("paymint-vault") as connection:
        found = tables(connection)
        assert {"instruments", "attempts", "token_requests"} <= dict(found).keys()
        for table, columns in found:
            assert rows_with(connection, table, number, without="ciphertext") == 0, table
            if "ciphertext" in columns:
                assert rows_with(connection, table, number, without="") == 0, table


def test_no_file_has_a_number(shop: Shop, used: Merchant) -> None:
    names = set()
    for path in files(shop):
        names.add(path.name)
        assert path.stat().st_size < LARGEST_LOG_BYTES
        content = path.read_bytes()
        for number in MARKED:
            assert number.encode() not in content, path
    assert {"paymint-api.log", "paymint-vault.log", "postgres.log", "journal.jsonl"} <= names


def test_valkey_has_no_number(shop: Shop, used: Merchant) -> None:
    held = held_by_valkey(shop)
    assert held, "the duplicate check keeps keys there"
    for number in MARKED:
        assert number.encode() not in held


def test_no_metric_has_a_number(shop: Shop, used: Merchant) -> None:
    """Labels are templates of the document; what clients write is in none."""
    for process in ("paymint-api", "paymint-vault", "paymint-worker"):
        port = shop.environment[process]["PAYMINT_METRICS_PORT"]
        shown = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        assert "# HELP" in shown
        assert not [number for number in MARKED if number in shown]


def test_a_cvc_is_nowhere(shop: Shop, used: Merchant) -> None:
    """A four-digit code stands in many ids by chance, so whole fields are looked for."""
    marks = [f'"{CVC}"', f": {CVC}", f'cvc": {CVC}', f"cvc={CVC}"]
    for process in ("paymint-api", "paymint-vault"):
        with shop.superuser_database(process) as connection:
            for table, _ in tables(connection):
                for mark in marks[:1]:
                    assert rows_with(connection, table, mark, without="ciphertext") == 0, table
    # The ids of processes are numbers like any.
    for path in (each for each in files(shop) if each.name != "ports.json"):
        text = path.read_text(errors="replace")
        assert not [mark for mark in marks if mark in text], path


def test_answers_and_deliveries_show_the_last_four_at_most(used: Merchant) -> None:
    shown = [used.ask("GET", path, params={"limit": 100}).text for path in lists(used)]
    for text in shown:
        for number in MARKED:
            assert number not in text and number[:-4] not in text
    assert any(SAVED[-4:] in text for text in shown)


def lists(merchant: Merchant) -> list[str]:
    customer = merchant.get("/v1/customers")["data"][0]["id"]
    methods = f"/v1/customers/{customer}/payment_methods"
    return ["/v1/payments", "/v1/events", "/v1/request_logs", methods]


def test_the_search_would_find_what_is_there(shop: Shop, used: Merchant) -> None:
    """Against a search that finds nothing anywhere: what must be there is found."""
    mark = new_mark()
    used.customer(metadata={"mark": mark})
    with shop.superuser_database() as connection:
        assert rows_with(connection, "customers", mark, without="") == 1
        assert rows_with(connection, "customers", mark, without="metadata") == 0
    log = shop.serving.directory / "log" / "paymint-api.log"
    wanted = used.ask("GET", "/v1/payments").headers["x-request-id"]
    assert eventually(lambda: wanted in log.read_text(), 5.0)
