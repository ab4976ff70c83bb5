"""A shop that takes payments: what tests ask of a running Paymint, in the trade's words.

`Shop` is the running stack; `shop.open_account()` gives a merchant of one's own with a client.
"""

import json
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from psycopg.conninfo import conninfo_to_dict

from domain.ids import from_text
from tests.serving import Serving

VISA = "4242424242424242"
EXPIRY_YEAR = datetime.now(UTC).year + 3
REQUEST_SECONDS = 30.0
ACCOUNT = {"email": "owner@shop.example", "business_name": "Test Shop", "country": "US"}


def card(number: str = VISA, **changes: Any) -> dict[str, Any]:
    """The body of POST /v1/tokens for a card that has not expired."""
    cvc = "1234" if number.startswith(("34", "37")) else "123"
    details = {"number": number, "exp_month": 12, "exp_year": EXPIRY_YEAR, "cvc": cvc}
    return {"type": "card", "card": {**details, **changes}}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@dataclass
class Merchant:
    """One merchant and its keys; `http` and `vault` speak to the two origins."""

    id: str
    secret_key: str
    publishable_key: str
    webhook_secret: str
    http: httpx.Client
    vault: httpx.Client

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **options: Any
    ) -> httpx.Response:
        """One request with the secret key; `key` is the Idempotency-Key."""
        headers = bearer(self.secret_key) | options.pop("headers", {})
        if key is not None:
            headers["Idempotency-Key"] = key
        if body is not None:
            options["json"] = body
        return self.http.request(method, path, headers=headers, **options)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The resource at a path, which must be there."""
        # Empty parameters would take away the query that stands in the path.
        options: Any = {"params": query} if query else {}
        return told(self.ask("GET", path, **options), 200)

    def token_answer(self, body: dict[str, Any], **headers: str) -> httpx.Response:
        """What the vault's door answers to this instrument."""
        sent = bearer(self.publishable_key) | headers
        return self.vault.post("/v1/tokens", json=body, headers=sent)

    def tokenise(self, number: str = VISA, **changes: Any) -> str:
        """The id of a new card token."""
        return str(told(self.token_answer(card(number, **changes)), 201)["id"])

    def pay_answer(
        self, instrument: str | None = None, *, key: str | None = None, **fields: Any
    ) -> httpx.Response:
        """The answer to POST /v1/payments: 10000 usd of a fresh card, if not said otherwise."""
        instrument = instrument or self.tokenise()
        body = {"amount": 10000, "currency": "usd", "payment_method_id": instrument, **fields}
        return self.ask("POST", "/v1/payments", body, key=key or str(uuid4()))

    def pay(self, instrument: str | None = None, **fields: Any) -> dict[str, Any]:
        """A payment that was approved."""
        return told(self.pay_answer(instrument, **fields), 201)

    def act(self, payment: str, action: str, body: Any = None, **options: Any) -> httpx.Response:
        """capture, cancel or refunds of a payment."""
        return self.ask("POST", f"/v1/payments/{payment}/{action}", body, **options)

    def refund(self, payment: str, **fields: Any) -> dict[str, Any]:
        return told(self.act(payment, "refunds", fields), 201)

    def payment(self, payment: str) -> dict[str, Any]:
        return self.get(f"/v1/payments/{payment}")

    def customer(self, **fields: Any) -> dict[str, Any]:
        return told(self.ask("POST", "/v1/customers", fields), 201)

    def save_card(self, customer: str, number: str = VISA, **changes: Any) -> httpx.Response:
        """The answer to saving a fresh token of this card."""
        body = {"type": "card", "token": self.tokenise(number, **changes)}
        return self.ask("POST", f"/v1/customers/{customer}/payment_methods", body)

    def endpoint(self, url: str, **fields: Any) -> dict[str, Any]:
        """A webhook endpoint, with its secret."""
        return told(self.ask("POST", "/v1/webhook_endpoints", {"url": url, **fields}), 201)

    def events(self, **query: Any) -> list[dict[str, Any]]:
        """The newest events first."""
        found: list[dict[str, Any]] = self.get("/v1/events", **query)["data"]
        return found


