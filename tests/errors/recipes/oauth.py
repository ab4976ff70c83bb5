"""Access tokens that are not good, and authorisation requests that cannot be answered."""

import time

import httpx

from tests.errors.scene import Scene, gives
from tests.oauth.forging import parts_of, signed
from tests.oauth.partner import Partner, register, signing_key
from tests.people import sign_in
from tests.shop import bearer


def partner_of(scene: Scene, **client: object) -> Partner:
    """A partner's application, and somebody of the merchant's who is signed in."""
    browser = sign_in(scene.shop, scene.merchant)
    return Partner(scene.shop, browser, register(scene.shop, **client))


@gives("access_token_invalid", by="list_payments")
def a_token_that_nobody_signed(scene: Scene) -> httpx.Response:
    return scene.list_with("e30.e30.e30")


@gives("access_token_expired", by="list_payments")
def a_token_of_yesterday(scene: Scene) -> httpx.Response:
    _, claims = parts_of(partner_of(scene).grant()["access_token"])
    day = {**claims, "iat": int(time.time()) - 86_400, "exp": int(time.time()) - 84_600}
    return scene.list_with(signed(day, signing_key(scene.shop)))


@gives("access_token_revoked", by="list_payments")
def a_token_whose_client_gave_it_back(scene: Scene) -> httpx.Response:
    partner = partner_of(scene)
    tokens = partner.grant()
    partner.revoke(tokens["refresh_token"])
    return scene.list_with(tokens["access_token"])


@gives("second_factor_required", by="list_api_keys")
def a_second_factor_of_an_hour_ago(scene: Scene) -> httpx.Response:
    partner = partner_of(scene, type="public", first_party=True, scopes=["account:manage"])
    _, claims = parts_of(partner.grant()["access_token"])
    old = {**claims, "second_factor_at": int(time.time()) - 3600}
    token = signed(old, signing_key(scene.shop))
    return scene.shop.http.get("/v1/api_keys", headers=bearer(token))


@gives("oauth_client_unknown", by="show_consent")
def an_application_that_is_not_registered(scene: Scene) -> httpx.Response:
    query = {"client_id": "clt_" + "0" * 32}
    return scene.shop.http.get("/oauth/authorize", params=query)


@gives("redirect_uri_mismatch", by="show_consent")
def an_answer_to_somebody_else(scene: Scene) -> httpx.Response:
    query = {
        "client_id": register(scene.shop)["id"],
        "redirect_uri": "https://evil.example/callback",
    }
    return scene.shop.http.get("/oauth/authorize", params=query)
