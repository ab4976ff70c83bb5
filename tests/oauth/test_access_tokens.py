"""Access tokens at the API: what is forged, altered, over or not meant for it is refused.

RFC 8725 (JWT best practice), RFC 9068 section 4, RFC 9700 sections 2.3 and 4.10.
"""

import hashlib
import hmac
import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from generated.operations import OPERATIONS
from tests.oauth.forging import Key, encoded, parts_of, signed, unsigned
from tests.oauth.partner import LIST, Partner, Person, register, signing_key
from tests.serving import eventually
from tests.shop import Merchant, Shop, bearer, error, told

INVALID = (401, "access_token_invalid", None)
EXPIRED = (401, "access_token_expired", None)
CHALLENGE = 'Bearer realm="paymint", error="invalid_token"'
# A second is promised, and a busy machine may add to it; what is remembered lives for longer.
REVOKED_SECONDS = 3.0


@pytest.fixture(scope="module")
def key(shop: Shop) -> Key:
    """The product's own key: what is signed by it and refused, is refused for what it says."""
    return signing_key(shop)


@pytest.fixture(scope="module")
def granted(shop: Shop, person: Person) -> str:
    """A good token, which no test may end."""
    token: str = Partner(shop, person.browser, register(shop)).grant()["access_token"]
    assert shop.http.get(LIST, headers=bearer(token)).status_code == 200
    return token


def asked(shop: Shop, token: str) -> tuple[int, str, str | None]:
    """How the API refuses a token."""
    answer = shop.http.get(LIST, headers=bearer(token))
    assert answer.headers["www-authenticate"] == CHALLENGE
    return error(answer)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "HS256", "RS512", "PS256"])
def test_the_token_does_not_choose_its_algorithm(shop: Shop, granted: str, algorithm: str) -> None:
    header, claims = parts_of(granted)
    signature = granted.rpartition(".")[2]
    header["alg"] = algorithm
    assert asked(shop, unsigned(header, claims)) == INVALID
    assert asked(shop, unsigned(header, claims, signature)) == INVALID


def test_our_public_key_is_no_secret_of_hs256(shop: Shop, granted: str, key: Key) -> None:
    """RFC 8725 section 2.1; PyJWT would not even sign so, hence by hand."""
    header, claims = parts_of(granted)
    public = key[1].public_key()
    for encoding, form in (
        (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        (Encoding.PEM, PublicFormat.PKCS1),
        (Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ):
        secret = public.public_bytes(encoding, form)
        head = unsigned({**header, "alg": "HS256"}, claims).rpartition(".")[0]
        mac = hmac.digest(secret, head.encode(), hashlib.sha256)
        assert asked(shop, f"{head}.{encoded(mac)}") == INVALID


def test_a_claim_that_was_altered(shop: Shop, granted: str, rival: Merchant) -> None:
    header, claims = parts_of(granted)
    signature = granted.rpartition(".")[2]
    for change in (
        {"merchant": rival.id},
        {"scope": "merchant:admin"},
        {"livemode": True},
        {"exp": claims["exp"] + 1},
    ):
        assert asked(shop, unsigned(header, {**claims, **change}, signature)) == INVALID
    spoilt = granted[:-2] + ("AA" if granted[-2:] != "AA" else "BB")
    assert asked(shop, spoilt) == INVALID


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null",
        "' UNION SELECT 'x",
        "00000000000000000000000000000000",
        "",
        "file:///etc/passwd",
        "https://evil.example/jwks.json",
        "\u0000",
        7,
        None,
        ["a"],
        {"a": 1},
    ],
)
def test_the_name_of_a_key_is_a_name_and_nothing_else(
    shop: Shop, granted: str, kid: object
) -> None:
    header, claims = parts_of(granted)
    stranger = rsa.generate_private_key(65537, 2048)
    head = unsigned({**header, "kid": kid}, claims).rpartition(".")[0]
    signature = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256).sign(
        head.encode(), stranger
    )
    assert asked(shop, f"{head}.{encoded(signature)}") == INVALID


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c", "crit", "b64", "zip", "enc"])
def test_a_token_does_not_bring_its_key(shop: Shop, granted: str, name: str, key: Key) -> None:
    """Neither with a stranger's signature nor, where nothing but the header is wrong, ours."""
    _, claims = parts_of(granted)
    stranger = rsa.generate_private_key(65537, 2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(stranger.public_key()))
    value: Any = {"jwk": public, "x5c": ["MII"], "crit": ["b64"], "b64": False}
    value = value.get(name, "https://evil.example/jwks.json")
    for private in (stranger, key[1]):
        extra = {"kid": key[0], "typ": "at+jwt", name: value}
        if name == "b64":
            extra["crit"] = ["b64"]
            token = unsigned({"alg": "RS256", **extra}, claims, "c2ln")
        else:
            token = jwt.encode(claims, private, "RS256", extra)
        assert asked(shop, token) == INVALID


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"iss": "http://127.0.0.1"},
        {"iss": None},
        {"aud": "https://evil.example"},
        {"aud": None},
        {"aud": "{iss}"},
        {"aud": ["{iss}/v1", "https://evil.example"]},
        {"merchant": "mch_" + "0" * 32},
        {"merchant": "x"},
        {"grant": None},
        {"livemode": "false"},
        {"livemode": 0},
        {"scope": None},
        {"scope": ["payments:read"]},
        {"merchant": 7},
        {"iat": "now"},
        {"nbf": "now"},
        {"exp": [1]},
        {"exp": None},
        {"exp": "never"},
        {"exp": 10**20},
        {"iat": None},
        {"iat": 10**10},
        {"nbf": 10**10},
        {"jti": None},
        {"second_factor_at": "now"},
    ],
)
def test_a_signed_token_that_is_not_for_us(
    shop: Shop, granted: str, key: Key, change: dict[str, Any]
) -> None:
    """Issuer and audience are pinned, and every claim must be there and of its type."""
    _, claims = parts_of(granted)
    filled = json.loads(json.dumps(change).replace("{iss}", claims["iss"]))
    altered = {name: value for name, value in {**claims, **filled}.items() if value is not None}
    expected = INVALID
    if str(change.get("merchant", "")).startswith("mch_"):
        expected = (401, "access_token_revoked", None)
    assert asked(shop, signed(altered, key)) == expected


