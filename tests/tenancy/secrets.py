"""Every kind of secret, made through the public door: one line each in `KINDS`.

Whoever adds a kind of secret to the product adds its line here.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import uuid4

from tests.journeys.accounts import approve, new_key, operate, take_live_keys
from tests.marks import new_mark
from tests.oauth.partner import CALLBACK, TWO_SCOPES, Partner, signing_key
from tests.people import Browser, enrol, new_address
from tests.shop import Merchant, Shop, told

# Luhn-valid, and used by no other test.
SAVED_CARD: Final = "4539578763621486"
PAID_CARD: Final = "4716461583322103"

# Makes one secret and answers every text, and all bytes, that must be found nowhere afterwards.
Make = Callable[[Shop, Merchant], Sequence[str | bytes]]


def _account_keys(shop: Shop, merchant: Merchant) -> list[str]:
    return [merchant.secret_key, merchant.webhook_secret]


def _api_key(shop: Shop, merchant: Merchant) -> list[str]:
    key = new_key(merchant)
    rolled = told(
        merchant.ask(
            "POST", f"/v1/api_keys/{key['id']}/roll", {"overlap_seconds": 60}, key=str(uuid4())
        ),
        201,
    )
    return [key["secret"], rolled["secret"]]


def _live_keys(shop: Shop, merchant: Merchant) -> list[str]:
    other = shop.open_account()
    approve(shop, other)
    live = take_live_keys(other)
    return [live.secret_key, live.webhook_secret]


def _webhook_secret(shop: Shop, merchant: Merchant) -> list[str]:
    made = merchant.endpoint("https://shop.example.com/hook")
    path = f"/v1/webhook_endpoints/{made['id']}/roll"
    rolled = told(merchant.ask("POST", path, key=str(uuid4())), 200)
    return [made["secret"], rolled["secret"]]


def _card(shop: Shop, merchant: Merchant) -> list[str]:
    merchant.pay(merchant.tokenise(PAID_CARD))
    customer = merchant.customer()["id"]
    method = told(merchant.save_card(customer, SAVED_CARD), 201)["id"]
    merchant.pay(method)
    return [PAID_CARD, SAVED_CARD]


def _bank_account(shop: Shop, merchant: Merchant) -> list[str]:
    number = "0008" + "".join(secrets.choice("3579") for _ in range(8))
    details = {"country": "US", "currency": "usd", "routing_number": "110000000"}
    body = {"type": "bank_account", "bank_account": {**details, "account_number": number}}
    token = told(merchant.token_answer(body), 201)["id"]
    customer = merchant.customer()["id"]
    path = f"/v1/customers/{customer}/payment_methods"
    told(merchant.ask("POST", path, {"type": "bank_account", "token": token}), 201)
    return [number]


def _person(shop: Shop, merchant: Merchant) -> list[str]:
    mark = new_mark()
    emails = [f"{word}.{mark}@example.com" for word in ("made", "kept", "changed", "gone")]
    names = [f"{word} {mark}" for word in ("Made", "Kept", "Changed", "Gone")]
    made, kept, changed, gone = (
        {"email": email, "name": name} for email, name in zip(emails, names, strict=True)
    )
    key = str(uuid4())
    for _ in range(2):
        first = told(merchant.ask("POST", "/v1/customers", made, key=key), 201)
    merchant.customer(**kept)
    told(merchant.ask("PATCH", f"/v1/customers/{first['id']}", changed), 200)
    found = merchant.get("/v1/customers", email=kept["email"])["data"]
    assert [each["name"] for each in found] == [kept["name"]]
    path = f"/v1/customers/{merchant.customer(**gone)['id']}"
    told(merchant.ask("GET", path), 200)
    told(merchant.ask("DELETE", path), 200)
    return emails + names


def _signed_in(shop: Shop, merchant: Merchant) -> tuple[Browser, list[str]]:
    """Somebody with a name and a password of their own, and all that must not be told of them."""
    browser, mark = Browser(shop, new_address()), new_mark()
    name, password = f"Grace {mark}", f"copper-{mark}-94-Lantern"
    key, body = str(uuid4()), {"email": browser.email, "name": name}
    invited, again = (told(merchant.ask("POST", "/v1/users", body, key=key), 201) for _ in range(2))
    assert again["invitation_url"] is None
    browser.user = invited["id"]
    link = invited["invitation_url"].removeprefix(shop.base_url)
    assert enrol(browser, link, password).status_code == 303
    assert browser.sign_in(password=password + "x").status_code == 422
    browser.wait_for_codes()
    assert browser.sign_in(password=password).status_code == 303
    assert merchant.get("/v1/users")["data"][0]["name"] == name
    assert browser.cookie is not None
    token = link.rpartition("/")[2]
    return browser, [browser.email, name, password, browser.seed, token, browser.cookie]


def _user(shop: Shop, merchant: Merchant) -> list[str]:
    browser, found = _signed_in(shop, merchant)
    assert browser.get("/sessions").status_code == 200
    told(merchant.ask("DELETE", f"/v1/users/{browser.user}"), 200)
    return found


def _oauth(shop: Shop, merchant: Merchant) -> list[str]:
    """A client's secret, codes used and unused, and the tokens of a grant."""
    names = {"name": "Ledger Sync", "type": "confidential"}
    body = {**names, "redirect_uris": [CALLBACK], "scopes": TWO_SCOPES}
    key = str(uuid4())
    client, again = (
        told(operate(shop, "POST", "/v1/oauth_clients", body, key=key), 201) for _ in range(2)
    )
    assert again["secret"] is None
    browser, found = _signed_in(shop, merchant)
    partner = Partner(shop, browser, client)
    (used, verifier), (unused, _) = partner.code(), partner.code()
    tokens = told(partner.exchange(used, verifier), 200)
    assert partner.use(tokens["access_token"]).status_code == 200
    rotated = told(partner.refresh(tokens["refresh_token"]), 200)
    assert partner.use(rotated["access_token"]).status_code == 200
    assert partner.revoke(rotated["refresh_token"]).status_code == 200
    found += [client["secret"], used, unused]
    found += [each["refresh_token"] for each in (tokens, rotated)]
    # Header and claims are no secret; what a request must have is the signature.
    return found + [each["access_token"].rpartition(".")[2] for each in (tokens, rotated)]


def _signing_key(shop: Shop, merchant: Merchant) -> list[bytes]:
    """A prime and the exponent, of which any encoding of the private key has the bytes."""
    numbers = signing_key(shop)[1].private_numbers()
    return [each.to_bytes(256).lstrip(b"\0") for each in (numbers.p, numbers.q, numbers.d)]


KINDS: Final[Mapping[str, Make]] = {
    "keys of an account": _account_keys,
    "API key, and the one it is rolled to": _api_key,
    "live keys": _live_keys,
    "webhook secret, and the one it is rolled to": _webhook_secret,
    "card number": _card,
    "bank account number": _bank_account,
    "a customer's address and name": _person,
    "a user's address, name, password and second factor, invitation and session": _user,
    "secret of an OAuth client, code, refresh token, access token": _oauth,
    "the key that signs access tokens": _signing_key,
}
