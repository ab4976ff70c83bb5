"""RFC 9700 at the pages and endpoints: who asks, who answers, and what nobody is told.

Sections are those of RFC 9700 where nothing else is said; codes, refresh tokens and redirect
URIs stand in test_rfc9700.py.
"""

import base64
from urllib.parse import urlsplit

import pytest

from tests.oauth.partner import (
    CALLBACK,
    LIST,
    Partner,
    Person,
    answer_of,
    on_a_page,
    refused,
    register,
    uuid_in,
)
from tests.people import field_of
from tests.serving import eventually
from tests.shop import Shop, bearer, error, told

RACERS = 20
# A second is promised, and a busy machine may add to it; what is remembered lives for longer.
REVOKED_SECONDS = 3.0
INVALID_GRANT = (400, "invalid_grant")


# Sections 2.1 and 4.4: whoever gets an answer knows who gave it (RFC 9207), to which request.
def test_every_answer_names_its_issuer_and_the_request(shop: Shop, partner: Partner) -> None:
    page = partner.ask(state="xyz&=%20+").text
    for sent in (
        answer_of(partner.decide(page)),
        answer_of(partner.decide(page, "deny")),
        answer_of(partner.ask(state="xyz&=%20+", response_type="token")),
    ):
        assert (sent["iss"], sent["state"]) == (shop.base_url, "xyz&=%20+")


@pytest.mark.parametrize("kind", ["token", "id_token", "code token", "code id_token", None])
def test_there_is_no_implicit_grant(partner: Partner, kind: str | None) -> None:
    """Section 2.1.2."""
    sent = answer_of(partner.ask(response_type=kind))
    assert sent["error"] == "unsupported_response_type"


@pytest.mark.parametrize("kind", ["password", "client_credentials", "implicit", None])
def test_there_is_no_password_grant(partner: Partner, kind: str | None) -> None:
    """Section 2.4; a password is never seen by an application."""
    fields = {"username": "ada@example.com", "password": "rust-kettle-94-lamp"}
    answer = partner.token_answer(grant_type=kind, **fields)
    assert refused(answer) == (400, "unsupported_grant_type")


# Section 4.7: forged requests.
def test_a_consent_that_the_person_did_not_give_is_refused(partner: Partner) -> None:
    page = partner.ask().text
    for headers in ({"Origin": "https://evil.example"}, {"Origin": ""}, {"Origin": "null"}):
        assert partner.decide(page, **headers).status_code == 403
    forged = page.replace(field_of(page, "form_token"), "0" * 64)
    assert partner.decide(forged).status_code == 403


def test_who_is_not_signed_in_signs_in_first(shop: Shop, partner: Partner) -> None:
    stranger = Partner(shop, type(partner.browser)(shop, "nobody@example.com"), partner.client)
    answer = stranger.ask(state="kept")
    assert answer.status_code == 303
    location = urlsplit(answer.headers["location"])
    assert (location.netloc, location.path) == ("", "/sign_in")
    assert "kept" in location.query
    # Back from there, the request is what it was.
    shown = shop.http.get(answer.headers["location"])
    assert shown.status_code == 200 and "/oauth/authorize?" in shown.text
    # A form without a session gives no code either.
    page = partner.ask().text
    assert "code=" not in stranger.decide(page).headers.get("location", "")


# Sections 4.11 and 4.16, 4.2.4: no open redirector, no frame, no leak by Referer.
def test_the_pages_cannot_be_framed_and_tell_nobody(partner: Partner) -> None:
    page = partner.ask()
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self' https://partner.example;" in policy
    assert "script-src" not in policy and "default-src 'none'" in policy
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    sent = partner.decide(page.text)
    # 303 and never 307: the form is not sent on (section 4.12).
    assert sent.status_code == 303
    assert sent.headers["referrer-policy"] == "no-referrer"
    assert sent.headers["cache-control"] == "no-store"


def test_nothing_is_sent_to_a_redirect_uri_that_a_form_made_up(partner: Partner) -> None:
    page = partner.ask().text.replace("partner.example", "evil.example")
    on_a_page(partner.decide(page), "redirect_uri_mismatch")


def test_a_name_is_shown_as_text(shop: Shop, person: Person) -> None:
    client = register(shop, name="<script>alert(1)</script>")
    page = Partner(shop, person.browser, client).ask().text
    assert "<script>" not in page and "&lt;script&gt;" in page


# Section 2.5: client authentication.
@pytest.mark.parametrize(
    "own",
    [
        {"client_secret": "pcs_" + "0" * 43},
        {"client_secret": ""},
        {"client_secret": None},
        {"client_id": "clt_" + "0" * 32},
        {"client_id": None},
    ],
)
def test_a_client_must_prove_itself(partner: Partner, own: dict[str, str | None]) -> None:
    code, verifier = partner.code()
    answer = partner.exchange(code, verifier, **own)
    assert refused(answer) == (401, "invalid_client")
    assert partner.exchange(code, verifier).status_code == 200