@pytest.mark.parametrize("kind", ["JWT", "jwt", "id+jwt", None])
def test_a_token_of_another_type(shop: Shop, granted: str, key: Key, kind: str | None) -> None:
    """RFC 9068 section 4: what is signed for another purpose is no access token."""
    _, claims = parts_of(granted)
    assert asked(shop, signed(claims, key, typ=kind)) == INVALID


def test_an_expired_token(shop: Shop, granted: str, key: Key) -> None:
    _, claims = parts_of(granted)
    now = int(time.time())
    old = {**claims, "iat": now - 1801, "exp": now - 1}
    assert asked(shop, signed(old, key)) == EXPIRED
    # One that is remembered ends all the same.
    last = {**claims, "exp": int(time.time()) + 5}
    token = signed(last, key)
    assert shop.http.get(LIST, headers=bearer(token)).status_code == 200
    assert eventually(lambda: shop.http.get(LIST, headers=bearer(token)).status_code == 401, 30)
    assert asked(shop, token) == EXPIRED


@pytest.mark.parametrize(
    "text",
    [
        ".",
        "..",
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        "eyJhbGciOiJSUzI1NiJ9..",
        "a." * 3000,
        "e30.e30.e30",
        "W10.W10.W10",
        "." + "a" * 255,
    ],
)
def test_what_only_looks_like_a_token(shop: Shop, text: str) -> None:
    assert asked(shop, text) == INVALID


# What tokens may do.


def test_a_token_sees_its_merchant_and_its_mode_alone(
    shop: Shop, person: Person, rival: Merchant, granted: str
) -> None:
    theirs = rival.pay()
    for path in (f"{LIST}/{theirs['id']}", f"{LIST}/{theirs['id']}/refunds"):
        answer = shop.http.get(path, headers=bearer(granted))
        assert error(answer)[:2] == (404, "resource_missing")
    mine = person.merchant.pay()
    assert told(shop.http.get(f"{LIST}/{mine['id']}", headers=bearer(granted)), 200)
    answer = shop.http.post(
        f"{LIST}/{mine['id']}/refunds", json={"amount": 100}, headers=bearer(granted)
    )
    assert told(answer, 201)["amount"] == 100