class Shop:
    """A running stack."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        keys = serving.state("sandbox")
        self.base_url, self.vault_url = str(keys["base_url"]), str(keys["vault_url"])
        self.platform_key = str(keys["platform_key"])
        # None without --tls.
        self.authority = keys.get("ca_file")
        trust = ssl.create_default_context(cafile=self.authority)
        self.http, self.vault = (
            httpx.Client(base_url=url, timeout=REQUEST_SECONDS, verify=trust)
            for url in (self.base_url, self.vault_url)
        )

    def close(self) -> None:
        self.http.close()
        self.vault.close()

    def open_account(self, rate_limit_multiplier: int = 1000) -> Merchant:
        """A merchant that nobody else has, with a negotiated limit: tests do not wait."""
        account = told(self.http.post("/v1/sandbox_accounts", json=ACCOUNT), 201)
        keys = ("secret_key", "publishable_key", "webhook_secret")
        values = {name: account[name] for name in keys}
        if rate_limit_multiplier != 1:
            self.negotiate(account["merchant"]["id"], rate_limit_multiplier)
        return Merchant(account["merchant"]["id"], http=self.http, vault=self.vault, **values)

    def negotiate(self, merchant_id: str, rate_limit_multiplier: int) -> None:
        """What the operator does who grants higher limits."""
        body = {"rate_limit_multiplier": rate_limit_multiplier}
        path, headers = f"/v1/merchants/{merchant_id}", bearer(self.platform_key)
        told(self.http.patch(path, json=body, headers=headers), 200)

    def takes_payments(self) -> bool:
        """Whether API and vault say that they are ready, as after somebody killed them."""
        try:
            return all(
                client.get(path).status_code == 200
                for client, path in ((self.http, "/readyz"), (self.vault, "/healthz"))
            )
        except httpx.TransportError:
            return False

    @cached_property
    def environment(self) -> dict[str, Any]:
        """What each process was given, by its name."""
        return self.serving.state("environment")

    def database(self, process: str = "paymint-api") -> psycopg.Connection[tuple[Any, ...]]:
        """The database of the main house, or of `paymint-vault`, with the process's own role."""
        variable = "VAULT_DATABASE_URL" if process == "paymint-vault" else "DATABASE_URL"
        return psycopg.connect(self.environment[process][variable], autocommit=True)

    def owned_database(self, process: str = "paymint-api") -> psycopg.Connection[tuple[Any, ...]]:
        """The same database with the role that owns its tables."""
        module, variable = {
            "paymint-api": ("flows.migrate", "MIGRATION_DATABASE_URL"),
            "paymint-vault": ("vault.migrate", "VAULT_MIGRATION_DATABASE_URL"),
        }[process]
        return psycopg.connect(self.environment[module][variable], autocommit=True)

    def superuser_database(
        self, process: str = "paymint-api"
    ) -> psycopg.Connection[tuple[Any, ...]]:
        """The same database for one who may do anything there, as whoever holds the server."""
        parts = conninfo_to_dict(
            self.environment[process][
                "VAULT_DATABASE_URL" if process == "paymint-vault" else "DATABASE_URL"
            ]
        )
        password = self.serving.state("secrets")["postgres"]
        return psycopg.connect(
            **{**parts, "user": "postgres", "password": password}, autocommit=True
        )

    def journal(self, payment: str | None = None) -> list[dict[str, Any]]:
        """What the simulated networks decided, of one payment or of all, in their order."""
        text = (self.serving.directory / "simulator" / "journal.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        if payment is None:
            return lines
        identifier = from_text("pay", payment)
        assert identifier is not None
        return [line for line in lines if line["payment"] == identifier.hex]

    def decisions(self, payment: str) -> list[tuple[str, str]]:
        """(kind, decision) of every line about a payment."""
        return [(line["kind"], line["decision"]) for line in self.journal(payment)]


def told(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The body of an answer that must have this status."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text}"
    body: dict[str, Any] = answer.json()
    return body


def error(answer: httpx.Response) -> tuple[int, str, str | None]:
    """(status, code, param) of a refusal, whose envelope must be whole."""
    body = answer.json()
    assert body.keys() == {"error"}, body
    fault = body["error"]
    assert fault["request_id"] == answer.headers["x-request-id"]
    assert fault["doc_url"] == f"https://docs.paymint.com/errors/{fault['code']}"
    assert fault["message"] and fault["type"]
    return answer.status_code, fault["code"], fault.get("param")