def test_a_client_authenticates_in_one_way(partner: Partner) -> None:
    both = base64.b64encode(f"{partner.client['id']}:{partner.client['secret']}".encode())
    headers = {"Authorization": f"Basic {both.decode()}"}
    form = {"grant_type": "refresh_token", "refresh_token": "prt_x"}
    twice = {**form, "client_secret": partner.client["secret"]}
    ask = partner.shop.http.post
    assert refused(ask("/oauth/token", data=twice, headers=headers)) == (400, "invalid_request")
    assert refused(ask("/oauth/token", data=form, headers=headers)) == INVALID_GRANT
    wrong = {"Authorization": "Basic " + base64.b64encode(b"clt_x:y").decode()}
    answer = ask("/oauth/token", data=form, headers=wrong)
    assert refused(answer) == (401, "invalid_client")
    assert answer.headers["www-authenticate"] == 'Basic realm="paymint"'


def test_a_public_client_has_no_secret_to_show(shop: Shop, person: Person) -> None:
    public = Partner(shop, person.browser, register(shop, type="public"))
    code, verifier = public.code()
    answer = public.exchange(code, verifier, client_secret="pcs_" + "0" * 43)
    assert refused(answer) == (401, "invalid_client")
    assert public.exchange(code, verifier).status_code == 200


# Section 4.3.2: no token in an address.
def test_credentials_in_a_query_are_not_read(partner: Partner) -> None:
    token = partner.grant()["access_token"]
    ask = partner.shop.http
    assert error(ask.get(LIST, params={"access_token": token}))[:2] == (401, "api_key_missing")
    merchant_key = bearer(token)
    extra = ask.get(LIST, params={"access_token": token}, headers=merchant_key)
    assert error(extra)[:2] == (400, "parameter_unknown")
    code, verifier = partner.code()
    query = {"client_id": partner.client["id"], "client_secret": partner.client["secret"]}
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    answer = ask.post("/oauth/token", params=query, data={**form, "redirect_uri": CALLBACK})
    assert refused(answer) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"grant_type=a&grant_type=b", "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 415),
        (b"", "application/x-www-form-urlencoded", 400),
        (b"grant_type=%ff", "application/x-www-form-urlencoded", 400),
        (b"a=" + b"x" * 300_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_a_body_that_is_no_form(shop: Shop, content: bytes, kind: str, status: int) -> None:
    answer = shop.http.post("/oauth/token", content=content, headers={"Content-Type": kind})
    assert refused(answer) == (status, "invalid_request")


def test_unknown_parameters_say_nothing(partner: Partner) -> None:
    """RFC 6749 sections 3.1 and 3.2."""
    assert partner.ask(prompt="consent", nonce="n").status_code == 200
    code, verifier = partner.code()
    assert partner.exchange(code, verifier, resource="x").status_code == 200


def test_a_parameter_that_is_given_twice_is_refused(partner: Partner) -> None:
    query = "&".join(f"{name}={value}" for name, value in partner.request().items())
    answer = partner.browser.get(f"/oauth/authorize?{query}&state=other")
    on_a_page(answer, "parameter_duplicated")


# RFC 7009.
@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
def test_a_client_revokes_its_grant(partner: Partner, kind: str) -> None:
    tokens = partner.grant()
    assert partner.use(tokens["access_token"]).status_code == 200
    assert told(partner.revoke(tokens[kind]), 200) == {}
    assert eventually(
        lambda: partner.use(tokens["access_token"]).status_code == 401, REVOKED_SECONDS
    )
    assert refused(partner.refresh(tokens["refresh_token"])) == INVALID_GRANT
    # What is over, unknown or none is answered alike.
    for token in (tokens[kind], "prt_x", "x", "a.b.c"):
        assert told(partner.revoke(token), 200) == {}


def test_a_client_revokes_nothing_of_anothers(shop: Shop, partner: Partner) -> None:
    tokens = partner.grant()
    other = Partner(shop, partner.browser, register(shop))
    for kind in ("refresh_token", "access_token"):
        assert told(other.revoke(tokens[kind]), 200) == {}
    assert refused(other.revoke("x", client_secret="pcs_x")) == (401, "invalid_client")
    assert partner.use(tokens["access_token"]).status_code == 200
    assert partner.refresh(tokens["refresh_token"]).status_code == 200


def test_nothing_secret_is_stored_as_it_is(shop: Shop, partner: Partner) -> None:
    tokens = partner.grant()
    code, _ = partner.code()
    secrets = [tokens["access_token"], tokens["refresh_token"], code, partner.client["secret"]]
    tables = ("clients", "codes", "grants", "refresh_tokens", "signing_keys")
    with shop.database() as connection:
        for table in tables:
            rows = connection.execute(f"SELECT * FROM oauth_{table}").fetchall()
            assert rows
            text = repr(rows)
            assert not [secret for secret in secrets if secret in text or secret[4:] in text]
            assert "PRIVATE KEY" not in text
    assert uuid_in(partner.client["id"])
