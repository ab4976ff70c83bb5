"""The token door: `POST /v1/tokens` for payers' devices, and `GET /healthz`.

The only place where card numbers enter.  They go straight from the checked body into a
sealed record; no answer, log line or error carries any part of what was sent
(PCI DSS 4.0.1 req. 3.4.1).  When two refusals apply, the first of contract-decisions'
"Refusals, in order" answers.
"""

from datetime import datetime
from typing import Any, NamedTuple

from adapters.keys import KeysOutOfReach
from contract.answers import JSON_CONTENT_TYPE, encode
from contract.bodies import ClientGone
from contract.errors import InternalError, refuse
from contract.guarding import GUARDS, POLICY
from contract.headers import Headers, read_headers, read_idempotency_key
from contract.limit_headers import limit_headers, refusal_of
from contract.operations import Operation
from contract.versions.entering import HEADER, check_name, check_served
from contract.versions.registry import raised, standing_of
from domain.api_keys import display
from domain.api_versions import PRESENT
from domain.audit_entries import cleaned
from domain.ids import to_text
from domain.refusals import Malformed, MethodNotAllowed, Missing, Refusal, Unavailable
from runtime.clock import Clock
from runtime.database import DatabaseUnavailable
from runtime.ids import uuid7
from runtime.log import log, log_exception
from runtime.room import Room
from vault.door.answers import Answer, Header, Message, Receive, Send, deliver
from vault.door.cors import answer_headers, preflight_headers
from vault.door.desk import Desk
from vault.door.limiting import DoorLimits
from vault.door.versions import version_headers, version_of
from vault.door.witnessing import Asked, entry_of
from vault.operations.reading import CardRefused
from vault.operations.tokenising import Tokenising
from vault.store.audit import AuditTrail
from vault.store.instruments import Stored
from vault.store.keys import PublishableKey

TOKENS = "/v1/tokens"
LIVENESS = "/healthz"
METHOD_CHARACTERS = 32
# Written to the audit trail when the client left before it could be answered.
CLIENT_GONE_STATUS = 499

_ALLOWED = {TOKENS: "POST, OPTIONS", LIVENESS: "GET, HEAD, OPTIONS"}
_REPLAYED: Header = (b"idempotent-replayed", b"true")
_ALIVE = b'{"status":"ok"}'


class Entrance(NamedTuple):
    """What lets requests in: the limits of keys, room for those under way, and who sees them."""

    limits: DoorLimits
    room: Room
    audit: AuditTrail


