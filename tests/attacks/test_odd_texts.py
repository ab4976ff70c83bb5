"""Texts and methods that two readers could take for different things.

docs/threats.md says which test sends which attack of the list.
"""

import unicodedata
from uuid import uuid4

import pytest

from tests.shop import Merchant, Shop, bearer, error, told

COMPOSED, DECOMPOSED = "Jos\u00e9", "Jose\u0301"
JSON = {"Content-Type": "application/json"}
INVISIBLE = ("a\u200bb", "a\u200db", "a\ufeffb", "a\u00adb", "a\u2060b", "\u202eabc", "a\u0301")
NO_TEXTS = {
    "lone high surrogate": b'"\\ud800"',
    "lone low surrogate": b'"\\udc00"',
    "surrogates the wrong way": b'"\\udc00\\ud800"',
    "surrogate in UTF-8": b'"\xed\xa0\x80"',
    "overlong": b'"\xc0\xaf"',
    "beyond Unicode": b'"\xf4\x90\x80\x80"',
    "latin-1": b'"\xe9"',
    "raw NUL": b'"a\x00b"',
    "raw escape": b'"a\x1bb"',
}
CONTROLS = ("\x00", "\x01", "\x08", "\x0b", "\x1b", "\x1f", "\x7f", "\x80", "\x85", "\x9f")


@pytest.fixture(scope="module")
def writer(shop: Shop) -> Merchant:
    return shop.open_account()


@pytest.mark.parametrize("text", NO_TEXTS.values(), ids=NO_TEXTS)
@pytest.mark.parametrize("place", ["name", "metadata", "key", "unknown"])
def test_what_is_no_text_is_no_json(writer: Merchant, text: bytes, place: str) -> None:
    body = {
        "name": b'{"name":' + text + b"}",
        "metadata": b'{"metadata":{"a":' + text + b"}}",
        "key": b'{"metadata":{' + text + b':"a"}}',
        "unknown": b'{"x":' + text + b"}",
    }[place]
    answer = writer.ask("POST", "/v1/customers", content=body, headers=JSON)
    assert error(answer) == (400, "json_invalid", None)


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_character_is_refused_in_every_kind_of_text(
    writer: Merchant, control: str
) -> None:
    text = f"a{control}b"
    for body, param in (
        ({"name": text}, "name"),
        ({"metadata": {"a": text}}, "metadata"),
        ({"metadata": {text: "a"}}, "metadata"),
        ({"email": f"a{control}b@shop.example"}, "email"),
    ):
        answer = writer.ask("POST", "/v1/customers", body)
        assert error(answer)[::2] == (400, param)
    for name in ("email", "created_gte", "starting_after", "sort", "fields"):
        assert error(writer.ask("GET", "/v1/customers", params={name: text}))[0] == 400


def test_a_surrogate_pair_is_a_character(writer: Merchant) -> None:
    body = b'{"name":"\\ud83d\\ude00"}'
    made = told(writer.ask("POST", "/v1/customers", content=body, headers=JSON), 201)
    assert made["name"] == "\U0001f600"


def test_twins_by_normalisation_are_two_texts(writer: Merchant) -> None:
    """Nothing is normalised: what was sent comes back, and its twin is another request."""
    assert unicodedata.normalize("NFC", DECOMPOSED) == COMPOSED
    key = str(uuid4())
    first = told(writer.ask("POST", "/v1/customers", {"name": COMPOSED}, key=key), 201)
    assert first["name"] == COMPOSED
    twin = writer.ask("POST", "/v1/customers", {"name": DECOMPOSED}, key=key)
    assert error(twin)[:2] == (409, "idempotency_key_reused")
    other = writer.customer(name=DECOMPOSED)
    assert (other["name"], other["id"] != first["id"]) == (DECOMPOSED, True)
    for spelling in ("\uff55\uff53\uff44", "\u00b5sd"):
        assert error(writer.pay_answer("tok_1", currency=spelling))[::2] == (400, "currency")
    for name in ("caf\u00e9", "cafe\u0301", "\uff41", "a\u200b"):
        answer = writer.ask("POST", "/v1/customers", {"metadata": {name: "x"}})
        assert error(answer) == (400, "metadata_key_invalid", "metadata")


