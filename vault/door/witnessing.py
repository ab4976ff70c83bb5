"""What the audit trail says of a request at the token door; nothing of the card is in it."""

from typing import Any
from uuid import UUID

from contract.operations import Operation
from domain.audit_entries import PATH_CHARACTERS, USER_AGENT_CHARACTERS, cleaned
from domain.ids import to_text
from runtime.clock import Clock
from vault.door.answers import Header, Message
from vault.store.keys import PublishableKey


class Asked:
    """One request, so far as answer and audit entry need it; filled on its way."""

    __slots__ = (
        "address",
        "idempotency_key",
        "key",
        "limits",
        "method",
        "path",
        "resource_id",
        "scope",
        "uuid",
    )

    def __init__(self, scope: Message, identifier: UUID, address: str) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path = _path(scope)
        self.address = address
        self.uuid = identifier
        # The admitted key and how it is written down.
        self.key: tuple[PublishableKey, str] | None = None
        # What the limits say of the key, for the head of the answer.
        self.limits: tuple[Header, ...] = ()
        self.idempotency_key: UUID | None = None
        self.resource_id: str | None = None

    @property
    def request_id(self) -> str:
        """The name that the answer carries."""
        return to_text("req", self.uuid)

    @property
    def whose(self) -> tuple[UUID, bool] | None:
        """The merchant and mode of the key, once it was admitted."""
        return None if self.key is None else (self.key[0].merchant_id, self.key[0].livemode)


def entry_of(
    asked: Asked, operation: Operation, status: int, milliseconds: float, clock: Clock
) -> dict[str, Any]:
    """The entry of an answered request: blueprint section 9, "Audit Logging Schema"."""
    scope, key = asked.scope, asked.key
    agent = dict(scope["headers"]).get(b"user-agent", b"").decode("latin-1")
    moment = clock.now().isoformat(timespec="milliseconds")
    needed = frozenset[str]().union(*(each.scopes for each in operation.requirements))
    return {
        "timestamp": moment.replace("+00:00", "Z"),
        "request_id": asked.request_id,
        "merchant_id": None if key is None else to_text("mch", key[0].merchant_id),
        "api_key_prefix": None if key is None else key[1],
        "method": cleaned(asked.method, PATH_CHARACTERS),
        "path": cleaned(asked.path, PATH_CHARACTERS),
        "status_code": status,
        "ip_address": asked.address,
        "user_agent": cleaned(agent, USER_AGENT_CHARACTERS),
        "latency_ms": milliseconds,
        "resource_id": asked.resource_id,
        "scopes_used": sorted(needed) if key is not None else [],
        "idempotency_key": None if asked.idempotency_key is None else str(asked.idempotency_key),
        "risk_signals": None,
    }


def _path(scope: Message) -> str:
    """The path; one with an escaped slash, which is no separator (RFC 3986 section 2.2), raw."""
    raw: bytes = scope.get("raw_path") or b""
    return raw.decode("latin-1") if b"%2f" in raw.lower() else str(scope["path"])