def test_a_token_makes_a_payment_once_per_key(shop: Shop, person: Person) -> None:
    partner = Partner(shop, person.browser, register(shop, scopes=["payments:write"]))
    headers = bearer(partner.grant()["access_token"]) | {"Idempotency-Key": str(uuid4())}
    body = {
        "amount": 5000,
        "currency": "usd",
        "payment_method_id": person.merchant.tokenise(),
    }
    first, again = (shop.http.post(LIST, json=body, headers=headers) for _ in range(2))
    assert told(first, 201) == told(again, 201)


def test_live_access_takes_a_merchant_in_live_mode(partner: Partner) -> None:
    answer = partner.ask(mode="live")
    assert "error=access_denied" in answer.headers["location"]


ACCOUNT = [row for row in OPERATIONS if ("account:manage",) in row.scopes]
OPERATOR = [row for row in OPERATIONS if row.scopes == (("platform:admin",),)]


def test_the_operations_of_the_account_are_known() -> None:
    named = {row.operation_id for row in ACCOUNT}
    assert named >= {"create_api_key", "delete_api_key", "roll_api_key", "list_oauth_grants"}
    assert "delete_oauth_grant" in named
    assert {row.operation_id for row in OPERATOR} >= {"create_oauth_client", "create_merchant"}


@pytest.mark.parametrize("row", [*ACCOUNT, *OPERATOR], ids=lambda row: row.operation_id)
def test_a_partners_token_does_not_open_what_is_for_keys(
    shop: Shop, person: Person, everything: str, row: Any
) -> None:
    path = row.path.replace("{", "").replace("}", "")
    answer = shop.http.request(row.method, path, headers=bearer(everything))
    expected = "key_kind_forbidden" if row in OPERATOR else "insufficient_scope"
    assert error(answer)[:2] == (403, expected)


@pytest.fixture(scope="module")
def everything(shop: Shop, person: Person) -> str:
    """A token with every scope that a partner can have."""
    client = register(shop, scopes=["merchant:admin", "payments:write", "customers:write"])
    token: str = Partner(shop, person.browser, client).grant()["access_token"]
    return token


def test_our_own_application_manages_keys_after_a_second_factor(
    shop: Shop, person: Person, key: Key
) -> None:
    client = register(shop, type="public", first_party=True, scopes=["account:manage"])
    token = Partner(shop, person.browser, client).grant()["access_token"]
    assert told(shop.http.get("/v1/api_keys", headers=bearer(token)), 200)["data"]
    _, claims = parts_of(token)
    for given in (int(time.time()) - 901, None):
        old = {**claims, "second_factor_at": given}
        if given is None:
            del old["second_factor_at"]
        answer = shop.http.get("/v1/api_keys", headers=bearer(signed(old, key)))
        assert error(answer)[:2] == (403, "second_factor_required")
    # Nothing else is opened by it.
    assert error(shop.http.get(LIST, headers=bearer(token)))[:2] == (403, "insufficient_scope")


def test_no_key_has_the_account(person: Person) -> None:
    body = {"name": "x", "type": "secret", "scopes": ["account:manage"]}
    answer = person.merchant.ask("POST", "/v1/api_keys", body)
    assert error(answer)[:2] == (400, "parameter_invalid_enum")


def test_a_revoked_token_is_refused_within_a_second(shop: Shop, person: Person) -> None:
    """By the client's end, the grant's, and the merchant's own hand."""
    headers = bearer(shop.platform_key)
    partner = Partner(shop, person.browser, register(shop))
    token = partner.grant()["access_token"]
    assert partner.use(token).status_code == 200
    told(shop.http.delete(f"/v1/oauth_clients/{partner.client['id']}", headers=headers), 200)
    assert eventually(lambda: partner.use(token).status_code == 401, REVOKED_SECONDS)
    assert error(partner.use(token)) == (401, "access_token_revoked", None)


def test_the_audit_names_a_token_by_its_end_only(person: Person, partner: Partner) -> None:
    token = partner.grant()["access_token"]
    answer = partner.use(token)
    request = answer.headers["x-request-id"]
    log = eventually(
        lambda: next(
            (
                each
                for each in person.merchant.get("/v1/request_logs", limit=20)["data"]
                if each["id"] == request
            ),
            None,
        ),
        30.0,
    )
    assert log is not None
    assert log["api_key_prefix"] == f"oauth_...{token[-4:]}"