class TokenDoor:
    """An ASGI application."""

    def __init__(
        self,
        tokenising: Tokenising,
        desk: Desk,
        entrance: Entrance,
        operation: Operation,
        clock: Clock,
    ) -> None:
        self._tokenising = tokenising
        self._desk = desk
        self._entrance = entrance
        self._operation = operation
        self._clock = clock

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began = self._clock.monotonic()
        asked = Asked(scope, uuid7(), self._entrance.limits.address(scope))
        try:
            answer = await self._answer(asked, scope, receive)
        except ClientGone:
            await self._witness(asked, CLIENT_GONE_STATUS, began)
            return
        await self._witness(asked, answer.status, began)
        await deliver(answer, send, without_body=asked.method == "HEAD")

    async def _witness(self, asked: Asked, status: int, began: float) -> None:
        """Store the request's entry before it is answered; a probe of health has none."""
        milliseconds = round((self._clock.monotonic() - began) * 1000, 3)
        log(
            "token_door",
            request_id=asked.request_id,
            method=cleaned(asked.method, METHOD_CHARACTERS),
            path=asked.path if asked.path in _ALLOWED else "other",
            status=status,
            duration_ms=milliseconds,
        )
        if asked.path == LIVENESS:
            return
        entry = entry_of(asked, self._operation, status, milliseconds, self._clock)
        stored = self._entrance.audit.record(asked.uuid, asked.whose, entry)
        if stored is not None:
            await stored

    async def _answer(self, asked: Asked, scope: Message, receive: Receive) -> Answer:
        try:
            headers = self._enter(asked, scope)
            if asked.method == "OPTIONS":
                answer = Answer(204, [(b"allow", _ALLOWED[asked.path].encode())])
            elif asked.path == LIVENESS:
                answer = Answer(200, [JSON_CONTENT_TYPE], _ALIVE)
            else:
                answer = await self._tokenised(asked, headers, scope, receive)
        except Refusal as refusal:
            answer = self._refused(refusal, asked)
        except (DatabaseUnavailable, KeysOutOfReach):
            answer = self._refused(Unavailable(), asked)
        except ClientGone:
            raise
        except Exception as error:
            log_exception("token_door_failed", error, request_id=asked.request_id)
            answer = self._refused(InternalError(), asked)
        return self._stamped(answer, asked, scope)

    async def _tokenised(
        self, asked: Asked, headers: Headers, scope: Message, receive: Receive
    ) -> Answer:
        room = self._entrance.room
        if not room.enter():
            raise Unavailable
        try:
            text, key = await self._desk.admit(_text(headers, b"authorization"))
            asked.key = key, display(text)
            limits, negotiated = self._entrance.limits, key.rate_limit_multiplier
            allowance, decision = limits.decide(text, negotiated, scope)
            asked.limits = limit_headers(allowance.rules, decision)
            if not decision.allowed:
                raise refusal_of(decision)
            if self._entrance.audit.rows.failing:
                # No card is taken in unseen (PCI DSS 4.0.1 req. 10.2.1, 10.7.2).
                raise Unavailable
            typed = await self._typed(headers, scope, receive)
            return await self._create(asked, key, typed, version_of(scope))
        finally:
            room.leave()

    def _enter(self, asked: Asked, scope: Message) -> Headers:
        """Path, method, header syntax: what needs no key."""
        allowed = _ALLOWED.get(asked.path)
        if allowed is None:
            raise Missing("route_missing")
        if asked.method not in allowed.split(", "):
            raise MethodNotAllowed(allowed)
        headers = read_headers(scope["headers"])
        if asked.path == TOKENS:
            asked.idempotency_key = read_idempotency_key(headers)
        if asked.path == LIVENESS and scope["query_string"]:
            raise Malformed("parameter_unknown")
        return headers

    async def _typed(self, headers: Headers, scope: Message, receive: Receive) -> Any:
        """The checked body, as the present version has it."""
        operation = self._operation
        assert operation.body is not None
        typed = operation.body.parse(await operation.body.read(headers, receive))
        check_name(headers.get(HEADER))
        version = version_of(scope)
        check_served(standing_of(version, self._clock.now()))
        typed = raised(version, operation.operation_id, typed)
        operation.parameters.read_query(scope["query_string"])
        operation.body.check(typed)
        return typed

    async def _create(self, asked: Asked, key: PublishableKey, typed: Any, version: str) -> Answer:
        token, replayed = await self._tokenising.make(key, typed, asked.idempotency_key)
        shown = _shown(token)
        asked.resource_id = shown["id"]
        self._operation.answers.check(201, shown)
        if version != PRESENT:
            rendering = self._operation.older[version]
            shown = rendering.render(201, shown)
            rendering.answers.check(201, shown)
        replay = [_REPLAYED] if replayed else []
        return Answer(201, [JSON_CONTENT_TYPE, *replay], encode(shown))

    def _refused(self, refusal: Refusal, asked: Asked) -> Answer:
        if asked.path == TOKENS and not isinstance(refusal, MethodNotAllowed):
            self._operation.answers.check_refusal(refusal)
        status, headers, body = refuse(refusal, asked.request_id)
        if isinstance(refusal, CardRefused) and refusal.replayed:
            headers.append(_REPLAYED)
        return Answer(status, headers, body)

    def _stamped(self, answer: Answer, asked: Asked, scope: Message) -> Answer:
        origin = dict(scope["headers"]).get(b"origin")
        if asked.method == "OPTIONS":
            cors = preflight_headers(origin, _ALLOWED.get(asked.path, "").encode())
        else:
            cors = answer_headers(origin, asked.key is not None and asked.key[0].livemode)
        stamp: list[Header] = [
            (b"x-request-id", asked.request_id.encode()),
            *version_headers(version_of(scope), self._clock),
            # Answers with anything of a card are cached nowhere (blueprint section 8).
            (b"cache-control", b"no-store"),
            *GUARDS,
            POLICY,
            *asked.limits,
        ]
        return answer._replace(headers=[*answer.headers, *stamp, *cors])


def _shown(token: Stored) -> dict[str, Any]:
    return {
        "object": "token",
        "id": to_text("tok", token.id),
        "type": token.type,
        "last_four": token.last_four,
        "brand": token.brand,
        "exp_month": token.exp_month,
        "exp_year": token.exp_year,
        "livemode": token.livemode,
        "expires_at": _moment(token.expires_at),
        "created_at": _moment(token.created_at),
    }


def _moment(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
