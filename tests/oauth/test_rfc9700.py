"""RFC 9700, the security of OAuth 2.0 today, item by item, sent over a socket.

Sections are those of RFC 9700 where nothing else is said.  Attacks on the access token itself
stand in test_access_tokens.py.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.errors.scene import uuid_of
from tests.oauth.partner import (
    CALLBACK,
    Partner,
    Person,
    answer_of,
    on_a_page,
    refused,
    register,
)
from tests.serving import eventually
from tests.shop import Shop, bearer, error, told

RACERS = 20
# A second is promised, and a busy machine may add to it; what is remembered lives for longer.
REVOKED_SECONDS = 3.0
INVALID_GRANT = (400, "invalid_grant")


# Section 2.1: redirect URIs are compared as text.
@pytest.mark.parametrize(
    "uri",
    [
        f"{CALLBACK}/more",
        f"{CALLBACK}?next=1",
        f"{CALLBACK}#fragment",
        f"{CALLBACK}/",
        "https://partner.example/callbac",
        "https://partner.example/Callback",
        "https://PARTNER.example/callback",
        "https://partner.example:443/callback",
        "https://partner.example:8443/callback",
        "http://partner.example/callback",
        "https://partner.example.evil.example/callback",
        "https://partner.example@evil.example/callback",
        "https://evil.example/callback",
        "https://partner.example/callback/../evil",
        "https://partner.example/%63allback",
        "//partner.example/callback",
        "javascript:alert(1)",
        "",
    ],
)
def test_another_redirect_uri_is_answered_on_a_page(partner: Partner, uri: str) -> None:
    on_a_page(partner.ask(redirect_uri=uri), "redirect_uri_mismatch")


def test_a_redirect_uri_must_be_named(partner: Partner) -> None:
    on_a_page(partner.ask(redirect_uri=None), "redirect_uri_mismatch")


@pytest.mark.parametrize("client_id", ["clt_" + "0" * 32, "nobody", None])
def test_an_unknown_client_is_answered_on_a_page(partner: Partner, client_id: str | None) -> None:
    on_a_page(partner.ask(client_id=client_id), "oauth_client_unknown")


@pytest.mark.parametrize(
    "uri",
    [
        "http://partner.example/callback",
        "https://partner.example/callback#fragment",
        "https://*.partner.example/callback",
        "https://user@partner.example/callback",
        "https://partner.example",
        "http://localhost/callback",
        "http://127.1/callback",
        "http://127.0.0.1.evil.example/callback",
        "https:///callback",
        "https://partner.example:0/callback",
        "https://partner.example/\\evil",
        # It would be a directive of the consent page's policy, and stand before ours.
        "https://partner.example;frame-ancestors/callback",
        "https://partner.example,evil.example/callback",
        "https://'self'/callback",
    ],
)
def test_a_client_cannot_register_it(shop: Shop, uri: str) -> None:
    body = {
        "name": "Evil",
        "type": "public",
        "redirect_uris": [CALLBACK, uri],
        "scopes": ["payments:read"],
    }
    answer = shop.http.post("/v1/oauth_clients", json=body, headers=bearer(shop.platform_key))
    assert error(answer) == (400, "parameter_invalid", "redirect_uris")


# RFC 8252 section 7.3: any port of a loopback address, and nothing else about it.
@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("http://127.0.0.1:49152/done", True),
        ("http://127.0.0.1/done", True),
        ("http://127.0.0.1:49152/other", False),
        ("http://[::1]:49152/done", False),
        ("http://localhost:49152/done", False),
        ("http://127.0.0.1:49152@evil.example/done", False),
        ("http://127.0.0.1:0/done", False),
        ("https://127.0.0.1:49152/done", False),
    ],
)
def test_a_native_application_takes_a_free_port(
    shop: Shop, person: Person, uri: str, good: bool
) -> None:
    client = register(shop, type="public", redirect_uris=["http://127.0.0.1/done"])
    answer = Partner(shop, person.browser, client).ask(redirect_uri=uri)
    if good:
        assert answer.status_code == 200
    else:
        on_a_page(answer, "redirect_uri_mismatch")


# Section 2.1.1: PKCE, without a way round it.
@pytest.mark.parametrize(
    "changes",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge": "short"},
        {"code_challenge": "a" * 44},
    ],
)
def test_a_request_without_s256_is_refused(partner: Partner, changes: dict[str, None]) -> None:
    sent = answer_of(partner.ask(**changes))
    assert sent["error"] == "invalid_request"
    assert "code" not in sent


@pytest.mark.parametrize("verifier", ["w" * 60, "", None, "v" * 42, "v" * 129, "ü" * 50])
def test_a_code_is_good_with_its_verifier_only(partner: Partner, verifier: str | None) -> None:
    """A downgrade by leaving the verifier out is refused too (section 4.8.2)."""
    code, right = partner.code()
    answer = partner.token_answer(
        grant_type="authorization_code",
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=verifier,
    )
    assert answer.status_code == 400
    assert "access_token" not in answer.json()
    assert partner.exchange(code, right).status_code == 200


def test_the_challenge_itself_is_no_verifier(partner: Partner) -> None:
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    code = answer_of(partner.decide(partner.ask(code_challenge=challenge).text))["code"]
    assert refused(partner.exchange(code, challenge)) == INVALID_GRANT


# Sections 2.1.1 and 4.5: a code is good once, for one client, one redirect URI, one minute.
def test_a_code_that_is_shown_twice_revokes_what_came_of_it(partner: Partner) -> None:
    code, verifier = partner.code()
    tokens = told(partner.exchange(code, verifier), 200)
    assert partner.use(tokens["access_token"]).status_code == 200
    assert refused(partner.exchange(code, verifier)) == INVALID_GRANT
    assert eventually(
        lambda: partner.use(tokens["access_token"]).status_code == 401, REVOKED_SECONDS
    )
    assert error(partner.use(tokens["access_token"]))[1] == "access_token_revoked"
    assert refused(partner.refresh(tokens["refresh_token"])) == INVALID_GRANT


def test_a_code_is_exchanged_once_however_many_try(partner: Partner) -> None:
    code, verifier = partner.code()
    with ThreadPoolExecutor(RACERS) as racers:
        runs = [racers.submit(partner.exchange, code, verifier) for _ in range(RACERS)]
        statuses = sorted(run.result().status_code for run in runs)
    assert statuses == [200] + [400] * (RACERS - 1)


def test_a_code_is_for_one_client(shop: Shop, partner: Partner) -> None:
    code, verifier = partner.code()
    other = Partner(shop, partner.browser, register(shop))
    assert refused(other.exchange(code, verifier)) == INVALID_GRANT
    assert partner.exchange(code, verifier).status_code == 200


@pytest.mark.parametrize("uri", ["https://partner.example/other", f"{CALLBACK}/"])
def test_a_code_is_for_one_redirect_uri(shop: Shop, partner: Partner, uri: str) -> None:
    code, verifier = partner.code()
    assert refused(partner.exchange(code, verifier, redirect_uri=uri)) == INVALID_GRANT
    missing = partner.exchange(code, verifier, redirect_uri=None)
    assert refused(missing) == (400, "invalid_request")


def test_a_code_ends_after_a_minute(shop: Shop, partner: Partner) -> None:
    code, verifier = partner.code()
    with shop.database() as connection:
        lived = connection.execute(
            "UPDATE oauth_codes SET expires_at = now() WHERE client_id = %(client)s"
            " RETURNING expires_at - created_at < interval '60 seconds'",
            {"client": uuid_of("clt", partner.client["id"])},
        ).fetchall()
    assert lived == [(True,)]
    assert refused(partner.exchange(code, verifier)) == INVALID_GRANT


def test_a_made_up_code_is_refused(partner: Partner) -> None:
    code, verifier = partner.code()
    for made_up in (code[:-1] + ("A" if code[-1] != "A" else "B"), "poc_x", "x", code + "A"):
        assert refused(partner.exchange(made_up, verifier)) == INVALID_GRANT


# Section 4.14.2: refresh tokens rotate, and one that is used twice ends the family.
def test_a_refresh_token_that_is_shown_twice_ends_the_family(partner: Partner) -> None:
    first = partner.grant()
    second = told(partner.refresh(first["refresh_token"]), 200)
    assert partner.use(second["access_token"]).status_code == 200
    assert refused(partner.refresh(first["refresh_token"])) == INVALID_GRANT
    assert refused(partner.refresh(second["refresh_token"])) == INVALID_GRANT
    for tokens in (first, second):
        assert eventually(
            lambda: partner.use(tokens["access_token"]).status_code == 401,  # noqa: B023
            REVOKED_SECONDS,
        )


def test_a_scope_that_is_refused_hides_no_second_use(partner: Partner) -> None:
    first = partner.grant()
    second = told(partner.refresh(first["refresh_token"]), 200)
    assert refused(partner.refresh(first["refresh_token"], scope="x")) == INVALID_GRANT
    assert refused(partner.refresh(second["refresh_token"])) == INVALID_GRANT


def test_of_many_who_use_one_refresh_token_one_wins(partner: Partner) -> None:
    """And it wins nothing lasting: two have the token, so the family has ended."""
    first = partner.grant()
    with ThreadPoolExecutor(RACERS) as racers:
        runs = [racers.submit(partner.refresh, first["refresh_token"]) for _ in range(RACERS)]
        answers = [run.result() for run in runs]
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    assert {refused(answer) for answer in answers if answer not in won} == {INVALID_GRANT}
    assert refused(partner.refresh(won[0].json()["refresh_token"])) == INVALID_GRANT


def test_a_refresh_token_is_for_one_client(shop: Shop, partner: Partner) -> None:
    tokens = partner.grant()
    other = Partner(shop, partner.browser, register(shop))
    assert refused(other.refresh(tokens["refresh_token"])) == INVALID_GRANT
    assert partner.refresh(tokens["refresh_token"]).status_code == 200


def test_a_refresh_token_ends_after_ninety_days(shop: Shop, partner: Partner) -> None:
    tokens = partner.grant()
    with shop.database() as connection:
        lives = connection.execute(
            "UPDATE oauth_refresh_tokens SET expires_at = now() WHERE grant_id IN"
            " (SELECT id FROM oauth_grants WHERE client_id = %(client)s)"
            " RETURNING expires_at - created_at",
            {"client": uuid_of("clt", partner.client["id"])},
        ).fetchall()
    assert len(lives) == 1
    assert refused(partner.refresh(tokens["refresh_token"])) == INVALID_GRANT


def test_scopes_are_narrowed_and_never_widened(partner: Partner) -> None:
    tokens = partner.grant(scope="payments:read")
    assert tokens["scope"] == "payments:read"
    wider = partner.refresh(tokens["refresh_token"], scope="payments:read refunds:write")
    assert refused(wider) == (400, "invalid_scope")
    both = partner.grant()
    narrow = told(partner.refresh(both["refresh_token"], scope="refunds:write"), 200)
    assert narrow["scope"] == "refunds:write"
    assert error(partner.use(narrow["access_token"]))[:2] == (403, "insufficient_scope")
    assert told(partner.refresh(narrow["refresh_token"]), 200)["scope"] == both["scope"]


@pytest.mark.parametrize("scope", ["account:manage", "platform:admin", "merchant:admin", "x", ""])
def test_no_scope_beyond_what_was_registered(partner: Partner, scope: str) -> None:
    assert answer_of(partner.ask(scope=scope))["error"] == "invalid_scope"


def test_partners_cannot_have_the_account(shop: Shop) -> None:
    body = {
        "name": "Partner",
        "type": "public",
        "redirect_uris": [CALLBACK],
        "scopes": ["account:manage"],
    }
    answer = shop.http.post("/v1/oauth_clients", json=body, headers=bearer(shop.platform_key))
    assert error(answer) == (400, "parameter_invalid", "scopes")
