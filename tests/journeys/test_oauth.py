"""A partner's application from its registration to its end; the attacks stand in tests/oauth."""

from tests.oauth.partner import Partner, register
from tests.people import sign_in
from tests.shop import Merchant, Shop, bearer, told


def test_from_registration_to_revocation(shop: Shop, merchant: Merchant) -> None:
    operator = bearer(shop.platform_key)
    partner = Partner(shop, sign_in(shop, merchant), register(shop))
    path = f"/v1/oauth_clients/{partner.client['id']}"
    clients = told(shop.http.get("/v1/oauth_clients", headers=operator), 200)["data"]
    assert partner.client["id"] in {each["id"] for each in clients}
    renamed = shop.http.patch(path, json={"name": "Ledger"}, headers=operator)
    assert told(renamed, 200) == told(shop.http.get(path, headers=operator), 200)
    found = told(shop.http.get("/.well-known/oauth-authorization-server"), 200)
    assert found["jwks_uri"] == f"{shop.base_url}/.well-known/jwks.json"
    assert told(shop.http.get("/.well-known/jwks.json"), 200)["keys"]
    tokens = told(partner.refresh(partner.grant()["refresh_token"]), 200)
    assert partner.use(tokens["access_token"]).status_code == 200
    (grant,) = merchant.get("/v1/oauth_grants")["data"]
    assert grant["client_name"] == "Ledger"
    told(merchant.ask("DELETE", f"/v1/oauth_grants/{grant['id']}"), 200)
    assert merchant.get("/v1/oauth_grants")["data"] == []
    told(partner.revoke(partner.grant()["refresh_token"]), 200)
    assert merchant.get("/v1/oauth_grants")["data"] == []
    assert told(shop.http.delete(path, headers=operator), 200)["deleted"] is True