@pytest.mark.parametrize("text", INVISIBLE)
def test_what_is_invisible_is_kept_and_makes_another_text(writer: Merchant, text: str) -> None:
    made = writer.customer(name=text, metadata={"a": text})
    shown = writer.get(f"/v1/customers/{made['id']}")
    assert (shown["name"], shown["metadata"]) == (text, {"a": text})
    answer = writer.ask("GET", f"/v1/customers/{made['id']}{text[1]}")
    assert error(answer)[:2] == (404, "resource_missing")
    answer = writer.pay_answer(f"tok_1{text[1]}")
    assert answer.status_code in (400, 404)


def test_an_address_is_compared_letter_for_letter(writer: Merchant) -> None:
    made = writer.customer(email="ada@shop.example")["id"]
    for email in ("ADA@shop.example", "ada@SHOP.example", "ada@shop.example."):
        answer = writer.ask("GET", "/v1/customers", params={"email": email})
        shown = answer.json().get("data", [])
        assert made not in [each["id"] for each in shown]
    assert writer.get("/v1/customers", email="ada@shop.example")["data"][0]["id"] == made


@pytest.mark.parametrize(
    "header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"]
)
def test_no_header_and_no_parameter_overrides_the_method(writer: Merchant, header: str) -> None:
    made = writer.customer(name="Stays")["id"]
    path = f"/v1/customers/{made}"
    told(writer.ask("GET", path, headers={header: "DELETE"}), 200)
    assert error(writer.ask("GET", path, params={header: "DELETE"}))[0] == 400
    answer = writer.ask("POST", path, {}, headers={header: "DELETE"})
    assert error(answer)[:2] == (405, "method_not_allowed")
    assert writer.get(path)["name"] == "Stays"


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "CONNECT", "PROPFIND", "OPTIONS", "get"])
def test_a_method_that_is_none_of_ours_repeats_nothing(shop: Shop, method: str) -> None:
    headers = {**bearer("sk_test_secret"), "X-Mark": "mark"}
    answer = shop.http.request(method, "/v1/payments", headers=headers)
    assert answer.status_code in (200, 204, 400, 401, 404, 405)
    assert "mark" not in answer.text.lower() and "sk_test_secret" not in answer.text
    assert "message/http" not in answer.headers.get("content-type", "")


def test_head_says_what_get_would(writer: Merchant) -> None:
    """Without a body, and with the same refusals."""
    got, head = (writer.ask(method, "/v1/customers") for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    for path in ("/v1/customers/cus_1", "/v1/nowhere"):
        got, head = (writer.ask(method, path) for method in ("GET", "HEAD"))
        assert (got.status_code, head.content) == (404, b"")
        assert head.status_code == got.status_code


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/payments/", "//v1/payments", "/v1//payments", "/V1/payments", "/v1/Payments"),
        *("/v1/./payments", "/v1/../v1/payments", "/v1/payments%2f", "/v1/payments;x=1"),
        *("/v1/payments%00", "/v1/payments%20", "/v1%2fpayments", "/%76%31/payments\u200b"),
    ],
)
def test_a_path_of_another_spelling_is_no_path(writer: Merchant, path: str) -> None:
    url = str(writer.http.base_url).rstrip("/")
    answer = writer.http.get(url + path, headers=bearer(writer.secret_key))
    # A client may tidy the path up before it asks; then it is the plain one.
    if answer.request.url.raw_path == b"/v1/payments":
        return
    assert error(answer)[0] == 404


@pytest.mark.parametrize("slash", ["%2f", "%2F"])
def test_an_escaped_slash_is_no_separator(shop: Shop, writer: Merchant, slash: str) -> None:
    payment = writer.pay()["id"]
    assert error(writer.ask("GET", f"/v1{slash}payments"))[:2] == (404, "route_missing")
    # One segment: an id that no payment has.
    answer = writer.ask("GET", f"/v1/payments/{payment}{slash}refunds")
    assert error(answer)[:2] == (404, "resource_missing")
    assert error(shop.vault.post(f"/v1{slash}tokens", json={}))[:2] == (404, "route_missing")
