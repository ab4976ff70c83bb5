"""Clients that others wrote complete the flow: Authlib's and oauthlib's."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.jwk import KeySet
from oauthlib.oauth2 import WebApplicationClient  # type: ignore[import-untyped]

from tests.oauth.partner import CALLBACK, LIST, Partner, Person, register
from tests.shop import Shop, bearer, told

METADATA = "/.well-known/oauth-authorization-server"


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_authlib_completes_the_flow(shop: Shop, person: Person, method: str) -> None:
    """From the metadata to tokens, to the API, to fresh tokens, to their end."""
    found = told(shop.http.get(METADATA), 200)
    kind = "public" if method == "none" else "confidential"
    partner = Partner(shop, person.browser, register(shop, type=kind))
    with OAuth2Client(
        partner.client["id"],
        partner.client["secret"],
        scope="payments:read refunds:write",
        redirect_uri=CALLBACK,
        token_endpoint_auth_method=method,
        code_challenge_method="S256",
        # Fresh tokens are asked for below, not by the client itself.
        leeway=0,
    ) as client:
        verifier = "v" * 60
        url, state = client.create_authorization_url(
            found["authorization_endpoint"], code_verifier=verifier, mode="test"
        )
        page = person.browser.get(url.removeprefix(shop.base_url))
        back = partner.decide(page.text).headers["location"]
        tokens = client.fetch_token(
            found["token_endpoint"],
            authorization_response=back,
            code_verifier=verifier,
            state=state,
        )
        assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 1800)
        assert client.get(shop.base_url + LIST).json()["object"] == "list"
        fresh = client.refresh_token(found["token_endpoint"], tokens["refresh_token"])
        assert fresh["refresh_token"] != tokens["refresh_token"]
        assert client.get(shop.base_url + LIST).status_code == 200
        ended = client.revoke_token(found["revocation_endpoint"], fresh["refresh_token"])
        assert ended.status_code == 200


def test_oauthlib_reads_our_answers(partner: Partner) -> None:
    client = WebApplicationClient(partner.client["id"])
    verifier = client.create_code_verifier(64)
    challenge = client.create_code_challenge(verifier, "S256")
    page = partner.ask(code_challenge=challenge, state="xyz")
    back = partner.decide(page.text).headers["location"]
    code = client.parse_request_uri_response(back, state="xyz")["code"]
    answer = partner.exchange(code, verifier)
    tokens = client.parse_request_body_response(answer.text)
    assert tokens["access_token"] == answer.json()["access_token"]
    assert partner.use(tokens["access_token"]).status_code == 200


def test_the_metadata_is_what_rfc_8414_asks_for(shop: Shop) -> None:
    found = told(shop.http.get(METADATA), 200)
    insecure = AuthorizationServerMetadata({name: _https(value) for name, value in found.items()})
    insecure.validate()
    assert found["issuer"] == shop.base_url
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["response_types_supported"] == ["code"]


def test_the_key_set_verifies_a_token(partner: Partner) -> None:
    published: Any = told(partner.shop.http.get("/.well-known/jwks.json"), 200)
    keys = KeySet.import_key_set(published)
    token = jwt.decode(partner.grant()["access_token"], keys, algorithms=["RS256"])
    claims = token.claims
    assert token.header["typ"] == "at+jwt"
    assert claims["iss"] == partner.shop.base_url
    assert claims["aud"] == f"{partner.shop.base_url}/v1"
    assert claims["exp"] - claims["iat"] == 1800
    assert (claims["client_id"], claims["livemode"]) == (partner.client["id"], False)


def test_what_a_person_is_asked(partner: Partner, person: Person) -> None:
    page = partner.ask()
    for words in ("Ledger Sync", "Test Shop", "test mode", "Read payments and their refunds."):
        assert words in page.text
    assert urlsplit(CALLBACK).netloc in page.text
    assert person.merchant.secret_key not in page.text


def test_a_grant_is_seen_and_revoked_by_its_merchant(partner: Partner, person: Person) -> None:
    tokens = partner.grant()
    (grant, *_) = person.merchant.get("/v1/oauth_grants")["data"]
    assert (grant["client_id"], grant["client_name"]) == (partner.client["id"], "Ledger Sync")
    assert partner.use(tokens["access_token"]).status_code == 200
    told(person.merchant.ask("DELETE", f"/v1/oauth_grants/{grant['id']}"), 200)
    assert person.merchant.ask("DELETE", f"/v1/oauth_grants/{grant['id']}").status_code == 404
    assert partner.refresh(tokens["refresh_token"]).status_code == 400


def test_the_operator_changes_and_deletes_a_client(shop: Shop) -> None:
    client, headers = register(shop), bearer(shop.platform_key)
    path = f"/v1/oauth_clients/{client['id']}"
    assert client["secret"].startswith("pcs_")
    assert told(shop.http.get(path, headers=headers), 200)["secret"] is None
    changed = shop.http.patch(path, json={"name": "Other"}, headers=headers)
    assert told(changed, 200)["name"] == "Other"
    listed = told(shop.http.get("/v1/oauth_clients?limit=1", headers=headers), 200)
    assert listed["total_count"] >= 1
    assert told(shop.http.delete(path, headers=headers), 200)["deleted"] is True
    assert shop.http.get(path, headers=headers).status_code == 404


def _https(value: object) -> object:
    return value.replace("http://", "https://") if isinstance(value, str) else value
