"""A partner's application, and a person of a merchant who lets it in."""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from adapters.settings import Settings
from flows.house import House, open_house
from runtime.clock import Clock
from tests.people import Browser, field_of
from tests.shop import Merchant, Shop, bearer, told

CALLBACK = "https://partner.example/callback"
TWO_SCOPES = ["payments:read", "refunds:write"]
LIST = "/v1/payments"


def register(shop: Shop, **changes: Any) -> dict[str, Any]:
    """A client that the operator has registered, with its secret."""
    body = {
        "name": "Ledger Sync",
        "type": "confidential",
        "redirect_uris": [CALLBACK],
        "scopes": TWO_SCOPES,
        **changes,
    }
    headers = bearer(shop.platform_key)
    return told(shop.http.post("/v1/oauth_clients", json=body, headers=headers), 201)


def verifier_and_challenge() -> tuple[str, str]:
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def answer_of(response: httpx.Response) -> dict[str, str]:
    """The parameters with which the browser is sent back."""
    assert response.status_code == 303, response.text
    query = parse_qs(urlsplit(response.headers["location"]).query, strict_parsing=True)
    return {name: value for name, (value,) in query.items()}


@dataclass
class Partner:
    """One application; `grant` walks the whole flow as a browser and a server would."""

    shop: Shop
    browser: Browser
    client: dict[str, Any] = field(default_factory=dict)

    def request(self, **changes: Any) -> dict[str, str]:
        """An authorisation request; None leaves a parameter out."""
        asked = {
            "response_type": "code",
            "client_id": self.client["id"],
            "redirect_uri": CALLBACK,
            "state": "af0ifjsldkj",
            "code_challenge": verifier_and_challenge()[1],
            "code_challenge_method": "S256",
            "mode": "test",
            **changes,
        }
        return {name: value for name, value in asked.items() if value is not None}

    def ask(self, **changes: Any) -> httpx.Response:
        """What the authorisation endpoint answers to the browser."""
        return self.browser.get(f"/oauth/authorize?{urlencode(self.request(**changes))}")

    def decide(self, page: str, decision: str = "approve", **headers: str) -> httpx.Response:
        """Press a button of the consent page."""
        form = {
            "form_token": field_of(page, "form_token"),
            "request": field_of(page, "request").replace("&amp;", "&"),
            "decision": decision,
        }
        return self.browser.post("/oauth/authorize", form, **headers)

    def code(self, **changes: Any) -> tuple[str, str]:
        """A code and the verifier that goes with it."""
        verifier, challenge = verifier_and_challenge()
        page = self.ask(code_challenge=challenge, **changes)
        assert page.status_code == 200, page.text
        return answer_of(self.decide(page.text))["code"], verifier

    def token_answer(self, **fields: Any) -> httpx.Response:
        """What the token endpoint answers to this client."""
        own = {"client_id": self.client["id"], "client_secret": self.client["secret"]}
        form = {name: value for name, value in {**own, **fields}.items() if value is not None}
        return self.shop.http.post("/oauth/token", data=form)

    def exchange(self, code: str, verifier: str, **changes: Any) -> httpx.Response:
        fields = {"code": code, "code_verifier": verifier, "redirect_uri": CALLBACK, **changes}
        return self.token_answer(grant_type="authorization_code", **fields)

    def refresh(self, token: str, **changes: Any) -> httpx.Response:
        return self.token_answer(grant_type="refresh_token", refresh_token=token, **changes)

    def grant(self, **changes: Any) -> dict[str, Any]:
        """Tokens, by the whole flow."""
        return told(self.exchange(*self.code(**changes)), 200)

    def revoke(self, token: str, **changes: Any) -> httpx.Response:
        own = {"client_id": self.client["id"], "client_secret": self.client["secret"]}
        form = {name: v for name, v in {**own, **changes}.items() if v is not None}
        return self.shop.http.post("/v1/oauth/revoke", data={**form, "token": token})

    def use(self, token: str, method: str = "GET", path: str = LIST, **more: Any) -> httpx.Response:
        """The API, asked with an access token."""
        return self.shop.http.request(method, path, headers=bearer(token), **more)


@dataclass
class Person:
    """A merchant and the browser of somebody who has signed in for it."""

    merchant: Merchant
    browser: Browser


def refused(answer: httpx.Response) -> tuple[int, str]:
    """(status, error) of an answer of the token endpoint."""
    body = answer.json()
    assert body.keys() == {"error", "error_description"}, body
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, body["error"]


def in_house(shop: Shop, work: Callable[[House], Any], clock: Clock | None = None) -> Any:
    """What `work` gives, run in a process of the main house inside this test."""
    environment = {**shop.environment["paymint-api"], "PAYMINT_PROCESS_NUMBER": "9"}

    async def run() -> Any:
        house = await open_house(Settings.from_environment(environment), clock)
        try:
            return await work(house)
        finally:
            await house.close()

    return asyncio.run(run())


def signing_key(shop: Shop) -> tuple[str, RSAPrivateKey]:
    """The key that the product itself signs with, as an attacker would wish to have it."""

    async def current(house: House) -> tuple[str, RSAPrivateKey]:
        kid, private = await house.signing_keys.current()
        return kid, private

    found: tuple[str, RSAPrivateKey] = in_house(shop, current)
    return found


def uuid_in(text: str) -> UUID:
    return UUID(hex=text.rpartition("_")[2])


def on_a_page(answer: httpx.Response, code: str) -> None:
    """Refused in words, and sent nowhere."""
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")
    assert f'id="code">{code}<' in answer.text
