"""One request and its answer on their way through the pipeline."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol
from uuid import UUID

from contract.entity_tags import Tags
from contract.errors import RawHeader
from contract.headers import Headers
from contract.operations import Operation
from contract.versions.registry import Rendering
from domain.allowances import Allowance
from domain.callers import Caller, Once
from domain.client_addresses import client_address
from domain.rate_limits import Decision
from domain.refusals import Refusal
from domain.risk_signals import RiskSignals, nothing
from flows.house import House
from handlers.http import Answer, Item, Request

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Handler = Callable[[Request], Awaitable[Answer]]

# Where Connexion's middlewares, which only hand the ASGI scope on, find the exchange.
SCOPE_KEY = "paymint.exchange"
FORWARDED_FOR = b"x-forwarded-for"
# Written to the audit trail when the client left before it could be answered.
CLIENT_GONE_STATUS = 499

UNNAMED = UUID(int=0)


class Exchange:
    """What the steps know of a request; each slot is written by the step named beside it."""

    __slots__ = (
        "_client_address",
        "allowance",
        "answer",
        "answer_body",
        "answer_headers",
        "body",
        "caller",
        "decision",
        "fields",
        "headers",
        "house",
        "idempotency_key",
        "if_match",
        "if_none_match",
        "items",
        "key",
        "key_refusal",
        "once",
        "operation",
        "path_parameters",
        "preflight",
        "query",
        "receive",
        "rendering",
        "request_id",
        "request_uuid",
        "resource_id",
        "risk_signals",
        "scope",
        "scopes_used",
        "seen_before",
        "send",
        "status",
        "version",
        "whose",
    )

    def __init__(self, house: House, scope: Scope, receive: Receive, send: Send) -> None:
        self.house = house
        self.scope = scope
        self.receive = receive
        self.send = send
        self.headers: Headers = dict(scope["headers"])
        self.request_id = ""  # request_id
        self.request_uuid = UNNAMED  # request_id
        self.risk_signals: RiskSignals = nothing()  # origin, and the flow of a payment
        self.operation: Operation | None = None  # gateway/routes.py
        self.path_parameters: dict[str, str] = {}  # gateway/routes.py
        # To OPTIONS: the methods that other origins may use, "" where they may use none.
        self.preflight: str | None = None  # gateway/routes.py
        self.key: UUID | None = None  # header_syntax
        self.if_match: frozenset[int] | None = None  # header_syntax
        self.if_none_match: Tags | None = None  # header_syntax
        self.caller: Caller | None = None  # authenticate
        self.key_refusal: Refusal | None = None  # authenticate
        self.scopes_used: tuple[str, ...] = ()  # authorise
        self.allowance: Allowance | None = None  # authenticate, rate_limit, or tell_limits
        self.decision: Decision | None = None  # rate_limit, then charge_items, or tell_limits
        # A hint: another request with this idempotency key may have come before.
        self.seen_before = False  # rate_limit
        self.body: Any = None  # body
        self.version: str | None = None  # version
        self.rendering: Rendering | None = None  # version
        self.query: dict[str, Any] = {}  # validate
        self.fields: frozenset[str] | None = None  # validate
        self.idempotency_key: str | None = None  # idempotency
        self.once: Once | None = None  # idempotency
        self.items: tuple[Item | Refusal, ...] = ()  # items
        self.answer: Answer | None = None  # call
        self.resource_id: str | None = None  # represent
        # Merchant and mode where no key says them: those of a person who is signed in.
        self.whose: tuple[UUID, bool] | None = None  # represent
        self.status = 0  # represent, shorten or envelope
        self.answer_headers: list[RawHeader] = []  # represent, shorten or envelope, then stamp
        self.answer_body = b""  # represent, shorten or envelope
        self._client_address: str | None = None

    @property
    def client_address(self) -> str:
        """The address of the client: the last hop that is not one of our own proxies."""
        if self._client_address is None:
            client = self.scope.get("client")
            peer = client[0] if client else ""
            trusted = self.house.settings.trusted_proxies
            if trusted:
                pairs = self.scope["headers"]
                told = [v.decode("latin-1") for name, v in pairs if name == FORWARDED_FOR]
                peer = client_address(peer, told, trusted)
            self._client_address = peer
        return self._client_address


Proceed = Callable[[Exchange], Awaitable[None]]


class EdgeStep(Protocol):
    """A step of every request, bound once."""

    def __call__(self, proceed: Proceed, /) -> Proceed: ...


class OperationStep(Protocol):
    """A step bound once per operation; gives `proceed` back when it has nothing to do there."""

    def __call__(self, operation: Operation, proceed: Proceed, /) -> Proceed: ...
