"""The real application over a house that is made of plain values."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import httpx

from adapters.countries import Countries
from adapters.limiter import Admitted
from contract.document import Node
from contract.operations import Operation
from domain.allowances import Allowance
from domain.allowlists import Network
from domain.callers import Caller
from domain.rate_limits import Decision
from domain.refusals import Unauthenticated
from flows.house import House
from gateway.app import build_app
from gateway.exchange import AsgiApp, Handler
from gateway.resolving import handler_of
from handlers.http import Answer, Request
from models.audit import Whose
from runtime.clock import Clock, SystemClock
from runtime.room import Room
from tests.document import DOCUMENT

MERCHANT = UUID("019d7cd3e8417f5a9c2b7d4e6f8a0b13")
ALL_SCOPES = frozenset({"merchant:admin", "platform:admin"})
KEY = "sk_test_all"
IDEMPOTENCY_KEY = "550e8400-e29b-41d4-a716-446655440000"


def caller(**changes: Any) -> Caller:
    """A caller in test mode whose key may do everything."""
    values: dict[str, Any] = {
        "merchant_id": MERCHANT,
        "livemode": False,
        "key_id": UUID(int=1),
        "key_display": "sk_test_...all1",
        "scopes": ALL_SCOPES,
        "merchant_status": "active",
    }
    return Caller(**{**values, **changes})


@dataclass
class Keys:
    """Knows the callers by their keys."""

    callers: dict[str, Caller] = field(default_factory=lambda: {KEY: caller()})
    asked: int = 0

    async def authenticate(self, text: str, address: str = "") -> Caller:
        self.asked += 1
        if text not in self.callers:
            raise Unauthenticated("api_key_invalid")
        return self.callers[text]


@dataclass
class Tokens:
    """Knows the callers by their access tokens."""

    callers: dict[str, Caller] = field(default_factory=dict)

    async def authenticate(self, text: str) -> Caller:
        if text not in self.callers:
            raise Unauthenticated("access_token_invalid")
        return self.callers[text]


@dataclass
class Audit:
    """Keeps the entries, each under the id of its request."""

    entries: list[tuple[Whose | None, dict[str, Any]]] = field(default_factory=list)

    def record(self, request_id: UUID, whose: Whose | None, entry: dict[str, Any]) -> None:
        assert entry["request_id"] == f"req_{request_id.hex}"
        self.entries.append((whose, entry))

    def refuses(self, *, uses_a_card: bool) -> bool:
        return False


@dataclass
class DeprecatedUse:
    """Keeps who used what."""

    noted: list[tuple[UUID, str]] = field(default_factory=list)

    def note(self, caller: Caller, version: str) -> None:
        self.noted.append((caller.merchant_id, version))


@dataclass
class Limiter:
    """Refuses the buckets in whose names `shut` stands; what was charged is kept.

    Every mark was `seen` before, or none.
    """

    shut: str = "nobody"
    seen: bool = False
    charged: list[tuple[Allowance, int]] = field(default_factory=list)

    async def decide(self, allowance: Allowance, cost: int = 1) -> Decision:
        return (await self.admit(allowance, cost)).decision

    async def admit(self, allowance: Allowance, cost: int = 1, mark: str | None = None) -> Admitted:
        self.charged.append((allowance, cost))
        allowed = self.shut not in allowance.bucket
        left = 7 if allowed else 0
        decision = Decision(allowed, left, 0, 1500, False, False, 1_712_845_198_700)
        return Admitted(decision, mark is not None and self.seen)


@dataclass
class Limits:
    """The settings that the gateway asks for."""

    trusted_proxies: tuple[Network, ...] = ()
    sandbox_accounts_per_hour: int = 20
    public_requests_per_minute: int = 600


@dataclass
class PlainHouse:
    """As much of a house as the gateway itself asks for."""

    keys: Keys = field(default_factory=Keys)
    tokens: Tokens = field(default_factory=Tokens)
    audit: Audit = field(default_factory=Audit)
    clock: Clock = field(default_factory=SystemClock)
    deprecated_use: DeprecatedUse = field(default_factory=DeprecatedUse)
    limiter: Limiter = field(default_factory=Limiter)
    settings: Limits = field(default_factory=Limits)
    room: Room = field(default_factory=lambda: Room(100))
    countries: Countries = field(default_factory=Countries)


def example(operation_id: str) -> tuple[int, Any]:
    """The first success of an operation and the document's example of its body."""
    for item in DOCUMENT["paths"].values():
        for node in item.values():
            if isinstance(node, dict) and node.get("operationId") == operation_id:
                return _example(node)
    raise LookupError(operation_id)


def _example(node: Node) -> tuple[int, Any]:
    status = next(iter(node["responses"]))
    content = node["responses"][status].get("content", {})
    if "application/json" not in content:
        # A page, or a redirect.
        return int(status), b"<!doctype html>" if content else None
    media = content["application/json"]
    given = next(iter(media["examples"].values()))
    if "$ref" in given:
        given = DOCUMENT["components"]["examples"][given["$ref"].rsplit("/", 1)[1]]
    return int(status), given["value"]


class Door:
    """A client of the application, and what its handlers were asked."""

    def __init__(self) -> None:
        self.house = PlainHouse()
        self.requests: list[Request] = []
        self.answers: dict[str, Callable[[Request], Awaitable[Answer]]] = {}
        self.app: AsgiApp = build_app(cast(House, self.house), self._handler)

    def ask(self, method: str, path: str, key: str | None = KEY, **options: Any) -> httpx.Response:
        """One request; raises whatever the application would raise into the server."""
        headers = httpx.Headers(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        return asyncio.run(self._ask(method, path, headers=headers, **options))

    def pay(self, body: bytes, **options: Any) -> httpx.Response:
        """POST /v1/payments with these bytes as JSON and an idempotency key."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": IDEMPOTENCY_KEY}
        headers |= options.pop("headers", {})
        return self.ask("POST", "/v1/payments", content=body, headers=headers, **options)

    async def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        origin = (options.pop("client_address", "127.0.0.1"), 50000)
        transport = httpx.ASGITransport(app=cast(Any, self.app), client=origin)
        async with httpx.AsyncClient(transport=transport, base_url="http://paymint") as client:
            return await client.request(method, path, **options)

    def _handler(self, operation: Operation) -> Handler:
        status, body = example(operation.operation_id)
        if operation.tag == "documents":
            return handler_of(operation)

        async def handler(request: Request) -> Answer:
            self.requests.append(request)
            if operation.operation_id in self.answers:
                return await self.answers[operation.operation_id](request)
            named = body.get("id") if isinstance(body, dict) else None
            return Answer(status, body, resource_id=named)

        return handler
